"""What every source of data shares: loading once, holding the data to what the YAML states, cutting batches."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypedDict

import torch
from annotated_types import Ge
from torch import Tensor

from nncli.data.batches import Batches, Sampling
from nncli.data.encode import encode, listed
from nncli.data.rows import InMemory, Mapped, Rows, Windows
from nncli.errors import DataError
from nncli.stalls import PATIENCE

Parts = Mapping[str, Rows | tuple[Tensor, Tensor]]
FREE_SHARE = 0.5  # of a GPU's free memory that data may take when `loader.device` is auto
MAX_WORKERS = 8
Shape = list[int] | Literal["auto"]  # auto: found in the data, and written into the run's config
Classes = Annotated[int, Ge(2)] | Literal["auto"] | None


class Stated(TypedDict):
    """What every source is told: a source takes them as `**stated: Unpack[Stated]`."""

    batch_size: Annotated[int, Ge(1)]
    input_shape: Shape
    num_classes: Classes


class Data:
    """The parts "train", "val" and "test". A source says in `load` where they come from.

    Images are uint8 (N, C, H, W), tables float32 (N, F), texts int64 (N, T); labels int64 (N,), measured targets
    float32. What else was learned from the training part (vocabularies, names of classes and columns) is in `facts`,
    as plain values: they travel with the weights, and `load` uses them instead of its own when they are given.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "table"  # how a person looks at it
    root: Any = None  # where the files lie that it was given: their folder
    path: Any = None  # or the one file

    def __init__(self, batch_size: Annotated[int, Ge(1)], input_shape: Shape, num_classes: Classes) -> None:
        self.batch_size = batch_size
        self.input_shape = input_shape if input_shape == "auto" else list(input_shape)
        self.num_classes = num_classes
        self.facts: dict[str, Any] = {}
        self.kinds: dict[str, Any] = {}  # of the columns, where it tells them apart
        self.parts: dict[str, Rows] = {}
        self.place(seed=0, rank=0, world=1, accumulate=1, limit=None, overfit=0)

    def prepare_data(self) -> None:
        """Fetch what is not on this machine yet; most sources have nothing to fetch."""

    def load(self) -> Parts:
        """The parts "train", "val" and "test", each as inputs and targets."""
        raise NotImplementedError

    def inferred(self) -> dict[str, Any]:
        """After `setup`: what each argument given as `auto` turned out to be."""
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
        """After `setup`: what the samples and the targets are, in the words of conf/suits.yaml; {} chooses nothing."""
        return {}

    def where(self, part: str, row: int) -> str:
        """Where a sample stands in the person's own files."""
        return f"the {part} part, row {row}"

    def encode(self, raw: Any) -> Tensor:
        """A raw sample as `setup` would give it, or several as a batch. Needs `facts` and the arguments, but no data.

        What a raw sample may be depends on the kind: the file or the values of a picture, a row of a table by name or
        in order, a text, the steps of a series.
        """
        if self.kind == "image":
            from nncli.data.images.encode import encode as picture

            return picture(raw, self.known())
        return encode(listed(raw) if self.kind == "table" else raw, self.known())

    def decode(self, encoded: Any) -> str:
        """What `encode` was given, for a person to read; only texts and sequences have such an inverse."""
        raise DataError(f"samples of {type(self).__name__} cannot be turned back into what they were made of")

    def class_name(self, number: int) -> str:
        """What a class is called."""
        names = self.facts.get("classes")
        if names is not None and not 0 <= number < len(names):
            raise DataError(f"there is no class {number}; classes are 0 to {len(names) - 1}")
        return str(number) if names is None else names[number]

    def known(self) -> dict[str, Any]:
        """`facts`, with the shape of a sample as the config states it where a run of before has not kept it."""
        found: dict[str, Any] = {"dtype": "uint8" if self.kind == "image" else "float32", "shape": self.input_shape}
        found |= self.facts
        if found["shape"] == "auto":
            del found["shape"]
        return found

    def setup(self) -> None:
        """Load and check, once; a fact of the YAML that the data does not bear out is a DataError."""
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
        """Hold the data to the stated shape and number of classes."""
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
                        f"data: {what} has a value that is no finite number, first in {self.where(name, row)}"
                    )
            at += len(y)

    def _check_count(self, parts: dict[str, Rows], num_classes: int) -> None:
        """As many classes as stated: those with names, or else the highest one must occur somewhere."""
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
            raise DataError(f"data.num_classes is {num_classes}, but the targets are measured numbers; set it to null")
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
        """Say in what order, and which share of each batch this process takes, and where the data rests.

        `overfit` > 0 trains and judges on the same few batches. `patience`: seconds until a worker that somebody
        stopped is given up.
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
        """How many samples there are, and where they rest, once they are placed."""
        counts = " · ".join(f"{len(rows):,} {part}" for part, rows in self.parts.items())
        rows = self.parts["train"]
        shared = isinstance(rows, Windows)  # the parts look at one series
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
        """Any part in its natural order, nothing dropped: for judging."""
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
        """Whether a part lies on the GPU as a whole."""
        if self._device is None or self._device.type != "cuda" or rows.decodes or isinstance(rows, Mapped):
            return False
        return self._rests == "device" or (self._rests == "auto" and self._fits(rows))

    def _fits(self, rows: Rows) -> bool:
        assert self._device is not None
        return rows.nbytes < FREE_SHARE * torch.cuda.mem_get_info(self._device)[0]

    def _helpers(self, rows: Rows) -> int:
        """How many worker processes: they pay only where files are decoded."""
        if not rows.decodes:
            return 0
        return min(MAX_WORKERS, torch.get_num_threads()) if self._workers == "auto" else self._workers


def _highest(rows: Rows) -> int:
    return int(rows.labels.max()) if rows.labels is not None else 0
