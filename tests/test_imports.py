"""The directions of import that keep the two wings apart, and the verbs that must not wait for torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nncli

PACKAGE = Path(nncli.__file__).parent
LIBRARY = {"tasks", "models", "losses", "data", "transforms", "optim"}
TOOLS = {"hydra", "omegaconf", "typer", "rich", "lightning", "torchmetrics"}  # that the library wing does without
BOTTOM = {"paths", "files", "errors", "output", "terminal", "seed"}
# what a room may import of ours, besides itself
MAY: dict[str, set[str]] = {
    "cli": {*("sweep", "tune", "bench", "insight", "export", "predict", "serve", "run", "config"), *BOTTOM, "cli"},
    "export": {"insight", "run", "config", "contracts", "data", *BOTTOM},
    "predict": {"export", "run", "data", *BOTTOM},
    "insight": {"run", "config", "contracts", "data", *BOTTOM},
    "sweep": {"insight", "run", "config", *BOTTOM},
    "tune": {"bench", "insight", "run", "config", "data", *BOTTOM},
    "bench": {"run", "config", "data", *BOTTOM},
    "run": {"config", "contracts", "stalls", *BOTTOM, ""},
    "config": {"paths", "files", "errors"},
    "contracts.py": set(),  # what the wings ask of each other must pull neither of them in
    "tasks": {"contracts", "losses", "optim", "errors"},
    "data": {"transforms", "files", "errors", "output", "terminal", "stalls", "seed", "network"},
    "models": {"files", "errors", "network"},
    **{room: {"contracts", "errors"} for room in LIBRARY - {"tasks", "data", "models"}},
}


def files() -> list[Path]:
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 30
    return found


def imports(path: Path) -> set[str]:
    """The full names a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    if room not in MAY:
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "nncli":
            target = parts[1] if len(parts) > 2 or (PACKAGE / parts[1]).exists() else ""
            assert target in MAY[room] | {room}, f"{path} imports {name}"
        if room in LIBRARY:
            assert (
                parts[0] not in {"hydra", "omegaconf", "typer", "rich", "lightning", "torchmetrics"}
                or path.name == "progress.py"
            ), f"{path}: {name}"


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{path}:{node.lineno} {node.name}"


# what is asked of other people's objects and of the system by name; what our own parts ask of each other is a Protocol
FOREIGN = {
    *("problem_mark", "problem", "anchor", "tag", "start", "value"),  # YAML, errors and syntax trees
    *("forward", "metrics", "min_length", "max_length", "multiple_of"),  # classes and annotations of any kind
    *("columns", "to_dict", "base_model", "dtype", "names", "feature", "decode_example"),  # frames, sets and nets
    *("name", "encoding"),  # streams
    *("posix_fallocate", "sched_getaffinity", "killpg", "pthread_sigmask", "register_at_fork", "AF_UNIX"),
    "_is_avx512_bf16_supported",
}


def test_our_own_parts_ask_each_other_for_nothing_by_a_string() -> None:
    asked = {
        node.args[1].value
        for path in files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr")
        if isinstance(node.args[1], ast.Constant)
    }
    assert asked == FOREIGN, "say what a part may do as a Protocol in contracts.py, and ask by isinstance"


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["train", "--help"],
        ["data", "ls"],
        ["recipes", "ls"],
        ["recipes", "show", "digits_mlp"],
        ["config", "show"],
        ["runs", "ls"],
    ],
    ids=" ".join,
)
def test_these_verbs_import_no_torch(words: list[str]) -> None:
    program = (
        "import sys; from nncli.cli.main import app\n"
        f"try: app({words!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'lightning', 'numpy', 'sklearn'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_training_imports_nothing_slow_that_it_does_not_use() -> None:
    program = """
import sys
from nncli.run import fit
loaded = [name for name in ("scipy.signal", "transformers") if name in sys.modules]
import scipy.signal, torchmetrics.functional.text.bert as bert
assert callable(scipy.signal.convolve)
print(loaded, bert.AutoModel.__name__ if hasattr(bert, "AutoModel") else "AutoModel")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "[] AutoModel\n", done.stderr
