"""CIFAR-10 in each of the forms it comes in, made small."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nncli.data.sources.cifar10 import Cifar10
from nncli.data.sources.cifar100 import Cifar100
from nncli.data.split import Holdout
from nncli.errors import DataError

SMALL: dict[str, Any] = {"batch_size": 6, "input_shape": [3, 32, 32]}
THIS = Cifar10.published
CLASSES = ("airplane", "bird", "cat")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_CACHE", str(tmp_path_factory.mktemp("cache")))


def picture(shade: int, size: int = 32) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (size, size), (shade, 0, 255 - shade)).save(data, "PNG")
    return data.getvalue()


def pictures(part: str, each: int) -> dict[str, bytes]:
    return {
        f"{part}/{name}/{number}.png": picture(100 * label)
        for label, name in enumerate(CLASSES)
        for number in range(each)
    }


def zipped(root: Path, train: dict[str, bytes], test: dict[str, bytes]) -> Path:
    for part, files in (("train", train), ("test", test)):
        with zipfile.ZipFile(root / f"small-{part}.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    return root


def read(root: Path, val_size: int = 3, num_classes: int = 3) -> Cifar10:
    data = Cifar10(str(root), Holdout(val_size, 0), num_classes=num_classes, **SMALL)
    data.prepare_data()
    data.setup()
    return data


def check(data: Cifar10) -> None:
    for name, size in (("train", 12), ("val", 3), ("test", 6)):
        x, y = data.parts[name].span(0, len(data.parts[name]))
        assert x.shape == (size, 3, 32, 32)
        assert y.bincount().tolist() == [size // 3] * 3, f"{name} is stratified"
        assert torch.equal(x[:, 0, 5, 5].long(), 100 * y), "red tells the label"
        assert torch.equal(x[:, 2, 5, 5].long(), 255 - 100 * y), "blue is the third channel"


def test_zips_of_class_folders(tmp_path: Path) -> None:
    check(read(zipped(tmp_path, pictures("train", 5), pictures("test", 2))))


def test_class_folders(tmp_path: Path) -> None:
    for name, data in (pictures("train", 5) | pictures("test", 2)).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    check(read(tmp_path))


def test_binary_files(tmp_path: Path) -> None:
    row = [[label] + [100 * label] * 1024 + [0] * 1024 + [255 - 100 * label] * 1024 for label in range(3)]
    folder = tmp_path / THIS.folder
    folder.mkdir()
    for name in THIS.train[:4]:
        np.array(row, dtype=np.uint8).tofile(folder / name)
    np.array(row * 2, dtype=np.uint8).tofile(folder / THIS.test[0])
    with pytest.raises(DataError, match=r"data_batch_5\.bin cannot be read"):
        read(tmp_path)
    (folder / THIS.train[4]).write_bytes(b"")
    with pytest.raises(DataError, match=r"data_batch_5\.bin has 0 bytes"):
        read(tmp_path)
    np.array(row, dtype=np.uint8).tofile(folder / THIS.train[4])
    check(read(tmp_path))


def test_the_hundred_classes_have_two_labels_a_row(tmp_path: Path) -> None:
    this = Cifar100.published
    rows = np.array([[7, label] + [label] * 3072 for label in range(3)] * 4, dtype=np.uint8)
    for name in (*this.train, *this.test):
        rows.tofile(tmp_path / name)
    (tmp_path / this.names).write_text("apple\naquarium_fish\nbaby\n")
    data = Cifar100(str(tmp_path), Holdout(3, 0), num_classes=3, **SMALL)
    data.setup()
    x, y = data.parts["test"].span(0, 12)
    assert torch.equal(x[:, 2, 31, 31].long(), y)
    assert data.facts["classes"] == ["apple", "aquarium_fish", "baby"]


def test_corrupt_image_is_named(tmp_path: Path) -> None:
    train = pictures("train", 5)
    train["train/bird/2.png"] = train["train/bird/2.png"][:50]
    with pytest.raises(DataError, match=r"small-train\.zip: train/bird/2\.png cannot be read"):
        read(zipped(tmp_path, train, pictures("test", 2)))


def test_image_of_another_size_is_named(tmp_path: Path) -> None:
    train = pictures("train", 5) | {"train/cat/9.png": picture(200, size=16)}
    with pytest.raises(DataError, match=r"train/cat/9\.png.*16 x 16, not 32 x 32"):
        read(zipped(tmp_path, train, pictures("test", 2)))


@pytest.mark.parametrize(("part", "other"), [("train", "test"), ("test", "train")])
def test_class_in_one_part_only_is_named(tmp_path: Path, part: str, other: str) -> None:
    files = {"train": pictures("train", 5), "test": pictures("test", 2)}
    files[part][f"{part}/deer/0.png"] = picture(0)
    with pytest.raises(DataError, match=f"class 'deer' is in the {part} part and not in the {other} part"):
        read(zipped(tmp_path, files["train"], files["test"]))


def test_zip_member_that_points_outside_is_refused(tmp_path: Path) -> None:
    train = pictures("train", 5) | {"../cat/9.png": picture(200)}
    with pytest.raises(DataError, match=r"was refused: \.\./cat/9\.png"):
        read(zipped(tmp_path, train, pictures("test", 2)))


def test_folder_with_nothing_known_lists_what_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.root is .* cifar-10-binary\.tar\.gz"):
        read(tmp_path)


def test_archive_with_a_wrong_digest_in_the_persons_folder_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / THIS.archive).write_bytes(b"mine")
    with pytest.raises(DataError, match="md5"):
        read(tmp_path)
    assert (tmp_path / THIS.archive).read_bytes() == b"mine"


def test_offline_says_what_could_not_be_reached_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_CACHE", str(tmp_path))
    nowhere = THIS._replace(url="https://127.0.0.1:9/cifar-10-binary.tar.gz")
    monkeypatch.setattr(Cifar10, "published", nowhere)
    with pytest.raises(DataError, match=r"(?s)127\.0\.0\.1:9.*data\.root=FOLDER"):
        Cifar10(None, Holdout(3, 0), num_classes=3, **SMALL).prepare_data()


@pytest.mark.slow
@pytest.mark.skipif("NN_SHARED_DATA" not in os.environ, reason="needs the zips of NN_SHARED_DATA")
def test_the_real_zips() -> None:
    data = read(Path(os.environ["NN_SHARED_DATA"]) / "cifar10-jpg", val_size=5000, num_classes=10)
    assert [len(rows) for rows in data.parts.values()] == [45000, 5000, 10000]
