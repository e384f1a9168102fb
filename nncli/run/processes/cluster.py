"""Runs that torchrun or SLURM started: the first rank decides and creates the folder, the others read it."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from omegaconf import OmegaConf
from torch.distributed.distributed_c10d import _set_pg_timeout

from nncli.config.compose import Config, load_frozen
from nncli.run.assemble import assemble
from nncli.run.checkpoint import facts
from nncli.run.fit import Announce, fit, resume
from nncli.run.folder import RunFolder
from nncli.run.processes.signals import Signals
from nncli.run.screen import Screen
from nncli.run.train import train

PATIENCE = timedelta(hours=2)  # how long the other ranks wait for the first one to check and fetch data


def launcher() -> ClusterEnvironment | None:
    """The launcher that started this process as one of several, if any."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in os.environ and SLURMEnvironment.detect():
        return SLURMEnvironment(auto_requeue=False)
    return None


def fit_anywhere(config: Config, screen: Screen, *, dry_run: bool = False) -> None:
    """Run `fit` here, or as one of the ranks of a launcher."""
    around = launcher()
    if around is None:
        fit(config, screen, dry_run=dry_run)
    else:
        world = _join(around, config)
        _take_part(world, config, lambda tell: fit(_spread(config, world), screen, announce=tell))


def resume_anywhere(run: RunFolder, words: Sequence[str], screen: Screen, trust: Collection[str]) -> None:
    """Run `resume` here, or as one of the ranks of a launcher."""
    around = launcher()
    if around is None:
        resume(run, words, screen, trust)
    else:
        config = load_frozen(run.config, trust=trust)
        world = _join(around, config)

        def first(tell: Announce) -> object:
            return resume(run, words, screen, trust, spread=lambda c: _spread(c, world), announce=tell)

        _take_part(world, config, first)


def _join(around: ClusterEnvironment, config: Config) -> int:
    """Connect to the other ranks; returns the number of ranks."""
    rank, world = around.global_rank(), around.world_size()
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(around.local_rank())}
    os.environ |= {"MASTER_ADDR": around.main_address, "MASTER_PORT": str(around.main_port)}
    on_gpu = torch.cuda.is_available() and config.tree.trainer.accelerator != "cpu"
    if on_gpu:
        torch.cuda.set_device(around.local_rank())
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo", rank=rank, world_size=world, timeout=PATIENCE)
    return world


def _take_part(world: int, config: Config, first: Callable[[Announce], object]) -> None:
    """The first rank decides and announces its folder, once, even if it fails; the others train in that folder."""
    rank, told = int(os.environ["RANK"]), False

    def tell(folder: str, checkpoint: str) -> list[str]:
        nonlocal told
        told, box = True, [folder, checkpoint]
        torch.distributed.broadcast_object_list(box, src=0)
        if box[0]:  # preparation is over: from here on ranks wait only as long as the config says
            timeout = float(load_frozen(RunFolder(Path(box[0])).config, trust=config.trust).tree.trainer.timeout)
            _set_pg_timeout(timedelta(seconds=timeout))
        return box

    if rank == 0:
        try:
            first(tell)
        finally:
            if not told:
                tell("", "")
        return
    folder, checkpoint = tell("", "")
    if not folder:
        return  # the first rank reports why
    run = RunFolder(Path(folder))
    frozen = load_frozen(run.config, trust=config.trust)
    path = Path(checkpoint) if checkpoint else None
    with Signals().caught() as signals:
        train(frozen, run, assemble(frozen, facts=facts(path), fitted=path is not None), Screen("quiet"), signals, path)


def _spread(config: Config, world: int) -> Config:
    """The config with the number of devices of the launcher."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE") or world)
    tree = config.tree.copy()
    OmegaConf.update(tree, "trainer.devices", local)
    OmegaConf.update(tree, "trainer.num_nodes", max(1, world // local))
    return replace(config, tree=tree)
