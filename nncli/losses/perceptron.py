"""The perceptron criterion, whose gradient is Rosenblatt's update."""

from torch import Tensor, nn


class PerceptronLoss(nn.Module):
    """Sum over the batch of `(step(z) - y) * z`: |z| for each misclassified sample, 0 for the others.

    `z` (B,) are the sums before the threshold, `y` (B,) the classes 0 or 1.
    """

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        answer = (z > 0).to(z.dtype)
        return ((answer - y).detach() * z).sum()
