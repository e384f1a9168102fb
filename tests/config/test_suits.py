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
