"""The divergence from a target distribution, such as another net's output."""

from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn
from torch.nn import functional


class KL(nn.Module):
    """Kullback-Leibler divergence of softened distributions, times the square of the temperature.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network": a temperature above 1 brings out how the
    wrong classes compare, and its square keeps the scale of the gradient. Targets are probabilities (B, classes), or
    classes (B,), for which it is the cross-entropy of softened scores.
    """

    def __init__(self, temperature: Annotated[float, Gt(0)]) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, scores_BC: Tensor, target: Tensor) -> Tensor:
        shares_BC = target if target.ndim > 1 else functional.one_hot(target, scores_BC.shape[1]).to(scores_BC.dtype)
        logs_BC = functional.log_softmax(scores_BC / self.temperature, dim=1)
        return functional.kl_div(logs_BC, shares_BC, reduction="batchmean") * self.temperature**2

    def between(self, scores_BC: Tensor, taught_BC: Tensor) -> Tensor:
        """The divergence from another net's output, given as scores."""
        return self(scores_BC, (taught_BC / self.temperature).softmax(dim=1))
