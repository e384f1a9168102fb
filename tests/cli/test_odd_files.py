"""Files that are not what nn wrote: one odd run or recipe is said to be odd, and breaks nothing of the others."""

import builtins
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nncli.cli import main
from nncli.cli.complete import complete_data, complete_keys, complete_recipes, complete_runs, complete_words
from nncli.run import folder
from nncli.run.folder import RunFolder
from tests.cli.conftest import Here
from tests.trees import made_run

SUMMARIES = {
    "a list": b"[1, 2]",
    "a number": b"3",
    "null": b"null",
    "nothing": b"",
    "cut short": b'{"status": "finish',
    "not UTF-8": b'{"status": "\xff"}',
    "numbers as text": b'{"wall_s": "1.5", "steps": "3"}',
    "a truth value for a number": b'{"wall_s": true}',
    "a list for a number": b'{"steps": [1]}',
    "a number too large": b'{"wall_s": 1' + b"0" * 400 + b"}",
    "a number of 5000 digits": b'{"wall_s": 1' + b"0" * 5000 + b"}",
    "metrics a list": b'{"metrics": [1, 2]}',
    "metrics null": b'{"metrics": null}',
    "metrics of text": b'{"metrics": {"test/loss": "low"}}',
    "metrics of metrics": b'{"metrics": {"test/loss": {"a": 1}}}',
    "status a list": b'{"status": ["finished"]}',
    "deep": b'{"status": "finished", "x": ' + b"[" * 300 + b"]" * 300 + b"}",
    "very deep": b"[" * 100_000 + b"]" * 100_000,
}
WELL = b'{"status": "finished", "metrics": {"test/loss": 0.5, "val/loss": NaN, "test/x": Infinity}, "wall_s": NaN}'


def run_folder(name: str, summary: bytes = b'{"status": "finished", "metrics": {"test/loss": 0.25}}') -> RunFolder:
    run = folder.make(name)
    run.config.write_text(f"name: {name}\nseed: 0\n")
    run.summary.write_bytes(summary)
    run.write(run.environment, {"started_at": 1.0})
    return run


def listed(here: Here) -> dict[str, str]:
    """Name and status of every run."""
    done = here("runs", "ls", "--json")
    return {run["name"]: run["status"] for run in json.loads(done.out, parse_constant=pytest.fail)}


@pytest.mark.parametrize("summary", SUMMARIES.values(), ids=SUMMARIES)
def test_a_run_with_an_odd_summary_is_listed_as_unreadable_beside_the_others(here: Here, summary: bytes) -> None:
    well, odd = run_folder("well"), run_folder("odd", summary)
    assert listed(here) == {well.name: "finished", odd.name: "unreadable"}
    lines = {line.split()[0]: line for line in here("runs", "ls").out.splitlines()}
    assert "unreadable" in lines[odd.name]
    assert "test/loss 0.2500" in lines[well.name]
    shown = here("runs", "show", odd.name)
    assert shown.code == 0
    assert any(line.startswith("summary.json ") for line in shown.out.splitlines())
    assert json.loads(here("runs", "show", odd.name, "--json").out)["summary.json"]
    assert "0.2500" in here("runs", "diff", odd.name, well.name).out
    assert {odd.name, well.name} <= {name for name, _ in complete_runs("")}


def test_numbers_that_are_not_finite_are_null_for_programs_and_a_dash_for_people(here: Here) -> None:
    run = run_folder("well", WELL)
    assert listed(here) == {run.name: "finished"}
    facts = json.loads(here("runs", "show", run.name, "--json").out, parse_constant=pytest.fail)
    assert facts["metrics"] == {"test/loss": 0.5, "val/loss": None, "test/x": None}
    assert facts["wall_s"] is None
    for verb in (["runs", "ls"], ["runs", "show", run.name]):
        done = here(*verb)
        assert "0.5000" in done.out
        assert "-" in done.out.split()


def test_a_summary_of_ours_is_always_json(tmp_path: Path) -> None:
    run = run_folder("x")
    run.write(run.summary, {"metrics": {"val/loss": float("nan"), "a": [float("-inf")]}, "wall_s": float("inf")})
    found = json.loads(run.summary.read_text(), parse_constant=pytest.fail)
    assert found == {"metrics": {"val/loss": None, "a": [None]}, "wall_s": None}


