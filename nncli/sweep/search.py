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
                # one sequence for all slots, but other random numbers for the keys that are not in it
                alone = samplers.RandomSampler(seed=seed)
                return samplers.QMCSampler(seed=settings.seed, scramble=True, independent_sampler=alone)
        return samplers.RandomSampler(seed=seed)


def pruner(settings: Settings, config: Config) -> Any:
    """What ends trials early: ASHA keeps the best third at 1/12, 1/4 and 3/4 of the epochs.

    Hyperband does so at 1/27, 1/9 and 1/3 with some trials, at 1/9 and 1/3 with the others.
    """
    from optuna import pruners

    epochs = config.tree.trainer.max_epochs
    match settings.pruner:
        case "median":
            return pruners.MedianPruner()
        case "hyperband":
            first = max(1, round(epochs / 27))
            return pruners.HyperbandPruner(min_resource=first, max_resource=3 * first)
        case "asha":
            return pruners.SuccessiveHalvingPruner(min_resource=max(1, round(epochs / 12)), reduction_factor=3)
    return pruners.NopPruner()
