"""A recurrent net that forecasts. B samples, L input steps, F columns, D width, H forecast steps, C target columns."""

from typing import Annotated, Literal

from annotated_types import Ge, Interval
from torch import Tensor, nn

from nncli.models.window_level import Normalize, level_and_scale

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


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
        normalize: Normalize,
    ) -> None:
        super().__init__()
        self.shape = (horizon, num_targets)
        self.normalize: Normalize = normalize
        self.recurrent = CELLS[cell](
            input_shape[-1], width, depth, batch_first=True, dropout=dropout if depth > 1 else 0.0
        )
        self.head = nn.Linear(width, horizon * num_targets)

    def forward(self, x_BLF: Tensor) -> Tensor:
        level_B1F, scale_B1F = level_and_scale(x_BLF, self.normalize)
        y_BLD, _ = self.recurrent((x_BLF - level_B1F) / scale_B1F)
        y_BHC = self.head(y_BLD[:, -1]).unflatten(1, self.shape)
        columns = self.shape[1]
        return y_BHC * scale_B1F[..., :columns] + level_B1F[..., :columns]
