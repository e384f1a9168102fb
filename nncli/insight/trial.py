"""Some steps of a config's own training, by Lightning as in a run, that leave nothing behind on disk."""

import tempfile
from dataclasses import replace

from lightning.pytorch import Callback, Trainer

from nncli.config.compose import Config
from nncli.errors import Stopped
from nncli.run import random
from nncli.run.assemble import Parts, cut
from nncli.run.crew import Crew, NoProfiler
from nncli.run.signals import Signals
from nncli.run.train import hushed, set_torch
from nncli.run.trainer import QUIET, lightning_arguments


def trial(config: Config, parts: Parts, steps: int, *watching: Callback, share: bool = False) -> None:
    """Train for so many optimizer steps in this process, on one device; epochs repeat until they are had.

    Where the config is for several devices, this one takes the others' micro-batches after its own, so that it learns
    what all would; or, as a `share`, what the first of them takes, as fast as it would.
    """
    where, settings = parts.where, parts.trainer
    world = where.world if share else 1
    if not share:
        parts = replace(parts, trainer=settings | {"accumulate": settings["accumulate"] * where.world})
    set_torch(parts, where.devices if share else 1)
    cut(config, parts, world=world, device=where.device)
    random.seed_all(int(config.tree.seed))
    endless = {"max_epochs": -1, "max_steps": steps}
    single = replace(where, devices=1, nodes=1, strategy="single")
    with hushed(), tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            **lightning_arguments(parts.trainer | endless, single),
            **QUIET,
            callbacks=Crew(watching),
            profiler=NoProfiler(),
            logger=False,
            default_root_dir=folder,
            limit_val_batches=0,
        )
        # our own handlers stay, as in a run
        trainer._signal_connector.register_signal_handlers = lambda: None
        try:
            with Signals().caught():
                trainer.fit(parts.task, train_dataloaders=parts.data.train_dataloader())
        except Stopped as stopped:
            raise SystemExit(stopped.exit_code) from None  # there is no run to go on with
