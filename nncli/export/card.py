"""The card of a model: what it takes, what it returns and where it comes from, stored in every exported file."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from nncli.contracts import Form
from nncli.export.formats import Options
from nncli.export.probe import probe
from nncli.run.checkpoint import digest_of
from nncli.run.model import Model

SPAN = {"uint8": 256}  # the numbers of an input, from 0
CALLED = {"digits": "image", "table": "row", "text": "tokens", "symbols": "tokens", "numbers": "values"}
LENGTH = 8  # tokens of an example, where any length is allowed


def card(model: Model, name: str, form: Form, options: Options) -> dict[str, Any]:
    """Everything that is known about a form of a run's task, as plain values; without its answers and metrics."""
    run, tree = model.run, model.config.tree
    samples, facts = model.data.samples(), dict(model.task.facts)
    shape = facts.get("shape") or [OmegaConf.select(tree, "data.tokenizer.max_length") or LENGTH]
    dtype = facts.get("dtype", "float32")
    classes = model.classes if form.outputs[0] in ("probabilities", "class") else []
    made = run.read(run.environment).get("git") or {}
    return {
        "version": version("nncli"),
        "run": run.name,
        "name": model.config.name,
        "form": name,
        "weights": digest_of(run.checkpoints / f"{model.which}.ckpt"),
        "which": model.which,
        "commit": made.get("commit"),
        "precision": "8" if options.quantize else "16" if options.half else "32",
        "input": {
            "name": CALLED.get(samples["kind"], samples["kind"]),
            "dtype": dtype,
            "shape": [options.batch, *(None if dtype == "int64" or options.dynamic else size for size in shape)],
            "example": shape,
            "span": SPAN.get(dtype, int(OmegaConf.select(tree, "data.num_tokens") or 2)),
        },
        "outputs": [{"name": output} for output in form.outputs],
        "classes": classes or None,
        "target": model.targets,
        "samples": samples,
        "facts": facts,
        "buffers": {name: value.tolist() for name, value in model.task.named_buffers(recurse=False)},
        "config": run.config.read_text(encoding="utf-8"),
    }


def example(card: Mapping[str, Any], options: Options) -> Tensor:
    """Samples from which a net is traced: two, so that one is not taken for a constant."""
    return torch.from_numpy(probe(card, options.batch or 2))
