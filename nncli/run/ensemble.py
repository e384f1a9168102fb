"""Several finished runs as one model: the mean of their predictions, a majority vote, or the mean of their weights."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from nncli.config.compose import Config
from nncli.contracts import Joinable, Judging
from nncli.errors import NnError
from nncli.run.assemble import Parts
from nncli.run.folder import RunFolder
from nncli.run.restore import restore

Combine = Literal["mean", "vote", "weights"]


def restore_ensemble(
    runs: Sequence[RunFolder],
    words: Sequence[str] = (),
    *,
    combine: Combine,
    which: Literal["best", "last"],
    trust: Collection[str] = (),
) -> tuple[Config, Parts, Callable[[Tensor], Tensor] | None]:
    """The parts of the first run, and how all of them predict together; None if they have become one net."""
    config, parts = restore(runs[0], words, which=which, trust=trust)
    others = [restore(run, words, which=which, trust=trust)[1].task for run in runs[1:]]
    for run, task in zip(runs[1:], others, strict=True):
        _alike(parts.task, task, runs[0], run)
    if combine == "weights":
        _average(parts.task, others, runs)
        return config, parts, None
    if not (isinstance(parts.task, Joinable) and isinstance(parts.task, Judging)):
        raise NnError(f"runs of {type(parts.task).__name__} cannot be combined; evaluate one: nn eval {runs[0].name}")
    join, tasks = parts.task.joined, nn.ModuleList([cast(Any, parts.task), *others]).to(parts.where.device).eval()

    def predict(x: Tensor) -> Tensor:
        return join([cast(Any, task).predict(x) for task in tasks], vote=combine == "vote")

    return config, parts, predict


def _alike(first: Any, task: Any, run: RunFolder, other: RunFolder) -> None:
    """Raise NnError unless the predictions of both have the same meaning."""
    if not isinstance(task, type(first)) and not isinstance(first, type(task)):
        raise NnError(f"{run.name} is {type(first).__name__}, {other.name} is {type(task).__name__}")
    ours, theirs = first.facts.get("classes"), task.facts.get("classes")
    if ours != theirs:
        raise NnError(f"the classes of {run.name} are {ours}, those of {other.name} {theirs}")
    if (one := first.num_classes) != (two := task.num_classes):
        raise NnError(f"{run.name} has {one} classes, {other.name} has {two}")
    if odd := sorted(k for k in first.facts.keys() | task.facts.keys() if first.facts.get(k) != task.facts.get(k)):
        raise NnError(f"{run.name} and {other.name} were trained on data that differs in its {', '.join(odd)}")


def _average(task: Any, others: Sequence[Any], runs: Sequence[RunFolder]) -> None:
    """Set the mean of all weights, in float32 at least; counters are those of the first run."""
    # a teacher is in the state too, but predicts nothing
    states = [{n: t for n, t in one.state_dict().items() if not n.startswith("teacher.")} for one in (task, *others)]
    shapes = [{name: list(value.shape) for name, value in state.items()} for state in states]
    for run, other in zip(runs[1:], shapes[1:], strict=True):
        for name in shapes[0] | other:
            if shapes[0].get(name) != other.get(name):
                raise NnError(
                    f"weights of different shapes have no mean: {name} is {shapes[0].get(name)} in {runs[0].name}, "
                    f"{other.get(name)} in {run.name}; use --combine mean"
                )
    with torch.no_grad():
        for name, value in states[0].items():
            if value.is_floating_point():
                value.copy_(torch.stack([state[name].double() for state in states]).mean(dim=0))
