"""`nn env`: what this machine has, for a bug report or a look before training."""

from nncli.cli.options import Json
from nncli.output import as_json, say


def env(json: Json = False) -> None:
    """Print the versions, the devices and the folders that nn uses.

    \b
    nn env
    """
    import os
    import platform
    from importlib import metadata

    import torch

    from nncli.paths import cache_dir, runs_dir
    from nncli.run.environment import PACKAGES
    from nncli.run.placement import cpu_does_bf16

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    facts = {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
        "system": platform.platform(),
        "cpu cores": os.cpu_count(),
        "cpu bf16": cpu_does_bf16(),
        "gpus": gpus,
        "runs": str(runs_dir()),
        "cache": str(cache_dir()),
    }
    if json:
        say(as_json(facts))
        return
    for name, value in facts.items():
        shown = ", ".join(value) or "none" if isinstance(value, list) else value
        say(f"{name:12} {shown}")
