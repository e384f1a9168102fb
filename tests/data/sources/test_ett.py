"""ETT: the published split, and the error of the simplest forecast."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import AdamW

from nncli.data.sources import ett
from nncli.data.sources.ett import ETT
from nncli.errors import DataError
from nncli.models.linear_forecast import NLinear
from nncli.tasks.forecast import Forecast
from nncli.transforms.standardize import Standardize
from tests.data.choices import chosen
from tests.tasks.parts import made, measured, step

SHARED = os.environ.get("NN_SHARED_DATA", "")
needs_data = pytest.mark.skipif(not SHARED, reason="NN_SHARED_DATA is not set")


def etth1(name: str = "etth1", **changed: Any) -> ETT:
    return chosen(name, **changed)


def forecast(data: ETT, length: int, horizon: int) -> Forecast:
    net, scale = NLinear([length, 7], horizon, 7), Standardize([length, 7], channels="last")
    rule = partial(AdamW, lr=0.003)
    task = made(Forecast, net, scale=scale, loss=nn.MSELoss(), optimizer=rule, monitor="val/mse", num_targets=7)
    task.fit_statistics(data.parts["train"])
    return task


def by_hand(length: int, horizon: int) -> float:
    """The naive forecast of the test part, in numpy, straight from the file."""
    table = np.genfromtxt(f"{SHARED}/ett/ETTh1.csv", delimiter=",", skip_header=1)[:, 1:]
    month = 30 * 24
    train = table[: 12 * month]
    scaled = (table - train.mean(0)) / train.std(0)
    test = scaled[16 * month - length : 20 * month]
    errors = [
        np.square(test[i + length : i + length + horizon] - test[i + length - 1]).mean()
        for i in range(len(test) - length - horizon + 1)
    ]
    return float(np.mean(errors))


@needs_data
@pytest.mark.parametrize(
    ("length", "horizon", "train", "held_out"),
    [(336, 96, 8209, 2785), (336, 720, 7585, 2161), (96, 96, 8449, 2785), (104, 24, 8513, 2857)],
)
def test_the_published_numbers_of_windows(length: int, horizon: int, train: int, held_out: int) -> None:
    data = etth1(path=f"{SHARED}/ett", length=length, horizon=horizon)
    data.setup()
    assert {part: len(rows) for part, rows in data.parts.items()} == {"train": train, "val": held_out, "test": held_out}


@needs_data
def test_saying_the_last_value_again_scores_what_is_computed_by_hand() -> None:
    data = etth1(path=f"{SHARED}/ett/ETTh1.csv", length=48, horizon=96)
    data.setup()
    task = forecast(data, 48, 96)
    found = measured(task, *data.parts["test"].chunks())
    assert found["naive_mse"] == pytest.approx(by_hand(48, 96), rel=1e-5)
    assert found["mse"] == pytest.approx(found["naive_mse"]), "an untrained NLinear says the last value again"


@needs_data
def test_nlinear_comes_near_its_published_error() -> None:
    torch.manual_seed(0)
    data = etth1(path=f"{SHARED}/ett", batch_size=64)
    data.setup()
    task = forecast(data, 336, 96)
    optimizer = task.updates.make(task.net)
    batches = [*data.train_dataloader(), *data.train_dataloader()]
    for at, batch in enumerate(batches):
        optimizer.param_groups[0]["lr"] = 0.003 * (1 - at / len(batches))
        step(task, optimizer, batch)
    found = measured(task, *data.parts["test"].chunks())
    assert found["mse"] < 0.38, "published: 0.374 after ten epochs; these are two"
    assert found["mse"] < found["naive_mse"] / 3


def test_every_set_has_its_file_and_a_month_of_its_own_length(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fetched = []
    monkeypatch.setenv("NN_CACHE", str(tmp_path))
    monkeypatch.setattr(ett, "download", lambda *given: fetched.append(given))
    for name, month in (("etth1", 720), ("etth2", 720), ("ettm1", 2880), ("ettm2", 2880)):
        data = etth1(name)
        data.prepare_data()
        assert data.borders == [12 * month, 16 * month, 20 * month]
        url, path, _ = fetched[-1]
        assert url.rsplit("/", 1)[1] == path.name
        assert path.name.lower() == f"{name}.csv"
        assert path.is_relative_to(tmp_path)


def test_without_the_file_or_a_network_the_message_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NN_CACHE", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"could not be fetched.*\n.*data\.path=ETTh1\.csv"):
        etth1().prepare_data()


def test_a_shorter_file_is_refused() -> None:
    rows = "\n".join(f"2016-07-{1 + i // 24:02d} {i % 24:02d}:00:00,{i}" for i in range(700))
    Path("ETTh1.csv").write_text("date,OT\n" + rows + "\n")
    with pytest.raises(DataError, match=r"data\.borders is \[8640, 11520, 14400\].*within the 700 rows"):
        etth1(path=".").setup()
