"""Stand-ins for what the program reads besides the parts: the root's settings and two plain sections."""

from collections.abc import Callable
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval


def settings(*, seed: Annotated[int, Ge(0)], test: bool, run_dir: str | None) -> None: ...


def checkpoint(*, minutes: Annotated[float, Gt(0)], every_n_steps: int | None, keep: Annotated[int, Ge(0)]) -> None: ...


def trainer(
    *,
    accelerator: Literal["auto", "cpu", "gpu", "mps"],
    precision: Literal["auto", "32", "bf16", "16"],
    max_epochs: Annotated[int, Ge(1)],
    grad_clip: Annotated[float, Gt(0)] | None,
    ema: Annotated[float, Interval(gt=0, lt=1)] | None,
    devices: Annotated[int, Ge(1)] | Literal["auto"],
    **others: object,
) -> None: ...


def loader(*, device: str, workers: int | str, sampling: str) -> None: ...


SECTIONS: dict[str, Callable[..., object]] = {
    "": settings,
    "checkpoint": checkpoint,
    "loader": loader,
    "trainer": trainer,
}
