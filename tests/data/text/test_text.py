"""Texts as people keep them become rows of tokens, or the person is told what is wrong."""

import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from nncli import fit
from nncli.config.suits import suits
from nncli.data.text.text import Text
from nncli.data.text.vocabulary import Vocabulary
from nncli.errors import DataError
from nncli.run.eval import judged
from tests.data.choices import chosen

SHARED = os.environ.get("NN_SHARED_DATA", "")
shared = pytest.mark.skipif(not SHARED, reason="NN_SHARED_DATA is not set")
GOOD = ["a fine film", "what a joy", "lovely and warm", "the best of all", "fine joy"]
BAD = ["a dull film", "what a bore", "cold and grey", "the worst of all", "dull bore"]


def load(path: Path | str, /, facts: dict[str, Any] | None = None, **changed: Any) -> Text:
    data = chosen("text", **{"batch_size": 2, "path": str(path)} | changed)
    data.facts = facts or {}
    data.setup()
    return data


def texts_of(data: Text, part: str) -> list[str]:
    x, _ = data.parts[part].span(0, len(data.parts[part]))
    vocabulary = Vocabulary.parse(data.facts["tokenizer"])
    return [vocabulary.decode(row) for row in x.tolist()]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def lines_of(folder: Path, times: int = 4) -> Path:
    return write(folder, {"good.txt": "\n".join(GOOD * times), "bad.txt": "\n".join(BAD * times), "README": "notes"})


def test_a_folder_of_files_is_read_line_by_line(tmp_path: Path) -> None:
    data = load(lines_of(tmp_path))
    assert data.facts["classes"] == ["bad", "good"]
    assert data.inferred() == {
        "layout": "lines",
        "encoding": "utf-8",
        "split.method": "stratified",
        "input_shape": [256],
        "num_tokens": Vocabulary.parse(data.facts["tokenizer"]).size,
        "num_classes": 2,
    }
    x, y = data.parts["train"].span(0, 3)
    seen = Vocabulary.parse(data.facts["tokenizer"]).decode(x[0].tolist())
    assert seen in (BAD, GOOD)[int(y[0])]
    assert data.where("train", 0).startswith(str(tmp_path / data.facts["classes"][int(y[0])]))


def test_files_that_differ_only_in_their_ending_are_called_by_it(tmp_path: Path) -> None:
    write(tmp_path, {"rt.pos": "\n".join(GOOD), "rt.neg": "\n".join(BAD)})
    assert load(tmp_path, split={"val": 0.2, "test": 0.2}).facts["classes"] == ["neg", "pos"]


def test_class_folders_with_a_given_test_part(tmp_path: Path) -> None:
    for part, times in (("train", 8), ("test", 1)):
        for name, some in (("pos", GOOD * times), ("neg", BAD * times)):
            write(tmp_path / part / name, {f"{i}.txt": text for i, text in enumerate(some)})
    data = load(tmp_path)
    assert data.inferred()["layout"] == "folders"
    assert sorted(texts_of(data, "test")) == sorted(GOOD + BAD)
    assert data.where("test", 0) == str(tmp_path / "test" / "neg" / "0.txt")
    with pytest.raises(DataError, match=r"data\.split\.fold cuts its own test part"):
        load(tmp_path, split={"fold": [0, 4]})


