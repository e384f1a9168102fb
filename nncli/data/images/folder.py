"""The user's own pictures in class folders, or a zip of them."""

from typing import Annotated, Any, ClassVar, Literal, Unpack

import numpy as np
import torch
from annotated_types import Gt, Interval
from torch import Tensor

from nncli.data.base import Data, Parts, Stated
from nncli.data.files.memory import limit
from nncli.data.files.paths import located
from nncli.data.images.pictures import Pictures, Wish, gather
from nncli.data.split import Split
from nncli.errors import DataError

PHOTO = 32  # pixels: smaller ones are probably symbols, which must not be mirrored


class Folder(Data):
    """A folder (or zip) with one folder for each class; or with train, val and test, each with its class folders.

    Missing parts are held out of the training part. Pictures of any size are resized to the same.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "image"

    def __init__(
        self,
        path: str | None,
        test_path: str | None,
        size: list[Annotated[int, Interval(ge=1, le=10_000)]] | Literal["auto"],
        channels: Literal["auto", 1, 3],
        cache: bool | Literal["auto"],
        memory: Annotated[float, Gt(0)] | Literal["auto"],
        split: Split,
        **stated: Unpack[Stated],
    ) -> None:
        super().__init__(**stated)
        self.given = bool(path)
        self.paths = [located(key, given) for key, given in (("path", path), ("test_path", test_path)) if given]
        self.size: list[int] | Literal["auto"] = size
        self.channels: Literal["auto", 1, 3] = channels
        self.cache: bool | Literal["auto"] = cache
        self.memory: float | Literal["auto"] = memory
        self.split = split
        self._of: dict[str, tuple[Pictures, Tensor]] = {}  # where each part's pictures come from

    def load(self) -> Parts:
        if not self.given:
            raise DataError("data.path is not set; set data.path=FOLDER, one with a folder of pictures for each class")
        main = gather(self.paths[0], self._wish(), self.cache)
        self.form = main.form
        if len(main.classes) < 2:
            raise DataError(f"{main.source} has the one class '{main.classes[0]}'; a net needs at least two")
        given = self._on_disk(main)
        found = given | self._held_out(main, given)
        self._of = {part: found[part] for part in ("train", "val", "test") if part in found}
        self.facts.setdefault("classes", main.classes)
        self._compare_classes(set(given))
        total = sum(pictures.nbytes for pictures in {id(p): p for p, _ in self._of.values()}.values())
        in_memory = total <= limit(self.memory)
        return {
            part: pictures.rows(which, self._numbered(pictures)[which], in_memory)
            for part, (pictures, which) in self._of.items()
        }

    def inferred(self) -> dict[str, Any]:
        found = super().inferred()
        if self.size == "auto":
            found["size"] = [self.form.height, self.form.width]
        if self.channels == "auto":
            found["channels"] = self.form.channels
        return found

    def traits(self) -> dict[str, Any]:
        photos = self.form.channels == 3 and min(self.form.height, self.form.width) >= PHOTO
        return {"samples": "photographs" if photos else "pictures", "targets": "classes"}

    def where(self, part: str, row: int) -> str:
        pictures, which = self._of[part]
        return f"{pictures.source}: {pictures.names[int(which[row])]}"

    def _wish(self) -> Wish:
        """The wish, with open values taken from `input_shape` if it has them."""
        shape: list[int] | None = None
        if not isinstance(self.input_shape, str) and len(self.input_shape) == 3:
            shape = [int(length) for length in self.input_shape]
        size = shape[1:] if shape else None
        if self.size != "auto":
            size = self.size
        if size is not None and len(size) != 2:
            raise DataError(f"data.size is {size}; it must be [height, width] or auto, for example data.size=[64,64]")
        channels = shape[0] if shape else None
        if self.channels != "auto":
            channels = self.channels
        return Wish((size[0], size[1]) if size else None, channels)

    def _on_disk(self, main: Pictures) -> dict[str, tuple[Pictures, Tensor]]:
        """The parts as they are on disk; pictures in no part folder count as train."""
        parts = {
            str(part) or "train": (main, torch.from_numpy(np.flatnonzero(main.part == part)))
            for part in np.unique(main.part)
        }
        if len(self.paths) > 1:
            form = main.form
            other = gather(self.paths[1], Wish((form.height, form.width), form.channels), self.cache)
            parts["test"] = (other, torch.arange(len(other.y)))
        if self.split.fold and len(parts) > 1:
            raise DataError(
                f"data.split.fold is set, but the data is in parts already ({', '.join(parts)}); "
                "take data.split.fold=null"
            )
        return parts

    def _held_out(
        self, main: Pictures, given: dict[str, tuple[Pictures, Tensor]]
    ) -> dict[str, tuple[Pictures, Tensor]]:
        """The missing parts, cut from the training part."""
        if not {"val", "test"} - given.keys():
            return {}
        split, train = self.split, given["train"][1]
        if split.method in ("grouped", "ordered"):
            raise DataError(f"data.split.method is {split.method}; of pictures it is stratified or random")
        if "val" in given:  # only the test part is missing; Split calls a single held-out part val
            cut = Split(split.method, split.test, 0.0, None, split.seed).rows(main.y[train])
            cut = {"train": cut["train"], "test": cut["val"]}
        else:
            cut = split.rows(main.y[train], given=given.keys() - {"train"})
        return {part: (main, train[which]) for part, which in cut.items() if len(which)}

    def _compare_classes(self, given: set[str]) -> None:
        """Check that every given part has the same classes as the training part."""
        there = {
            part: {pictures.classes[label] for label in pictures.y[which].unique().tolist()}
            for part, (pictures, which) in self._of.items()
            if part in given
        }
        for part, classes in there.items():
            if odd := there["train"] ^ classes:
                has, lacks = ("train", part) if (name := min(odd)) in there["train"] else (part, "train")
                raise DataError(
                    f"{self._of[part][0].source}: class '{name}' is in the {has} part and not in the {lacks} part; "
                    "the parts must have the same class folders"
                )
        if odd := there["train"] - set(self.facts["classes"]):
            raise DataError(f"class '{min(odd)}' is none of those the net was trained on: {self.facts['classes']}")

    def _numbered(self, pictures: Pictures) -> Tensor:
        """The labels as indices of the classes of the data, which an earlier run may have set."""
        names = self.facts["classes"]
        numbers = torch.tensor([names.index(name) if name in names else -1 for name in pictures.classes])
        return numbers[pictures.y]
