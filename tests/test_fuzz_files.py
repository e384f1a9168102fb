"""Files that nobody wrote as they are: whatever they hold, a person gets a message, and nothing outside is touched."""

import contextlib
import hashlib
import io
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import nncli
from nncli.cli.main import main
from nncli.run.checkpoint import MAGIC, TRAILER, load, save
from nncli.run.fit import fit_words

LONGEST = 60  # seconds that a verb may take, by far
SMALL = ["model.width=4", "trainer.max_epochs=1", "trainer.limit_batches=2", "checkpoint.every_n_steps=1"]
RECIPE = """# Own columns with an own recipe.
# claim: {metric: test/accuracy, at_least: 0.1, seed: 0, device: cpu, precision: 32, minutes: 1, measured: 0.5}
defaults:
  - /train
  - override /data: csv
  - override /model: own
  - override /transform: table
  - _self_

data: {path: data/x.csv, target: y}
optimizer: {lr: 0.01}
trainer:
  max_epochs: 1
  limit_batches: 2
"""
MODEL = "# Own.\ndefaults:\n  - mlp\n  - _self_\n\nwidth: 4\ndepth: 1\n"
README = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: train.csv\n---\n# a set\n"
TOKENS = [
    *(
        "\x1b[2J",
        "\x9b31m",
        "\x7f",
        "\0",
        "\u202e",
        "\ufeff",
        "'",
        '"',
        "{",
        "[",
        "]",
        "}",
        ": ",
        "- ",
        "#",
        "\t",
        "|",
        ">",
    ),
    *("null", "true", "-1", "0", "1e999", ".nan", "9" * 400, "0x1f", "2020-01-01", "~", "???", "[" * 60, "{a: " * 60),
    *("../outside/secret", "/etc/passwd", "/proc/self/environ", "~/.netrc", "file:///etc/passwd", "a" * 5000),
    *("http://127.0.0.1:9/x", "https://localhost:9/x", "${oc.env:HOME}", "${model}", "${data.path}", "${nothing.here}"),
    *("!!python/object/apply:os.system [id]", "&a [*a, *a]", "<<: *a", "_target_: os.system", "_target_: torch.load"),
    *(
        "_target_: builtins.eval",
        "_partial_: true",
        "_args_: [1]",
        "hydra: {run: {dir: ../outside}}",
        "run_dir: ../outside",
    ),
    *("logger: {_target_: lightning.pytorch.loggers.CSVLogger, save_dir: ../outside}", "name: ../../outside/x"),
]
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect", "socket.getaddrinfo", "socket.bind")


class Fence:
    """Notes every file that is opened or changed outside of what a verb may touch, and every call to the network."""

    def __init__(self, work: Path) -> None:
        self.active, self.found = False, list[str]()
        packages = {sys.prefix, sys.base_prefix, str(Path(nncli.__file__).parents[1]), *sys.path}
        cache = os.environ.get("HF_HOME", str(Path.home() / ".cache" / "huggingface"))  # as its library was imported
        self.writable = (str(work), cache, "/dev/")
        self.readable = (*self.writable, *filter(None, packages), "/proc/", "/sys/", "/usr/", "/lib", "/etc/localtime")
        sys.addaudithook(self.hook)

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.active:
            return
        if event in FORBIDDEN or (event == "subprocess.Popen" and args[1][0] != "git"):
            self.found.append(f"{event} {str(args)[:200]}")
        elif event == "open" and isinstance(args[0], str | bytes):
            flags = args[2] if isinstance(args[2], int) else 0
            self._look(event, args[0], writes=bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))
        elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"):
            for path in args[:2] if event in ("os.rename", "os.link") else args[:1]:
                self._look(event, path, writes=True)

    def _look(self, event: str, path: Any, *, writes: bool) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        real = os.path.abspath(os.fsdecode(path))
        allowed = self.writable if writes else self.readable
        if not real.startswith(allowed) or real.endswith("environ") or "/outside/" in real:
            self.found.append(f"{event} {real}")

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        self.active = True
        try:
            yield
        finally:
            self.active = False