def test_the_columns_of_a_table_are_found(tmp_path: Path) -> None:
    rows = [(text, label, i // 2) for i, (text, label) in enumerate((t, n) for n in (10, 9) for t in GOOD * 4)]
    table = pl.DataFrame(rows, schema=["review", "stars", "writer"], orient="row").rename({"stars": "Label"})
    table.write_csv(tmp_path / "x.csv", separator=";")
    table.write_parquet(tmp_path / "x.parquet")
    for name in ("x.csv", "x.parquet"):
        data = load(tmp_path / name, split={"method": "grouped", "group": "writer"})
        assert data.inferred() | {"text": "review", "target": "Label"} == data.inferred()
        assert data.facts["classes"] == ["9", "10"]
        assert data.where("val", 0).startswith(f"{tmp_path / name}, row ")
        writers = [{(int(data.where(p, i).split()[-1]) - 1) // 2 for i in range(len(r))} for p, r in data.parts.items()]
        assert sum(map(len, writers)) == len(set.union(*writers)) == 20
    with pytest.raises(DataError, match=r"data\.target is sort, no column of .*; it has review, Label, writer"):
        load(tmp_path / "x.csv", target="sort")


def test_the_vocabulary_is_that_of_the_training_part(tmp_path: Path) -> None:
    write(tmp_path, {f"{n}.txt": "\n".join(f"{n} only{n}{i}" for i in range(50)) for n in ("left", "right")})
    data = load(tmp_path)
    assert not any("�" in text for text in texts_of(data, "train"))
    assert all("�" in text for text in texts_of(data, "test"))


def test_facts_of_an_earlier_run_are_used_instead(tmp_path: Path) -> None:
    first = load(lines_of(tmp_path / "a"))
    write(tmp_path / "b", {"good.txt": "new words\n" * 9, "bad.txt": "other things\n" * 9})
    second = load(tmp_path / "b", facts=dict(first.facts))
    assert set(texts_of(second, "train")) == {"� �"}
    write(tmp_path / "c", {"good.txt": "x\n" * 9, "odd.txt": "y\n" * 9})
    with pytest.raises(DataError, match=r"odd\.txt, line 1 is of class 'odd'.*it has bad, good"):
        load(tmp_path / "c", facts=dict(first.facts))


def test_one_text_is_cut_in_order_and_every_token_is_a_target_once(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("".join(chr(97 + i % 26) for i in range(1000)))
    data = load(book, tokenizer={"tokens": "characters", "max_length": 4})
    assert suits(data.traits())["model"] == "token_window"
    found = data.inferred()
    assert (found["layout"], found["stride"], found["num_classes"], found["target"]) == ("stream", 1, 28, "next")
    x, y = data.parts["train"].span(0, 800 - 4)
    vocabulary = Vocabulary.parse(data.facts["tokenizer"])
    assert vocabulary.decode(x[0].tolist()) + vocabulary.decode(y[:1].tolist()) == "abcde"
    assert y.shape == (796,)
    every = load(book, tokenizer={"tokens": "characters", "max_length": 4}, target="every")
    x, y = every.parts["test"].span(0, 24)
    assert torch.equal(x[:, 1:], y[:, :-1])
    assert torch.equal(x.flatten()[1:], y.flatten()[:-1])


@pytest.mark.parametrize(
    ("files", "changed", "message"),
    [
        ({"a.txt": "one\ntwo\n", "b.txt": ""}, {}, r"b\.txt is empty"),
        ({"a.txt": "one\ntwo\n", "b.txt": " \n\t\n"}, {}, r"b\.txt is empty"),
        ({"a/1.txt": "one", "b/2.txt": "  "}, {}, r"2\.txt is empty"),
        ({"a/1.txt": "one", "a/2.txt": "two"}, {}, "all 2 samples are of one class, 'a'"),
        ({"a.txt": "one\n", "b.txt": "caf\xe9 \0"}, {}, r"b\.txt is not text"),
        ({"a.txt": "one\n", "b.txt": "two\n"}, {"num_tokens": 77}, r"data\.num_tokens is 77.*num_tokens=auto"),
        ({"a.txt": "one\n", "b.txt": "two\n"}, {"tokenizer": {"min_count": 5}}, r"data\.tokenizer\.min_count"),
        ({"a.txt": "one\n", "b.txt": "two\n"}, {"split": {"group": "x"}}, r"data\.split\.group is x.*layout is lines"),
        ({"a.txt": "one\n" * 9}, {}, r"the train part is 7 tokens long.*data\.tokenizer\.max_length \+ 1 = 257"),
        ({"a.txt": "one\n" * 9}, {"layout": "lines"}, "all 9 samples are of one class, 'a'"),
        ({"a.txt": "one\n" * 9}, {"layout": "stream", "target": "b"}, r"data\.target is b.*next, or every"),
        ({"a.txt": "one\n" * 9}, {"layout": "stream", "split": {"method": "random"}}, r"data\.split\.method is random"),
        ({".hidden": "x"}, {}, "holds? no|no folder with a text file"),
        ({"a.txt": "x"}, {"test_path": "gone"}, "gone"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, files: dict[str, str], changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(write(tmp_path / "data", files), **changed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"x\.csv is empty"),
        ("text,label\n", "has a header and no rows"),
        ("text,label\na,b,c,d\n", r"x\.csv, line 2: this line has 4 fields, the first one 2; fix the line$"),
        ('text,label\n"a" b,1\n"c,2\n', r"x\.csv, line 3: a quote opens here that is never closed; close it$"),
        ("text,label\nfine,1\n,2\n", r"1 of 2 rows have no value in the text column 'text', first row 2"),
        ("text,a,b\nsome words,1,2\n", r"which column is the class\? It has text, a, b; set data\.target=NAME"),
        ("text,label\nfine,1\nbad,1\n", "all 2 samples are of one class, '1'"),
        ("text,target\nfine,1\nbad,2\n", r"data\.text and data\.target are both text; .*has text, target"),
    ],
)
def test_a_broken_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    target = "text" if "text,target" in text else "auto"
    with pytest.raises(DataError, match=message):
        load(tmp_path / "x.csv", text="text" if "text," in text else "auto", target=target)


def test_no_path_or_a_wrong_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.path is .*gone, which does not exist"):
        load(tmp_path / "gone")
    with pytest.raises(DataError, match=r"data\.path is not given; set data\.path=FOLDER"):
        load("x", path=None)


def test_a_folder_trains_and_is_judged_again(tmp_path: Path) -> None:
    lines_of(tmp_path / "reviews", times=20)
    words = ["data=text", "data.path=reviews", "data.batch_size=16", "trainer.max_epochs=8", "trainer.accelerator=cpu"]
    run = fit([*words, "optimizer.lr=0.02", "run_dir=r"])
    again = judged([run])["metrics"]
    assert again["test/accuracy"] == 1.0
    assert "encoding: utf-8" in run.config.read_text()
    lines_of(tmp_path / "moved", times=3)
    assert judged([run], ["data.path=moved", "data.batch_size=8"])["metrics"]["test/accuracy"] == 1.0


@shared
def test_reviews_in_an_old_encoding_are_read_and_learned() -> None:
    data = load(f"{SHARED}/rt-polarity", batch_size=64)
    assert data.facts["encoding"] == "cp1252"
    assert sum(len(rows) for rows in data.parts.values()) == 10_662
    run = fit(
        ["data=text", f"data.path={SHARED}/rt-polarity", "trainer.max_epochs=3", "optimizer.lr=0.01", "run_dir=r"]
    )
    assert judged([run])["metrics"]["test/accuracy"] > 0.72


@shared
def test_names_tell_their_language_better_than_the_largest_class() -> None:
    words = ["data=names", f"data.path={SHARED}/names", "trainer.max_epochs=2", "regularization=none", "run_dir=r"]
    assert judged([fit(words)])["metrics"]["test/accuracy"] > 0.47 + 0.08
