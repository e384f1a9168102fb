"""`nn runs rm` deletes runs: whatever it is told, nothing that nn did not make is ever gone."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import nncli
from nncli.cli.main import app
from nncli.errors import NnError
from nncli.run import folder, removal
from nncli.run.folder import RunFolder
from tests.trees import made_run, tree

RUN = "digits_mlp/0101-0101-abcd"
EMPTY, OWN, NOT, NONE = "is empty", "contains the current folder", "is not a run", "no such run"
LINK, BELOW, OUT = "is a link", "contains another run", "is outside"

ALWAYS = [  # what is refused with every option
    ("", EMPTY),
    (".", NOT),
    ("./", NOT),
    ("./.", NOT),
    ("..", OWN),
    ("../", OWN),
    ("../project/..", OWN),
    ("../..", NOT),
    ("/", NOT),
    ("//", NOT),
    ("~", NONE),
    (" ", NONE),
    ("-", NONE),
    ("*", NONE),
    ("**", NONE),
    ("????", NONE),
    ("digits_mlp/*", NONE),
    ("*-abcd", NONE),
    ("[a-z]bcd", NONE),
    ("$RUN", NONE),
    ("None", NONE),
    ("LAST", NONE),
    ("last ", NONE),
    ("ABCD", NONE),
    ("abc", NONE),
    ("abcd ", NONE),
    ("abcd\n", NONE),
    ("\x1b[2J", NONE),
    ("a\0b", NONE),
    ("\udcff", NONE),
    ("a" * 300, NONE),
    ("a/" * 3000, NONE),
    ("../" * 50, NOT),
    ("src", NOT),
    ("src/", NOT),
    ("src/../src", NOT),
    ("src/app.py", NONE),
    ("config.yaml", NONE),
    ("config.yaml/", NONE),
    ("looks", NOT),
    ("wholelooks", NOT),
    ("emptymark", NOT),
    ("oddmark", NOT),
    ("zeromark", NOT),
    ("truemark", NOT),
    ("linkmark", NOT),
    ("foldermark", NOT),
    ("runs", NOT),
    ("./runs", NOT),
    ("runs/.", NOT),
    ("runs/../runs", NOT),
    ("runs/digits_mlp", NOT),
    ("runs/digits_mlp/", NOT),
    ("digits_mlp", NONE),
    ("digits_mlp/", NONE),
    ("digits_mlp/..", NONE),
    ("digits_mlp/notes", NONE),
    ("runs/digits_mlp/notes", NOT),
    (f"runs/{RUN}/checkpoints", NOT),
    (f"runs/{RUN}/checkpoints/last.ckpt", NONE),
    (f"runs/{RUN}/config.yaml", NONE),
    (f"{RUN}/checkpoints", NONE),
    ("dangling", NONE),
    ("loop", NONE),
    ("link", LINK),
    ("link/", LINK),
    ("runs/link", LINK),
    ("link_to_src", NOT),
    ("nest", BELOW),
    ("above", BELOW),
    ("newer", "made by nn 9.9"),
    ("twin", "could be"),
    ("runs/digits_mlp/.removed-x-abcd", NOT),
]
OUTSIDE = ["first", "./first", "../project/first", "ABSOLUTE", "link/../../../first", "unmarked", "begun"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's folder in a folder that is a run of its own, with runs and with much that only looks like one."""
    made_run(tmp_path / "home")
    here = tmp_path / "home" / "project"
    (here / "src").mkdir(parents=True)
    (here / "src" / "app.py").write_text("print()")
    (here / "config.yaml").write_text("name: my app")
    for name in ("abcd", "looks", "wholelooks", "emptymark", "oddmark", "zeromark", "truemark", "linkmark"):
        (here / name).mkdir()
        (here / name / "config.yaml").write_text("name: mine")
    for name, facts in (("looks", "{}"), ("wholelooks", '["started_at"]')):
        (here / name / "checkpoints").mkdir()
        (here / name / "words.txt").write_text("")
        (here / name / "environment.json").write_text(facts)
    marks = {"emptymark": "", "oddmark": "nn run", "zeromark": '{"run": 0}', "truemark": '{"run": true}'}
    for name, text in marks.items():
        (here / name / ".nn-run").write_text(text)
    (here / "foldermark" / ".nn-run").mkdir(parents=True)
    runs = here / "runs"
    made_run(runs / RUN, started=3.0)
    made_run(runs / "digits_mlp" / "0101-0102-twin")
    made_run(runs / "wine_mlp" / "0101-0103-twin")
    (runs / "digits_mlp" / "config.yaml").write_text("stray")
    (runs / "digits_mlp" / "notes").mkdir()
    (runs / "digits_mlp" / ".removed-x-abcd").mkdir()
    (runs / "digits_mlp" / ".removed-x-abcd" / "mine.txt").write_text("mine")
    (here / "linkmark" / ".nn-run").symlink_to(runs / RUN / ".nn-run")
    made_run(here / "first")
    made_run(here / "unmarked", marked=False)
    made_run(here / "begun").config.unlink()
    made_run(here / "newer").marker.write_text('{"run": 2, "nn": "9.9"}')
    made_run(here / "nest")
    made_run(here / "nest" / "deep" / "er")
    made_run(here / "above")
    made_run(here / "above" / "runs" / "a" / "b", marked=False)
    (here / "link").symlink_to(runs / RUN)
    (runs / "link").symlink_to(here / "first")
    (here / "link_to_src").symlink_to("src")
    (here / "dangling").symlink_to("nowhere")
    (here / "loop").symlink_to("loop")
    monkeypatch.chdir(here)
    return here


