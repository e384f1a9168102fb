"""The wheel carries its YAML and works in an empty folder, without the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def build(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_trains_in_an_empty_folder(tmp_path: Path) -> None:
    wheel = build(tmp_path / "wheels")
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    for folder, shipped in (("conf", "nncli/conf"), ("recipes", "nncli/recipes")):
        expected = {f"{shipped}/{p.relative_to(ROOT / folder).as_posix()}" for p in (ROOT / folder).rglob("*.yaml")}
        assert expected
        assert expected <= set(names)
    assert not [n for n in names if n.startswith(("tests", "docs"))]
    words = [sys.executable, "-m", "nncli", "train", "trainer=fast", "run_dir=here", "--quiet"]
    done = subprocess.run(
        words, cwd=work, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (work / "here" / "summary.json").is_file()
    where = [sys.executable, "-c", "import nncli; print(nncli.__file__)"]
    used = subprocess.run(
        where, cwd=work, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True
    )
    assert str(site) in used.stdout
