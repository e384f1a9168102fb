"""`nn` in this process: as a person runs it, without the seconds that another process takes to start."""

import io
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from nncli.cli.main import main

Here = Callable[..., SimpleNamespace]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Run a verb here; its exit code and what it printed."""
    monkeypatch.delenv("NN_DEBUG", raising=False)

    def run(*words: str) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["nn", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code or 0, out=said.out, err=said.err)

    return run
