"""Where a run may write: in its own folder, whatever a recipe or a frozen config names."""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from nncli import fit as fit_words
from nncli.config.build import build
from nncli.config.check import check
from nncli.config.compose import Config, compose, load_frozen
from nncli.config.places import TAKES, misplaced
from nncli.errors import ConfigError, NnError, Problem
from nncli.run.fit import resume
from nncli.run.folder import RunFolder
from nncli.run.resolve import complete
from nncli.run.restore import restore
from nncli.run.screen import Screen
from tests.config.sections import SECTIONS

QUICK = ("trainer=fast", "trainer.max_epochs=1", "model=linear", "data=iris")


def recipe(text: str) -> list[str]:
    Path("r.yaml").write_text(f"defaults:\n  - /train\n  - override /logger: none\n  - _self_\n{text}")
    return ["recipe=./r.yaml"]


def logger(kind: str, **given: Any) -> list[str]:
    lines = "".join(f"  {name}: {value}\n" for name, value in given.items())
    return recipe(f"logger:\n  _target_: lightning.pytorch.loggers.{kind}\n{lines}")


def reported(words: Sequence[str]) -> dict[str, Problem]:
    try:
        complete(compose(list(words)))
    except ConfigError as error:
        return {problem.key: problem for problem in error.problems}
    return {}


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


OUT = ["../out", "a/../../out", "{tmp}/out", "$HOME/out", "~/out", "..", "C:\\out", "a\\..\\..\\out"]
PLACES = [("TensorBoardLogger", name) for name in ("name", "version", "sub_dir", "prefix")]
PLACES += [("MLFlowLogger", name) for name in ("experiment_name", "run_name", "run_id", "prefix")]
PLACES += [("WandbLogger", name) for name in ("name", "version", "id", "project", "group", "prefix")]


@pytest.mark.parametrize("place", OUT)
@pytest.mark.parametrize(("kind", "name"), PLACES)
def test_a_name_that_leads_out_of_the_runs_folder(tmp_path: Path, kind: str, name: str, place: str) -> None:
    tree = {"logger": {"_target_": f"lightning.pytorch.loggers.{kind}", name: place.format(tmp=tmp_path)}}
    ((key, code, text),) = misplaced(tree)
    assert (key, code) == (f"logger.{name}", "outside-run")
    assert ".., :, $, ~" in text


@pytest.mark.parametrize("kind", TAKES)
def test_it_is_reported_with_its_line_typed_or_not(kind: str) -> None:
    problem = reported(logger(kind, prefix="../out"))["logger.prefix"]
    assert (problem.where, problem.code) == ("r.yaml:7", "outside-run")
    typed = reported([*logger(kind), "++logger.prefix=../out"])["logger.prefix"]
    assert typed == replace(problem, where="you typed it")