def pristine(folder: Path) -> Path:
    """A folder as a person has it: a run, a recipe and a model of their own, a table, a set of the hub's form."""
    work = folder / "work"
    (work / "recipes").mkdir(parents=True)
    (work / "conf" / "model").mkdir(parents=True)
    (work / "data" / "ds").mkdir(parents=True)
    (folder / "outside").mkdir()
    (folder / "outside" / "secret").write_text("a,b\nCANARY,1\n")
    (work / "recipes" / "mine.yaml").write_text(RECIPE)
    (work / "conf" / "model" / "own.yaml").write_text(MODEL)
    dice = random.Random(0)
    rows = [f"{dice.random():.3f},{dice.random():.3f},{dice.choice('uvw')}\n" for _ in range(120)]
    (work / "data" / "x.csv").write_text("a,b,y\n" + "".join(rows))
    (work / "data" / "ds" / "train.csv").write_text("a,b,label\n" + "".join(rows))
    (work / "data" / "ds" / "README.md").write_text(README)
    np.savez(work / "data" / "x.npz", x=np.random.default_rng(0).random((80, 4), np.float32), y=np.arange(80) % 2)
    os.chdir(work)
    fit_words([*SMALL, "run_dir=runs/x/r"], show="quiet")
    return work


RUN = [
    *(["runs", "ls"], ["runs", "ls", "--json"], ["runs", "show", "r"], ["runs", "show", "r", "--json"]),
    *(
        ["runs", "diff", "r", "whole"],
        ["config", "check", "recipe=runs/x/r/config.yaml"],
        ["config", "show", "recipe=runs/x/r/config.yaml"],
    ),
    *(["eval", "r", "--part", "val"], ["resume", "r", "trainer.max_epochs=2"], ["runs", "rm", "r", "--yes"]),
    ["train", "model.init_from=r", "--dry-run", *SMALL],
]
OWN = [
    *(
        ["recipes", "ls"],
        ["recipes", "show", "mine"],
        ["recipes", "cp", "mine", "yours"],
        ["config", "check", "recipe=mine"],
    ),
    *(["config", "show", "recipe=mine"], ["config", "explain", "model"], ["train", "recipe=mine", "--dry-run"]),
]
TABLE = ["data=csv", "data.path=data/x.csv", "data.target=y"]
HUB = ["data=huggingface", "data.path=data/ds"]
NPZ = ["data=arrays", "data.path=data/x.npz"]
TARGETS: dict[str, list[list[str]]] = {
    **{
        f"runs/x/r/{name}": RUN
        for name in ("config.yaml", "summary.json", "words.txt", "environment.json", "metrics.csv")
    },
    "runs/x/r/.nn-run": RUN,
    "runs/x/r/checkpoints/last.ckpt": [["resume", "r", "trainer.max_epochs=2"], ["eval", "r", "--which", "last"]],
    "runs/x/r/checkpoints/best.ckpt": [["eval", "r"], ["train", "model.init_from=r", "--dry-run", *SMALL]],
    "recipes/mine.yaml": OWN,
    "conf/model/own.yaml": OWN,
    "data/x.csv": [["data", "show", *TABLE], ["data", "check", *TABLE], ["train", *TABLE, "--dry-run"]],
    "data/ds/README.md": [["data", "check", *HUB]],
    "data/ds/train.csv": [["data", "check", *HUB]],
    "data/x.npz": [["data", "check", *NPZ], ["train", *NPZ, "--dry-run"]],
}


def mutated(content: bytes, dice: random.Random) -> bytes:
    """The content with one to four things in it changed."""
    for _ in range(dice.randint(1, 4)):
        lines = content.splitlines(keepends=True) or [b"\n"]
        at, token = dice.randrange(len(lines)), dice.choice(TOKENS).encode()
        line, place = lines[at], dice.randrange(len(content) + 1)
        way = dice.randrange(8)
        if way == 0:
            content = content[:place] + bytes([dice.randrange(256)]) + content[place + 1 :]
        elif way == 1:
            content = content[:place]
        elif way == 2:
            content = content[:place] + token + content[place:]
        elif way == 3 and b": " in line and not line.lstrip().startswith((b"path", b"root", b"data:")):
            lines[at] = line.partition(b": ")[0] + b": " + token + b"\n"
            content = b"".join(lines)
        elif way == 4:
            content = b"".join([*lines[:at], *lines[at + 1 :]])
        elif way == 5:
            content = b"".join([*lines[:at], line, *lines[at:]])
        elif way == 6:
            lines[at], lines[0] = lines[0], line
            content = b"".join(lines)
        else:
            content = b"".join([*lines[: at + 1], token + b"\n", *lines[at + 1 :]])
    return content


