"""From raw inputs to what the net sees: a common scale always, random changes while training."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn


class Transform(nn.Module):
    """`standardize`, then in training mode each of `augment` in turn, a whole batch at a time on its device."""

    def __init__(self, standardize: nn.Module, augment: list[nn.Module]) -> None:
        super().__init__()
        self.standardize = standardize
        self.augment = nn.ModuleList(augment)

    def fit(self, inputs: Callable[[], Iterable[Tensor]]) -> None:
        """Let the standardization take its statistics from the training part, which comes in pieces."""
        if fit := getattr(self.standardize, "fit", None):
            fit(inputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.standardize(x)
        if self.training:
            for change in self.augment:
                x = change(x)
        return x
