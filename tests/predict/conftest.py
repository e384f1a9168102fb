"""Short runs of every kind of samples, and `nn predict` in this process."""

import io
import random
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import nncli
from nncli.cli.main import main
from tests.data.pictures import lay, noise

SHORT = ("trainer.max_steps=4", "test=false", "trainer.precision=32")
Run = Callable[[str], Path]
Predict = Callable[..., SimpleNamespace]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The folder of a run by the kind of its samples; each is trained once."""
    root = tmp_path_factory.mktemp("runs")

    @cache
    def trained(kind: str) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(root)
            words = [*WORDS[kind](root), *SHORT, f"data.batch_size={4 if kind == 'rule' else 8}"]
            return nncli.fit([*words, f"run_dir={root / kind}"], show="quiet").path

    return trained


@pytest.fixture
def predict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> Predict:
    """Run `nn predict` here; its exit code and what it printed."""

    def here(*words: str | Path, stdin: bytes = b"") -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["nn", "predict", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code or 0, out=said.out, err=said.err)

    monkeypatch.delenv("NN_DEBUG", raising=False)
    monkeypatch.setenv("NN_CACHE", str(tmp_path_factory.mktemp("cache")))
    return here


def people(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Rows of the table that is learned."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        age, job = draw.randint(18, 80), draw.choice(["cook", "nurse", "smith"])
        rows.append(
            {
                "age": str(age),
                "job": job,
                "since": f"20{draw.randint(10, 20)}-05-01",
                "rich": "yes" if age > 40 else "no",
            }
        )
    return rows


def csv_of(rows: list[dict[str, str]]) -> str:
    return "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"


def _table(root: Path) -> list[str]:
    (root / "people.csv").write_text(csv_of(people(80)))
    (root / "others.csv").write_text(csv_of(people(60, seed=1)))
    return ["data=csv", "data.path=people.csv", "data.test_path=others.csv", "data.target=rich", "transform=table"]


def _nameless(root: Path) -> list[str]:
    (root / "plain.csv").write_text(csv_of(people(80)).partition("\n")[2])
    words = ["data=csv", "data.path=plain.csv", "data.header=false", "data.names=[age,job,since,rich]"]
    return [*words, "data.target=rich", "transform=table"]


def _rents(root: Path) -> list[str]:
    rows = [{"rooms": str(i % 7), "size": str(20 + i % 13), "rent": f"{300 * (i % 7) + i % 13}.5"} for i in range(80)]
    (root / "flats.csv").write_text(csv_of(rows))
    words = ["data=csv", "data.path=flats.csv", "data.target=rent", "transform=table"]
    return [*words, "task=regression", "loss=mse", "model.num_outputs=1"]


def _pictures(root: Path) -> list[str]:
    lay(
        root / "shots",
        {f"{label}/{i}.jpg": noise(9 * i + len(label), 24) for label in ("ant", "eagle") for i in range(20)},
    )
    return ["data=folder", "data.path=shots", "data.size=[12,12]", "model=cnn", "model.channels=[4]", "model.hidden=8"]


def _texts(root: Path) -> list[str]:
    rows = [f"{'good' if i % 2 else 'bad'} day {i},{'up' if i % 2 else 'down'}" for i in range(60)]
    (root / "days.csv").write_text("\n".join(["said,mood", *rows]) + "\n")
    return ["data=text", "data.path=days.csv", "data.text=said", "data.target=mood"]


def _series(root: Path) -> list[str]:
    steps = np.random.default_rng(0).normal(size=(200, 2)).cumsum(axis=0)
    lines = [f"2024-01-{1 + i // 24:02} {i % 24:02}:00,{a:.3f},{b:.3f}" for i, (a, b) in enumerate(steps)]
    (root / "load.csv").write_text("\n".join(["time,north,south", *lines]) + "\n")
    return ["data=series", "data.path=load.csv", "data.length=6", "data.horizon=3"]


WORDS: dict[str, Callable[[Path], list[str]]] = {
    "table": _table,
    "nameless": _nameless,
    "regression": _rents,
    "image": _pictures,
    "text": _texts,
    "series": _series,
    "numbers": lambda _: ["data=iris"],
    "digits": lambda _: ["data=digits"],
    "rule": lambda _: ["recipe=perceptron_and"],
}
