"""Forecasts in the series' own units, judged in standard units."""

from functools import partial

import pytest
import torch
from sklearn.metrics import r2_score
from torch import Tensor, nn
from torch.optim import Adam

from nncli.data.rows import Windows
from nncli.errors import NnError
from nncli.models.linear import Linear
from nncli.models.linear_forecast import NLinear
from nncli.tasks.forecast import Forecast
from nncli.transforms.standardize import Standardize
from tests.tasks.parts import made, measured, step

LENGTH, HORIZON = 12, 6


def task(
    net: nn.Module, columns: int = 2, targets: int = 2, kind: str = "zscore", period: float | None = None
) -> Forecast:
    return made(
        Forecast,
        net,
        scale=Standardize([LENGTH, columns], kind, "last"),  # pyright: ignore[reportArgumentType]
        loss=nn.MSELoss(),
        optimizer=partial(Adam, lr=0.03),
        monitor="val/mse",
        num_targets=targets,
        period=period,
    )


def waves(columns: list[int] | None = None) -> Windows:
    """Two waves far from zero, the first of period 12."""
    t = torch.arange(400.0)
    values = torch.stack([1000 + 50 * torch.sin(t * torch.pi / 6), 0.1 * torch.cos(t / 5)], dim=1)
    starts = torch.arange(300)
    return Windows(values, starts, LENGTH, offset=LENGTH, ahead=HORIZON, columns=columns, fitted=(0, 300))


def trained(learner: Forecast, rows: Windows, steps: int = 500) -> dict[str, float]:
    learner.fit_statistics(rows)
    optimizer = learner.updates.make(learner.net)
    batch = rows.span(0, len(rows))
    for _ in range(steps):
        step(learner, optimizer, batch)
    return measured(learner, rows.span(0, 99), rows.span(99, 300))


def test_it_learns_what_the_naive_forecast_cannot_know() -> None:
    torch.manual_seed(0)
    found = trained(task(NLinear([LENGTH, 2], HORIZON, 2)), waves())
    assert found["mse"] < 0.05 * found["naive_mse"]
    assert found["loss"] == pytest.approx(found["mse"])


def test_predictions_are_in_the_units_of_the_series_and_metrics_are_standard() -> None:
    torch.manual_seed(0)
    learner, rows = task(NLinear([LENGTH, 2], HORIZON, 2)), waves()
    found = trained(learner, rows)
    x, y = rows.span(0, 300)
    fitted = rows.values[:300]
    error = (learner.predict(x) - y) / fitted.std(0, correction=0)
    assert found["mse"] == pytest.approx(error.square().mean().item(), rel=1e-3)
    assert found["mae"] == pytest.approx(error.abs().mean().item(), rel=1e-3)
    naive = (x[:, -1:] - y) / fitted.std(0, correction=0)
    assert found["naive_mse"] == pytest.approx(naive.square().mean().item(), rel=1e-4)
    assert (learner.predict(x)[..., 0] - y[..., 0]).abs().mean() < 5, "waves of height 50 around 1000"


def test_the_final_evaluation_has_both_scales_and_both_naive_forecasts() -> None:
    torch.manual_seed(0)
    learner, rows = task(NLinear([LENGTH, 2], HORIZON, 2), period=LENGTH + 0.2), waves()
    between = trained(learner, rows, steps=50)
    x, y = rows.span(0, 300)
    with torch.no_grad():
        found, details = learner.evaluate(*learner.answers((x, y)))
        error = (learner.predict(x) - y).double()
    assert found == pytest.approx(found | between, rel=1e-4), "as between epochs, and more"
    assert found["raw_rmse"] == pytest.approx(error.square().mean().sqrt().item(), rel=1e-4)
    assert found["raw_mae"] == pytest.approx(error.abs().mean().item(), rel=1e-4)
    assert found["naive_raw_mae"] == pytest.approx((x[:, -1:] - y).abs().mean().item(), rel=1e-4)
    each = [row["mae"] for row in details["columns"]]
    assert each == pytest.approx(error.abs().mean(dim=(0, 1)).tolist(), rel=1e-4)
    assert details["columns"][0]["seasonal_mae"] < 0.01 < details["columns"][1]["seasonal_mae"], "its period is 12"
    scaled = [(some - learner.target_mean) / learner.target_std for some in (y, learner.predict(x).detach())]
    by_column = [r2_score(*(some[..., c].flatten() for some in scaled)) for c in (0, 1)]
    assert found["r2"] == pytest.approx(sum(by_column) / 2, abs=0.02)


