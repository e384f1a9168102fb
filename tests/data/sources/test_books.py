"""The texts at hand load in no time, and what comes next can be learned from them."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nncli import fit
from nncli.data.rows import Windows
from nncli.data.sources import books
from nncli.data.sources.books import Book
from nncli.data.text.vocabulary import Vocabulary
from nncli.errors import DataError
from nncli.run.eval import judged
from tests.data.choices import chosen

SHARED = os.environ.get("NN_SHARED_DATA", "")


def load(name: str, **changed: Any) -> Book:
    data = chosen(name, **changed)
    data.prepare_data()
    data.setup()
    return data


def tokens(data: Book, part: str) -> torch.Tensor:
    rows = data.parts[part]
    assert isinstance(rows, Windows)
    return rows.values.long()


def test_a_window_beats_counting_characters_by_a_wide_margin() -> None:
    data = load("pydoc")
    size = data.inferred()["num_tokens"]
    assert size == data.inferred()["num_classes"]
    seen, asked = tokens(data, "train"), tokens(data, "test")
    share = torch.bincount(seen, minlength=size).double() + 1
    counting = -(share / share.sum())[asked].log().mean()
    words = ["data=pydoc", "trainer.max_steps=300", "trainer.limit_batches=300", "regularization=none", "run_dir=r"]
    assert judged([fit(words)], ["trainer.limit_batches=100"])["metrics"]["test/loss"] < float(counting) - 0.6


def test_the_text_of_python_is_cut_in_order_and_can_be_read_again() -> None:
    data = load("pydoc", tokenizer={"max_length": 40})
    vocabulary = Vocabulary.parse(data.facts["tokenizer"])
    whole = "".join(vocabulary.decode(tokens(data, part).tolist()) for part in ("train", "val", "test"))
    assert len(whole) > 300_000
    assert 'The "assert" statement' in whole
    x, _ = data.parts["train"].span(0, 1)
    assert whole.startswith(vocabulary.decode(x[0].tolist()))


def test_without_pydoc_data_another_text_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(books.importlib, "import_module", missing)
    with pytest.raises(DataError, match="data=shakespeare"):
        load("pydoc")


def test_a_text_is_fetched_once_and_without_a_network_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NN_CACHE", str(tmp_path))
    fetched: list[Path] = []

    def fake(url: str, path: Path, md5: str) -> None:
        assert url.startswith("https://")
        assert len(md5) == 32
        fetched.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("so it goes " * 500)

    def offline(url: str, path: Path, md5: str) -> None:
        raise DataError(f"{url} could not be fetched: no network")

    set_download: Callable[[Any], None] = lambda f: monkeypatch.setattr(books, "download", f)  # noqa: E731
    set_download(fake)
    assert len(load("shakespeare").parts["train"]) == 4400 - 16
    assert fetched == [tmp_path / "data" / "shakespeare" / "input.txt"]
    set_download(offline)
    with pytest.raises(DataError, match=r"could not be fetched.*\n.*data\.root=FOLDER"):
        load("shakespeare")
    with pytest.raises(DataError, match=r"data\.root is .*, which has no file input\.txt"):
        load("shakespeare", root=str(tmp_path))


@pytest.mark.skipif(not SHARED, reason="NN_SHARED_DATA is not set")
def test_a_million_characters_load_in_two_seconds() -> None:
    began = time.monotonic()
    data = load("shakespeare", root=f"{SHARED}/tinyshakespeare")
    assert time.monotonic() - began < 2
    assert data.inferred()["num_tokens"] == 65 + 2
    assert len(data.parts["train"]) == 1_115_394 - 2 * 111_539 - 16
