"""Files as Hugging Face's library keeps them: images, texts and numbers, read without a network."""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the library is imported: no test looks at the hub
os.environ["HF_DATASETS_OFFLINE"] = "1"

from nncli import fit
from nncli.config.suits import suits
from nncli.data.base import Data
from nncli.data.files import hub
from nncli.data.rows import Ragged
from nncli.data.sources.huggingface import HuggingFace
from nncli.data.text.vocabulary import Vocabulary
from nncli.errors import DataError
from nncli.run.eval import judged
from tests.data.choices import chosen

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")


def load(path: Path | str | None, **changed: Any) -> HuggingFace:
    data = chosen("huggingface", **{"batch_size": 4, "path": path and str(path)} | changed)
    data.setup()
    return data


def reviews(count: int) -> Any:
    rows = {
        "id": list(range(count)),
        "text": [f"a {'fine' if i % 2 else 'dull'} film number {i}" for i in range(count)],
        "label": [i % 2 for i in range(count)],
    }
    names = datasets.Features(
        id=datasets.Value("int64"), text=datasets.Value("string"), label=datasets.ClassLabel(names=["bad", "good"])
    )
    return datasets.Dataset.from_dict(rows, features=names)


def test_texts_with_named_classes_and_given_splits(tmp_path: Path) -> None:
    splits = {"train": reviews(60), "validation": reviews(10), "test": reviews(8)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "set")
    data = load(tmp_path / "set")
    assert {name: len(rows) for name, rows in data.parts.items()} == {"train": 60, "val": 10, "test": 8}
    assert data.facts["classes"] == ["bad", "good"]
    found = data.inferred()
    assert (found["input"], found["target"], found["num_classes"]) == ("text", "label", 2)
    assert suits(data.traits())["model"] == "bag"
    assert isinstance(data.parts["test"], Ragged)
    x, y = data.parts["test"].span(0, 2)
    assert Vocabulary.parse(data.facts["tokenizer"]).decode(x[1].tolist()) == "a fine film number 1"
    assert y.tolist() == [0, 1]
    assert data.where("test", 1) == f"{tmp_path / 'set'}, split test, row 1"


def test_a_competition_that_keeps_its_answers_is_judged_on_a_part_of_train(tmp_path: Path) -> None:
    secret = reviews(10).cast_column("label", datasets.Value("int64")).map(lambda row: row | {"label": -1})
    train = reviews(60).cast_column("label", datasets.Value("int64"))
    datasets.DatasetDict({"train": train, "test": secret}).save_to_disk(tmp_path / "set")
    data = load(tmp_path / "set")
    assert {name: len(rows) for name, rows in data.parts.items()} == {"train": 48, "val": 6, "test": 6}


def test_images_are_bytes_of_one_shape(tmp_path: Path) -> None:
    from PIL import Image

    for label in ("cat", "dog"):
        for i in range(10):
            (tmp_path / "photos" / label).mkdir(parents=True, exist_ok=True)
            pixels = np.full((5, 4, 3), 10 * i + (label == "dog"), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{i}.png")
    data = load(tmp_path / "photos")
    x, y = data.parts["train"].span(0, 16)
    assert (x.dtype, list(x.shape[1:])) == (torch.uint8, [3, 5, 4])
    assert torch.equal(x[:, 0, 0, 0] % 10, y.byte())
    assert data.kind == "image"
    assert suits(data.traits())["model"] == "cnn"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "photos" / "dog" / "z.png")
    with pytest.raises(DataError, match=r"split train, row 20: the image cannot be used: it is 9 x 9, not 5 x 4"):
        load(tmp_path / "photos")


