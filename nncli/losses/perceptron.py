"""The perceptron criterion, whose gradient is Rosenblatt's correction."""

from torch import Tensor, nn


class PerceptronLoss(nn.Module):
    """Sum over the batch of `(step(z) - y) * z`: the distance by which wrong answers miss, 0 for right ones.

    `z` (B,) are the units' sums before the threshold, `y` (B,) the wanted answers 0 or 1.
    """

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        answer = (z > 0).to(z.dtype)
        return ((answer - y).detach() * z).sum()