def test_a_season_that_does_not_fit_into_a_window_is_no_opponent() -> None:
    learner = task(NLinear([LENGTH, 2], HORIZON, 2), period=LENGTH + 1)
    learner.fit_statistics(waves())
    with torch.no_grad():
        found, _ = learner.evaluate(*learner.answers(waves().span(0, 9)))
    assert "naive_r2" in found
    assert not any(name.startswith("seasonal") for name in found)


def test_a_season_shorter_than_the_forecast_is_repeated() -> None:
    learner = task(nn.Sequential(nn.Flatten(), nn.Linear(2 * LENGTH, 2 * HORIZON)), period=4)
    learner.fit_statistics(waves())
    x, y = torch.arange(float(LENGTH))[None, :, None].expand(1, -1, 2), torch.zeros(1, HORIZON, 2)
    seasonal = learner.answers((x, y))[3] * learner.target_std + learner.target_mean
    assert seasonal[0, :, 0].tolist() == pytest.approx([8, 9, 10, 11, 8, 9], abs=1e-3)


@pytest.mark.parametrize("kind", ["zscore", "none"])
def test_the_units_do_not_hang_on_the_transform(kind: str) -> None:
    learner = task(NLinear([LENGTH, 2], HORIZON, 2), kind=kind)
    learner.fit_statistics(waves())
    assert torch.allclose(learner.target_mean, waves().values[:300].mean(0), rtol=1e-5)


def test_any_net_with_enough_outputs_can_use_further_columns() -> None:
    torch.manual_seed(0)
    learner = task(Linear([LENGTH, 2], HORIZON), targets=1)
    found = trained(learner, waves(columns=[0]))
    assert found["mse"] < 0.1 * found["naive_mse"]
    assert learner.predict(torch.zeros(3, LENGTH, 2)).shape == (3, HORIZON, 1)


def test_the_scale_travels_with_the_weights() -> None:
    one, two = (task(NLinear([LENGTH, 2], HORIZON, 2)) for _ in range(2))
    trained(one, waves(), steps=3)
    two.load_state_dict(one.state_dict())
    x, _ = waves().span(0, 5)
    assert torch.equal(one.predict(x), two.predict(x))


def test_an_empty_share_of_a_batch_adds_nothing() -> None:
    learner = task(NLinear([LENGTH, 2], HORIZON, 2))
    assert learner.metric_sums((torch.zeros(0, LENGTH, 2), torch.zeros(0, HORIZON, 2))).tolist() == [0] * 10


def test_a_net_with_other_outputs_is_refused_with_the_word_that_mends_it() -> None:
    learner = task(Linear([LENGTH, 2], 5))
    with pytest.raises(NnError, match=r"\[5\]; set model=nlinear or model\.num_outputs=12"):
        learner.training_loss(waves().span(0, 8))


@pytest.mark.parametrize("values", [torch.zeros(20, 3, dtype=torch.long), torch.zeros(20)])
def test_data_that_is_no_series_is_refused(values: Tensor) -> None:
    rows = Windows(values, torch.arange(3), LENGTH, offset=LENGTH, ahead=HORIZON)
    with pytest.raises(NnError, match="task=forecast needs windows of a series"):
        task(NLinear([LENGTH, 2], HORIZON, 2), kind="none").fit_statistics(rows)


def test_nlinear_refuses_columns_that_it_would_not_look_at() -> None:
    with pytest.raises(ValueError, match=r"no use for data\.exogenous; set model=lstm_forecast"):
        NLinear([LENGTH, 2], HORIZON, 1)


def test_nlinear_moves_with_the_level_of_a_series() -> None:
    net = NLinear([LENGTH, 2], HORIZON, 2)
    nn.init.normal_(net.over_time.weight)
    x = torch.randn(4, LENGTH, 2)
    assert torch.allclose(net(x + 100), net(x) + 100, atol=1e-3)
