"""A run that the tests of exports share."""

import pytest

import nncli
from nncli.run.folder import RunFolder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that has learned something."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["trainer.max_epochs=3", "trainer.precision=32", f"run_dir={folder / 'digits'}"]
    return nncli.fit(words, show="quiet")
