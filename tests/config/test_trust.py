"""Nothing outside the trusted classes is ever imported, wherever a config names it."""

import sys
from pathlib import Path

import pytest

from nncli.config.build import build
from nncli.config.check import check
from nncli.config.compose import compose
from nncli.config.trust import refuse, trusted
from nncli.errors import ConfigError
from tests.config.sections import SECTIONS

MODULE = "import torch\nclass Net(torch.nn.Module): pass\nclass Plain: pass\n"
REFUSED = [
    "os.system",
    "subprocess.Popen",
    "subprocess.run",
    "pathlib.Path.write_text",
    "pathlib.Path",
    "torch.load",
    "torch.hub.load",
    "urllib.request.urlopen",
    "urllib.request.Request",
    "builtins.exec",
    "builtins.Exception",
    "pickle.loads",
    "pickle.Unpickler",
    "nncli.data.images.pictures.os.system",
    "nncli.data.images.pictures.Path.Path",
    "nncli.run.fit.Path",
    "nncli.models.mlp.MLP.forward",
    "nncli.data.files.lock.Path",
    "nncli.data.sources.scikit.datasets.Bunch",
    "nncli.data.sources.scikit.Scikit.load",
    "nncli.data.sources.Scikit.Scikit",
    "nncli.run.callbacks.folder.RunFolder",
    "nncli.models.MLP",
    "torch.nn.modules.linear.Linear",
    "torch.nn.functional.relu",
    "torch.nn.Linear.forward",
    "torch.optim.lr_scheduler.os",
    "lightning.pytorch.loggers.CSVLogger",
    "lightning.pytorch.Trainer",
    "torch.nn.Linear ",
    "torch.nn.Linear\n",
    "torch.nn.Lineаr",
    "torch..nn.Linear",
    ".torch.nn.Linear",
    "",
    "canary.Net",
    5,
    None,
    ["torch.nn.Linear"],
    {"a": 1},
]


@pytest.mark.parametrize("target", REFUSED, ids=repr)
def test_a_target_is_refused_by_its_name_alone(target: object) -> None:
    assert refuse(target, frozenset())


@pytest.mark.parametrize("target", REFUSED[:35], ids=repr)
def test_no_trust_opens_the_standard_library_or_torch(target: str) -> None:
    everything = frozenset({"os", "sys", "torch", "nncli", "subprocess", "pathlib", "urllib", "builtins", "pickle"})
    assert refuse(target, everything)


@pytest.mark.parametrize(
    "target",
    [
        "nncli.models.mlp.MLP",
        "nncli.data.sources.scikit.Scikit",
        "nncli.data.tables.table.Table",
        "torch.nn.CrossEntropyLoss",
        "torch.optim.AdamW",
        "torch.optim.lr_scheduler.OneCycleLR",
        "lightning.pytorch.loggers.WandbLogger",
    ],
)
def test_shipped_classes_are_trusted(target: str) -> None:
    assert refuse(target, frozenset()) is None


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that leaves a file behind when it is imported."""
    (tmp_path / "canary.py").write_text("open('sung', 'w').close()\nimport torch\nclass Net(torch.nn.Module): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "canary", raising=False)
    return tmp_path / "sung"


NAMED = {
    "as a part": ["model._target_=canary.Net"],
    "in a list": ["transform.augment=[{_target_: canary.Net}]"],
    "deep": ["+model.x={a: [{b: {_target_: canary.Net}}]}"],
    "partial": ["+task.factory={_target_: canary.Net, _partial_: true}"],
    "as a section": ["+second={_target_: canary.Net}"],
    "by reference": ["+name_of=canary.Net", "model._target_=${name_of}"],
    "by pieces": ["+a=canary", "model._target_=${a}.Net"],
    "under a wrong class": ["model._target_=os.system", "+model.x={_target_: canary.Net}"],
    "in a logger": ["logger={_target_: canary.Net}"],
    "in a plain section": ["+trainer.x={_target_: canary.Net}"],
    "in regularization": ["+regularization.x={_target_: canary.Net}"],
}


@pytest.mark.parametrize("place", NAMED)
def test_an_untrusted_target_is_never_imported(place: str, canary: Path) -> None:
    words = [w if w.startswith("+") or "._target_" in w or "augment" in w else f"+{w}" for w in NAMED[place]]
    config = compose([word.replace("+logger=", "++logger=") for word in words])
    assert check(config, SECTIONS)
    for key in config.tree:
        if isinstance(config.tree[key], dict) or "canary" in str(config.tree[key]):
            with pytest.raises(ConfigError):
                build(config.tree[key], config=config)
    assert not canary.exists()
    assert "canary" not in sys.modules


def test_a_recipe_cannot_trust_its_own_package(tmp_path: Path, canary: Path) -> None:
    (tmp_path / "r.yaml").write_text(
        "defaults:\n  - /train\n  - _self_\ntrust: [canary]\nmodel: {_target_: canary.Net}\n"
    )
    assert check(compose(["recipe=./r.yaml"]), SECTIONS)
    assert not canary.exists()


def test_the_message_says_how_to_trust_a_package() -> None:
    code, text = refuse("my_nets.Net", frozenset()) or ("", "")
    assert code == "untrusted-class"
    assert "--trust my_nets" in text
    assert '[tool.nncli] trust = ["my_nets"]' in text


def test_a_trusted_package_s_class_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_nets_1").mkdir()
    (tmp_path / "my_nets_1" / "net.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n    pass\nclass Plain: pass\n"
    )
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    config = compose(["++model={_target_: my_nets_1.net.Net}"], trust=["my_nets_1"])
    assert type(build({"_target_": "my_nets_1.net.Net"}, config=config)).__name__ == "Net"
    assert sys.path[-1] == str(tmp_path)
    plain = compose(["model._target_=my_nets_1.net.Plain"], trust=["my_nets_1"])
    assert any(problem.code == "wrong-class" for problem in check(plain, SECTIONS))


def test_trust_comes_from_the_option_the_variable_and_the_current_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NN_TRUST", "two,three")
    (tmp_path / "pyproject.toml").write_text("[tool.nncli]\ntrust = ['four']\n")
    assert trusted(["one"]) == {"one", "two", "three", "four"}
    assert compose([]).trust == {"two", "three", "four"}


@pytest.mark.parametrize("package", ["os", "torch", "nncli", "a.b", "a-b", "builtins"])
def test_what_is_no_package_of_one_s_own_cannot_be_trusted(package: str) -> None:
    with pytest.raises(ConfigError):
        trusted([package])
    assert any(
        (problem.key, problem.code) == ("trust", "wrong-value") for problem in compose([], trust=[package]).problems
    )


def test_a_broken_pyproject_is_reported(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool\n")
    with pytest.raises(ConfigError, match="TOML"):
        trusted()
