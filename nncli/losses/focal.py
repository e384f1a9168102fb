"""The focal loss ("Focal Loss for Dense Object Detection", Lin et al. 2017). B samples, C classes."""

from typing import Annotated

from annotated_types import Ge, Interval
from torch import Tensor, nn
from torch.nn import functional


class Focal(nn.Module):
    """Cross-entropy with less weight on well-classified samples: the term of each class is times (1 - p) ** gamma.

    Scores (B, C); targets are classes (B,) or their probabilities (B, C). With gamma 0 it is the cross-entropy.
    """

    def __init__(self, gamma: Annotated[float, Ge(0)], label_smoothing: Annotated[float, Interval(ge=0, lt=1)]) -> None:
        super().__init__()
        self.gamma, self.label_smoothing = gamma, label_smoothing

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        shares = y.to(z.dtype) if y.is_floating_point() else functional.one_hot(y, z.shape[1]).to(z.dtype)
        shares = shares * (1 - self.label_smoothing) + self.label_smoothing / z.shape[1]
        logs = z.log_softmax(dim=1)
        # 1 - p from the logarithm stays accurate where p is almost 1; the lower bound keeps the gradient finite
        missing = (-logs.expm1()).clamp(min=1e-12)
        return -(shares * missing**self.gamma * logs).sum(dim=1).mean()
