"""Binary cross-entropy for each class. B samples, C classes."""

from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional


class Binary(nn.Module):
    """Each class is an independent yes-or-no decision, as for images with several objects (Wightman et al. 2021).

    Scores (B, C); targets are classes (B,) or a probability for each class (B, C). The loss is summed over the classes.
    Scores (B, 1) are those of the second of two classes.
    """

    def __init__(self, label_smoothing: Annotated[float, Interval(ge=0, lt=1)]) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        classes = max(z.shape[1], 2)
        target = y.to(z.dtype) if y.is_floating_point() else functional.one_hot(y, classes).to(z.dtype)
        target = target * (1 - self.label_smoothing) + self.label_smoothing / classes
        target = target[:, -z.shape[1] :]
        return functional.binary_cross_entropy_with_logits(z, target, reduction="none").sum(dim=1).mean()
