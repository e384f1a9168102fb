"""`nncli.load`: a run as a model that answers to what people have."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nncli
from nncli.errors import NnError
from nncli.run.restore import restore

SHORT = ("trainer.max_steps=4", "trainer.log_every=2", "data.batch_size=8", "test=false", "trainer.precision=32")


def test_rows_of_a_table_by_name_in_order_and_as_a_file() -> None:
    dice = np.random.default_rng(0)
    rows = [
        {"size": f"{a:.3f}", "colour": "red" if b > 0 else "blue", "kind": "yes" if a > b else "no"}
        for a, b in dice.normal(size=(80, 2))
    ]
    with open("table.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    nncli.fit(["data=csv", "data.path=table.csv", "transform=table", "data.target=kind", *SHORT], show="quiet")
    model = nncli.load("last")
    _, parts = restore(model.run)
    x, _ = parts.data.parts["val"].span(0, 5)
    with torch.no_grad():
        expected = parts.task.eval().predict(x)
    Path("table.csv").rename("other.csv")
    whole = model.predict("other.csv")
    assert whole.shape == (80, 2)
    assert model.classes == ["no", "yes"]
    assert torch.equal(model.predict(rows), whole)
    assert torch.equal(model.predict(rows[7]), model.predict(rows[7:8])[0])
    assert any(torch.allclose(expected[0], answer, atol=1e-6) for answer in whole)
    with pytest.raises(NnError, match="colour"):
        model.predict({"size": "1.0"})


def test_pictures_by_file_and_by_values() -> None:
    for label in ("dark", "light"):
        Path("shots", label).mkdir(parents=True)
        for i in range(20):
            level = (40 if label == "dark" else 200) + i
            Image.new("RGB", (12, 12), (level, level, level)).save(f"shots/{label}/{i}.png")
    words = ["data=folder", "data.path=shots", "model=cnn", "model.channels=[4]", "model.hidden=8", *SHORT]
    nncli.fit(words, show="quiet")
    model = nncli.load("last")
    answer = model.predict("shots/dark/3.png")
    assert answer.shape == (2,)
    assert torch.equal(model.predict(np.asarray(Image.open("shots/dark/3.png"))), answer)
    assert model.classes == ["dark", "light"]


def test_a_text() -> None:
    Path("texts.csv").write_text(
        "text,mood\n" + "".join(f"{'good' if i % 2 else 'bad'} day {i},{i % 2}\n" for i in range(60))
    )
    nncli.fit(["data=text", "data.path=texts.csv", "data.target=mood", *SHORT], show="quiet")
    model = nncli.load("last")
    assert model.predict("a good day").shape == (2,)
    assert float(model.predict("a good day").sum()) == pytest.approx(1, abs=1e-5)


def test_a_file_is_read_as_the_one_that_was_trained_on() -> None:
    lines = [f"{i % 7};{i % 3};{'yes' if i % 7 > 3 else 'no'}" for i in range(80)]
    Path("t.csv").write_text("\n".join(["a;b;kind", *lines]) + "\n")
    nncli.fit(["data=csv", "data.path=t.csv", "transform=table", "data.target=kind", *SHORT], show="quiet")
    assert nncli.load("last").predict("t.csv").shape == (80, 2)


def test_loading_leaves_random_numbers_alone_and_holds_the_config_to_its_check() -> None:
    run = nncli.fit(["data=iris", *SHORT], show="quiet")
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    model = nncli.load(run.path)
    assert torch.equal(torch.rand(3), expected)
    for odd in (5, None, object(), [["a", "b", "c", "d"]]):
        with pytest.raises(NnError):
            model.predict(odd)
    text = run.config.read_text()
    for change in ("nncli.data.sources.scikit.Scikit", "torch.nn.Linear"), ("batch_size: 8", "batch_size: many"):
        run.config.write_text(text.replace(*change))
        with pytest.raises(NnError):
            nncli.load(run.path)


def test_what_a_run_measured_and_how_it_was_made() -> None:
    nncli.fit(["data=iris", *SHORT, "test=true"], show="quiet")
    model = nncli.load()
    assert model.metrics["test/accuracy"] >= 0
    assert model.config.tree.model.width == 128
    assert model.predict([5.1, 3.5, 1.4, 0.2]).shape == (3,)
