"""What all data sources share: loading once, checking the data against the config, cutting batches."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypedDict

import torch
from annotated_types import Ge
from torch import Tensor

from nncli.data.batches import Batches, Sampling
from nncli.data.encode import encode
from nncli.data.rows import InMemory, Mapped, Rows, Windows
from nncli.errors import DataError
from nncli.stalls import PATIENCE

Parts = Mapping[str, Rows | tuple[Tensor, Tensor]]
FREE_SHARE = 0.5  # of a GPU's free memory that data may take when `loader.device` is auto
MAX_WORKERS = 8
Shape = list[int] | Literal["auto"]  # auto: found in the data, and written into the run's config
Classes = Annotated[int, Ge(2)] | Literal["auto"] | None


class Stated(TypedDict):
    """The arguments of every source, which takes them as `**stated: Unpack[Stated]`."""

    batch_size: Annotated[int, Ge(1)]
    input_shape: Shape
    num_classes: Classes


class Data:
    """The parts "train", "val" and "test", which a source defines in `load`.

    Images are uint8 (N, C, H, W), tables float32 (N, F), texts int64 (N, T); labels int64 (N,), numeric targets
    float32. What else is derived from the training part (vocabularies, names of classes and columns) is in `facts`,
    as plain values: they are stored with the weights, and `load` uses those of an earlier run, if given.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "table"  # how it is shown
    root: Any = None  # the folder of the user's files
    path: Any = None  # or the one file
    split: Any = None  # what cuts the parts, see split.py

    def __init__(self, batch_size: Annotated[int, Ge(1)], input_shape: Shape, num_classes: Classes) -> None:
        self.batch_size = batch_size
        self.input_shape = input_shape if input_shape == "auto" else list(input_shape)
        self.num_classes = num_classes
        self.facts: dict[str, Any] = {}
        self.kinds: dict[str, Any] = {}  # of the columns, if it has several kinds
        self.parts: dict[str, Rows] = {}
        self.place(seed=0, rank=0, world=1, accumulate=1, limit=None, overfit=0)

    def prepare_data(self) -> None:
        """Download what is not on this machine yet; most sources have nothing to download."""

    def load(self) -> Parts:
        """The parts "train", "val" and "test", each as inputs and targets."""
        raise NotImplementedError

    def inferred(self) -> dict[str, Any]:
        """After `setup`: the values of the arguments that are `auto`."""
        x, _ = self.parts["train"].span(0, 1)
        found: dict[str, Any] = {}
        if self.input_shape == "auto":
            found["input_shape"] = list(x.shape[1:])
        if self.num_classes == "auto":
            labels = self.parts["train"].labels
            whole = labels is not None and not labels.is_floating_point()
            found["num_classes"] = max(2, max(_highest(rows) for rows in self.parts.values()) + 1) if whole else None
        return found

    def traits(self) -> dict[str, Any]:
        """After `setup`: the types of samples and targets, in the terms of conf/suits.yaml; {} chooses nothing."""
        return {}

    def where(self, part: str, row: int) -> str:
        """The location of a sample in the user's own files."""
        return f"the {part} part, row {row}"

    def encode(self, raw: Any) -> Tensor:
        """A raw sample encoded as by `setup`, or several as a batch. Needs `facts` and the arguments, but no data.

        The form of a raw sample depends on the kind: the file or the values of a picture, a row of a table by name or
        in order, a text, the steps of a series.
        """
        raw = raw.detach().cpu().numpy() if isinstance(raw, Tensor) else raw
        return torch.from_numpy(encode(raw, {**self.facts, **self.samples()}))

    def decode(self, encoded: Any) -> str:
        """The inverse of `encode` in readable form, which only texts and sequences have."""
        raise DataError(f"samples of {type(self).__name__} cannot be turned back into what they were made of")

    def class_name(self, number: int) -> str:
        """The name of a class."""
        names = self.facts.get("classes")
        if names is not None and not 0 <= number < len(names):
            raise DataError(f"there is no class {number}; classes are 0 to {len(names) - 1}")
        return str(number) if names is None else names[number]

    def samples(self) -> dict[str, Any]:
        """What `encode` needs besides `facts`, as plain values: the kind of samples (see data/encode.py), arguments.

        The shape is that of the config if an older run has not stored it.
        """
        found: dict[str, Any] = {"kind": "image" if self.kind == "image" else "numbers"}
        found["dtype"] = self.facts.get("dtype", "uint8" if self.kind == "image" else "float32")
        if (shape := self.facts.get("shape", self.input_shape)) != "auto":
            found["shape"] = list(shape)
        return found

    def setup(self) -> None:
        """Load and check, once; raises DataError if the data contradicts the config."""
        if self.parts:
            return
        loaded = self.load()
        parts = {name: part if isinstance(part, Rows) else InMemory(*part) for name, part in loaded.items()}
        self.check(parts)
        if (size := len(parts["train"])) < self.batch_size:
            raise DataError(
                f"data.batch_size is {self.batch_size}, more than the {size} samples of the training part; "
                f"take data.batch_size={size} or less"
            )
        self.parts = parts
        x, _ = parts["train"].span(0, 1)
        self.facts.setdefault("dtype", str(x.dtype).removeprefix("torch."))
        if parts["train"].lengths is None:
            self.facts.setdefault("shape", list(x.shape[1:]))

    def check(self, parts: dict[str, Rows]) -> None:
        """Check the data against the stated shape and number of classes."""
        for name, rows in parts.items():
            if len(rows) == 0:
                raise DataError(f"data: the {name} part has no samples; see data.split")
            self._check_shape(name, rows)
            if not rows.decodes:
                self._check_finite(name, rows)
        if isinstance(self.num_classes, int):
            for name, rows in parts.items():
                self._check_labels(name, rows, self.num_classes)
            self._check_count(parts, self.num_classes)

    def _check_shape(self, name: str, rows: Rows) -> None:
        x, _ = rows.span(0, 1)
        if self.input_shape != "auto" and rows.lengths is None and list(x.shape[1:]) != self.input_shape:
            stated, there = (str(list(shape)).replace(" ", "") for shape in (self.input_shape, x.shape[1:]))
            raise DataError(f"data.input_shape is {stated}, the {name} part has {there}; set data.input_shape={there}")

    def _check_finite(self, name: str, rows: Rows) -> None:
        if not rows.span(0, 1)[0].is_floating_point() and not rows.span(0, 1)[1].is_floating_point():
            return
        at = 0
        for x, y in rows.chunks():
            for what, values in (("input", x), ("target", y)):
                if values.is_floating_point() and not (fine := values.isfinite()).all():
                    row = at + int((~fine.reshape(len(values), -1).all(dim=1)).nonzero()[0])
                    raise DataError(
                        f"data: {what} has a value that is not a finite number, first in {self.where(name, row)}"
                    )
            at += len(y)

    def _check_count(self, parts: dict[str, Rows], num_classes: int) -> None:
        """Check the number of classes: by their names, or else the highest class must occur."""
        labelled = [rows for rows in parts.values() if rows.labels is not None]
        if not labelled:
            return
        if (names := self.facts.get("classes")) is not None:
            if len(names) != num_classes:
                raise DataError(
                    f"data.num_classes is {num_classes}, the data has {len(names)} classes; "
                    f"set data.num_classes={len(names)}"
                )
        elif (high := max(map(_highest, labelled))) != num_classes - 1:
            low = min(int(rows.labels.min()) for rows in labelled if rows.labels is not None)
            raise DataError(
                f"data.num_classes is {num_classes}, so labels are 0 to {num_classes - 1}; found {low} to {high}"
            )

    def _check_labels(self, name: str, rows: Rows, num_classes: int) -> None:
        y = rows.labels
        if y is None:
            return
        if y.is_floating_point():
            raise DataError(f"data.num_classes is {num_classes}, but the targets are numbers; set it to null")
        if len(wrong := ((y < 0) | (y >= num_classes)).nonzero()):
            row = int(wrong[0])
            raise DataError(
                f"data.num_classes is {num_classes}, so labels are 0 to {num_classes - 1}; found {int(y.min())} to "
                f"{int(y.max())}, first {int(y[row])} at {self.where(name, row)}"
            )

    def place(
        self,
        *,
        seed: int,
        rank: int,
        world: int,
        accumulate: int,
        limit: int | None,
        overfit: int,
        sampling: Sampling = "natural",
        workers: int | Literal["auto"] = 0,
        patience: float = PATIENCE,
        rests: Literal["auto", "memory", "device"] = "memory",
        device: torch.device | None = None,
    ) -> None:
        """Set the order, this process's share of each batch, and where the data is stored.

        `overfit` > 0 trains and evaluates on the same few batches. `patience`: seconds until a suspended worker is
        given up.
        """
        if sampling == "balanced" and ((y := self.parts["train"].labels) is None or y.is_floating_point()):
            raise DataError("loader.sampling is balanced, which needs one class for each sample; take natural")
        self._share: dict[str, Any] = {
            "seed": seed,
            "rank": rank,
            "world": world,
            "accumulate": accumulate,
            "limit": limit,
            "patience": patience,
        }
        self._overfit = overfit
        self._sampling: Sampling = sampling
        self._workers: int | Literal["auto"] = workers
        self._rests, self._device = rests, device
        self._loaders: dict[str, Batches] = {}

    def outline(self) -> str:
        """The number of samples, and where they are stored, once they are placed."""
        counts = " · ".join(f"{len(rows):,} {part}" for part, rows in self.parts.items())
        rows = self.parts["train"]
        shared = isinstance(rows, Windows)  # the parts are windows of one series
        megabytes = sum(part.nbytes for part in ([rows] if shared else self.parts.values())) / 1e6
        if rows.decodes:
            return f"{counts} · decoded as needed by {self._helpers(rows) or 'no'} workers"
        if isinstance(rows, Mapped):
            return f"{counts} · {megabytes:,.1f} MB read as needed"
        return f"{counts} · {megabytes:,.1f} MB {'on the GPU' if self._resting(rows) else 'in memory'}"

    def train_dataloader(self) -> Batches:
        return self._batches("train")

    def val_dataloader(self) -> Batches:
        return self._batches("val")

    def test_dataloader(self) -> Batches:
        return self._batches("test")

    def evaluation(self, part: str) -> Batches:
        """All samples of a part in natural order, for evaluation."""
        self.setup()
        return self._cut(self.parts[part], shuffle=False)

    def _batches(self, part: str) -> Batches:
        if part not in self._loaders:
            self.setup()
            few = self._overfit > 0 and part != "test"
            rows = self.parts["train" if few else part]
            if few:
                rows = InMemory(*rows.span(0, min(self._overfit, len(rows) // self.batch_size) * self.batch_size))
            self._loaders[part] = self._cut(rows, shuffle=part == "train" and not few)
        return self._loaders[part]

    def _cut(self, rows: Rows, *, shuffle: bool) -> Batches:
        gpu = self._device is not None and self._device.type == "cuda"
        resting = self._resting(rows)
        if resting and self._device is not None:
            rows = rows.to(self._device)
        return Batches(
            rows,
            self.batch_size,
            shuffle=shuffle,
            sampling=self._sampling,
            workers=self._helpers(rows),
            ahead=(gpu and not resting) or isinstance(rows, Mapped),
            pin=gpu and not resting,
            **self._share,
        )

    def _resting(self, rows: Rows) -> bool:
        """Whether a whole part is stored on the GPU."""
        if self._device is None or self._device.type != "cuda" or rows.decodes or isinstance(rows, Mapped):
            return False
        return self._rests == "device" or (self._rests == "auto" and self._fits(rows))

    def _fits(self, rows: Rows) -> bool:
        assert self._device is not None
        return rows.nbytes < FREE_SHARE * torch.cuda.mem_get_info(self._device)[0]

    def _helpers(self, rows: Rows) -> int:
        """The number of worker processes, which are useful only if files are decoded."""
        if not rows.decodes:
            return 0
        return min(MAX_WORKERS, torch.get_num_threads()) if self._workers == "auto" else self._workers


def _highest(rows: Rows) -> int:
    return int(rows.labels.max()) if rows.labels is not None else 0