def rm(*words: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["runs", "rm", *words], input=answer)


def refused(*words: str) -> str:
    done = rm(*words)
    assert isinstance(done.exception, NnError), (done.output, done.exception)
    assert "deleted" not in done.output
    return str(done.exception)


@pytest.mark.parametrize("options", [("--yes",), ("--yes", "--all", "--outside")], ids=["plain", "all"])
@pytest.mark.parametrize(("name", "message"), ALWAYS, ids=lambda text: ascii(text)[:30])
def test_what_is_no_run_to_delete_is_refused_and_all_stays(
    project: Path, tmp_path: Path, name: str, message: str, options: tuple[str, ...]
) -> None:
    before = tree(tmp_path)
    assert message in refused(*options, "--", name)
    assert message in refused(*options, "--", RUN, name), "none goes before all are looked at"
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_run_outside_the_folder_of_runs_wants_a_word(project: Path, tmp_path: Path, name: str) -> None:
    name = str(project / "first") if name == "ABSOLUTE" else name
    before = tree(tmp_path)
    assert OUT in refused(name, "--yes")
    assert tree(tmp_path) == before
    assert rm(name, "--yes", "--outside").exit_code == 0
    gone = before.keys() - tree(tmp_path).keys()
    target = os.path.realpath(name)
    assert gone
    assert all(path == target or path.startswith(target + os.sep) for path in gone)


@pytest.mark.parametrize("name", ["abcd", "last", RUN, "0101-0101-abcd", f"runs/{RUN}", f"./runs/digits_mlp/../{RUN}"])
def test_a_name_goes_before_a_path_and_only_that_run_goes(project: Path, tmp_path: Path, name: str) -> None:
    before = tree(tmp_path)
    done = rm(name, "--yes")
    assert done.exit_code == 0, done.exception
    gone = before.keys() - tree(tmp_path).keys()
    assert gone == {path for path in before if path.startswith(str(project / "runs" / RUN))}
    assert NOT in refused("./abcd", "--yes"), "which is a folder of the person's"


def test_options_are_no_names(project: Path, tmp_path: Path) -> None:
    before = tree(tmp_path)
    for words in (["-rf"], ["-rf", RUN], ["--force", RUN], []):
        assert rm(*words).exit_code == 2
    assert tree(tmp_path) == before


