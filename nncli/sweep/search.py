"""Optuna's searches and pruners, by their names in conf/sweep; and what a sweep uses of this machine."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from nncli.config.compose import Config
from nncli.sweep.settings import Settings

MOST = 8  # workers that `auto` starts


def sampler(settings: Settings, slot: int = 0) -> Any:
    """The search for one slot: each has its own random numbers, except where points are spread over all of them."""
    import optuna
    from optuna import samplers

    seed = int(np.random.SeedSequence([settings.seed, slot]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match settings.method:
            case "tpe":
                return samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
            case "gp":
                return samplers.GPSampler(seed=seed)
            case "cmaes":
                return samplers.CmaEsSampler(seed=seed)
            case "qmc":
                return samplers.QMCSampler(seed=settings.seed, scramble=True)
        return samplers.RandomSampler(seed=seed)


def pruner(settings: Settings, config: Config) -> Any:
    from optuna import pruners

    most = config.tree.trainer.max_epochs
    match settings.pruner:
        case "median":
            return pruners.MedianPruner()
        case "hyperband":
            return pruners.HyperbandPruner(max_resource=most)
        case "asha":
            return pruners.SuccessiveHalvingPruner()
    return pruners.NopPruner()


def workers(settings: Settings) -> int:
    """How many trials are trained side by side: one on each GPU, or on each core, which serves small nets best."""
    if settings.workers != "auto":
        return settings.workers
    return gpus() or max(1, min(os.cpu_count() or 1, MOST, settings.trials or MOST))


def gpus() -> int:
    """The number of GPUs of this machine; torch is imported only where there may be one."""
    if not Path("/dev/nvidia0").exists():
        return 0
    import torch

    return torch.cuda.device_count()


def device_sets(config: Config) -> list[str] | None:
    """What each worker sees of the GPUs: as many as a trial takes."""
    each = config.tree.trainer.devices
    each = each if isinstance(each, int) else 1
    found = [",".join(map(str, range(low, low + each))) for low in range(0, gpus() - each + 1, each)]
    return found or None
