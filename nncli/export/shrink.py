"""Several ways to make a run's net smaller, each exported and measured: size, speed and metrics."""

import math
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from omegaconf import OmegaConf

from nncli.config.compose import load_frozen
from nncli.errors import NnError
from nncli.export.export import export
from nncli.export.formats import How, Options
from nncli.export.prune import check, pruned
from nncli.export.tradeoff import picture
from nncli.files import straying_link
from nncli.insight.png import save
from nncli.run import folder
from nncli.run.folder import RunFolder

HOWS: tuple[How, ...] = get_args(How)


@dataclass(frozen=True)
class Setting:
    """A share of the channels to remove, then a way to quantize; neither is the net as it is."""

    share: float = 0.0
    quantize: str | None = None

    def __str__(self) -> str:
        words = [f"pruned {self.share:g}"] if self.share else []
        return ", ".join([*words, *([self.quantize] if self.quantize else [])]) or "unchanged"


def settings(shares: Iterable[float], hows: Sequence[str]) -> list[Setting]:
    """The net as it is, then each way to shrink it, and each two of them together."""
    return [Setting(share, how) for share in (0.0, *shares) for how in (None, *hows)]


SWEEP = [*settings((), HOWS), *settings((0.3, 0.5, 0.7), ("static",))[2:]]


def shrink(
    name: str,
    tried: Sequence[Setting],
    *,
    epochs: int,
    fast: bool = False,
    quiet: bool = False,
    announce: Callable[[str], object] = lambda text: None,
    trust: Collection[str] = (),
) -> dict[str, Any]:
    """The measured rows, also written as shrink.json and plots/shrink.png into the run's folder."""
    for setting in tried:
        if setting.share:
            check(setting.share)
    run = folder.find(name)
    folder.require_writable(run)
    if link := straying_link(run.path):
        raise NnError(f"{run.name}: {link.relative_to(run.path)} is a link that leads out of the run's folder")
    _, _, metric = str(OmegaConf.select(load_frozen(run.config, trust=trust).tree, "task.monitor")).partition("/")
    runs, rows = {0.0: run}, []
    report = {"run": run.name, "metric": metric, "epochs": epochs, "rows": rows}
    for place, setting in enumerate(tried, 1):
        announce(f"  {place} of {len(tried)} · {setting}")
        try:
            if setting.share not in runs:
                runs[setting.share] = pruned(run.path, setting.share, True, epochs, quiet=quiet, trust=trust)
            row = _row(runs[setting.share], setting.quantize, fast, trust)
        except NnError as error:
            if not rows:
                raise
            row = {"failed": str(error)}
        rows.append({"setting": str(setting), **row})
        run.write(run.shrink, report)
    run.plots.mkdir(exist_ok=True)
    save(picture(rows, metric), run.plots / "shrink.png")
    return report


def _row(run: RunFolder, how: str | None, fast: bool, trust: Collection[str]) -> dict[str, Any]:
    """The measurements of an ONNX file in ONNX Runtime."""
    with tempfile.TemporaryDirectory(prefix="nn-shrink-") as place:
        file, options = Path(place) / "net.onnx", Options(quantize=cast(How, how))
        report = export(run.path, "onnx", file, options=options, tolerance=math.inf, fast=fast, trust=trust)
    kept = {key: report[key] for key in ("bytes", "samples", "largest_difference", "notes", "machine")}
    metrics = {metric: both["after"] for metric, both in report["metrics"].items()}
    return {"run": run.name, **kept, "metrics": metrics, **report["timing"]["file"]}
