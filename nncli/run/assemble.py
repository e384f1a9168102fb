"""The objects of a config: first all of its problems at once, then data, task and devices, then one batch."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

import torch
from annotated_types import Ge
from omegaconf import DictConfig, OmegaConf

from nncli.config.annotations import accepts
from nncli.config.build import build
from nncli.config.check import check
from nncli.config.compose import Config
from nncli.config.hosting import hosts, is_lightning, refuse_hosted
from nncli.config.origin import source
from nncli.config.reference import Missing, locate
from nncli.config.slots import parameters, target_class
from nncli.config.suits import suits
from nncli.contracts import Augmenting
from nncli.errors import ConfigError, NnError, Problem
from nncli.run import initial_weights, random
from nncli.run.checkpoint import weights
from nncli.run.identity import unfit
from nncli.run.placement import Placement, checkpoint_settings, loader_settings, misfits, place, trainer_settings
from nncli.seed import Seed

TRIED_ROWS = 8  # samples that go through the net before training starts


def run_settings(*, seed: Seed, test: bool, run_dir: str | None) -> None:
    """The keys at the root of a config that are not sections."""


SECTIONS: dict[str, Callable[..., object]] = {
    "trainer": trainer_settings,
    "loader": loader_settings,
    "checkpoint": checkpoint_settings,
    "": run_settings,
}


@dataclass(frozen=True)
class Parts:
    """What one process needs to train or evaluate."""

    data: Any  # a Data of nncli.data, or the user's own LightningDataModule
    task: Any
    where: Placement
    trainer: dict[str, Any]
    notes: list[str] = field(default_factory=list)  # about the initial weights, for the user


def section(config: Config, key: str) -> dict[str, Any]:
    """A section's plain values, interpolations resolved."""
    return cast(dict[str, Any], OmegaConf.to_container(cast(DictConfig, config.tree[key]), resolve=True))


def problems(config: Config, *, trains: bool = True) -> list[Problem]:
    """All problems of a config that can be found without reading data."""
    if not {"task", "trainer"} & config.tree.keys() and not config.problems:
        text = "there is neither a task nor a trainer; begin with a defaults list whose first entry is /train"
        where = next((origin.where for origin in config.origins.values()), "")
        return [Problem("defaults", "", where, "missing-key", text)]
    found = check(config, SECTIONS, trains=trains)
    if any(p.key.startswith(("trainer", "data")) for p in found) or not {"trainer", "data"} <= config.tree.keys():
        return found
    resolved = cast(dict[str, Any], OmegaConf.to_container(config.tree, resolve=True))
    trainer, data, optimizer = resolved["trainer"], resolved["data"], resolved.get("optimizer")
    hosted = hosts(config)
    batch_size = data.get("batch_size", 1) if isinstance(data, dict) else None
    if not _suits(trainer, trainer_settings) or not (hosted or accepts(batch_size, Annotated[int, Ge(1)])):
        return found  # a reference in it was reported at the key to which it refers
    target = optimizer.get("_target_") if isinstance(optimizer, dict) else None
    made = cls if isinstance(cls := target_class(target, config.trust), type) else object
    plain = OmegaConf.to_container(config.tree, resolve=False)
    for key, value, text in misfits(trainer, 0 if hosted else cast(int, batch_size), optimizer=made, hosted=hosted):
        key = _set_at(plain, key)  # where it is set: regularization.ema, not trainer.ema
        origin = source(config.origins, key)
        found.append(Problem(key, str(value), origin.where if origin else "", "incompatible-value", text))
    return found


def _suits(values: Any, settings: Callable[..., object]) -> bool:
    """Whether the values have the types of the settings' signature."""
    known = parameters(settings)
    return isinstance(values, dict) and all(accepts(value, known[name].annotation) for name, value in values.items())


def _set_at(plain: Any, key: str) -> str:
    """The key where a value that others refer to is set."""
    try:
        return locate(plain, key)
    except Missing:
        return key


def require(config: Config, *, trains: bool = True, besides: Sequence[Problem] = ()) -> Config:
    """The config, if it has no problems; `besides` are problems found elsewhere, which are reported with its own."""
    found = problems(config, trains=trains)
    keys = {problem.key for problem in found}
    if found := [*found, *(problem for problem in besides if problem.key not in keys)]:
        raise ConfigError(found)
    return config


class Kept:
    """The data that was loaded last, in a process that trains several runs on it."""

    on = False
    key = ""
    data: Any = None


@contextmanager
def keeping() -> Iterator[None]:
    """Load the same data only once inside the block."""
    Kept.on = True
    try:
        yield
    finally:
        Kept.on, Kept.key, Kept.data = False, "", None


