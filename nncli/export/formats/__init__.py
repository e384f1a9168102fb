"""The formats of exported files, one module each: its name is what `--to` takes.

A format defines what `Format` says: SUFFIX, EXTRA (the extra of the package that it needs, or ""), RUNS_CODE (whether
opening a file can run code in it), COMPUTES (whether a file holds more than weights), OPTIONS (which of the options
have an effect, besides --quantize), and the functions.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from nncli.errors import NnError
from nncli.export.instead import instead

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from nncli.contracts import Form

Run = Callable[["np.ndarray"], Sequence["np.ndarray"]]  # a batch to a tensor for each output
How = Literal["dynamic", "static", "weight-only"]  # how to quantize
KEY = "nn"  # under which the card is stored in a file's metadata


@dataclass(frozen=True)
class Options:
    """How to write a file.

    In half precision, for one size of batch, for any length or picture size, for an opset, or with 8-bit weights,
    calibrated on `samples`, which are batches of the training part.
    """

    half: bool = False
    batch: int | None = None
    dynamic: bool = False
    opset: int | None = None
    quantize: How | None = None
    samples: Sequence["np.ndarray"] = ()


class Format(Protocol):
    """What a module of this folder defines."""

    SUFFIX: str
    EXTRA: str
    RUNS_CODE: bool
    COMPUTES: bool
    OPTIONS: Sequence[str]

    def require(self, options: Options) -> None:
        """Raise NnError unless the packages that write a file and run it are here, and the options can be met."""
        ...

    def write(
        self, form: "Form", example: "Tensor", card: Mapping[str, Any], path: Path, options: Options
    ) -> list[str]:
        """Write a file with the card in its metadata; returns notes for the user."""
        ...

    def card(self, path: Path) -> dict[str, Any]:
        """The card of a file, without running anything in it; empty if nn did not write the file."""
        ...

    def load(self, path: Path) -> Run:
        """The computation of a file."""
        ...


def names() -> list[str]:
    """Every format."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def named(name: str) -> Format:
    """The format of this name."""
    return cast(Format, importlib.import_module(f"{__name__}.{name}"))


def find(name: str) -> str:
    """The name of a format as it was typed; raises NnError with the nearest right one."""
    there, word = names(), name.lower().removeprefix(".")
    if word in there:
        return word
    raise NnError(f"--to is {name}; {instead(name, there)}")


def package(name: str, extra: str) -> Any:
    """A package that a format needs; raises NnError with the command that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NnError(f"this format needs {name.partition('.')[0]}: pip install 'nncli[{extra}]'") from error


def refuse(to: str, options: Options) -> None:
    """Raise NnError for an option without effect on a format."""
    given = {"half": options.half, "batch": options.batch, "dynamic": options.dynamic, "opset": options.opset}
    if odd := next((key for key, value in given.items() if value and key not in named(to).OPTIONS), None):
        able = ", ".join(f"--to {name}" for name in names() if odd in named(name).OPTIONS)
        raise NnError(f"--{odd} has no effect with --to {to}; it is for {able}")


def suffixes() -> tuple[str, ...]:
    """How the names of exported files end."""
    return tuple(named(name).SUFFIX for name in names())


def of_file(path: Path) -> Format:
    """The format of a file, by its suffix."""
    for one in map(named, names()):
        if path.name.endswith(one.SUFFIX):
            return one
    raise NnError(f"{path} is not an exported file that nn can open; those end in {', '.join(suffixes())}")


def dynamic_shapes(example: "Tensor", options: Options) -> tuple[dict[int, Any]] | None:
    """Which dimensions of the input may change, for torch.export: the batch, and with tokens the length."""
    import torch
    from torch.export import Dim

    shapes: dict[int, Any] = {} if options.batch else {0: Dim("batch")}
    if options.dynamic or example.dtype == torch.int64:
        shapes |= dict.fromkeys(range(2 if example.dim() == 4 else 1, example.dim()), Dim.AUTO)
    return (shapes,) if shapes else None
