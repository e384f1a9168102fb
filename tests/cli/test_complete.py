"""What Tab offers, and that it does so without torch, Hydra or a noticeable wait."""

import subprocess
import sys
from pathlib import Path

import pytest

from nncli.cli.complete import complete_keys, complete_recipes, complete_runs, complete_words
from tests.trees import made_run


def offered(incomplete: str) -> list[str]:
    return [text for text, _ in complete_words(incomplete)]


def test_recipes_choices_and_keys_are_offered() -> None:
    assert "recipe=digits_mlp" in offered("recipe=dig")
    assert offered("optimizer=adam") == ["optimizer=adam", "optimizer=adamw"]
    assert "model.width=" in offered("model.w")
    assert "model=" in offered("mod")
    assert offered("nothing") == []


def test_each_offer_says_what_it_is() -> None:
    assert dict(complete_words("model.wid"))["model.width="].startswith("128  units")
    assert dict(complete_words("model=ml"))["model=mlp"].startswith("A multilayer perceptron")


def test_keys_and_recipes_are_offered_alone() -> None:
    assert "trainer.precision" in [key for key, _ in complete_keys("trainer.p")]
    assert "digits_mlp" in [name for name, _ in complete_recipes("digits")]


def test_one_s_own_parts_are_offered(tmp_path: Path) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "tiny.yaml").write_text("# Mine.\n_target_: torch.nn.Flatten\n")
    assert complete_words("model=ti") == [("model=tiny", "Mine.")]


def test_runs_are_offered_newest_first(tmp_path: Path) -> None:
    for age, name in enumerate(["old", "new"]):
        made_run(tmp_path / "runs" / "digits_mlp" / name, started=age)
    (tmp_path / "runs" / "digits_mlp" / "config.yaml").write_text("of somebody else")
    assert [name for name, _ in complete_runs("")] == ["last", "digits_mlp/new", "digits_mlp/old"]
    assert [name for name, _ in complete_runs("digits_mlp/o")] == ["digits_mlp/old"]


def test_bash_which_splits_at_equals_gets_the_rest_of_the_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_WORDS", "nn\ntrain\noptimizer\n=\nadam")
    assert offered("adam") == ["adam", "adamw"]
    monkeypatch.setenv("COMP_WORDS", "nn\ntrain\noptimizer\n=")
    assert "adamw" in offered("=")


def test_a_broken_file_offers_nothing_and_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "train.yaml").write_text("a: [")
    assert offered("model.w") == []


def test_completion_takes_less_than_a_third_of_torch_s_import() -> None:
    program = (
        "import sys, time; start = time.monotonic()\n"
        "from nncli.cli.complete import complete_words\n"
        "assert complete_words('model.')\n"
        "took = time.monotonic() - start\n"
        "assert not {'torch', 'hydra', 'omegaconf', 'rich'} & sys.modules.keys()\n"
        "start = time.monotonic(); import torch\n"
        "assert took < 0.3 * (time.monotonic() - start), took\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
