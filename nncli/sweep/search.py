"""Optuna's searches and pruners, by their names in conf/sweep."""

import warnings
from typing import Any

import numpy as np

from nncli.config.compose import Config
from nncli.sweep.settings import Settings


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
