"""One finished run, or several as one, judged on a part of the data."""

from collections.abc import Collection, Sequence
from typing import Any, Literal

from lightning.pytorch import Trainer

from nncli.run.assemble import cut
from nncli.run.ensemble import Combine, together
from nncli.run.folder import RunFolder
from nncli.run.restore import restore
from nncli.run.train import hushed
from nncli.run.trainer import QUIET, lightning_arguments


def judged(
    runs: Sequence[RunFolder],
    words: Sequence[str] = (),
    *,
    part: Literal["train", "val", "test"] = "test",
    which: Literal["best", "last"] = "best",
    combine: Combine = "mean",
    trust: Collection[str] = (),
) -> dict[str, Any]:
    """The metrics on a part of the (first) run's data, and what else its task found there: classes, confusions."""
    if len(runs) == 1:
        config, parts = restore(runs[0], words, which=which, trust=trust)
    else:
        config, parts = together(runs, words, combine=combine, which=which, trust=trust)
    with hushed():
        trainer = Trainer(
            **lightning_arguments(parts.trainer, parts.where),
            **QUIET,
            logger=False,
        )
        cut(config, parts, device=trainer.strategy.root_device)
        trainer.test(parts.task, dataloaders=parts.data.evaluation(part), verbose=False)
    task = parts.task
    metrics = {k.replace("test/", f"{part}/"): v for k, v in task.results.items() if k.startswith("test/")}
    details = dict(getattr(task, "details", {}))
    if rows := details.get("classes"):
        names = task.facts.get("classes") or range(len(rows))
        details["classes"] = [{"class": str(name), **row} for name, row in zip(names, rows, strict=True)]
    return {"metrics": metrics, **details}
