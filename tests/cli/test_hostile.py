"""A config that would run code is refused by every verb, and nothing it names is ever called."""

from pathlib import Path

import pytest

from tests.conftest import Nn

# each target would make the file named canary, if it were built
TARGETS = {
    "shell": "_target_: os.system\ncommand: touch {canary}",
    "subprocess": "_target_: subprocess.run\nargs: [touch, {canary}]",
    "path": "_target_: pathlib.Path.write_text\nself: {canary}\ndata: x",
    "open": "_target_: builtins.open\nfile: {canary}\nmode: w",
    "exec": "_target_: builtins.exec\nsource: open('{canary}','w')",
    "pickle": "_target_: torch.load\nf: {pickle}\nweights_only: false",
    "hub": "_target_: torch.hub.load\nrepo_or_dir: {folder}\nmodel: m\nsource: local",
    "network": "_target_: urllib.request.urlopen\nurl: file://{canary}",
    "through-ours": "_target_: nncli.data.images.pictures.Path.touch\nself: {canary}",
    "through-a-private-room": "_target_: nncli.run.folder.write_atomic\npath: {canary}\ncontent: x",
    "own-module": "_target_: evil.Net",
    "torch-class-elsewhere": "_target_: torch.nn.modules.module.os.system\ncommand: touch {canary}",
}


def hostile(tmp_path: Path, target: str, form: str) -> str:
    canary = tmp_path / "canary"
    (tmp_path / "evil.py").write_text(f"open({str(canary)!r}, 'w').close()\nclass Net: pass\n")
    (tmp_path / "hubconf.py").write_text(f"open({str(canary)!r}, 'w').close()\n")
    body = TARGETS[target].format(canary=canary, pickle=tmp_path / "evil.pt", folder=tmp_path)
    indented = "\n".join(f"  {line}" for line in body.splitlines())
    deep = "\n".join(f"      {line}" for line in body.splitlines())
    text = {
        "model": f"model:\n{indented}\n",
        "partial": f"optimizer:\n  _partial_: true\n{indented}\n",
        "nested": f"transform:\n  augment:\n    -\n{deep}\n",
        "new-key": f"extra:\n  deep:\n    -\n{deep}\n",
    }[form]
    (tmp_path / "bad.yaml").write_text(f"# bad\ndefaults:\n  - /train\n  - _self_\n{text}")
    return "recipe=./bad.yaml"


FORMS = ["partial", "nested", "new-key"]
CASES = [(t, "model") for t in TARGETS] + [(t, f) for t in ("shell", "path", "own-module") for f in FORMS]
REST = [(t, f) for t in TARGETS for f in FORMS if (t, f) not in CASES]


@pytest.mark.parametrize(("target", "form"), [*CASES, *(pytest.param(*c, marks=pytest.mark.slow) for c in REST)])
def test_training_refuses_it(nn: Nn, tmp_path: Path, target: str, form: str) -> None:
    done = nn("train", hostile(tmp_path, target, form))
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert "nothing was started" in done.stderr
    assert not (tmp_path / "canary").exists()
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("verb", ["train --dry-run", "config check", "config show", "config explain model"])
def test_every_verb_that_reads_a_recipe_is_safe(nn: Nn, tmp_path: Path, verb: str) -> None:
    for target in ("shell", "own-module"):
        done = nn(*verb.split(), hostile(tmp_path, target, "model"))
        assert "Traceback" not in done.stderr
        assert done.returncode == (0 if verb.startswith(("config show", "config explain")) else 1), done.stderr
        assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("verb", [["resume", "r", "trainer.max_epochs=2"], ["eval", "r"]], ids=lambda v: v[0])
def test_a_run_whose_config_was_tampered_with_is_refused(nn: Nn, tmp_path: Path, verb: list[str]) -> None:
    assert nn("train", "trainer=fast", "run_dir=r", "-q").returncode == 0
    config = tmp_path / "r" / "config.yaml"
    canary = tmp_path / "canary"
    config.write_text(config.read_text().replace("nncli.models.mlp.MLP", "os.system") + f"command: touch {canary}\n")
    done = nn(*verb)
    assert done.returncode == 1
    assert "os.system" in done.stderr
    assert "Traceback" not in done.stderr
    assert not canary.exists()


def test_secrets_of_the_environment_reach_no_file(nn: Nn, tmp_path: Path) -> None:
    (tmp_path / "leak.yaml").write_text("defaults:\n  - /train\n  - _self_\nrun_dir: ${oc.env:SECRET}\n")
    done = nn("train", "recipe=./leak.yaml", SECRET="hunter2")
    typed = nn("train", "run_dir=${oc.env:SECRET}", SECRET="hunter2")
    for each in (done, typed):
        assert each.returncode == 1
        assert "hunter2" not in each.stdout + each.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["leak.yaml"]


def test_an_own_module_is_built_when_the_person_says_so(nn: Nn, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\n\nclass Net(torch.nn.Module):\n"
        "    def __init__(self) -> None:\n        super().__init__()\n        self.last = torch.nn.Linear(64, 10)\n"
        "    def forward(self, x: torch.Tensor) -> torch.Tensor:\n        return self.last(x.flatten(1))\n"
    )
    (tmp_path / "r.yaml").write_text("defaults:\n  - /train\n  - override /model: linear\n  - _self_\n")
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("# mine\n_target_: mine.Net\n")
    refused = nn("train", "model=mine", "trainer=fast")
    assert refused.returncode == 1
    assert "--trust mine" in refused.stderr
    assert nn("train", "model=mine", "trainer=fast", "--trust", "mine", "-q").returncode == 0
    (tmp_path / "pyproject.toml").write_text('[tool.nncli]\ntrust = ["mine"]\n')
    assert nn("train", "model=mine", "trainer=fast", "-q").returncode == 0
    assert nn("eval", "last").returncode == 0
