"""A set's own files name others: only those in its folder are read, and nobody is asked for any."""

import gc
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from nncli.data.files import hub
from nncli.data.files.card import check_card, check_files
from nncli.data.sources.huggingface import HuggingFace
from nncli.errors import DataError
from tests.data.choices import chosen
from tests.outside import nothing_of, server

datasets: Any = pytest.importorskip("datasets")
ROWS = "text,label\n" + "".join(f"word{i % 7} {i},{'yes' if i % 2 else 'no'}\n" for i in range(40))


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder beside the set's, whose files must stay unread."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "EXTRACTED_DATASETS_PATH", tmp_path / "hf" / "extracted")
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.csv").write_text(ROWS.replace("word", "CANARY"))
    (folder / "secret.png").write_bytes(png(9))
    (tmp_path / "ds").mkdir()
    return folder


@pytest.fixture
def address() -> Iterator[tuple[str, list[str]]]:
    with server(ROWS.encode()) as (url, asked):
        yield url, asked


def png(value: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def load(path: Path | str, **changed: Any) -> HuggingFace:
    data = chosen("huggingface", **{"batch_size": 4, "path": str(path)} | changed)
    data.setup()
    return data


def refused(path: Path | str, outside: Path, match: str, **changed: Any) -> None:
    with nothing_of(outside), pytest.raises(DataError, match=match) as told:
        load(path, **changed)
    assert "CANARY" not in str(told.value)


def card(folder: Path, configs: Any, file: str = "README.md") -> None:
    text = yaml.safe_dump({"license": "mit", "configs": configs})
    (folder / file).write_text(text if file.endswith(".yaml") else f"---\n{text}---\n\n# A set\n")


ELSEWHERE = {
    "up": "../outside/secret.csv",
    "down and up": "data/../../outside/*.csv",
    "up by glob": "../**",
    "absolute": "{outside}/secret.csv",
    "file address": "file://{outside}/secret.csv",
    "file without slashes": "file:{outside}/secret.csv",
    "home": "~/secret.csv",
    "http": "{url}/secret.csv",
    "http glob": "{url}/*.csv",
    "in an archive at an address": "zip://*.csv::{url}/secret.zip",
    "chained": "simplecache::{url}/secret.csv",
    "hub": "hf://datasets/nobody/nothing/x.csv",
    "Windows": "..\\outside\\secret.csv",
    "drive": "C:/secret.csv",
}
FORMS: dict[str, Any] = {
    "text": lambda place: {"data_files": place},
    "list": lambda place: {"data_files": ["train.csv", place]},
    "split": lambda place: {"data_files": [{"split": "train", "path": place}]},
    "splits": lambda place: {"data_files": [{"split": "train", "path": ["train.csv", place]}]},
    "folder": lambda place: {"data_dir": place},
}


CARDS = [(where, "split", "README.md") for where in ELSEWHERE]
CARDS += [(where, form, "README.md") for where in ("up", "http") for form in FORMS if form != "split"]
CARDS += [(where, "text", ".huggingface.yaml") for where in ("up", "absolute", "http")]


@pytest.mark.parametrize(("where", "form", "file"), CARDS)
def test_a_card_names_what_is_elsewhere(
    tmp_path: Path, outside: Path, address: tuple[str, list[str]], where: str, form: str, file: str
) -> None:
    url, asked = address
    (tmp_path / "ds" / "train.csv").write_text(ROWS)
    place = ELSEWHERE[where].format(outside=outside, url=url)
    card(tmp_path / "ds", [{"config_name": "default", **FORMS[form](place)}], file)
    refused("./ds", outside, rf"{file} takes its data_(files|dir) from .*, which is not in the set's folder")
    assert asked == []


MARKED = ["http", "http glob", "in an archive at an address", "absolute", "up"]


@pytest.mark.parametrize("file", ["README.md", ".huggingface.yaml"])
@pytest.mark.parametrize("where", MARKED)
def test_a_card_behind_a_byte_order_mark(
    tmp_path: Path, outside: Path, address: tuple[str, list[str]], where: str, file: str
) -> None:
    url, asked = address
    (tmp_path / "ds" / "train.csv").write_text(ROWS)
    card(tmp_path / "ds", [{"config_name": "default", "data_files": ELSEWHERE[where].format(outside=outside, url=url)}])
    text = (tmp_path / "ds" / "README.md").read_text()
    (tmp_path / "ds" / "README.md").unlink()
    (tmp_path / "ds" / file).write_text(text if file.endswith(".md") else text[4:-14], encoding="utf-8-sig")
    refused("./ds", outside, rf"{file} takes its data_files from .*, which is not in the set's folder")
    assert asked == []


@pytest.mark.parametrize("where", ["http", "http glob", "in an archive at an address", "hub"])
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_nobody_is_asked_where_the_look_at_a_card_missed_an_address(
    tmp_path: Path, address: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, where: str, streaming: bool
) -> None:
    url, asked = address
    (tmp_path / "ds" / "train.csv").write_text(ROWS)
    card(tmp_path / "ds", [{"config_name": "default", "data_files": ELSEWHERE[where].format(outside="", url=url)}])
    for look in ("check_folder", "check_files"):
        monkeypatch.setattr(hub, look, lambda *_: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    samples = {"streaming": True, "samples": 8} if streaming else {}
    to = "huggingface.co" if where == "hub" else "127.0.0.1"
    with pytest.raises(DataError, match=rf"data\.path is \./ds, which leads to {to}.*only its own files are read"):
        load("./ds", **samples)
    assert asked == []
    gc.collect()


def test_a_broken_set_of_ones_own_is_not_blamed_on_the_network(tmp_path: Path) -> None:
    (tmp_path / "ds" / "train.parquet").write_text("no parquet")
    with pytest.raises(DataError, match=r"could not be loaded: .*\n.*look at what it holds") as told:
        load("./ds")
    assert "network" not in str(told.value)


def test_a_config_that_nobody_chose_is_looked_at_too(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "ds" / "a.csv").write_text(ROWS)
    good, bad = {"config_name": "good", "data_files": "a.csv"}, {"config_name": "bad", "data_files": "../outside/*"}
    card(tmp_path / "ds", [good, bad])
    for name in ("good", "bad"):
        refused("./ds", outside, "which is not in the set's folder", name=name)


@pytest.mark.parametrize(
    "text",
    [
        "configs: !!python/object/apply:os.system [touch canary]",
        "a: &a [1]\nconfigs: *a",
        "configs: [" * 60,
        "configs:\n" + "".join(f"- config_name: c{i}\n" for i in range(60_000)),
        "configs: \x01",
    ],
    ids=["tag", "alias", "deep", "long", "control"],
)
def test_a_card_of_more_than_plain_yaml(tmp_path: Path, outside: Path, text: str) -> None:
    (tmp_path / "ds" / "train.csv").write_text(ROWS)
    (tmp_path / "ds" / "README.md").write_text(f"---\n{text}\n---\n")
    refused("./ds", outside, r"README\.md (holds more than plain YAML|is not valid YAML)")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("file", ["README.md", ".huggingface.yaml"])
def test_a_card_that_is_a_pipe_is_not_waited_for(tmp_path: Path, outside: Path, file: str) -> None:
    (tmp_path / "ds" / "train.csv").write_text(ROWS)
    os.mkfifo(tmp_path / "ds" / file)
    refused("./ds", outside, rf"{file} is a pipe, not a file")


def test_a_card_that_names_files_of_its_folder_is_heeded(tmp_path: Path) -> None:
    folder = tmp_path / "ds"
    (folder / "data").mkdir()
    (folder / "data" / "learn.csv").write_text(ROWS)
    (folder / "data" / "held.csv").write_text(ROWS)
    (folder / "data" / "other.csv").write_text("text,label\n")
    splits = [{"split": "train", "path": ["data/learn*"]}, {"split": "test", "path": "data/held.csv"}]
    few = {"config_name": "few", "data_files": [{"split": "train", "path": "data/held.csv"}]}
    card(folder, [{"config_name": "full", "data_files": splits, "default": True}, few])
    data = load("./ds")
    assert len(data.parts["test"]) == 40
    assert sum(len(rows) for rows in data.parts.values()) == 80
    assert sum(len(rows) for rows in load("./ds", name="few").parts.values()) == 40


@pytest.mark.parametrize("target", ["outside/secret.csv", "outside", "/dev/zero"])
def test_a_link_that_leads_out(tmp_path: Path, outside: Path, target: str) -> None:
    (tmp_path / "ds" / "train.csv").write_text(ROWS)
    (tmp_path / "ds" / "more").mkdir()
    (tmp_path / "ds" / "more" / "x.csv").symlink_to(tmp_path / target)
    refused("./ds", outside, r"has a link that leads out of it, more/x\.csv")


def test_links_that_stay_inside_and_those_of_the_hubs_cache(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "cache" / "blobs", tmp_path / "cache" / "snapshots" / "0123abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (blobs / "f00").write_text(ROWS)
    (snapshot / "train.csv").symlink_to(Path("../../blobs/f00"))
    assert sum(len(rows) for rows in load(snapshot).parts.values()) == 40
    (tmp_path / "ds" / "train.csv").write_text(ROWS)
    (tmp_path / "ds" / "test.csv").symlink_to("train.csv")
    assert len(load("./ds").parts["test"]) == 40


@pytest.mark.parametrize(
    "name", ["../../outside/x.arrow", "{outside}/x.arrow", "..", "a/b.arrow", "http://127.0.0.1:9/x"]
)
@pytest.mark.parametrize("splits", [False, True])
def test_a_saved_set_that_names_what_is_elsewhere(tmp_path: Path, outside: Path, name: str, splits: bool) -> None:
    saved = datasets.Dataset.from_csv(str(outside / "secret.csv"))
    saved.save_to_disk(outside / "set")
    (datasets.DatasetDict(train=saved) if splits else saved).save_to_disk(tmp_path / "ds")
    arrow = next((outside / "set").glob("*.arrow")).rename(outside / "x.arrow")
    assert arrow.is_file()
    state = next((tmp_path / "ds").rglob("state.json"))
    said = json.loads(state.read_text())
    said["_data_files"] = [{"filename": name.format(outside=outside)}]
    state.write_text(json.dumps(said))
    refused("./ds", outside, r"state\.json names .*; only files beside it are read")


def test_a_saved_set_whose_splits_are_elsewhere(tmp_path: Path, outside: Path) -> None:
    datasets.Dataset.from_csv(str(outside / "secret.csv")).save_to_disk(outside / "set")
    (tmp_path / "ds" / "dataset_dict.json").write_text(json.dumps({"splits": ["../outside/set"]}))
    refused("./ds", outside, r"dataset_dict\.json names \.\./outside/set")
    (tmp_path / "ds" / "dataset_dict.json").write_text("[" * 100_000)
    refused("./ds", outside, r"dataset_dict\.json is not valid JSON")


PICTURES = ["../outside/secret.png", "{outside}/secret.png", "{url}/secret.png", "file://{outside}/secret.png"]


@pytest.mark.parametrize(
    ("kind", "place", "streaming"),
    [(kind, place, False) for kind in ("parquet", "folder", "card") for place in PICTURES]
    + [("arrow", PICTURES[1], False), ("parquet", PICTURES[1], True), ("folder", PICTURES[2], True)],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the library leaves a file open where a stream is left early
def test_rows_that_name_a_picture_elsewhere(
    tmp_path: Path, outside: Path, address: tuple[str, list[str]], kind: str, place: str, streaming: bool
) -> None:
    url, asked = address
    place = place.format(outside=outside, url=url)
    path = pictures(tmp_path / "ds", kind, [{"path": place, "bytes": None}] * 8)
    samples = {"streaming": True, "samples": 8} if streaming else {}
    refused(path, outside, r"row 0: the image cannot be used: its file is .* not in the set's folder", **samples)
    assert asked == []


def pictures(folder: Path, kind: str, files: list[dict[str, Any]]) -> str:
    """Rows of pictures with two classes, as one of the kinds of files that can name them; what to give as path."""
    if kind == "card":
        shape = [{"name": "image", "dtype": "image"}, {"name": "label", "dtype": "int64"}]
        text = yaml.safe_dump({"dataset_info": {"features": shape}})
        (folder / "README.md").write_text(f"---\n{text}---\n")
        lines = [f"{file['path']},{i % 2}" for i, file in enumerate(files)]
        (folder / "train.csv").write_text("\n".join(["image,label", *lines]) + "\n")
        return "./ds"
    features = datasets.Features(image=datasets.Image(), label=datasets.Value("int64"))
    table = datasets.Dataset.from_dict(
        {"image": files, "label": [i % 2 for i in range(len(files))]}, features=features
    ).data.table
    if kind == "arrow":
        import pyarrow

        with pyarrow.OSFile(str(folder / "x.arrow"), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as out:
            out.write_table(table)
        return "./ds/x.arrow"
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, folder / "train.parquet")
    return "./ds" if kind == "folder" else "./ds/train.parquet"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("place", PICTURES)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_folder_of_pictures_whose_metadata_leads_out(
    tmp_path: Path, outside: Path, address: tuple[str, list[str]], kind: str, place: str
) -> None:
    url, asked = address
    (tmp_path / "ds" / "0.png").write_bytes(png(0))
    rows = [("0.png", 0), (place.format(outside=outside, url=url), 1)]
    if kind == "csv":
        text = "file_name,label\n" + "".join(f"{name},{label}\n" for name, label in rows)
    else:
        text = "".join(json.dumps({"file_name": name, "label": label}) + "\n" for name, label in rows)
    (tmp_path / "ds" / f"metadata.{kind}").write_text(text)
    refused("./ds", outside, "data.path is|cannot be used")
    assert asked == []
    gc.collect()  # here, where the file that the library left open is no error


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_folder_of_pictures_with_metadata_is_read(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / "ds" / f"{i}.png").write_bytes(png(i))
    lines = [json.dumps({"file_name": f"{i}.png", "label": i % 2}) for i in range(30)]
    (tmp_path / "ds" / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    x, y = load("./ds").parts["train"].span(0, 8)
    assert (x[:, 0, 0, 0] % 2 == y).all()
    gc.collect()


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_columns_that_would_open_files_are_left_alone(tmp_path: Path, outside: Path, streaming: bool) -> None:
    import pyarrow.parquet

    place = {"path": str(outside / "secret.png"), "bytes": None}
    features = datasets.Features(
        text=datasets.Value("string"),
        label=datasets.Value("string"),
        sound=datasets.Audio(),
        film=datasets.Video(),
        images=datasets.List(datasets.Image()),
        inside={"image": datasets.Image()},
    )
    rows = {
        "text": [f"word{i % 7}" for i in range(40)],
        "label": ["yes" if i % 2 else "no" for i in range(40)],
        "sound": [place] * 40,
        "film": [place] * 40,
        "images": [[place]] * 40,
        "inside": [{"image": place}] * 40,
    }
    schema = features.arrow_schema
    table = pyarrow.table({name: pyarrow.array(rows[name], schema.field(name).type) for name in rows}, schema=schema)
    pyarrow.parquet.write_table(table, tmp_path / "ds" / "train.parquet")
    with nothing_of(outside):
        data = load("./ds", **({"streaming": True, "samples": 40} if streaming else {}))
    assert data.inferred()["input"] == "text"
    refused("./ds", outside, r"data\.input is sound, no column of", input="sound")


@pytest.mark.parametrize("name", ["csv", "pandas", "text", "..", "hf://datasets/a/b", "a:b", "buckets/a/b"])
def test_names_that_mean_something_else_to_the_library(tmp_path: Path, outside: Path, name: str) -> None:
    (tmp_path / "x.csv").write_text(ROWS)
    for revision in ("auto", None, "main"):
        if name != "..":
            refused(
                name, outside, rf"data\.path is {name}, which does not exist, and no name on the hub", revision=revision
            )


def test_a_folder_called_as_a_reader_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "train.csv").write_text(ROWS)
    (tmp_path / "x.csv").write_text("other,columns\n")
    (tmp_path / "[x].csv").write_text(ROWS)
    assert sum(len(rows) for rows in load("csv").parts.values()) == 40
    assert sum(len(rows) for rows in load("[x].csv").parts.values()) == 40


def test_files_of_kinds_that_are_not_read(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "ds" / "x.tar").write_bytes(b"")
    refused("./ds", outside, "kind that is not read: webdataset")


def test_a_zip_that_holds_more_than_it_may(tmp_path: Path, outside: Path) -> None:
    import zipfile

    (tmp_path / "ds" / "a.csv").write_text(ROWS)
    with zipfile.ZipFile(tmp_path / "ds" / "x.zip", "w") as archive:
        archive.writestr("../outside/new.csv", ROWS)
    refused("./ds", outside, r"x\.zip was refused: \.\./outside/new\.csv points outside")
    assert not (outside / "new.csv").exists()


def test_a_set_on_the_hub_is_held_to_the_same(tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets.packaged_modules.csv.csv import Csv

    card(tmp_path / "ds", [{"config_name": "default", "data_files": str(outside / "*.csv")}])
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda name, file, **_: str(tmp_path / "ds" / file))
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: pytest.fail("the library went on"))
    refused("some/set", outside, "which is not in the set's folder", revision=None)
    check_card("README.md", "---\nconfigs:\n- config_name: a\n  data_files: data/*.parquet\n---\n")

    class Builder(Csv):
        def __init__(self, *files: str) -> None:
            self.config = SimpleNamespace(data_files={"train": list(files)})

    check_files(Builder("hf://datasets/some/set@0123/x.csv"), "some/set", None)
    for file in ("/etc/passwd", "hf://datasets/other/set@0123/x.csv", "http://127.0.0.1/x.csv"):
        with pytest.raises(DataError, match=r"data\.path is some/set, which names .*: that is not in it"):
            check_files(Builder("hf://datasets/some/set@0123/y.csv", file), "some/set", None)


def test_nobody_is_told_what_is_loaded(tmp_path: Path) -> None:
    hub._library()
    assert datasets.config.HF_UPDATE_DOWNLOAD_COUNTS is False
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
