"""Nodes become objects, and a constructor's complaint names the key and its line."""

from typing import Any

import pytest
import torch
from torch import nn

from nncli.config.build import build
from nncli.config.compose import compose
from nncli.errors import ConfigError


def test_a_task_is_built_with_its_net_and_its_factories() -> None:
    config = compose(["model.width=16"])
    task: Any = build(config.tree.task, config=config)
    assert task(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    optimizer = task.updates.optimizer(task.net.parameters())
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.param_groups[0]["lr"] == 0.003


def test_lists_and_mappings_arrive_as_plain_python() -> None:
    config = compose([])
    data: Any = build(config.tree.data, config=config)
    assert type(data.input_shape) is list


def test_arguments_can_be_handed_in() -> None:
    config = compose([])
    layer = nn.TransformerEncoderLayer(4, 2, batch_first=True)
    built: Any = build({"_target_": "torch.nn.TransformerEncoder", "num_layers": 1}, config=config, encoder_layer=layer)
    assert isinstance(built, nn.TransformerEncoder)


def test_a_constructor_s_complaint_names_the_key_and_the_line() -> None:
    config = compose(["loss.label_smoothing=0.5", "+model@second=mlp", "second.width=-4"])
    with pytest.raises(ConfigError) as caught:
        build(config.tree.second, config=config)
    (problem,) = caught.value.problems
    assert (problem.key, problem.value, problem.code) == ("second", "nncli.models.mlp.MLP", "cannot-build")
    assert "negative" in problem.text
    assert "nstantiat" not in str(caught.value)


def test_a_complaint_of_a_part_that_is_referred_to_names_the_part() -> None:
    config = compose(["model.width=-4"])
    with pytest.raises(ConfigError) as caught:
        build(config.tree.task, config=config)
    assert caught.value.problems[0].key == "model"


def test_the_frozen_config_builds_the_same_parts(tmp_path: Any) -> None:
    from nncli.config.compose import freeze, load_frozen

    path = tmp_path / "config.yaml"
    path.write_text(freeze(compose(["model.width=16"])))
    built = []
    for config in (compose(["model.width=16"]), load_frozen(path)):
        torch.manual_seed(0)
        task: Any = build(config.tree.task, config=config)
        built.append(task(torch.ones(1, 1, 8, 8)))
    assert torch.equal(*built)
