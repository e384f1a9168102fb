"""fit(config): check everything, create the folder, freeze the config in it, train. resume(run): continue in it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nncli.config.compose import Config, compose, freeze, load_frozen
from nncli.config.hosting import hosts, is_lightning
from nncli.config.places import untyped
from nncli.errors import NnError, Stopped
from nncli.files import straying_link
from nncli.run import folder as folders
from nncli.run import random
from nncli.run.assemble import Parts, again, assemble, place_data, require, try_one_batch
from nncli.run.checkpoint import newest
from nncli.run.environment import environment
from nncli.run.folder import RunFolder
from nncli.run.identity import RESUMABLE, read, unfit
from nncli.run.processes import launch
from nncli.run.processes.signals import Signals
from nncli.run.quiet import quiet_libraries
from nncli.run.removal import clean
from nncli.run.resolve import complete, resolve
from nncli.run.screen import Screen
from nncli.run.train import train

Announce = Callable[[str, str], object]  # receives the run's folder and the checkpoint to resume


def _alone(folder: str, checkpoint: str) -> None:
    """Without other ranks, nothing is announced."""


def prepared(config: Config, screen: Screen) -> tuple[Config, Parts]:
    """All checks, including one batch through the net; nothing is written to disk."""
    with quiet_libraries():
        config, data = resolve(config, screen)
        parts = assemble(config, data=data)
        if not hosts(config):
            try_one_batch(parts)
    return config, parts


def fit(
    config: Config,
    screen: Screen,
    *,
    dry_run: bool = False,
    announce: Announce = _alone,
    trial: Mapping[str, Any] | None = None,
) -> RunFolder | None:
    """Train from the start in a new folder, whose path is announced; with dry_run, stop after the checks.

    `trial` says which one of several runs this is, and is recorded with it.
    """
    with Signals().caught() as signals:
        config, parts = prepared(config, screen)
        screen.trust = config.trust
        screen.line(headline(config, parts))
        place_data(config, parts, device=parts.where.device)
        for note in (*_outline(parts.data), *parts.notes):
            screen.line(f"  {note}")
        if dry_run:
            screen.line("  checked, nothing was started")
            return None
        run = folders.make(config.name, config.tree.run_dir)
        with folders.held(run):
            folders.write_atomic(run.words, "".join(f"{w}\n" for w in config.words).encode(errors="replace"))
            placement = {k: str(v) for k, v in vars(parts.where).items()}
            facts = environment(int(config.tree.seed), placement)
            run.write(run.environment, facts | ({"trial": dict(trial)} if trial else {}))
            _freeze(run, config)  # last: a run with a config can be resumed
            screen.line(f"  checked · run {run.name}")
            announce(str(run.path), "")
            _go(run, config, parts, screen, signals, resume=None)
    return run


def resume(
    run: RunFolder,
    words: Sequence[str],
    screen: Screen,
    trust: Collection[str] = (),
    *,
    spread: Callable[[Config], Config] = lambda config: config,
    announce: Announce = _alone,
) -> RunFolder:
    """Continue in the same folder from its newest intact checkpoint, or from step 0 if there is none yet."""
    folders.require_writable(run)
    if link := straying_link(run.path):
        raise NnError(
            f"{run.name}: {link.relative_to(run.path)} is a link that leads out of the run's folder, and a run writes "
            "nowhere else; replace it by its target"
        )
    with Signals().caught() as signals, folders.held(run):
        config = spread(load_frozen(run.config, words, allowed=RESUMABLE, trust=trust))
        config = require(config, besides=[problem for problem in untyped(config) if problem.key != "run_dir"])
        if run.read(run.summary).get("status") == "finished" and not words:
            screen.line(f"{run.name} is finished. To train longer: nn resume {run.name} trainer.max_epochs=60")
            announce("", "")
            return run
        run.checkpoints.mkdir(exist_ok=True)
        run.pruned.unlink(missing_ok=True)
        clean(run)
        checkpoint = newest(run.checkpoints, screen.warn)
        state = _readable(checkpoint, run) if checkpoint else None
        with quiet_libraries():
            parts = again(config, state, checkpoint)
        if state and words:
            _not_backwards(parts, state["nncli"])
            _not_in_vain(parts, state["nncli"], words)
        del state
        if words:
            _freeze(run, config)
            typed = "".join(f"{w}\n" for w in (*run.typed(), "# resumed with", *words))
            folders.write_atomic(run.words, typed.encode(errors="replace"))
        screen.trust = config.trust
        screen.line(headline(config, parts))
        screen.line(f"  resume {run.name} from {checkpoint.name if checkpoint else 'the start'}")
        announce(str(run.path), str(checkpoint or ""))
        _go(run, config, parts, screen, signals, checkpoint)
    return run


def _readable(checkpoint: Path, run: RunFolder) -> dict[str, Any]:
    """The state in the checkpoint, after checking that each process can restore its random states."""
    state = read(checkpoint, run)
    try:
        for rank in state["nncli"]["ranks"]:
            random.check(rank["random"])
    except Exception as error:  # of three libraries, which may raise anything
        raise unfit(checkpoint, error) from error
    return state


def _freeze(run: RunFolder, config: Config) -> None:
    """Write config.yaml without `run_dir`, so that training from it again creates a new folder."""
    tree = config.tree.copy()
    tree["run_dir"] = None
    folders.write_atomic(run.config, freeze(replace(config, tree=tree)).encode())


def _not_backwards(parts: Parts, saved: dict[str, Any]) -> None:
    """Refuse an end that the run has already passed."""
    for key, reached in (("max_epochs", saved["position"][0]), ("max_steps", saved["step"])):
        if parts.trainer[key] is not None and parts.trainer[key] < reached:
            raise NnError(
                f"trainer.{key} = {parts.trainer[key]}: the run has already reached {reached}; set a larger number"
            )


def _not_in_vain(parts: Parts, saved: dict[str, Any], words: Sequence[str]) -> None:
    """Refuse more epochs for a run that was ended by trainer.max_steps."""
    steps, typed = parts.trainer["max_steps"], {word.partition("=")[0].lstrip("+") for word in words}
    if "trainer.max_epochs" in typed and steps is not None and saved["step"] >= steps:
        raise NnError(
            f"the run has ended at trainer.max_steps = {steps}; set a larger one: trainer.max_steps={2 * steps}"
        )


def _go(run: RunFolder, config: Config, parts: Parts, screen: Screen, signals: Signals, resume: Path | None) -> None:
    """Train here, or start a process for each device and wait for them."""
    try:
        if parts.where.world > 1 and not launch.is_rank():
            patience = float(parts.trainer["timeout"])
            summary = launch.start(run, parts.where, screen, signals, resume, config.trust, patience)
        else:
            summary = train(config, run, parts, screen, signals, resume)
    except Stopped as stopped:
        stopped.run = run.name
        raise
    screen.end(run, summary, parts.trainer["max_steps"])


def _outline(data: Any) -> list[str]:
    """The outline of the data, which a LightningDataModule does not have."""
    return [] if is_lightning(type(data), "data") else [data.outline()]


def headline(config: Config, parts: Parts) -> str:
    """The parts to be trained, in one line."""
    nets = [parts.task] if hosts(config) else [turn.net for turn in parts.task.turns()]
    sizes = [(p.numel(), p.requires_grad) for net in nets for p in net.parameters()]
    count, learn = sum(size for size, _ in sizes), sum(size for size, learns in sizes if learns)
    learning = "" if learn == count else f", {learn:,} of them trained"
    optimizer = "" if hosts(config) else config.tree.optimizer.get("_target_", "").rsplit(".", 1)[-1]
    facts = [
        config.name,
        f"{' and '.join(type(net).__name__ for net in nets)} ({count:,} parameters{learning})",
        *filter(None, [optimizer]),
        str(parts.where),
        f"seed {config.tree.seed}",
    ]
    return " · ".join(facts)


def fit_words(words: Sequence[str], *, show: Any = "auto", trust: Collection[str] = ()) -> RunFolder:
    """`nncli.fit([...])`: the same as `nn train` with these words, from a notebook or a program."""
    run = fit(compose(list(words), trust=trust), Screen(show))
    assert run is not None
    return run


def check_words(words: Sequence[str], trust: Collection[str] = ()) -> None:
    """Raise ConfigError with all problems of these words."""
    complete(compose(list(words), trust=trust))
