"""NumPy arrays of one's own."""

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nncli.config.suits import suits
from nncli.data.rows import InMemory, Mapped
from nncli.data.sources.arrays import Arrays
from nncli.errors import DataError
from nncli.run.fit import fit_words
from tests.data.choices import chosen


def ready(path: Path | None, **words: Any) -> Arrays:
    split = {"val": 0.2, "test": 0.2} | words.pop("split", {})
    data = chosen("arrays", path=str(path) if path else None, split=split, **{"batch_size": 2} | words)
    data.setup()
    return data


def test_an_npz_becomes_three_parts_that_stay_together(tmp_path: Path) -> None:
    y = np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x=np.stack([y, y * 3], 1).astype(np.float64), y=y, who=np.arange(20) // 2)
    data = ready(tmp_path / "a.npz")
    assert {name: len(rows) for name, rows in data.parts.items()} == {"train": 12, "val": 4, "test": 4}
    x, y = data.parts["train"].span(0, 12)
    assert x.dtype == torch.float32
    assert torch.equal(x[:, 1], 3.0 * y)
    assert data.inferred() == {"input_shape": [2], "num_classes": 2}
    assert suits(data.traits()) == {
        "model": "mlp",
        "transform": "standardize",
        "task": "classification",
        "loss": "cross_entropy",
    }
    grouped = ready(tmp_path / "a.npz", split={"method": "grouped", "group": "who"})
    whose = [
        {int(data.where(part, i).split()[-1]) // 2 for i in range(len(rows))} for part, rows in grouped.parts.items()
    ]
    assert len(data.parts) == 3
    assert sum(map(len, whose)) >= 10


def test_npy_pictures_larger_than_memory_stay_in_their_file(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (30, 6, 5, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(30) % 3)
    small, large = ready(tmp_path / "x.npy", memory=1e-6), ready(tmp_path)
    assert suits(small.traits())["model"] == "cnn"
    for part, rows in small.parts.items():
        assert isinstance(rows, Mapped)
        assert isinstance(large.parts[part], InMemory)
        for mine, its in zip(
            rows.take(torch.tensor([2, 0])), large.parts[part].take(torch.tensor([2, 0])), strict=True
        ):
            assert torch.equal(mine, its)
    row = int(small.where("train", 0).split()[-1])
    assert np.array_equal(small.parts["train"].span(0, 1)[0][0], x[row].transpose(2, 0, 1))


def test_measured_targets_are_for_regression(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.random.rand(20, 2), price=np.random.rand(20, 1))
    data = ready(tmp_path / "a.npz", target="price")
    assert data.inferred()["num_classes"] is None
    words = ["data=arrays", f"data.path={tmp_path / 'a.npz'}", "data.target=price", "data.batch_size=4"]
    run = fit_words([*words, "trainer.max_steps=1", "trainer.accelerator=cpu"], show="quiet")
    assert "test/r2" in run.read(run.summary)["metrics"]


def test_labels_that_are_no_classes_are_told(tmp_path: Path) -> None:
    def saved(y: Any) -> Path:
        np.savez(tmp_path / "a.npz", x=np.zeros((4, 2)), y=np.array(y))
        return tmp_path / "a.npz"

    for y, message in {
        (0, -1, 1, 0): r"a\.npz, row 1: y is -1; classes are numbered from 0, so with 4 rows 0 to 3",
        (0, 1, 2, 9): r"row 3: y is 9.*data\.num_classes=null task=regression",
        (2, 2, 2, 2): "y is 2 in every row",
    }.items():
        with pytest.raises(DataError, match=message):
            ready(saved(y))


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_float32_are_told_without_a_warning(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.full((20, 2), 1e300), y=np.arange(20) % 2)
    with pytest.raises(DataError, match=r"input has a value that is not a finite number, first in .*a\.npz, row"):
        ready(tmp_path / "a.npz")


def test_a_header_that_claims_more_than_memory_holds_is_told(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 9), }"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.ljust(117) + b"\n")
    with pytest.raises(DataError, match=r"a\.npz does not fit into memory: .*save x as \.npy"):
        ready(tmp_path / "a.npz")


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.path is not set"):
        ready(None)
    np.savez(tmp_path / "a.npz", x=np.array([{}, {}], dtype=object), y=np.zeros(2))
    with pytest.raises(DataError, match="Python objects, which are never loaded"):
        ready(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.zeros((3, 2)), z=np.zeros(3))
    with pytest.raises(DataError, match=r"b\.npz has no array y; it has x, z"):
        ready(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", x=np.zeros((3, 2)), y=np.zeros(4))
    with pytest.raises(DataError, match="x has 3 rows, y has 4"):
        ready(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", x=np.array(["a", "b"]), y=np.zeros(2))
    with pytest.raises(DataError, match="it must be rows of numbers"):
        ready(tmp_path / "d.npz")
    (tmp_path / "e.npz").write_bytes((tmp_path / "c.npz").read_bytes()[:90])
    with pytest.raises(DataError, match=r"e\.npz cannot be read"):
        ready(tmp_path / "e.npz")
    with pytest.raises(DataError, match=r"f\.npy cannot be read: No such file"):
        ready(tmp_path / "f.npy")
