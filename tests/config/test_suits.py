"""One table says which choices suit data: it names choices that there are, and a person's own goes before it."""

from pathlib import Path

import pytest

from nncli.config.document import read
from nncli.config.search_path import folders, options
from nncli.config.suits import suits
from nncli.errors import ConfigError
from nncli.paths import shipped


def test_every_word_of_the_table_can_be_typed() -> None:
    table = read(shipped("conf") / "suits.yaml").data
    rows = [words for trait in table.values() for words in trait.values()]
    assert len(rows) > 10
    for word in (word for words in rows for word in words):
        group, _, name = word.partition("=")
        assert name in options(group, folders()) or word == "model.num_outputs=${width}"


def test_traits_add_up_and_a_trait_is_passed_on() -> None:
    found = suits({"samples": "cells", "targets": "numbers", "width": 3})
    assert found == {
        **{"model": "mlp", "transform": "table"},
        **{"task": "regression", "loss": "mse", "model.num_outputs": 3},
    }
    assert suits({"samples": "passages", "targets": "next"})["model"] == "token_window"
    assert suits({}) == suits({"samples": "of another kind"}) == {}


def test_a_table_of_ones_own_goes_before_the_shipped_one_and_is_checked(tmp_path: Path) -> None:
    own = tmp_path / "conf" / "suits.yaml"
    own.parent.mkdir()
    own.write_text("samples:\n  pictures: [model=my_net]\n")
    assert suits({"samples": "pictures", "targets": "classes"}) == {"model": "my_net"}
    for wrong in ("pictures: model=my_net", "pictures: [my_net]", "pictures: [{model: my_net}]"):
        own.write_text(f"# mine\nsamples:\n  {wrong}\n")
        with pytest.raises(ConfigError) as caught:
            suits({"samples": "pictures"})
        assert caught.value.problems[0].where == "conf/suits.yaml:2"


def test_a_value_in_a_table_of_ones_own_is_read_as_in_any_config(tmp_path: Path) -> None:
    own = tmp_path / "conf" / "suits.yaml"
    own.parent.mkdir()
    own.write_text(
        "targets:\n  classes: [model=on, model.width=16, model.dropout=1e-1, model.bias=false, model.kind=x]\n"
    )
    found = suits({"targets": "classes"})
    assert found == {"model": "on", "model.width": 16, "model.dropout": 0.1, "model.bias": False, "model.kind": "x"}
    assert type(found["model.width"]) is int
    for wrong in ("[1, 2]", "{a: 1}", "[1", "!!python/name:os.system"):
        own.write_text(f"targets:\n  classes: ['model.width={wrong}']\n")
        with pytest.raises(ConfigError, match=r"must be one number, text"):
            suits({"targets": "classes"})


def test_a_misspelt_trait_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    own = tmp_path / "conf" / "suits.yaml"
    own.parent.mkdir()
    own.write_text("targets: {}\nsample:\n  pictures: [model=my_net]\n")
    with pytest.raises(ConfigError) as caught:
        suits({"samples": "pictures"})
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("unknown-key", "conf/suits.yaml:2")
    assert "targets, samples" in problem.text