@pytest.mark.parametrize("name", ["summary.json", "environment.json", "words.txt"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling", "loop", "not text"])
def test_a_file_of_a_run_that_is_no_file_breaks_nothing(here: Here, name: str, kind: str) -> None:
    well, odd = run_folder("well"), run_folder("odd")
    (odd.path / name).unlink(missing_ok=True)
    make_odd(odd.path / name, kind)
    found = listed(here)
    assert found[well.name] == "finished"
    assert (found[odd.name] == "unreadable") == (name == "summary.json")
    shown = here("runs", "show", odd.name)
    assert shown.code == 0, shown.err
    assert (name in shown.out) == (name != "words.txt")
    assert here("runs", "diff", well.name, odd.name).code == 0


def make_odd(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "loop":
        path.symlink_to(path.name)
    else:
        path.write_bytes(b"# \xff\xfe\nkey: \xff\n")


def test_a_run_that_vanishes_while_it_is_listed_breaks_nothing(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    well, odd = run_folder("well"), run_folder("odd", b'{"status": "running"}')
    lock = folder.lock_file

    def gone(run: RunFolder) -> int | None:
        if run == odd:
            raise FileNotFoundError(2, "No such file or directory", str(run.path))
        return lock(run)

    monkeypatch.setattr(folder, "lock_file", gone)
    assert listed(here) == {well.name: "finished", odd.name: "interrupted"}


@pytest.mark.parametrize("kind", ["folder", "dangling", "not text"])
def test_a_config_that_cannot_be_read_is_named_by_every_verb(here: Here, kind: str) -> None:
    well, odd = run_folder("well"), run_folder("odd")
    odd.config.unlink()
    make_odd(odd.config, kind)
    assert listed(here)[well.name] == "finished"
    for verb in (["runs", "diff", str(odd.path), well.name], ["eval", str(odd.path)], ["resume", str(odd.path)]):
        done = here(*verb)
        assert done.code == 1
        assert "nn itself failed" not in done.err
        assert "odd" in done.err
    assert well.name in {name for name, _ in complete_runs("")}


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")
def test_a_run_goes_on_and_is_evaluated_whatever_its_notes_say(here: Here, tmp_path: Path) -> None:
    assert here("train", "trainer.max_steps=1", "trainer.accelerator=cpu", "run_dir=r", "-q").code == 0
    run = RunFolder(tmp_path / "r")
    run.summary.write_bytes(b'{"status": ["finished"], "metrics": [1]}')
    run.environment.write_bytes(b"[")
    run.words.write_bytes(b"\xff\n")
    done = here("resume", "r", "trainer.max_steps=2", "-q")
    assert done.code == 0, done.err
    assert run.status() == "finished"
    assert run.typed()[-1] == "trainer.max_steps=2"
    run.summary.write_bytes(b"[]")
    assert here("eval", "r").code == 0


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling", "loop", "not text"])
def test_an_odd_recipe_is_listed_and_said_to_be_odd(here: Here, tmp_path: Path, kind: str) -> None:
    (tmp_path / "recipes").mkdir()
    make_odd(tmp_path / "recipes" / "odd.yaml", kind)
    names = {recipe["name"]: recipe for recipe in json.loads(here("recipes", "ls", "--json").out)}
    assert {"digits_mlp", "odd"} <= names.keys()
    assert "odd (yours)" in here("recipes", "ls").out
    for verb in (["recipes", "show", "odd"], ["recipes", "cp", "odd", "new"], ["config", "show", "recipe=odd"]):
        done = here(*verb)
        text = kind == "not text" and verb[0] == "recipes"
        assert done.code == (0 if text else 1), done.err
        assert text or "recipes/odd.yaml" in done.err
        assert "nn itself failed" not in done.err
    copy = tmp_path / "recipes" / "new.yaml"
    assert copy.exists() == (kind == "not text")
    assert not copy.exists() or copy.read_bytes() == (tmp_path / "recipes" / "odd.yaml").read_bytes()
    assert "odd" in {name for name, _ in complete_recipes("")}


@pytest.mark.parametrize("claim", ["metric: [a], at_least: 1", "metric: test/loss, at_most: low"])
def test_an_odd_claim_is_said_to_be_odd(here: Here, tmp_path: Path, claim: str) -> None:
    (tmp_path / "recipes").mkdir()
    header = f"# odd\n# claim: {{{claim}, seed: 0, device: cpu, precision: 32}}\n"
    (tmp_path / "recipes" / "odd.yaml").write_text(header)
    done = here("verify", "recipe=odd")
    assert done.code == 1
    assert "the claim's" in done.out
    assert here("recipes", "ls").code == 0


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling", "loop", "not text"])
def test_an_odd_choice_breaks_no_other(here: Here, tmp_path: Path, kind: str) -> None:
    for group in ("model", "data"):
        (tmp_path / "conf" / group).mkdir(parents=True)
        make_odd(tmp_path / "conf" / group / "odd.yaml", kind)
    for verb in (["data", "ls"], ["data", "ls", "--json"], ["config", "explain", "model"], ["config", "show"]):
        done = here(*verb)
        assert done.code == 0, done.err
    for word in ("model=odd", "data=odd"):
        done = here("config", "check", word)
        assert done.code == 1
        assert "nn itself failed" not in done.err
        assert "odd" in done.err
    assert "model=mlp" in {name for name, _ in complete_words("model=")}
    assert ("odd" in {name for name, _ in complete_data("")}) == (kind == "not text")
    assert complete_keys("model.w")


def test_a_file_that_may_not_be_read_is_named_and_breaks_no_other(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "odd.yaml").write_text("# odd\n")
    well, odd = run_folder("well"), run_folder("odd")
    real = io.open

    def refused(file: Any, *args: Any, **kwargs: Any) -> Any:  # root may read anything, so that chmod shows nothing
        if str(file).endswith(("odd.yaml", f"{odd.name}/summary.json", f"{odd.name}/words.txt")):
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        return real(file, *args, **kwargs)

    monkeypatch.setattr(io, "open", refused)
    monkeypatch.setattr(builtins, "open", refused)
    assert "Permission denied" in next(line for line in here("recipes", "ls").out.splitlines() if "odd" in line)
    for verb in (["recipes", "show", "odd"], ["recipes", "cp", "odd", "new"], ["config", "check", "recipe=odd"]):
        done = here(*verb)
        assert done.code == 1
        assert "recipes/odd.yaml" in done.err
        assert "Permission denied" in done.err
    assert listed(here) == {well.name: "finished", odd.name: "unreadable"}
    assert "summary.json     cannot be read: Permission denied" in here("runs", "show", odd.name).out


CODES = ("ENOSPC", "EROFS", "EACCES", "EIO", "ENAMETOOLONG", "ELOOP", "EMFILE", "EDQUOT")


@pytest.mark.parametrize("code", CODES)
def test_whatever_the_system_refuses_is_one_message(here: Here, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    number = getattr(errno, code)

    def refused(**_: object) -> None:
        raise OSError(number, os.strerror(number), "some/\x1b[2Jfile")

    monkeypatch.setattr(main, "app", refused)
    done = here()
    assert done.code == 1
    assert done.err.startswith("some/�[2Jfile: ")
    assert done.err.count("\n") == 1
    assert "itself" not in done.err


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_file_that_could_not_be_replaced_is_as_it_was_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str
) -> None:
    file = tmp_path / "summary.json"
    file.write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((builtins, "open") if call == "open" else (os, call)), full)
    with pytest.raises(OSError, match="No space left") as raised:
        folder.write_atomic(file, b"new")
    monkeypatch.undo()
    assert raised.value.filename == str(file)
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_an_output_that_takes_no_more_is_one_message(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs a device that is always full")
    command = f"{sys.executable} -m nncli --version > /dev/full"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "<stdout>: No space left on device\n")


VERBS = """
import sys
from nncli.cli.main import main
for line in sys.stdin:
    sys.argv = ["nn", *line.split()]
    try:
        main()
    except SystemExit as ended:
        print(" code", ended.code, file=sys.stderr, flush=True)
"""
QUICK = (
    "recipes cp wine_mlp mine",
    "init mine",
    "runs rm r --yes --outside",
    "config show --lr --out a.png",
    "tune lr --out a.png",
)
WITH_TORCH = (
    "resume r",
    "train -q",
    "data show digits",
    "data show digits --out a.png",
    "data show digits --out b/a.png",
)


@pytest.mark.parametrize("verbs", [QUICK, pytest.param(WITH_TORCH, marks=pytest.mark.slow)])
def test_a_folder_that_is_read_only_is_named_by_every_verb_that_writes(tmp_path: Path, verbs: tuple[str, ...]) -> None:
    mount = 'unshare -m sh -c \'mount --bind . . && mount -o remount,ro,bind . && cd "$PWD" && exec'
    if subprocess.run(f"{mount} true'", shell=True, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    made_run(tmp_path / "r")
    (tmp_path / "verbs.py").write_text(VERBS)
    command = f"{mount} {sys.executable} -P verbs.py'"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, input="\n".join(verbs))
    answers = done.stderr.split(" code 1\n")
    assert len(answers) == len(verbs) + 1, done.stderr
    for verb, said in zip(verbs, answers, strict=False):
        assert said.count("\n") == 1, (verb, said)
        assert "itself" not in said, (verb, said)
        named = ("mine", "a.png", str(tmp_path), "r could not", "cannot be written", "the picture cannot")
        assert any(text in said for text in named), (verb, said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r", "verbs.py"]


@pytest.mark.parametrize("word", ["recipe=./" + "a" * 300 + ".yaml", "recipe=" + "a" * 300, "run_dir=" + "a" * 300])
def test_a_name_that_is_too_long_is_one_message(here: Here, word: str) -> None:
    done = here("train", word, "--dry-run") if word.startswith("recipe") else here("train", word, "-q")
    assert done.code == 1
    assert "itself" not in done.err


@pytest.mark.parametrize("key", ["run_dir", "data.root"])
def test_text_with_a_null_byte_is_refused_where_it_stands(here: Here, tmp_path: Path, key: str) -> None:
    section, _, name = key.rpartition(".")
    line = f'{section}: {{{name}: "a\\0b"}}' if section else f'{name}: "a\\0b"'
    (tmp_path / "r.yaml").write_text(f"defaults:\n  - /train\n  - override /data: mnist\n  - _self_\n{line}\n")
    for verb in (["train", "-q"], ["data", "show"]) if section else (["train", "-q"],):
        done = here(*verb, "recipe=./r.yaml")
        assert done.code == 1
        assert f"{key} = a�b" in done.err
        assert "r.yaml:5" in done.err


def test_a_current_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"rmdir {gone} && exec {sys.executable} -P -m nncli runs ls"
    done = subprocess.run(["sh", "-c", script], cwd=gone, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "the current folder no longer exists" in done.stderr
