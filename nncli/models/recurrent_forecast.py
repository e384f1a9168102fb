"""A recurrent net that forecasts. B samples, L input steps, F columns, D width, H forecast steps, C target columns."""

from typing import Annotated, Literal

from annotated_types import Ge, Interval
from torch import Tensor, nn

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
EPS = 1e-5  # variance of a window that is added, so that constant ones can be divided by it


class RecurrentForecast(nn.Module):
    """The window step by step through `depth` recurrent layers, whose last output gives all steps of the forecast.

    (B, L, F) to (B, H, C). `normalize` takes the level out of each window and puts it back: `last` subtracts its last
    step, `window` its mean, and divides by its standard deviation. Without it (`none`), what the net has learned holds
    for the levels of the training part only.
    """

    def __init__(
        self,
        input_shape: list[int],
        horizon: Annotated[int, Ge(1)],
        num_targets: Annotated[int, Ge(1)],
        cell: Literal["rnn", "lstm", "gru"],
        width: Annotated[int, Ge(1)],
        depth: Annotated[int, Ge(1)],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
        normalize: Literal["none", "last", "window"],
    ) -> None:
        super().__init__()
        self.shape, self.normalize = (horizon, num_targets), normalize
        self.recurrent = CELLS[cell](
            input_shape[-1], width, depth, batch_first=True, dropout=dropout if depth > 1 else 0.0
        )
        self.head = nn.Linear(width, horizon * num_targets)

    def forward(self, x_BLF: Tensor) -> Tensor:
        if self.normalize == "none":
            return self._forecast(x_BLF)
        targets = self.shape[1]
        if self.normalize == "last":
            last_B1F = x_BLF[:, -1:]
            return self._forecast(x_BLF - last_B1F) + last_B1F[..., :targets]
        mean_B1F = x_BLF.mean(dim=1, keepdim=True)
        std_B1F = (x_BLF.var(dim=1, keepdim=True, correction=0) + EPS).sqrt()
        y_BHC = self._forecast((x_BLF - mean_B1F) / std_B1F)
        return y_BHC * std_B1F[..., :targets] + mean_B1F[..., :targets]

    def _forecast(self, x_BLF: Tensor) -> Tensor:
        y_BLD, _ = self.recurrent(x_BLF)
        return self.head(y_BLD[:, -1]).unflatten(1, self.shape)
