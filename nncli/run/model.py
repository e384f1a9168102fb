"""A finished run as a model for predictions, in a notebook or a program: `nncli.load("last").predict(rows)`."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nncli.config.build import build
from nncli.config.compose import Config
from nncli.config.hosting import is_lightning
from nncli.contracts import Form
from nncli.errors import NnError
from nncli.run import folder
from nncli.run.folder import RunFolder
from nncli.run.restore import restore_task

PIECE, VALUES = 1024, 1 << 23  # samples that are predicted together, and values in them
DIMENSIONS = {"image": 3, "table": 1, "text": 1, "series": 2}  # of one sample


class Model:
    """The model of a run. It needs only the run's folder: no data is opened, no trainer is created."""

    def __init__(self, run: RunFolder, config: Config, task: Any, form: str = "predict", which: str = "best") -> None:
        self.run, self.config, self.task, self.form, self.which = run, config, task, form, which
        self.name, self.device = run.name, torch.device("cpu")
        self.data = cast(Any, build(config.tree.data, config=config))
        self.data.facts = dict(task.facts)
        forms: Mapping[str, Form] = task.forms()
        if form not in forms:
            raise NnError(f"{run.name} has no form '{form}'; it has {', '.join(forms)}")
        self._form = forms[form]

    @property
    def metrics(self) -> dict[str, float]:
        """The run's metrics, as in summary.json."""
        return self.run.read(self.run.summary).get("metrics", {})

    @property
    def classes(self) -> list[str]:
        """The names of the columns of a classifier's prediction."""
        count = int(OmegaConf.select(self.config.tree, "data.num_classes") or 0)
        return [self.data.class_name(number) for number in range(count)]

    @property
    def targets(self) -> list[str] | None:
        """The names of the columns that are predicted as numbers, if they have names."""
        tree, columns = self.config.tree, self.task.facts.get("columns")
        if (count := OmegaConf.select(tree, "data.num_targets")) and columns:
            return [str(name) for name in columns[: int(count)]]
        target = self.task.facts.get("target") or OmegaConf.select(tree, "data.target")
        return [target] if isinstance(target, str) and target != "auto" else None

    @property
    def card(self) -> dict[str, Any]:
        """What the model takes and returns, as plain values; an exported file has the same and more."""
        return {
            "form": self.form,
            "samples": self.data.samples(),
            "facts": dict(self.task.facts),
            "outputs": [{"name": name} for name in self._form.outputs],
            "classes": self.classes or None,
            "target": self.targets,
        }

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs by name for encoded samples, however many."""
        pieces, size = [], max(1, min(PIECE, VALUES // max(1, x[:1].size)))
        with torch.inference_mode():
            for low in range(0, max(1, len(x)), size):
                some = torch.from_numpy(np.require(x[low : low + size], requirements=["C", "W"]))
                found = self._form.module(some.to(self.device))
                pieces.append([one.cpu().numpy() for one in (found if isinstance(found, tuple) else (found,))])
        return {name: np.concatenate([p[i] for p in pieces]) for i, name in enumerate(self._form.outputs)}

    def predict(self, raw: Any) -> Tensor:
        """The prediction for one raw sample or several: the file or values of an image, rows of a table, texts, arrays.

        Preprocessing is that of the run. A classifier predicts the probability of each class, a regression a value in
        the units of the target. A CSV file stands for all of its rows.
        """
        try:
            encoded = self.data.encode(raw).numpy()
        except (TypeError, ValueError, AttributeError) as error:
            raise NnError(f"this cannot be read as samples of {type(self.data).__name__}: {error}") from error
        if alone := encoded.ndim == self._dimensions():
            encoded = encoded[None]
        answers = torch.from_numpy(self(encoded)[self._form.outputs[0]])
        return answers[0] if alone else answers

    def on_best_device(self) -> "Model":
        """The same model, on the accelerator of this machine if there is one."""
        self.device = torch.accelerator.current_accelerator(check_available=True) or self.device
        self.task.to(self.device)
        return self

    def _dimensions(self) -> int:
        shape = self.data.facts.get("shape", self.data.samples().get("shape"))
        return len(shape) if shape else DIMENSIONS[self.data.kind]


def load(
    run: str | Path,
    *,
    which: Literal["best", "last"] = "best",
    form: str = "predict",
    trust: Collection[str] = (),
) -> Model:
    """The model of a run, by its folder, its name or `last`; its form is one of those of the task."""
    place = folder.find(str(run))
    config, task = restore_task(place, which=which, trust=trust)
    if is_lightning(type(task), "task"):
        raise NnError(f"{place.name} is a LightningModule of your own; load its weights with Lightning's own methods")
    _settle(task)
    return Model(place, config, task, form, which)


def _settle(task: nn.Module) -> None:
    """Compute each weight that depends on others, such as a masked one, for the last time."""
    for layer in list(task.modules()):
        if parametrize.is_parametrized(layer):
            for name in list(cast(nn.ModuleDict, layer.parametrizations)):
                parametrize.remove_parametrizations(layer, name)
