"""A short run of every recipe, on small stand-ins for the data that is not part of a package."""

import csv
import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

import nncli
from nncli.run.folder import RunFolder

SHORT = ("trainer.max_steps=2", "test=false", "trainer.precision=32")
CLASSES = 10
NAMES = "age,workclass,fnlwgt,education,education_num,marital_status,occupation,relationship,race,sex"
NAMES += ",capital_gain,capital_loss,hours_per_week,native_country,income"


def short_run(recipe: str, folder: Path, *words: str) -> RunFolder:
    """The recipe's net after two steps, in `folder`."""
    return nncli.fit(
        [f"recipe={recipe}", *SHORT, *_data(recipe, folder), *words, f"run_dir={folder / recipe}"], show="quiet"
    )


def _data(recipe: str, folder: Path) -> list[str]:
    root = folder / "data"
    root.mkdir(parents=True, exist_ok=True)
    few = [f"data.root={root}", "data.batch_size=20", "data.split.val=20"]
    if recipe.startswith("cifar10"):
        for part in ("train", "test"):
            _zipped(root / f"cifar-{part}.zip", 6, 32)
        return few
    if "mnist" in recipe:
        _idx(root, 60)
        return few
    if recipe.startswith("imagenet"):
        _zipped(root / "images.zip", 6, 64)
        return [f"data.path={root / 'images.zip'}", "data.size=[64,64]", "data.batch_size=8", "data.num_classes=10"]
    if recipe.startswith("adult"):
        _people(root, 300)
        return [f"data.root={root}", "data.batch_size=20"]
    if recipe.startswith("ett"):
        _hours(root / "ETTh1.csv", 20 * 30 * 24)
        return [f"data.path={root}", "data.length=96", "data.horizon=24", "data.stride=40"]
    if recipe.startswith("airline"):
        _hours(root / "months.csv", 100)
        return [f"data.path={root / 'months.csv'}", "data.target=OT"]
    if recipe.startswith("finetune"):
        return [f"model.init_from={short_run('digits_resnet', folder).path}"]
    return []


def _zipped(path: Path, each: int, side: int) -> None:
    random = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for label in range(CLASSES):
            for number in range(each):
                data = io.BytesIO()
                pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(data, "PNG")
                archive.writestr(f"class{label}/{number}.png", data.getvalue())


def _idx(root: Path, count: int) -> None:
    random = np.random.default_rng(0)
    for part in ("train", "t10k"):
        arrays = {"images-idx3": random.integers(0, 256, (count, 28, 28)), "labels-idx1": np.arange(count) % CLASSES}
        for what, array in arrays.items():
            head = bytes([0, 0, 8, array.ndim]) + b"".join(length.to_bytes(4) for length in array.shape)
            (root / f"{part}-{what}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())


def _hours(path: Path, count: int) -> None:
    values = np.random.default_rng(0).normal(size=(count, 7)).cumsum(axis=0)
    times = (datetime(2016, 7, 1) + timedelta(hours=hour) for hour in range(count))
    lines = [f"{time},{','.join(f'{value:.3f}' for value in row)}" for time, row in zip(times, values, strict=True)]
    path.write_text("\n".join(["date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT", *lines]) + "\n")


def _people(root: Path, count: int) -> None:
    random = np.random.default_rng(0)
    texts = {"workclass": ("Private", "State-gov", "?"), "education": ("HS-grad", "Masters"), "sex": ("Male", "Female")}
    for name in ("adult-train.csv", "adult-test.csv"):
        with (root / name).open("w", newline="") as file:
            writer = csv.writer(file)
            for _ in range(count):
                row = [
                    random.choice(texts.get(column, ("a", "b")))
                    if column in texts or column.endswith(("status", "tion", "ship", "race", "country"))
                    else int(random.integers(1, 90))
                    for column in NAMES.split(",")[:-1]
                ]
                writer.writerow([*row, random.choice(["<=50K", ">50K"])])