UNKNOWN = {
    "TensorBoardLogger": ("filename_suffix", "comment", "log_dir", "purge_step"),
    "MLFlowLogger": ("artifact_location",),
    "WandbLogger": ("dir", "settings", "config", "experiment", "save_code", "config_exclude_keys", "mode"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_argument_that_could_name_a_place(kind: str) -> None:
    found = reported(logger(kind, save_dir="/tmp", **dict.fromkeys(UNKNOWN[kind], "x")))
    for line, name in enumerate(UNKNOWN[kind], 8):
        problem = found[f"logger.{name}"]
        assert (problem.where, problem.code) == (f"r.yaml:{line}", "outside-run")
        assert min(TAKES[kind]) in problem.text
    assert found["logger.save_dir"].code == "reserved-key"


@pytest.mark.parametrize(
    "value",
    [
        "file:///tmp/out",
        "file:../out",
        "../out",
        "/tmp/out",
        "sqlite:///out.db",
        "databricks",
        "http:///x",
        "ftp://a/b",
    ],
)
def test_a_store_of_mlflow_that_is_no_server(value: str) -> None:
    for words in (logger("MLFlowLogger", tracking_uri=value), ["logger=mlflow", f"logger.tracking_uri='{value}'"]):
        problem = reported(words)["logger.tracking_uri"]
        assert (problem.code, "null" in problem.text, "http" in problem.text) == ("outside-run", True, True)


def test_a_server_and_a_runs_folder_are_for_a_person_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    problem = reported(logger("MLFlowLogger", tracking_uri="http://127.0.0.1:5000"))["logger.tracking_uri"]
    assert (problem.where, problem.code) == ("r.yaml:7", "must-be-typed")
    assert problem.text.endswith("type logger.tracking_uri=http://127.0.0.1:5000 if you want it")
    typed = ["logger=mlflow", "logger.tracking_uri=http://127.0.0.1:5000"]
    assert "logger.tracking_uri" not in reported(typed)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert "logger.tracking_uri" not in reported(logger("MLFlowLogger", tracking_uri="http://127.0.0.1:5000"))
    for place in ("/tmp/elsewhere", "../elsewhere", "elsewhere"):
        problem = reported(recipe(f"run_dir: {place}\n"))["run_dir"]
        assert (problem.where, problem.code) == ("r.yaml:5", "must-be-typed")
        assert f"type run_dir={place} " in problem.text
        assert reported([*recipe(""), f"run_dir={place}"]) == {}


SENT = {"offline": "false", "entity": "mallory", "log_model": "true"}


@pytest.mark.parametrize("name", SENT)
def test_what_is_sent_to_weights_and_biases_is_for_a_person_to_say(name: str) -> None:
    keep = {} if name == "offline" else {"offline": "true"}
    problem = reported(logger("WandbLogger", **keep, **{name: SENT[name]}))[f"logger.{name}"]
    assert (problem.where, problem.code) == ("r.yaml:7" if name == "offline" else "r.yaml:8", "must-be-typed")
    assert f"type logger.{name}={SENT[name]} " in problem.text
    typed = [*logger("WandbLogger", **keep, **{name: SENT[name]}), f"logger.{name}={SENT[name]}"]
    assert f"logger.{name}" not in reported(typed)


def test_a_recipe_cannot_choose_the_logger_that_sends() -> None:
    problem = reported(logger("WandbLogger"))["logger.offline"]
    assert (problem.where, problem.code) == ("r.yaml:6", "must-be-typed")
    assert "logger.offline=true" in problem.text
    assert set(reported(logger("WandbLogger", offline="true"))) <= {"logger._target_"}
    Path("w.yaml").write_text("defaults:\n  - /train\n  - override /logger: wandb\n  - _self_\n")
    assert "logger.offline" in reported(["recipe=./w.yaml"])
    assert "logger.offline" not in reported(["recipe=./w.yaml", "logger=wandb"])
    Path("w.yaml").write_text("defaults:\n  - /train\n  - _self_\nlogger: {entity: mallory, log_model: true}\n")
    found = reported(["recipe=./w.yaml", "logger=wandb"])
    assert {"logger.entity", "logger.log_model"} <= found.keys()
    assert "logger.offline" not in found


def test_a_logger_of_lightning_that_is_not_known_is_refused() -> None:
    tree = {"logger": {"_target_": "lightning.pytorch.loggers.CometLogger", "workspace": "x"}}
    ((key, code, text),) = misplaced(tree)
    assert (key, code) == ("logger._target_", "outside-run")
    assert "MLFlowLogger, TensorBoardLogger, WandbLogger" in text


OWN = ["config.yaml", ".nn-run", "summary.json", "checkpoints", "checkpoints/deep", "./metrics.csv", "Config.YAML"]


@pytest.mark.parametrize("place", OWN)
@pytest.mark.parametrize("name", ["name", "version", "sub_dir"])
def test_a_name_that_is_one_of_the_runs_own_files(name: str, place: str) -> None:
    problem = reported(logger("TensorBoardLogger", **{name: place}))[f"logger.{name}"]
    assert (problem.code, problem.value) == ("wrong-value", place)


@pytest.mark.parametrize("place", ["a" * 201, "b/" + "é" * 101, "a/" * 1001])
def test_a_name_that_no_file_system_takes(place: str) -> None:
    for kind, name in (("TensorBoardLogger", "version"), ("MLFlowLogger", "experiment_name")):
        problem = reported(logger(kind, **{name: place}))[f"logger.{name}"]
        assert (problem.code, "200" in problem.text) == ("wrong-value", True)


def test_shipped_loggers_and_plain_names_are_fine() -> None:
    assert reported(["logger=tensorboard"]) == {}
    assert reported(logger("TensorBoardLogger", name="a/b", version="x.1", sub_dir="c", flush_secs=5)) == {}
    for name in ("mlflow", "wandb"):  # not installed here, which is the only thing wrong
        assert set(reported([f"logger={name}"])) <= {"logger._target_"}


def test_every_logger_that_can_be_named_is_known_with_arguments_that_it_has() -> None:
    from nncli.config.trust import refuse

    loggers = importlib.import_module("lightning.pytorch.loggers")
    trusted = {name for name in dir(loggers) if refuse(f"lightning.pytorch.loggers.{name}", ()) is None}
    assert trusted == set(TAKES)


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[RunFolder]:
    run = fit_words([*QUICK, "run_dir=run", "logger=tensorboard"], show="quiet")
    (tmp_path / "out").mkdir()
    before = files(tmp_path / "out")
    yield run
    assert files(tmp_path / "out") == before == []


def change(run: RunFolder, **given: Any) -> None:
    """As somebody who hands on a run could have changed its config."""
    tree: Any = OmegaConf.load(run.config)
    tree.logger = {**tree.logger, **given}
    run.config.write_text(OmegaConf.to_yaml(tree))


MORE = ("trainer.max_epochs=2",)


@pytest.mark.parametrize("given", [{"version": "../../out"}, {"name": "$HOME"}, {"filename_suffix": "/../../../out/x"}])
def test_a_run_from_elsewhere_is_held_to_it(begun: RunFolder, given: dict[str, str]) -> None:
    change(begun, **given)
    for again in (lambda: resume(begun, MORE, Screen("quiet")), lambda: restore(begun)):
        with pytest.raises(ConfigError, match=rf"logger\.{next(iter(given))} = .* \(run/config\.yaml:\d+\)"):
            again()


def test_a_run_with_a_server_asks_again_when_it_goes_on(begun: RunFolder) -> None:
    target = "lightning.pytorch.loggers.MLFlowLogger"
    tree: Any = OmegaConf.load(begun.config)
    tree.logger = {"_target_": target, "tracking_uri": "http://127.0.0.1:9"}
    begun.config.write_text(OmegaConf.to_yaml(tree))
    keys = {problem.key for problem in check(load_frozen(begun.config), SECTIONS)}
    assert "logger.tracking_uri" not in keys, "judging a run asks no server"
    with pytest.raises(ConfigError) as caught:
        resume(begun, MORE, Screen("quiet"))
    assert {problem.key for problem in caught.value.problems} <= {"logger._target_", "logger.tracking_uri"}
    with pytest.raises(NnError) as other:
        resume(begun, [*MORE, "logger.tracking_uri=http://127.0.0.1:9"], Screen("quiet"))
    assert "must-be-typed" not in {problem.code for problem in getattr(other.value, "problems", ())}


def test_a_run_that_is_sent_asks_again_when_it_goes_on(begun: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.config.check.extra_needed", lambda cls: "")  # it is not installed here
    tree: Any = OmegaConf.load(begun.config)
    tree.logger = {"_target_": "lightning.pytorch.loggers.WandbLogger", "offline": False, "entity": "mallory"}
    tree.logger["log_model"] = True
    begun.config.write_text(OmegaConf.to_yaml(tree))
    typed = [f"logger.{name}={value}" for name, value in SENT.items()]
    for words, asked in (
        (MORE, set(SENT)),
        ([*MORE, *typed[1:]], {"offline"}),
        ([*MORE, typed[0]], set(SENT) - {"offline"}),
    ):
        with pytest.raises(ConfigError) as caught:
            resume(begun, words, Screen("quiet"))
        assert {problem.key for problem in caught.value.problems} == {f"logger.{name}" for name in asked}
    with pytest.raises(NnError) as other:
        resume(begun, [*MORE, *typed], Screen("quiet"))
    assert "must-be-typed" not in {problem.code for problem in getattr(other.value, "problems", ())}


@pytest.mark.parametrize("name", ["tensorboard", "metrics.csv", "checkpoints", "tensorboard/deep"])
def test_a_run_with_a_link_that_leads_out_is_not_written(begun: RunFolder, tmp_path: Path, name: str) -> None:
    place = begun.path / name
    if place.exists():
        place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "out")
    before = begun.summary.read_bytes(), begun.config.read_bytes()
    with pytest.raises(NnError, match=rf"{name} is a link that leads out of the run's folder"):
        resume(begun, MORE, Screen("quiet"))
    assert (begun.summary.read_bytes(), begun.config.read_bytes()) == before


def test_what_the_check_does_not_know_is_stopped_where_it_is_built(tmp_path: Path) -> None:
    """A logger of the person's own package, or a link in the run's folder."""
    Path("mylog.py").write_text(
        "from lightning.pytorch.loggers import TensorBoardLogger\n\n\n"
        "class Log(TensorBoardLogger):\n"
        "    def __init__(self, save_dir: str, place: str) -> None:\n        super().__init__(place, '', 'x')\n"
    )
    own = recipe("logger:\n  _target_: mylog.Log\n  place: elsewhere\n")
    config = compose(own, trust=["mylog"])
    (tmp_path / "run").mkdir()
    with pytest.raises(ConfigError, match=r"logger = Log \(r\.yaml:\d\): would write to elsewhere, which is not in"):
        build(config.tree.logger, config=config, save_dir=str(tmp_path / "run"))
    assert (
        built(compose([*own, "logger.place=run/inside"], trust=["mylog"]), tmp_path / "run").log_dir == "run/inside/x"
    )
    (tmp_path / "run" / "tensorboard").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match=r"would write to .*tensorboard"):
        built(compose(["logger=tensorboard"]), tmp_path / "run")


def built(config: Config, folder: Path) -> Any:
    return build(config.tree.logger, config=config, save_dir=str(folder))
