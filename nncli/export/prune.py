"""A new run that begins from another without part of its weights, and is trained like that one."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from nncli.config.compose import load_frozen
from nncli.config.hosting import refuse_hosted
from nncli.config.slots import FIRST
from nncli.errors import NnError
from nncli.run import folder
from nncli.run.fit import fit
from nncli.run.folder import RunFolder
from nncli.run.screen import Screen

PRUNED = "nncli.models.pruned.Pruned"


def check(share: float) -> None:
    if not 0 < share < 1:
        raise NnError(f"--prune is {share:g}; it is the fraction to remove, between 0 and 1")


def new_name(name: str) -> str:
    """The name of the pruned runs of a run with this name."""
    return f"{name.removesuffix('_pruned')}_pruned"


def pruned(
    name: str | Path, share: float, structured: bool, epochs: int, *, quiet: bool = False, trust: Collection[str] = ()
) -> RunFolder:
    """Fine-tune what is left of a run's net, with the run's own settings: its schedule is stretched to the epochs."""
    check(share)
    run = folder.find(str(name))
    config = load_frozen(run.config, trust=trust)
    refuse_hosted(config, "pruning")
    tree = cast(dict[str, Any], OmegaConf.to_container(config.tree, resolve=False))
    tree["model"] = {
        "_target_": PRUNED,
        FIRST: str(run.path.absolute()),
        "net": {key: value for key, value in tree["model"].items() if key != FIRST},
        "input_shape": "${data.input_shape}",
        "share": share,
        "structured": structured,
    }
    tree["trainer"] |= {"max_epochs": epochs, "max_steps": None}
    what = "channels" if structured else "weights"
    words = (f"recipe={run.config}", f"trainer.max_epochs={epochs}", f"# pruned: {share:g} of the {what}")
    config = replace(config, name=new_name(config.name), tree=OmegaConf.create(tree), words=words)
    made = fit(config, Screen("quiet" if quiet else "auto"))
    assert made is not None
    return made