def test_the_run_one_stands_in_and_the_run_that_holds_the_folder_of_runs_stay(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(tmp_path)
    monkeypatch.setenv("NN_RUNS", str(project / "runs"))
    monkeypatch.chdir(project / "runs" / RUN / "checkpoints")
    for name in ("abcd", "last", "..", "../.", str(project / "runs" / RUN)):
        assert OWN in refused(name, "--yes", "--all", "--outside")
    monkeypatch.chdir(tmp_path)
    assert BELOW in refused("home", "--yes", "--all", "--outside")
    monkeypatch.setenv("NN_RUNS", str(project / "first"))
    assert OUT in refused(str(project / "first"), "--yes")
    assert tree(tmp_path) == before


def test_a_folder_of_runs_that_is_a_link_is_the_folder_it_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_run(tmp_path / "disk" / "runs" / "a" / "0101-0101-abcd")
    made_run(tmp_path / "disk" / "other" / "0101-0101-efgh")
    (tmp_path / "runs").symlink_to("disk/runs")
    (tmp_path / "disk" / "runs" / "b").symlink_to(tmp_path / "disk" / "other")
    assert OUT in refused("efgh", "--yes"), "a link below leads out of it"
    assert rm("abcd", "--yes").output == "deleted a/0101-0101-abcd\n"
    assert list((tmp_path / "disk" / "runs" / "a").iterdir()) == []


def test_a_run_that_is_trained_stays(project: Path, tmp_path: Path) -> None:
    before = tree(tmp_path)
    with folder.held(RunFolder(project / "runs" / RUN)):
        assert "being trained" in refused(RUN, "--yes")
    assert tree(tmp_path) == before


STRAYS: dict[str, Callable[[Path], object]] = {
    "notes.txt": lambda path: path.write_text("mine"),
    "config.yaml.bak": lambda path: path.write_text("mine"),
    ".config.yaml.tmp": lambda path: path.write_text("mine"),
    ".nn-run.bak": lambda path: path.write_text("mine"),
    "Config.yaml": lambda path: path.write_text("mine"),
    "metrics.csv\n": lambda path: path.write_text("mine"),
    "\udcff": lambda path: path.write_text("mine"),
    "checkpoints/mine.ckpt": lambda path: path.write_text("mine"),
    "checkpoints/best.ckpt.bak": lambda path: path.write_text("mine"),
    "checkpoints/step-3.ckpt": lambda path: path.write_text("mine"),
    "checkpoints/config.yaml": lambda path: path.write_text("mine"),
    "tensorboard/notes.txt": lambda path: path.write_text("mine"),
    "wandb/mine.txt": lambda path: path.write_text("mine"),
    "wandb/run-mine": lambda path: path.write_text("mine"),
    "2024/photo.jpg": lambda path: path.write_text("mine"),
    "2024/meta.yaml": lambda path: path.write_text("place: Rome"),
    "2024": lambda path: path.write_text("mine"),
    "7/meta.yaml": lambda path: path.write_text("note: no experiment_id: here"),
    ".notes.2024.tmp": lambda path: path.write_text("mine"),
    "checkpoints/.notes.2024.tmp": lambda path: path.write_text("mine"),
    "version_3/hparams.yaml": lambda path: path.write_text("mine"),
    "version_4/events.out.tfevents.mine": lambda path: path.write_text("mine"),
    "events.out.tfevents.1.x/": lambda path: path.mkdir(),
    ".git/HEAD": lambda path: path.write_text("ref"),
    "src/checkpoints/best.ckpt": lambda path: path.write_text("mine"),
    "empty/": lambda path: path.mkdir(),
    "checkpoints/empty/": lambda path: path.mkdir(),
    "error.txt/": lambda path: path.mkdir(),
    "link.txt": lambda path: path.symlink_to("../../../first"),
    "error.txt": lambda path: path.symlink_to("../../../src/app.py"),
    "checkpoints/step-000000001.ckpt": lambda path: path.symlink_to("last.ckpt"),
    "tensorboard": lambda path: path.symlink_to("../../../src"),
    ".config.yaml.1.tmp": os.mkfifo,
}


@pytest.mark.parametrize("name", STRAYS, ids=ascii)
def test_what_a_person_put_into_a_run_is_named_and_kept(project: Path, tmp_path: Path, name: str) -> None:
    run, before = RunFolder(project / "runs" / RUN), tree(tmp_path)
    path = run.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    STRAYS[name](path)
    mine = {key: value for key, value in tree(tmp_path).items() if key not in before}
    done = rm(RUN, "--yes")
    assert done.exit_code == 0, done.exception
    assert "kept the files that nn did not write: " in done.output
    assert name.split("/")[0].replace("\n", "↵").replace("\udcff", "�") in done.output
    others = {key: value for key, value in before.items() if not key.startswith(f"{run.path}{os.sep}")}
    after = {key: value for key, value in tree(tmp_path).items() if key != str(run.checkpoints)}
    assert after == others | {key: value for key, value in mine.items() if key != str(run.checkpoints)}
    assert not folder.is_run(run.path)


def test_all_takes_what_is_in_the_run_and_nothing_that_a_link_leads_to(project: Path, tmp_path: Path) -> None:
    run = RunFolder(project / "runs" / RUN)
    before = {key: value for key, value in tree(tmp_path).items() if not key.startswith(str(run.path))}
    (run.path / "deep" / "er").mkdir(parents=True)
    (run.path / "notes.txt").write_text("mine")
    (run.path / "deep" / "er" / "src").symlink_to(project / "src")
    (run.path / "deep" / "first").symlink_to(project / "first")
    assert "It also contains deep/, notes.txt: deleted too" in rm(RUN, "--all", answer="n\n").output
    assert "It also contains deep/, notes.txt: kept" in rm(RUN, answer="n\n").output
    assert rm(RUN, "--all", answer="y\n").exit_code == 0
    assert tree(tmp_path) == before


def test_nothing_goes_that_nobody_said_yes_to(project: Path, tmp_path: Path) -> None:
    before = tree(tmp_path)
    for answer in ("n\n", "\n"):
        assert rm(RUN, answer=answer).exit_code == 0
    assert "--yes" in str(rm(RUN, answer="").exception)
    assert tree(tmp_path) == before


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")
def test_all_that_nn_and_a_logger_write_goes(tmp_path: Path) -> None:
    run = nncli.fit(["trainer.max_steps=2", "logger=tensorboard"], show="quiet")
    assert removal.contents(run.path).strays == []
    for name in ("wandb/run-20260101_000000-abcd1234/files/x.json", "wandb/debug-internal.log", "0/meta.yaml", "0/1/m"):
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text("experiment_id: '0'")
    (run.path / "wandb" / "latest-run").symlink_to("run-20260101_000000-abcd1234")
    assert rm("last", "--yes").exit_code == 0
    assert list(run.path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "words", ["logger.version=3", "logger.version=a/b", "logger.version=''", "logger.name=x", "++logger.sub_dir=x/y"]
)
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")
def test_what_tensorboard_writes_goes_whatever_its_folder_is_called(words: str) -> None:
    run = nncli.fit(["trainer.max_steps=2", "logger=tensorboard", words], show="quiet")
    assert list(run.path.rglob("events.out.tfevents.*"))
    assert removal.contents(run.path).strays == []
    assert rm("last", "--yes").output.startswith("deleted")
    assert list(run.path.parent.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")
def test_what_lies_beside_what_tensorboard_writes_stays() -> None:
    run = nncli.fit(["trainer.max_steps=2", "logger=tensorboard", "logger.version=a/b"], show="quiet")
    for name in ("a/mine.txt", "a/b/mine.txt", "a/hparams.yaml"):
        (run.path / name).write_text("mine")
    assert "nn did not write: a/b/mine.txt, a/hparams.yaml, a/mine.txt" in rm("last", "--yes").output
    left = {str(p.relative_to(run.path)) for p in run.path.rglob("*") if p.is_file()}
    assert left == {"a/mine.txt", "a/b/mine.txt", "a/hparams.yaml"}


class Killed(BaseException):
    """What stands for kill -9."""


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("at", range(14))
def test_a_killed_rm_leaves_nothing_that_the_next_one_does_not_finish(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, marked: bool
) -> None:
    run = RunFolder(project / "runs" / RUN)
    (run.path / "notes.txt").write_text("mine")
    if not marked:
        run.marker.unlink()
    others = {k: v for k, v in tree(tmp_path).items() if not k.startswith((str(run.path), str(project / "runs/wine")))}
    steps = iter(range(100))

    def dies(act: Callable[..., None]) -> Callable[..., None]:
        def do(*words: object, **more: object) -> None:
            if next(steps) == at:
                raise Killed
            act(*words, **more)

        return do

    with monkeypatch.context() as patched:
        for target, name in ((os, "rename"), (Path, "unlink"), (Path, "rmdir")):
            patched.setattr(target, name, dies(getattr(target, name)))
        with suppress(Killed):
            rm(RUN, "--yes")
    listed = [entry["name"] for entry in json.loads(CliRunner().invoke(app, ["runs", "ls", "--json"]).output)]
    assert not any(".removed" in name for name in listed)
    if RUN in listed:
        assert folder.find(RUN).checkpoints.joinpath("best.ckpt").is_file(), "what is listed is whole"
        assert rm(RUN, "--yes").exit_code == 0
    assert rm("wine_mlp/0101-0103-twin", "--yes").exit_code == 0
    if run.marker.is_file():
        assert rm(RUN, "--yes").exit_code == 0
    assert tree(run.path) in ({str(run.path / "notes.txt"): b"mine"}, {})
    kept = list(run.path.parent.rglob("notes.txt"))
    assert [path.read_text() for path in kept] == ["mine"]
    after = {k: v for k, v in tree(tmp_path).items() if not k.startswith((str(run.path), str(project / "runs/wine")))}
    assert after == others


def test_two_that_delete_the_same_run_and_one_that_lists_do_not_meet(project: Path, tmp_path: Path) -> None:
    run = RunFolder(project / "runs" / RUN)
    before = {key: value for key, value in tree(tmp_path).items() if not key.startswith(str(run.path))}

    def delete(_: int) -> str:
        try:
            removal.remove(run)
        except NnError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(6) as pool:
        told = [pool.submit(delete, number) for number in range(5)]
        for _ in range(20):
            assert all(one.status() for one in folder.all_runs())
        answers = [one.result() for one in told]
    assert answers.count("") == 1
    assert tree(tmp_path) == before


def test_what_comes_in_while_a_run_is_deleted_stays(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, contents = RunFolder(project / "runs" / RUN), removal.contents

    def slow(path: Path, *, everything: bool = False) -> removal.Contents:
        found = contents(path, everything=everything)
        (path / "late.txt").write_text("mine")
        return found

    monkeypatch.setattr(removal, "contents", slow)
    assert removal.remove(run, everything=True) == ["late.txt"]
    assert tree(run.path) == {str(run.path / "late.txt"): b"mine"}


def test_a_folder_that_takes_the_place_of_a_run_stays(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, rename = RunFolder(project / "runs" / RUN), os.rename

    def swapped(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "rename", rename)
        rename(source, tmp_path / "moved")
        source.mkdir()
        (source / "config.yaml").write_text("mine")
        rename(source, target)

    monkeypatch.setattr(os, "rename", swapped)
    with pytest.raises(NnError, match="nothing was deleted"):
        removal.remove(run)
    assert (run.path / "config.yaml").read_text() == "mine"
    assert folder.is_run(tmp_path / "moved")


def test_a_run_that_appears_below_once_it_is_held_keeps_both(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, held = RunFolder(project / "runs" / RUN), removal.held

    @contextmanager
    def late(which: RunFolder) -> Iterator[None]:
        with held(which):
            made_run(which.path / "deep" / "er")
            yield

    monkeypatch.setattr(removal, "held", late)
    before = tree(tmp_path)
    with pytest.raises(NnError, match=BELOW):
        removal.remove(run, everything=True)
    after = tree(tmp_path)
    assert {path: after[path] for path in before} == before
    assert folder.is_run(run.path / "deep" / "er")


@pytest.mark.parametrize("name", [".removed-x", ".removed-", ".removed--abcd", ".removed-.-abcd", ".removed-..-abcd"])
def test_a_folder_that_is_only_called_like_one_being_deleted_stays(project: Path, name: str) -> None:
    mine = made_run(project / "runs" / "mine")
    mine.path.rename(mine.path.with_name(name))
    before = tree(project / "runs" / name)
    assert rm(RUN, "--yes").exit_code == 0
    assert before
    assert tree(project / "runs" / name) == before


def test_a_run_that_cannot_be_deleted_keeps_its_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, unlink = RunFolder(project / "runs" / RUN), Path.unlink

    def stuck(path: Path, missing_ok: bool = False) -> None:
        if path.name == "last.ckpt":
            raise PermissionError(1, "Operation not permitted", str(path))
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", stuck)
        assert "last.ckpt: Operation not permitted" in refused(RUN, "--yes")
    assert (run.checkpoints / "last.ckpt").is_file()
    assert rm(RUN, "--yes").exit_code == 0
    assert not run.path.exists()


def test_a_copy_of_a_run_opens_and_what_is_none_is_told(project: Path) -> None:
    for name in ("first", "unmarked", "link", f"runs/{RUN}"):
        shown = CliRunner().invoke(app, ["runs", "show", name])
        assert "finished" in shown.output, shown.exception
    for verb in (["runs", "show"], ["eval"], ["resume"]):
        told = CliRunner().invoke(app, [*verb, "looks"]).exception
        assert "looks is not a run" in str(told), told
    assert "ended before its config" in str(CliRunner().invoke(app, ["resume", "begun"]).exception)
