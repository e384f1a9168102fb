"""The same training with other tools, if they are installed: Lightning as in its tutorials, and Keras."""

import os
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from nncli.bench.loops import Contender, begin, one_by_one
from nncli.bench.meter import Meter, Metered, Timing
from nncli.config.compose import Config
from nncli.errors import NnError
from nncli.run.assemble import Parts
from nncli.run.quiet import quiet_libraries
from nncli.run.trainer import PRECISIONS


def peers(say: Callable[[str], None]) -> dict[str, Contender]:
    """The contenders that are installed."""
    contenders: dict[str, Contender] = {"Lightning": by_lightning}
    if find_spec("keras") is None:
        say("Keras is not installed, so it is left out: pip install keras")
    else:
        contenders["Keras"] = by_keras
    return contenders


class Plain(LightningModule):
    """A module as in Lightning's own introduction, with one self.log in the step."""

    def __init__(self, parts: Parts, meter: Meter) -> None:
        super().__init__()
        self.task, self.meter = parts.task, meter
        if len(turns := parts.task.turns()) > 1:
            raise NnError(
                f"--peers compares tasks with one optimizer, but {type(parts.task).__name__} has {len(turns)}"
            )
        self.turn = turns[0]

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self.turn.loss(batch)["loss"]
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.meter.step()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.turn.updates.make(self.turn.net)


def by_lightning(config: Config, data: Any, steps: int) -> Timing:
    """Plain Lightning with a DataLoader, in the run's precision."""
    parts, _, meter = begin(config, data, steps, plain=True)
    with quiet_libraries(), tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator=parts.where.accelerator,
            devices=1,
            precision=PRECISIONS[parts.where.precision],
            max_epochs=parts.trainer["max_epochs"],
            max_steps=parts.trainer["max_steps"] or -1,
            deterministic=parts.trainer["deterministic"],
            default_root_dir=folder,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
        trainer.fit(Plain(parts, meter), Metered(one_by_one(data), meter))
    return meter.timing()


def by_keras(config: Config, data: Any, steps: int) -> Timing:
    """Keras' own fit on the torch backend, fp32, around the same net and Adam; inputs scaled beforehand."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras  # pyright: ignore[reportMissingImports]

    parts, device, _ = begin(config, data, steps, plain=True)
    count = min(len(data.parts["train"]) // data.batch_size, steps)
    x, y = data.parts["train"].span(0, count * data.batch_size)
    with torch.no_grad():
        x = parts.task.transform.eval()(x.to(device)).cpu().numpy()
    model = keras.Sequential([keras.layers.TorchModuleWrapper(parts.task.net)])
    model.compile(optimizer=keras.optimizers.Adam(), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    meter = Meter(count, data.batch_size, device)

    class Count(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            meter.step()

    model.fit(x, y.numpy(), batch_size=data.batch_size, epochs=1, verbose=0, callbacks=[Count()])
    return meter.timing()
