"""Raw samples become the rows that `setup` gives, by what was learned alone: the data's own folder is gone by then."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch import Tensor

from nncli.config import search_path
from nncli.data.base import Data
from nncli.data.encode import encode, encode_each
from nncli.data.rows import Windows
from nncli.errors import DataError
from tests.data import choices
from tests.data.pictures import lay, noise

HERE = Path("data")  # what is deleted
Case = tuple[dict[str, Any], Callable[[Data], list[Any]]]  # arguments, and the raw samples; the files are written


def made(name: str, facts: dict[str, Any] | None = None, **changed: Any) -> Data:
    data = choices.chosen(name, **changed)
    data.facts = facts or {}
    return data


def every(data: Data) -> list[Tensor]:
    """The inputs of all parts; texts without what fills them up."""
    rows = [x for part in data.parts.values() for x in part.span(0, len(part))[0]]
    return [x[: int((x != 0).sum())] for x in rows] if data.parts["train"].lengths is not None else rows


def plain(x: Tensor) -> tuple[str, tuple[int, ...], bytes]:
    return str(x.dtype), tuple(x.shape), x.numpy().tobytes()


def png(x: Tensor | np.ndarray) -> bytes:
    pixels = np.asarray(x).transpose(1, 2, 0) if len(x) == 3 else np.asarray(x)[0]
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def drawn(data: Data) -> list[Any]:
    """Pictures as files, as arrays in both orders, opened."""
    rows = every(data)
    channels_last = [x.permute(1, 2, 0).numpy() for x in rows[1::4]]
    opened = [Image.open(io.BytesIO(png(x))) for x in rows[3::4]]
    return [*map(png, rows[::4]), *channels_last, *(x.tolist() for x in rows[2::4]), *opened]


def scikit(name: str) -> Case:
    def raw(_: Data) -> list[Any]:
        from sklearn import datasets

        found = getattr(datasets, f"load_{name}")()
        if name == "digits":
            return [x if i % 2 else x.reshape(8, 8).tolist() for i, x in enumerate(found.data)]
        named = [dict(zip(found.feature_names, x.tolist(), strict=True)) for x in found.data]
        return [row if i % 2 else list(row.values()) for i, row in enumerate(named)]

    return {}, raw


def points() -> Case:
    return {"size": 40, "batch_size": 4}, lambda data: [x.tolist() for x in every(data)]


def cifar(labels: int, folder: str, names: dict[str, int]) -> Case:
    (HERE / folder).mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name, count in names.items():
        rows = draw.integers(0, 256, (count, labels + 3072), dtype=np.uint8)
        rows[:, labels - 1] = np.arange(count) % (10 if labels == 1 else 100)
        rows.tofile(HERE / folder / name)
    return {"root": str(HERE), "batch_size": 4, "split": {"val": 4}}, drawn


def idx(name: str = "own", root: bool = True) -> Case:
    del name
    HERE.mkdir()
    draw = np.random.default_rng(0)
    for part, count in (("train", 30), ("t10k", 10)):
        pixels = draw.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4) for n in pixels.shape)
        (HERE / f"{part}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        labels = (np.arange(count) % 10).astype(np.uint8)
        (HERE / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + count.to_bytes(4) + labels.tobytes())
    return ({"root": str(HERE)} if root else {}) | {"batch_size": 4, "split": {"val": 4}}, drawn


def folder() -> Case:
    files = {f"{label}/{i}.jpg": noise(9 * i + len(label), 40) for label in ("ant", "eagle") for i in range(12)}
    lay(HERE, files)
    return {"path": str(HERE), "size": [20, 24], "batch_size": 4}, lambda _: list(files.values())


def arrays() -> Case:
    HERE.mkdir()
    x = np.random.default_rng(0).normal(size=(40, 3))
    np.savez(HERE / "x.npz", x=x, y=np.arange(40) % 2)
    return {"path": str(HERE / "x.npz"), "batch_size": 4}, lambda _: [
        x[i] if i % 2 else x[i].tolist() for i in range(40)
    ]


def table(name: str) -> Case:
    HERE.mkdir()
    jobs = ["nurse", "cook", "", "smith"]
    born = [f"19{50 + i}-0{1 + i % 9}-11" for i in range(40)]
    rows = [
        {
            "age": None if i % 7 == 0 else i + 0.5,
            "job": jobs[i % 4],
            "born": born[i],
            "count": i * i,
            "y": ["no", "yes"][i % 2],
        }
        for i in range(40)
    ]
    frame = pl.DataFrame(rows)
    if name == "parquet":
        frame = frame.with_columns(pl.col("born").str.to_date())
        rows = frame.to_dicts()
        frame.write_parquet(HERE / "x.parquet")
    else:
        frame.write_csv(HERE / f"x.{name}")
    inputs = [{k: v for k, v in row.items() if k != "y"} for row in rows]
    given = [row if i % 2 else list(row.values()) for i, row in enumerate(inputs)]
    return {"path": str(HERE / f"x.{name}"), "target": "y", "batch_size": 4}, lambda _: given


def adult() -> Case:
    HERE.mkdir()
    rows = [[20 + i, ["Private", "?", "State-gov"][i % 3], 1000 + i, [">50K", "<=50K"][i % 2]] for i in range(60)]
    for name in ("adult.data", "adult.test"):
        (HERE / name).write_text("\n".join(", ".join(map(str, row)) for row in rows) + "\n")
    names = ["age", "workclass", "weight", "income"]
    known = {"root": str(HERE), "path": "adult.data", "test_path": "adult.test", "target": "income", "names": names}
    known |= {"input_shape": "auto", "sizes": "auto", "columns": "auto", "header": False}
    return known | {"batch_size": 4}, lambda _: [dict(zip(names, row, strict=True)) for row in rows]


def lines() -> Case:
    some = {name: [f"{name} thing number {i}, it's {'so' * (i % 5)}" for i in range(20)] for name in ("good", "bad")}
    lay(HERE, {f"{name}.txt": "\n".join(texts).encode() for name, texts in some.items()})
    return {"path": str(HERE), "batch_size": 4, "tokenizer": {"max_length": 6}}, lambda _: [
        text for texts in some.values() for text in texts
    ]


def book(root: bool) -> Case:
    text = "".join(chr(97 + i * i % 26) for i in range(2000))
    lay(HERE, {"input.txt": text.encode()})
    where = {"root": str(HERE)} if root else {"stride": 64}

    def windows(data: Data) -> list[Any]:
        if not root:
            return [data.decode(x) for x in every(data)]
        return [text[i : i + 8] for i in range(len(text) - 8 + 1)]

    return where | {"tokenizer": {"tokens": "characters", "max_length": 8}, "batch_size": 4}, windows


def spelled(rule: str) -> Case:
    if rule == "counting":
        return {"batch_size": 4}, lambda data: [[int(n) - 1 for n in x] for x in every(data)]
    if rule == "addition":
        return {"size": 50, "batch_size": 4}, lambda data: [data.decode(x) for x in every(data)]
    return {"size": 50, "batch_size": 4}, lambda data: [[int(n) - 1 for n in x] for x in every(data)]


def steps(path: str = "x.csv", columns: str = "a,b", count: int = 90) -> Case:
    HERE.mkdir()
    names = columns.split(",")
    values = np.random.default_rng(0).normal(size=(count, len(names))).round(3)
    days = np.datetime_as_string(np.datetime64("2020-01-01T00", "h") + np.arange(count))
    body = [
        f"{day.replace('T', ' ')}:00:00,{','.join(map(str, row))}"
        for day, row in zip(days, values.tolist(), strict=True)
    ]
    (HERE / path).write_text("\n".join([f"date,{columns}", *body]) + "\n")

    def windows(data: Data) -> list[Any]:
        length = data.length  # pyright: ignore[reportAttributeAccessIssue]
        named = [dict(zip(names, row, strict=True)) for row in values.tolist()]
        return [(values if i % 2 else named)[i : i + length] for i in range(min(count, 500) - length)]

    return {"path": str(HERE / path), "length": 6, "horizon": 2, "batch_size": 4}, windows


def huggingface() -> Case:
    pytest.importorskip("datasets")
    lay(
        HERE,
        {
            "train.jsonl": b"".join(
                json.dumps({"text": f"row {i} {'ab'[i % 2]}", "label": i % 2}).encode() + b"\n" for i in range(40)
            )
        },
    )
    return {"path": str(HERE), "batch_size": 4}, lambda _: [f"row {i} {'ab'[i % 2]}" for i in range(40)]


CASES: dict[str, Callable[[], Case]] = {
    **{name: (lambda name=name: scikit(name)) for name in ("digits", "iris", "wine", "breast_cancer", "diabetes")},
    "digits28": lambda: scikit("digits"),
    **dict.fromkeys(("and", "or", "xor", "moons", "rings", "circle", "blobs"), points),
    "shapes": lambda: ({"size": 40, "batch_size": 4}, drawn),
    "cifar10": lambda: cifar(1, ".", {**{f"data_batch_{i}.bin": 10 for i in range(1, 6)}, "test_batch.bin": 10}),
    "cifar100": lambda: cifar(2, ".", {"train.bin": 200, "test.bin": 100}),
    **dict.fromkeys(("idx", "mnist", "fashion_mnist", "kmnist"), idx),
    "folder": folder,
    "arrays": arrays,
    **{name: (lambda name=name: table(name)) for name in ("csv", "parquet")},
    "adult": adult,
    **dict.fromkeys(("text", "names"), lines),
    "pydoc": lambda: book(root=False),
    "shakespeare": lambda: book(root=True),
    **{name: (lambda name=name: spelled(name)) for name in ("addition", "copy", "reverse", "counting")},
    "series": steps,
    "counting_series": lambda: ({"highest": 20, "batch_size": 4}, lambda data: [x.tolist() for x in every(data)]),
    "sine": lambda: ({"size": 200}, lambda data: [x.tolist() for x in every(data)]),
    **{
        name: (
            lambda name=name: steps(
                f"{name.replace('ett', 'ETT')}.csv", "HUFL,OT", count=14_400 * (1 + 3 * ("m" in name))
            )
        )
        for name in ("etth1", "etth2", "ettm1", "ettm2")
    },
    "huggingface": huggingface,
}


def test_every_data_set_there_is_has_a_case() -> None:
    assert CASES.keys() == set(search_path.options("data", [choices.CONF]))


@pytest.mark.parametrize("name", CASES)
def test_raw_samples_become_the_rows_of_setup(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_CACHE", str(tmp_path / "cache"))
    changed, raw = CASES[name]()
    data = made(name, **changed)
    data.setup()
    samples, wanted = raw(data), every(data)
    shape = wanted[0].shape
    few = isinstance(data.parts["train"], Windows)
    found = {plain(x) for x in (wanted[:100] if few else wanted)}
    facts, settled = json.loads(json.dumps(data.facts)), data.inferred()
    for gone in (HERE, tmp_path / "cache"):
        shutil.rmtree(gone, ignore_errors=True)
    again = made(name, facts, **changed | settled)
    encoded = [again.encode(sample) for sample in samples]
    if name == "digits28":
        assert encoded[0].shape == shape
    there = {plain(x) for x in encoded}
    assert found <= there
    assert few or there <= found
    assert not again.parts
    known = json.loads(json.dumps({**again.facts, **again.samples()}))
    for sample, x in list(zip(samples, encoded, strict=True))[:8]:
        plainly = encode(sample, known)
        assert plainly.dtype == x.numpy().dtype
        assert np.array_equal(plainly, x.numpy(), equal_nan=plainly.dtype.kind == "f")


@pytest.mark.parametrize(
    ("name", "batch"),
    [("iris", 5), ("digits", 5), ("digits28", 3), ("shapes", 3), ("csv", 4), ("text", 4), ("copy", 3), ("series", 3)],
)
def test_several_samples_become_a_batch(name: str, batch: int) -> None:
    changed, raw = CASES[name]()
    data = made(name, **changed)
    data.setup()
    samples = raw(data)[:batch]
    if name == "digits":
        samples = [np.reshape(sample, 64).tolist() for sample in samples]
    if name == "digits28":
        samples = np.stack([np.reshape(sample, 64) for sample in samples])
    if name == "csv":
        samples = [
            dict(zip(["age", "job", "born", "count"], row, strict=True)) if isinstance(row, list) else row
            for row in samples
        ]
    if name == "series":
        samples = np.stack(
            [np.array([list(s.values()) if isinstance(s, dict) else s for s in rows]) for rows in samples]
        )
    together = data.encode(samples)
    assert len(together) == batch
    for one, x in zip(samples, together, strict=True):
        alone = data.encode(one)
        assert torch.equal(alone.nan_to_num(-1), x[: len(alone)].nan_to_num(-1))
        assert not x[len(alone) :].any()


def images(folder: Path) -> None:
    for i in range(24):
        lay(folder, {f"{['cat', 'dog'][i % 2]}/{i}.png": png(np.full((3, 5, 4), 9 * i, np.uint8))})


def test_pictures_and_numbers_of_the_hub(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    images(HERE)
    data = made("huggingface", path=str(HERE), batch_size=4)
    data.setup()
    wanted = {plain(x) for x in every(data)}
    files = [file.read_bytes() for file in sorted(HERE.rglob("*.png"))]
    shutil.rmtree(HERE)
    rows = {"a": [float(i) for i in range(30)], "b": list(range(30)), "target": [i / 2 for i in range(30)]}
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "x.parquet")
    numbers = made("huggingface", path=str(tmp_path / "x.parquet"), batch_size=4)
    numbers.setup()
    (tmp_path / "x.parquet").unlink()
    again = made("huggingface", json.loads(json.dumps(data.facts)))
    assert {plain(again.encode({"bytes": file, "path": None})) for file in files} == wanted
    assert {plain(again.encode(file)) for file in files} == wanted
    again = made("huggingface", json.loads(json.dumps(numbers.facts)))
    found = {plain(again.encode({"a": i, "b": i, "more": "x"})) for i in range(30)}
    assert found == {plain(x) for x in every(numbers)}


def test_arrays_of_pictures_and_of_whole_numbers(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    kinds: list[tuple[tuple[int, ...], int, type]] = [((9, 7), 256, np.uint8), ((9, 7, 3), 256, np.uint8)]
    for shape, top, kind in [*kinds, ((4,), 99, np.int64)]:
        x = draw.integers(0, top, (40, *shape)).astype(kind)
        np.savez(tmp_path / "x.npz", x=x, y=np.arange(40) % 2)
        data = made("arrays", path=str(tmp_path / "x.npz"), batch_size=4)
        data.setup()
        (tmp_path / "x.npz").unlink()
        again = made("arrays", json.loads(json.dumps(data.facts)))
        assert {plain(again.encode(row)) for row in x} == {plain(row) for row in every(data)}


def test_files_of_rows_and_of_steps_are_read_as_the_training_file_was(tmp_path: Path) -> None:
    cases: list[tuple[Callable[[], Case], str, int]] = [(lambda: table("csv"), "csv", 40), (steps, "series", 6)]
    for case, name, count in cases:
        changed, _ = case()
        data = made(name, **changed)
        data.setup()
        again = made(name, json.loads(json.dumps(data.facts)), **changed | data.inferred())
        file = next(HERE.iterdir()).rename(tmp_path / f"{name}.csv")
        shutil.rmtree(HERE)
        assert len(again.encode(file)) == count
        rows = [line.split(",") for line in file.read_text().splitlines()]
        named: list[dict[str, Any]] = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
        if name == "series":
            named = [{"a": float(row["a"]), "b": float(row["b"])} for row in named]
        assert torch.equal(again.encode(named).nan_to_num(-1), again.encode(file).nan_to_num(-1))


def test_texts_come_back_and_classes_have_names() -> None:
    changed, raw = book(root=True)
    data = made("shakespeare", **changed)
    data.setup()
    again = made("shakespeare", dict(data.facts), **changed | data.inferred())
    assert [again.decode(again.encode(text)) for text in raw(data)[:9]] == raw(data)[:9]
    assert again.decode(again.encode("abe" * 50)) == "abe" * 50, "no stretch is cut off"
    sums = made("addition")
    assert sums.decode(sums.encode("07+15")) == "07+15"
    assert sums.encode("07+15").tolist() == [1, 8, 11, 2, 6]
    assert sums.encode(["07+15", "11+22"]).shape == (2, 5)
    assert made("counting").decode(torch.tensor([4, 8, 0])) == "3 7"
    classes = made("folder", {"classes": ["ant", "bee"]})
    assert [classes.class_name(n) for n in (0, 1)] == ["ant", "bee"]
    assert made("digits").class_name(7) == "7"
    with pytest.raises(DataError, match="there is no class 2; classes are 0 to 1"):
        classes.class_name(2)
    with pytest.raises(DataError, match="cannot be turned back"):
        made("digits").decode(torch.zeros(1, 8, 8))


def settled(case: str) -> tuple[Data, dict[str, Any], list[Any]]:
    """A source that was set up, what is known about its samples, and raw ones."""
    changed, raw = CASES[case]()
    data = made(case, **changed)
    data.setup()
    return data, json.loads(json.dumps({**data.facts, **data.samples()})), raw(data)


def test_a_process_without_torch_encodes_the_same(tmp_path: Path) -> None:
    program = (
        "import json, sys\nfrom nncli.data.encode import encode, encode_each\n"
        "found = []\n"
        "for raw, known in json.load(sys.stdin):\n"
        "    found.append(encode(raw, known).tolist())\n"
        "    assert known['kind'] == 'series' or encode_each([raw], known)[0].tolist() in ([found[-1]], found[-1])\n"
        "assert not {'torch', 'sklearn', 'pandas'} & sys.modules.keys()\nprint(json.dumps(found))\n"
    )
    given: list[tuple[Any, dict[str, Any]]] = []
    wanted: list[Any] = []
    for case in ("iris", "digits28", "shapes", "csv", "text", "pydoc", "copy", "series", "moons"):
        data, known, raws = settled(case)
        raw = every(data)[0] if case == "shapes" else raws[1]
        raw = raw.tolist() if isinstance(raw, np.ndarray | Tensor) else raw
        given.append((raw, known))
        wanted.append(data.encode(raw).tolist())
        if case == "series":
            file = shutil.copy(HERE / "x.csv", tmp_path)
            given.append((str(file), known))
            wanted.append(data.encode(file).tolist())
        shutil.rmtree(HERE, ignore_errors=True)
    (tmp_path / "p.jpg").write_bytes(noise(0, 40))
    given.append((str(tmp_path / "p.jpg"), given[2][1]))
    wanted.append(made("shapes").encode(tmp_path / "p.jpg").tolist())
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=json.dumps(given),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.dumps(json.loads(done.stdout)) == json.dumps(wanted)


def test_bad_samples_are_kept_apart_and_the_others_encoded(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(noise(0, 40))
    broken = (tmp_path / "p.jpg").read_bytes()[:200]
    row = {"age": 30, "job": "cook", "born": "2000-01-01", "count": 1}
    frame = pl.DataFrame([row, row | {"age": 31}, row], schema_overrides={"age": pl.String})
    rows = frame.with_columns(age=pl.Series(["30", "old", "1e99"]), born=pl.Series(["2000-01-01", "May", ""]))
    iris = pl.DataFrame({"d": [1.0, 2, 3, 4], "c": ["1", "x", None, "4"], "b": [1, 2, 3, 4], "a": [1.0, 2, 3, 1e39]})
    named = {"kind": "numbers", "shape": [4], "columns": ["a", "b", "c", "d"]}
    text = settled("text")[1]
    shutil.rmtree(HERE)
    series = {"kind": "series", "columns": ["a"], "length": 2}
    cases: list[tuple[dict[str, Any], Any, dict[int, str]]] = [
        (settled("csv")[1], rows, {1: "'age' holds 'old', which is not a number", 2: "'1e99', which is not a number"}),
        (named, iris, {1: "column 'c' holds 'x'", 2: "column 'c' is empty", 3: "column 'a' holds '1e+39'"}),
        (named, [dict.fromkeys("abcd", 1.0), {"a": 1}, [1, 2, 3, None]], {1: "'b' is missing", 2: "must be numbers"}),
        (named, np.array([[1, 2, 3, 4], [1, np.nan, 3, 4]]), {1: "not a finite number"}),
        (named | {"dtype": "int64"}, np.array([[1, 2, 3, 4], [1, 2.5, 3, 4]]), {1: "not a whole number from"}),
        (text, ["some words", None, 5, "more"], {1: "must be a text", 2: "this one is of type int"}),
        (text | {"column": "said"}, pl.DataFrame({"said": ["a", None], "x": [1, 2]}), {1: "must be a text"}),
        (series, np.array([[[1.0], [2.0]], [[1.0], [np.inf]]]), {1: "not a finite number"}),
        (series, [[1.0, 2.0], [1.0], [3, 4, 5]], {1: "a window has 2 steps; got 1"}),
        ({"kind": "symbols", "num_tokens": 12}, ["07+1", "0x11", "22+2"], {1: "'x' is no digit"}),
        (
            {"kind": "image", "shape": [1, 8, 8]},
            [str(tmp_path / "p.jpg"), broken, tmp_path / "gone.png", np.zeros((9, 9), np.uint8)],
            {1: "cannot be read", 2: "No such file"},
        ),
        ({"kind": "digits", "shape": [1, 8, 8], "side": None}, [[16] * 64, [99] * 64, [300] * 64], {2: "whole number"}),
    ]
    for known, raw, wanted in cases:
        good, bad = encode_each(raw, known)
        assert bad.keys() == wanted.keys(), bad
        assert all(part in bad[place] for place, part in wanted.items()), bad
        assert len(good) == len(raw) - len(bad)
        left = [place for place in range(len(raw)) if place not in bad]
        fine = raw[left] if isinstance(raw, np.ndarray | pl.DataFrame) else [raw[place] for place in left]
        assert np.array_equal(good, encode_each(fine, known)[0], equal_nan=good.dtype.kind == "f")


def test_a_batch_without_a_good_sample_is_empty() -> None:
    for known in ({"kind": "image", "shape": [1, 8, 8]}, {"kind": "symbols", "num_tokens": 5}):
        good, bad = encode_each(["x", "y"], known)
        assert (len(good), list(bad)) == (0, [0, 1])


def test_pictures_of_any_size_and_colour_are_brought_to_those_of_training(tmp_path: Path) -> None:
    again = made("mnist", {"shape": [1, 28, 28], "dtype": "uint8"})
    photo = noise(0, 100)
    (tmp_path / "p.jpg").write_bytes(photo)
    kinds = [photo, tmp_path / "p.jpg", str(tmp_path / "p.jpg"), Image.open(io.BytesIO(photo))]
    for raw in [*kinds, np.zeros((50, 60, 4), np.uint8), torch.zeros((3, 50, 60), dtype=torch.uint8)]:
        found = again.encode(raw)
        assert (found.dtype, found.shape) == (torch.uint8, (1, 28, 28))
    digits = made("digits", {"shape": [1, 8, 8], "dtype": "uint8"})
    assert digits.encode(png(np.full((1, 30, 30), 255, np.uint8))).unique().tolist() == [16]
    assert again.encode([photo, tmp_path / "p.jpg"]).shape == (2, 1, 28, 28)


def test_a_run_of_before_that_kept_no_shape_has_it_in_its_config() -> None:
    assert made("iris").encode([5.1, 3.5, 1.4, 0.2]).tolist() == pytest.approx([5.1, 3.5, 1.4, 0.2])
    assert made("mnist").encode(np.zeros((28, 28), np.uint8)).shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("name", "raw", "facts", "message"),
    [
        ("wine", [1, 2, 3], {}, r"has the shape \[13\]; this one has \[3\]"),
        ("iris", [1, 2, 3, float("nan")], {}, "not a finite number"),
        ("iris", [1, 2, 3, "four"], {}, "must be numbers"),
        ("iris", [[1, 2, 3, 4], [1]], {}, "rows of equal length"),
        ("iris", {"a": 1}, {}, "have no names"),
        ("iris", {"a": 1}, {"columns": ["a", "b"]}, "column 'b' is missing; the net was trained on a, b"),
        ("folder", b"x", {}, "no data was loaded"),
        ("csv", {"a": 1}, {}, "no data was loaded"),
        ("text", "some words", {}, "no data was loaded"),
        ("series", [1.0], {}, "no data was loaded"),
        ("mnist", b"no picture", {}, "the picture cannot be read: it is not a picture"),
        ("mnist", "gone.png", {}, r"gone\.png cannot be read: No such file"),
        ("mnist", np.zeros((28, 28)), {}, "whole numbers from 0 to 255; these are float64"),
        ("mnist", np.full((28, 28), 300), {}, "whole number from 0 to 255"),
        ("mnist", np.zeros((3, 5, 7, 9, 2), np.uint8), {}, r"\(H, W\), \(H, W, C\) or \(C, H, W\)"),
        ("digits", np.full(64, 300), {}, "whole number from 0 to 255"),
        ("addition", "1x2", {}, "'x' is no digit"),
        ("copy", [1, 99], {}, "symbols of this data are 0 to 9; got 1 to 99"),
        ("series", [[1, 2]] * 99, {"columns": ["a"]}, r"a step of this series has 1 values \(a\)"),
        ("series", [1.0] * 3, {"columns": ["a"]}, "a window has .* steps; got 3"),
        ("series", [float("inf")] * 99, {"columns": ["a"]}, "not a finite number within"),
    ],
)
def test_what_does_not_fit_is_named(name: str, raw: Any, facts: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        made(name, facts).encode(raw)


@pytest.mark.parametrize(
    ("name", "facts", "raw"),
    [
        ("digits", {"shape": [1, 8, 8], "dtype": "uint8"}, "np.zeros((8, 8), np.uint8)"),
        ("iris", {"shape": [4], "dtype": "float32"}, "[1, 2, 3, 4]"),
        ("csv", {"kinds": {"a": "number"}, "missing": [""], "categories": {}}, "{'a': 1}"),
        ("series", {"columns": ["a"]}, "[[1.0]] * 999"),
        ("huggingface", {"shape": [1, 8, 8], "dtype": "uint8"}, "np.zeros((8, 8), np.uint8)"),
    ],
)
def test_encoding_imports_no_library_of_the_data_itself(name: str, facts: dict[str, Any], raw: str) -> None:
    program = (
        "import sys\nimport numpy as np\nfrom tests.data.test_encode import made\n"
        f"before = set(sys.modules)\nassert made({name!r}, {facts!r}).encode({raw}).ndim\n"
        "heavy = {'lightning', 'sklearn', 'datasets', 'hydra'} & (set(sys.modules) - before)\nassert not heavy, heavy\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
