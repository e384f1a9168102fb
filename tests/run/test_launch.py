"""How other processes of ours are started."""

import os
import subprocess
from pathlib import Path

import pytest

from nncli.run.launch import python


def test_a_file_of_this_folder_is_run_in_place_of_a_package_only_where_it_is_in_this_process_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("yaml.py").write_text("raise SystemExit('mine')")

    def said() -> bytes:
        return subprocess.run(python("yaml"), capture_output=True, check=False).stderr.strip()

    assert said() != b"mine"
    monkeypatch.syspath_prepend(os.getcwd())  # as `python -m nncli` does
    assert said() == b"mine"
