"""Binary cross-entropy, one question a class. B samples, C classes."""

from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional


class Binary(nn.Module):
    """Each class is a question of its own, yes or no, as for images that show several things (Wightman et al. 2021).

    Scores (B, C) against classes (B,) or yes and no for each class (B, C); summed over the classes. Scores (B, 1) are
    for the second of two classes.
    """

    def __init__(self, label_smoothing: Annotated[float, Interval(ge=0, lt=1)]) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        classes = max(z.shape[1], 2)
        wanted = y.to(z.dtype) if y.is_floating_point() else functional.one_hot(y, classes).to(z.dtype)
        wanted = wanted * (1 - self.label_smoothing) + self.label_smoothing / classes
        wanted = wanted[:, -z.shape[1] :]
        return functional.binary_cross_entropy_with_logits(z, wanted, reduction="none").sum(dim=1).mean()
