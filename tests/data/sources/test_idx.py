"""IDX files: MNIST and one's own."""

import gzip
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.data.sources import idx
from nncli.data.sources.idx import Idx, read_idx
from nncli.data.split import Holdout
from nncli.errors import DataError

MNIST: dict[str, Any] = {"input_shape": [1, 28, 28], "num_classes": 10}


def idx_bytes(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(length.to_bytes(4) for length in array.shape)
    return head + array.astype(np.uint8).tobytes()


def lay(root: Path, count: int = 20, *, gz: bool = True) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for part in ("train", "t10k"):
        y = np.arange(count) % 4
        x = np.broadcast_to(y[:, None, None] * 10, (count, 5, 3))
        for what, data in (("images-idx3", x), ("labels-idx1", y)):
            raw = idx_bytes(np.asarray(data))
            (root / f"{part}-{what}-ubyte{'.gz' * gz}").write_bytes(gzip.compress(raw) if gz else raw)
    return root


def ready(root: Path, name: str = "own") -> Idx:
    kind: Any = name
    data = Idx(kind, str(root), Holdout(4, 0), batch_size=4, input_shape="auto", num_classes="auto")
    data.prepare_data()
    data.setup()
    return data


@pytest.mark.parametrize(("inner", "gz"), [(".", True), (".", False), ("MNIST/raw", False)])
def test_files_gzipped_or_not_in_the_folder_or_below(tmp_path: Path, inner: str, gz: bool) -> None:
    lay(tmp_path / inner, gz=gz)
    data = ready(tmp_path)
    assert {name: len(rows) for name, rows in data.parts.items()} == {"train": 16, "val": 4, "test": 20}
    x, y = data.parts["train"].span(0, 16)
    assert (x[:, 0, 2, 1].long() == 10 * y).all()
    assert data.inferred() == {"input_shape": [1, 5, 3], "num_classes": 4}


def test_cut_and_wrong_files_are_named(tmp_path: Path) -> None:
    file = lay(tmp_path) / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    for broken in (whole[:-20], whole[:9], b"", b"not gzip"):
        file.write_bytes(broken)
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz (cannot be read, it is cut off|is no IDX)"):
            ready(tmp_path)
    raw = gzip.decompress(whole)
    for data, text in (
        (raw[:-1], "is cut off"),
        (raw + b"1", "is too long"),
        (b"\0\0\x0d\x03" + raw[4:], "no IDX file"),
    ):
        file.write_bytes(gzip.compress(data))
        with pytest.raises(DataError, match=text):
            ready(tmp_path)
    file.write_bytes(gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12))
    with pytest.raises(DataError, match="more than it may"):
        ready(tmp_path)
    file.write_bytes(gzip.compress(idx_bytes(np.zeros((7, 5, 3)))))
    with pytest.raises(DataError, match=r"labels of shape \[20\] for the 7 pictures"):
        ready(tmp_path)
    file.unlink()
    with pytest.raises(DataError, match="which has no file of train images"):
        ready(tmp_path)


def test_no_network_says_which_files_to_bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_CACHE", str(tmp_path))
    monkeypatch.setitem(
        idx.SETS, "mnist", idx.SETS["mnist"]._replace(urls=["https://127.0.0.1:9/", "https://127.0.0.1:8/"])
    )
    with pytest.raises(
        DataError, match=r"(?s)127\.0\.0\.1:9/train.*127\.0\.0\.1:8/train.*data\.root=FOLDER.*t10k-labels"
    ):
        Idx("mnist", None, Holdout(4, 0), batch_size=4, **MNIST).prepare_data()


def test_whole_numbers_of_more_bytes_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\0\0\x0c\x01\0\0\0\x02" + np.array([1, -70000], ">i4").tobytes())
    assert read_idx(tmp_path / "a").tolist() == [1, -70000]


@pytest.mark.skipif("NN_SHARED_DATA" not in os.environ, reason="needs MNIST from NN_SHARED_DATA")
def test_the_real_mnist_is_read_fast() -> None:
    began = time.process_time()
    data = Idx("mnist", os.environ["NN_SHARED_DATA"] + "/mnist", Holdout(5000, 0), batch_size=128, **MNIST)
    data.setup()
    assert time.process_time() - began < 1.5
    assert [len(rows) for rows in data.parts.values()] == [55000, 5000, 10000]
    assert data.facts["classes"] == list("0123456789")