def odd_pictures(folder: Path) -> None:
    """Of one size once upright: turned by a camera, 16 bits deep, with a palette, with transparency, for print."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for i in range(2):
            tall = draw.integers(0, 256, (6, 4, 4), dtype=np.uint8)
            turned = Image.Exif()
            turned[0x0112] = 6
            Image.fromarray(tall.swapaxes(0, 1)[..., :3].copy()).save(folder / label / f"{i}t.jpg", exif=turned)
            deep = draw.integers(0, 65536, (6, 4), dtype=np.uint16)
            Image.fromarray(deep).save(folder / label / f"{i}d.png")
            Image.fromarray(tall[..., :3]).quantize(8).save(folder / label / f"{i}p.png", transparency=0)
            Image.fromarray(tall).save(folder / label / f"{i}a.png")
            Image.fromarray(tall[..., :2].copy(), "LA").save(folder / label / f"{i}l.png")
            Image.fromarray(tall, "CMYK").save(folder / label / f"{i}c.jpg")
            Image.fromarray(tall[..., 0] > 99).save(folder / label / f"{i}b.png")


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_decoded_as_those_of_a_folder_are(tmp_path: Path, channels: int) -> None:
    odd_pictures(tmp_path / "photos")
    same = {"batch_size": 2, "split": {"method": "random", "val": 0.2, "test": 0.2}}
    ours = load(tmp_path / "photos", input_shape=[channels, 6, 4], **same)
    theirs = chosen("folder", path=str(tmp_path / "photos"), channels=channels, size=[6, 4], **same)
    theirs.setup()

    def pictures(data: Data) -> set[bytes]:
        return {x.numpy().tobytes() for rows in data.parts.values() for x in rows.span(0, len(rows))[0]}

    assert len(pictures(ours)) > 20
    assert pictures(ours) == pictures(theirs)


def test_the_form_of_pictures_is_that_of_the_first_one_upright(tmp_path: Path) -> None:
    odd_pictures(tmp_path / "photos")
    for file in (tmp_path / "photos").rglob("*.*g"):
        if "t" not in file.stem:
            file.unlink()
    assert load(tmp_path / "photos", batch_size=1, split={"val": 0.25, "test": 0.25}).inferred()["input_shape"] == [
        3,
        6,
        4,
    ]


def test_a_row_without_a_picture_is_named(tmp_path: Path) -> None:
    from PIL import Image

    some = [Image.fromarray(np.full((3, 3), i, np.uint8)) for i in range(9)]
    rows = {"image": [*some, None], "label": [i % 2 for i in range(10)]}
    datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image()).save_to_disk(tmp_path / "set")
    with pytest.raises(DataError, match="split train, row 9: the image cannot be used: there is none"):
        load(tmp_path / "set")


def test_numbers_from_parquet_with_a_measured_answer(tmp_path: Path) -> None:
    rows = {"a": [float(i) for i in range(30)], "b": list(range(30)), "target": [i / 2 for i in range(30)]}
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "x.parquet")
    data = load(tmp_path / "x.parquet")
    assert data.facts["columns"] == ["a", "b"]
    x, y = data.parts["train"].span(0, 24)
    assert torch.equal(x[:, 0] / 2, y)
    assert data.inferred()["num_classes"] is None
    assert suits(data.traits())["task"] == "regression"
    assert suits(data.traits())["model.num_outputs"] == 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the library leaves a file open where a stream is left early
def test_a_stream_is_read_no_further_than_asked(tmp_path: Path) -> None:
    lines = [f"word{i % 7},{'yes' if i % 2 else 'no'}" for i in range(200)]
    (tmp_path / "x.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    data = load(tmp_path / "x.csv", streaming=True, samples=50)
    assert sum(len(rows) for rows in data.parts.values()) == 50
    assert data.facts["classes"] == ["no", "yes"]
    gc.collect()  # here, where the open file is no error
    with pytest.raises(DataError, match=r"data\.streaming needs data\.samples=N"):
        load(tmp_path / "x.csv", streaming=True)


def test_a_folder_of_files_trains_and_is_judged(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    reviews(200).to_json(tmp_path / "set" / "train.jsonl")
    words = ["data=huggingface", "data.path=set", "data.batch_size=20", "trainer.max_epochs=6", "optimizer.lr=0.02"]
    assert judged([fit([*words, "run_dir=r"])])["metrics"]["test/accuracy"] == 1.0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"path": None}, r"data\.path is not given"),
        ({"path": "./gone"}, r"data\.path is \./gone, which does not exist"),
        ({"path": "nobody/nothing"}, r"data\.path is nobody/nothing, which could not be loaded: .*\n.*network"),
        ({"target": "answer"}, r"data\.target is answer, no column of .*; it has id, text, label"),
        ({"input": ["text", "id"]}, r"data\.input is \['text', 'id'\], of which not all are numbers"),
        (
            {"split": {"method": "grouped", "group": "writer"}},
            r"data\.split\.group is writer, no .* it has id, text, label",
        ),
        ({"split": {"group": "id"}}, r"data\.split\.group is set.*set data\.split\.method=grouped"),
        ({"val_split": "dev"}, r"data\.val_split is dev; .* has train"),
        ({"num_classes": 3}, r"data\.num_classes is 3"),
        ({"samples": 3, "batch_size": 2}, "part has no samples"),
        ({"samples": 1}, r"split train: all 1 samples are of one class.*sorted by class: take more than data\.samples"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    reviews(20).save_to_disk(tmp_path / "set")
    with pytest.raises(DataError, match=message):
        load(changed.pop("path", tmp_path / "set"), **changed)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'nncli\[huggingface\]'"):
        hub.opened("x", None, None, streaming=False, samples=None)
