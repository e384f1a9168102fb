"""A finished run as a model for predictions, in a notebook or a program: `nncli.load("last").predict(rows)`."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, cast

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nncli.config.build import build
from nncli.config.compose import Config
from nncli.config.hosting import is_lightning
from nncli.errors import NnError
from nncli.run import folder
from nncli.run.folder import RunFolder
from nncli.run.restore import restore_task

PIECE = 1024  # samples that are predicted together
DIMENSIONS = {"image": 3, "table": 1, "text": 1, "series": 2}  # of one sample


class Model:
    """The model of a run. It needs only the run's folder: no data is opened, no trainer is created."""

    def __init__(self, run: RunFolder, config: Config, task: Any) -> None:
        self.run, self.config, self.task = run, config, task
        self.data = cast(Any, build(config.tree.data, config=config))
        self.data.facts = dict(task.facts)

    @property
    def metrics(self) -> dict[str, float]:
        """The run's metrics, as in summary.json."""
        return self.run.read(self.run.summary).get("metrics", {})

    @property
    def classes(self) -> list[str]:
        """The names of the columns of a classifier's prediction."""
        count = int(OmegaConf.select(self.config.tree, "data.num_classes") or 0)
        return [self.data.class_name(number) for number in range(count)]

    def predict(self, raw: Any) -> Tensor:
        """The prediction for one raw sample or several: the file or values of an image, rows of a table, texts, arrays.

        Preprocessing is that of the run. A classifier predicts the probability of each class, a regression a value in
        the units of the target. A CSV file stands for all of its rows.
        """
        try:
            encoded = self.data.encode(raw)
        except (TypeError, ValueError, AttributeError) as error:
            raise NnError(f"this cannot be read as samples of {type(self.data).__name__}: {error}") from error
        if alone := encoded.dim() == self._dimensions():
            encoded = encoded[None]
        with torch.inference_mode():
            answers = torch.cat([self.task.predict(some) for some in encoded.split(PIECE)])
        return answers[0] if alone else answers

    def _dimensions(self) -> int:
        shape = self.data.facts.get("shape", self.data.samples().get("shape"))
        return len(shape) if shape else DIMENSIONS[self.data.kind]


def load(run: str | Path, *, which: Literal["best", "last"] = "best", trust: Collection[str] = ()) -> Model:
    """The model of a run, by its folder, its name or `last`."""
    place = folder.find(str(run))
    config, task = restore_task(place, which=which, trust=trust)
    if is_lightning(type(task), "task"):
        raise NnError(f"{place.name} is a LightningModule of your own; load its weights with Lightning's own methods")
    _settle(task)
    return Model(place, config, task)


def _settle(task: nn.Module) -> None:
    """Compute each weight that depends on others, such as a masked one, for the last time."""
    for layer in list(task.modules()):
        if parametrize.is_parametrized(layer):
            for name in list(cast(nn.ModuleDict, layer.parametrizations)):
                parametrize.remove_parametrizations(layer, name)
