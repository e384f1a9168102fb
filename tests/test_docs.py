"""Every command in the README and the guide runs, page by page, in the order a reader would type it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WARM = Path(__file__).parent / "warm.py"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OWN = "14,2,2,16,127,3,3,1,2,6,1,4,1065\n"  # a wine
FILE = re.compile(r"`([\w./]+\.(?:py|yaml|cpp|txt|js|html))`")
FILES = {"python", "yaml", "toml", "cpp", "cmake", "js", "html"}  # languages of fences that can be files


def fences(page: Path) -> list[tuple[str, str, str, str]]:
    """(language, tags, text, what stands before) of every fence."""
    whole = page.read_text()
    return [(m[1], m[2].strip(), m[3], whole[: m.start()]) for m in FENCE.finditer(whole)]


def write_file(work: Path, language: str, text: str, before: str) -> None:
    """Write a fence to the file that the line above it names, if it names one."""
    if language in FILES and (names := FILE.findall(before.rstrip().splitlines()[-1])):
        (work / names[0]).parent.mkdir(parents=True, exist_ok=True)
        (work / names[0]).write_text(text)


def test_there_are_pages_with_commands() -> None:
    assert len(PAGES) > 5
    assert sum(language == "sh" for page in PAGES for language, *_ in fences(page)) > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_on_a_page_runs(page: Path, tmp_path: Path, warm: str) -> None:
    shim = tmp_path / "bin" / "nn"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -SE {WARM} {warm} "$@"\n')
    shim.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    (work / "new.csv").write_text(OWN)  # what the help of nn predict takes for the reader's own file
    env = os.environ | {"PATH": f"{shim.parent}:{os.environ['PATH']}"}
    for language, tags, text, before in fences(page):
        write_file(work, language, text, before)
        if language != "sh" or {"gpu", "network", "slow"} & set(tags.split()):
            continue
        for line in text.strip().splitlines():
            command = line.split("  #")[0].replace("pip install . && ", "")
            if command.startswith(("pip install", "git ")):
                continue
            done = subprocess.run(command, shell=True, cwd=work, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{page.name}: {command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
