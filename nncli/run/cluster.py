"""Runs that torchrun or SLURM started: the first rank decides and makes the folder, the others read it."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from omegaconf import OmegaConf

from nncli.config.compose import Config, thaw
from nncli.errors import ConfigError, NnError
from nncli.run.assemble import assemble
from nncli.run.fit import fit
from nncli.run.folder import RunFolder
from nncli.run.screen import Screen
from nncli.run.signals import Signals
from nncli.run.train import train

PATIENCE = timedelta(hours=2)  # how long the other ranks wait for the first one to check and fetch data


def launcher() -> ClusterEnvironment | None:
    """The launcher that made this process one of several, if there is one."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in os.environ and SLURMEnvironment.detect():
        return SLURMEnvironment(auto_requeue=False)
    return None


def fit_anywhere(config: Config, screen: Screen, *, dry_run: bool = False) -> RunFolder | None:
    """fit here, or as one of the ranks that a launcher started."""
    around = launcher()
    return fit(config, screen, dry_run=dry_run) if around is None else _fit_as_rank(around, config, screen)


def _fit_as_rank(around: ClusterEnvironment, config: Config, screen: Screen) -> RunFolder | None:
    rank, world = around.global_rank(), around.world_size()
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(around.local_rank())}
    os.environ |= {"MASTER_ADDR": around.main_address, "MASTER_PORT": str(around.main_port)}
    on_gpu = torch.cuda.is_available() and config.tree.trainer.accelerator != "cpu"
    if on_gpu:
        torch.cuda.set_device(around.local_rank())
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo", rank=rank, world_size=world, timeout=PATIENCE)
    if rank == 0:
        try:
            return fit(_spread(config, world), screen, announce=_tell)
        except ConfigError:
            _tell(None)
            raise
    path = _tell(None)
    if path is None:
        raise NnError(f"rank {rank}: the first rank did not start; see its message")
    run = RunFolder(Path(path))
    frozen = thaw(run.config, trust=config.trust)
    with Signals().caught() as signals:
        train(frozen, run, assemble(frozen), Screen("quiet"), signals, resume=None)
    return run


def _tell(path: str | None) -> str | None:
    """The run's folder, from the first rank to all."""
    box = [path]
    torch.distributed.broadcast_object_list(box, src=0)
    return box[0]


def _spread(config: Config, world: int) -> Config:
    """The launcher decides how many devices there are."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE") or world)
    tree = config.tree.copy()
    OmegaConf.update(tree, "trainer.devices", local)
    OmegaConf.update(tree, "trainer.num_nodes", max(1, world // local))
    return replace(config, tree=tree)
