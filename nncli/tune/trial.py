"""Some training steps of a config, with Lightning as in a run, that leave nothing on disk."""

import tempfile
from dataclasses import replace

from nncli.config.compose import Config
from nncli.config.hosting import refuse_hosted
from nncli.errors import Stopped
from nncli.run import random
from nncli.run.assemble import Parts, place_data
from nncli.run.callbacks.step import StepCallback
from nncli.run.processes.signals import Signals
from nncli.run.quiet import quiet_libraries
from nncli.run.train import set_torch
from nncli.run.trainer import learner, lightning_trainer


def trial(config: Config, parts: Parts, steps: int, *watching: StepCallback, share: bool = False) -> None:
    """Train for `steps` optimizer steps in this process, on one device; epochs repeat until they are reached.

    If the config is for several devices, this one also takes the micro-batches of the others, so that it learns what
    all of them would; or, with `share`, only those of the first device, at the speed of one.
    """
    refuse_hosted(config, "nn tune")
    where, settings = parts.where, parts.trainer
    world = where.world if share else 1
    if not share:
        parts = replace(parts, trainer=settings | {"accumulate": settings["accumulate"] * where.world})
    set_torch(parts, where.devices if share else 1)
    place_data(config, parts, world=world, device=where.device)
    random.seed_all(int(config.tree.seed))
    settings = parts.trainer | {"max_epochs": -1, "max_steps": steps}
    single = replace(where, devices=1, nodes=1, strategy="single")
    with quiet_libraries(), tempfile.TemporaryDirectory() as folder:
        turns = len(parts.task.turns())
        trainer = lightning_trainer(
            settings, single, watching, turns=turns, default_root_dir=folder, limit_val_batches=0
        )
        try:
            with Signals().caught():
                module = learner(parts.task, parts.data.train_dataloader(), settings, single)
                trainer.fit(module, module.batches)
        except Stopped as stopped:
            raise SystemExit(stopped.exit_code) from None  # there is no run to resume