def mutate_checkpoint(path: Path, dice: random.Random) -> None:
    """Bytes changed, or a value in it, and a right digest in both cases."""
    if dice.random() < 0.3:
        body = mutated(path.read_bytes()[:-TRAILER], dice)
        path.write_bytes(body + MAGIC + hashlib.sha256(body).digest())
        return
    state = load(path)
    for _ in range(dice.randint(1, 3)):
        node: Any = state
        while isinstance(node, dict | list) and node:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = dice.choice(keys)
            if not isinstance(node[key], dict | list) or not node[key] or dice.random() < 0.25:
                odd: list[Any] = [None, -1, 10**30, "text", [], {}, [1], {"a": 1}, float("nan"), torch.zeros(3), True]
                node[key] = dice.choice(odd)
                break
            node = node[key]
    save(state, path)


def said_by(words: list[str]) -> tuple[int, str]:
    """A verb in this process: its exit code, and all that it printed."""
    out = io.StringIO()

    def late(*_: Any) -> None:
        raise TimeoutError("took too long")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    code: Any = 0
    try:
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            patch.setattr(sys, "argv", ["nn", *words])
            main()
    except SystemExit as left:
        code = left.code
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return code or 0, out.getvalue()


def faults(words: list[str], fence: Fence) -> list[str]:
    """What a verb did that none may."""
    fence.found.clear()
    with fence.up():
        try:
            code, said = said_by(words)
        except BaseException as error:  # not even this may come out
            return [f"{type(error).__name__}: {error}"]
    found = list(fence.found)
    found += [
        f"said {word}"
        for word in ("Traceback", "nn itself failed", "CANARY", "root:x:", "\x1b", "\x9b")
        if word in said
    ]
    if code not in (0, 1, 3):
        found.append(f"exit {code}")
    if code and not said.strip():
        found.append("said nothing")
    return [*found, said[-400:]] if found else []


@pytest.fixture
def fuzz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], list[str]]:
    for name in ("NN_CACHE", "TMPDIR"):
        (tmp_path / "work" / name).mkdir(parents=True)
        monkeypatch.setenv(name, str(tmp_path / "work" / name))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    work = pristine(tmp_path)
    shutil.copytree(work / "runs" / "x" / "r", work / "runs" / "x" / "whole")
    for verbs in {tuple(map(tuple, verbs)) for verbs in TARGETS.values()}:  # imports what verbs import, unwatched
        for words in verbs:
            if words[:2] != ("runs", "rm"):
                assert said_by(list(words))[0] == 0, words
    shutil.rmtree(work / "runs" / "x" / "r")
    (work / "recipes" / "yours.yaml").unlink()
    shutil.copytree(work / "runs" / "x" / "whole", work / "runs" / "x" / "r")
    fence, kept = Fence(work), tmp_path / "kept"
    shutil.copytree(work, kept)

    def run(seed: int, count: int) -> list[str]:
        dice, wrong = random.Random(seed), []
        for _ in range(count):
            target = dice.choice(list(TARGETS))
            path, words = work / target, dice.choice(TARGETS[target])
            if target.endswith(".ckpt"):
                mutate_checkpoint(path, dice)
            else:
                path.write_bytes(mutated(path.read_bytes(), dice))
            content = path.read_bytes()
            if found := faults(words, fence):
                shown = repr(content[:600]) if len(content) < 100_000 else ""
                wrong.append(f"{words} with {target}: {found}\n{shown}")
            for part in ("runs", "recipes", "conf", "data"):
                shutil.rmtree(work / part)
                shutil.copytree(kept / part, work / part)
        assert (tmp_path / "outside" / "secret").read_text().startswith("a,b")
        assert [p.name for p in tmp_path.iterdir() if p.name not in ("work", "outside", "kept")] == []
        return wrong

    return run


def test_the_hostile_words_are_in_a_form_that_yaml_knows() -> None:
    assert sum(isinstance(_read(token), str) for token in TOKENS) > 10


def _read(token: str) -> Any:
    try:
        return yaml.safe_load(token)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def test_sixty_changed_files_are_answered_by_a_message(fuzz: Callable[[int, int], list[str]]) -> None:
    wrong = fuzz(0, 60)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_five_thousand_changed_files_are_answered_by_a_message(
    fuzz: Callable[[int, int], list[str]], seed: int
) -> None:
    wrong = fuzz(seed, 500)
    assert not wrong, "\n\n".join(wrong)