def load_data(config: Config, facts: dict[str, Any] | None = None) -> Any:
    """The data of a config; `facts` are those that an earlier run derived from its training part."""
    key = f"{OmegaConf.to_yaml(config.tree.data, resolve=True)}{facts}"
    if Kept.on and Kept.key == key:
        data = copy.copy(Kept.data)  # its samples are shared, and nothing changes them
        data.facts = copy.deepcopy(data.facts)
        return data
    data = cast(Any, build(config.tree.data, config=config))
    if is_lightning(type(data), "data"):
        data.facts = {}
        return data
    data.facts = dict(facts or {})
    data.prepare_data()
    data.setup()
    if Kept.on:
        Kept.key, Kept.data = key, copy.copy(data)
        Kept.data.facts = copy.deepcopy(data.facts)
    return data


def build_task(config: Config, facts: dict[str, Any]) -> Any:
    """The task of a config, with the facts of its data. The seed fixes the initial weights."""
    random.seed_all(int(config.tree.seed))
    task = cast(Any, build(config.tree.task, config=config))
    if not is_lightning(type(task), "task"):
        task.facts = facts
    return task


def assemble(config: Config, *, data: Any = None, facts: dict[str, Any] | None = None, fitted: bool = False) -> Parts:
    """Build the parts of a config that has passed its check.

    `fitted`: the statistics of the inputs, and all weights, will be loaded from the run's own checkpoint.
    """
    data = data or load_data(config, facts)
    task = build_task(config, data.facts)
    settings = section(config, "trainer")
    if is_lightning(type(task), "task"):
        if settings["ema"] is not None or settings["swa"] is not None:
            refuse_hosted(config, "averaging the weights (regularization.ema, .swa)")
        return Parts(data, task, place(settings), settings)
    for turn in task.turns():  # before other processes look at which weights have gradients
        turn.updates.groups.freeze(turn.net, shared=True)
    notes = []
    if not fitted:
        _fit(task, data)
        notes = initial_weights.first_weights(config, task)
    return Parts(data, task, place(settings), settings, notes)


def again(config: Config, state: dict[str, Any] | None, path: Path | None) -> Parts:
    """The parts of a run with the weights and the facts of its checkpoint; without one, new ones."""
    if state is None or path is None:
        return assemble(config)
    try:
        parts = assemble(config, facts=state.get("facts"), fitted=True)
        parts.task.load_state_dict(weights(state))
        return parts
    except NnError:
        raise
    except Exception as error:  # facts are plain values, for which a data class may raise anything
        raise unfit(path, error) from error


def _fit(task: Any, data: Any) -> None:
    try:
        task.fit_statistics(data.parts["train"])
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        better = suits(data.traits()).get("transform", "standardize")
        x, _ = data.parts["train"].span(0, 1)
        raise NnError(
            f"the transform does not fit the data, whose samples are {list(x.shape[1:])} {x.dtype}: "
            f"{str(error).partition(chr(10))[0]}\n"
            f"  choose transform={better}; augmentation can be added to its transform.augment or transform.mix"
        ) from error


def place_data(
    config: Config, parts: Parts, *, rank: int = 0, world: int = 1, device: torch.device | None = None
) -> None:
    """Set which samples this process gets, in what order, and where the data is stored."""
    if is_lightning(type(parts.data), "data"):
        return
    loader = section(config, "loader") if "loader" in config.tree else {"device": "memory"}
    parts.data.place(
        seed=int(config.tree.seed),
        rank=rank,
        world=world,
        accumulate=parts.trainer["accumulate"],
        limit=parts.trainer["limit_batches"],
        overfit=parts.trainer["overfit_batches"],
        patience=float(parts.trainer["timeout"]),
        rests=loader["device"],
        device=device,
        **{name: loader[name] for name in ("workers", "sampling") if name in loader},
    )


def try_one_batch(parts: Parts) -> None:
    """A few samples through the net and the loss, without leaving a trace; what does not fit is told now."""
    turns = parts.task.turns()
    for turn in turns:
        if not any(p.requires_grad for p in turn.net.parameters()):
            raise NnError(f"the net {type(turn.net).__name__} has no parameter to train: check model")
    x, y = parts.data.parts["train"].span(0, TRIED_ROWS)
    before, buffers = random.states(), {name: buffer.clone() for name, buffer in parts.task.named_buffers()}
    parts.task.eval()
    try:
        with torch.no_grad():
            if isinstance(parts.task.transform, Augmenting):
                parts.task.transform.augmented(x)
            losses = [turn.loss((x, y)) for turn in turns]
        for turn in turns:
            turn.updates.make(turn.net)  # some optimizers refuse what others take
    except NnError:
        raise
    except Exception as error:  # a net of the person's own may raise anything
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise NnError(
            f"the net, the data and the loss do not fit together: {why}\n"
            f"  a batch of data is {list(x.shape)} {x.dtype} with targets {list(y.shape)} {y.dtype}; "
            "check model and loss with nn config show"
        ) from error
    finally:
        parts.task.train()
        for name, buffer in parts.task.named_buffers():
            buffer.copy_(buffers[name])
        random.restore(before)
    for turn, found in zip(turns, losses, strict=True):
        called = f"loss of {turn.name}" if turn.name else "loss"
        if not math.isfinite(value := float(found["loss"])):
            raise NnError(f"the {called} of the first samples is {value} before any training: check data and init")
