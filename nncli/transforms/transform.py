"""From raw inputs to what the net sees: a common scale always, random changes while training."""

import torch
from torch import Tensor, nn

from nncli.contracts import ByEpoch, ByOriginal, Fitted, Inputs, Invertible, Mix, OnPixels


class Transform(nn.Module):
    """`standardize`, and in training mode the changes of `augment`, a whole batch at a time on its device.

    A change sees standardized values, where 0 is the mean of the training part: what it moves in or cuts out becomes
    0. One with `pixels = True` works on raw values, such as 0 to 255, and so comes before standardizing, wherever it
    stands in the list. One with `by_original` is given the raw values beside, one with `set_epoch` is told the epoch.
    All draw from torch's global random state and compute in float32. `mix` mixes samples and their targets,
    `mix(x, y_soft) -> (x, y_soft)`; the task calls it, since it changes what is to be learned.
    """

    def __init__(self, standardize: nn.Module, augment: list[nn.Module], mix: nn.Module | None = None) -> None:
        super().__init__()
        self.standardize = standardize
        self.augment = nn.ModuleList(augment)
        self.mix = mix

    def fit(self, inputs: Inputs) -> None:
        """Let the standardization take its statistics from the training part, which comes in pieces."""
        if isinstance(self.standardize, Fitted):
            self.standardize.fit(inputs)

    def set_epoch(self, epoch: int) -> None:
        """Tell the changes that go by it which epoch, from 0, the next batches belong to."""
        for change in self.augment:
            if isinstance(change, ByEpoch):
                change.set_epoch(epoch)

    def mixer(self) -> Mix | None:
        """What mixes transformed samples and their targets."""
        return self.mix

    def forward(self, x: Tensor) -> Tensor:
        return self._changed(x) if self.training and len(self.augment) else self.standardize(x)

    @torch.no_grad()
    def augmented(self, x: Tensor) -> Tensor:
        """What training would make of a batch, in the units of the data: for drawing it."""
        changed = self._changed(x)
        return self.standardize.undo(changed) if isinstance(self.standardize, Invertible) else changed

    def _changed(self, x: Tensor) -> Tensor:
        original = x
        with torch.autocast(x.device.type, enabled=False):  # bf16 has too few digits for 256 grey levels
            for change in self.augment:
                if _on_pixels(change):
                    x = change(x.float())
            x = self.standardize(x)
            for change in self.augment:
                if not _on_pixels(change):
                    x = change.by_original(x, original) if isinstance(change, ByOriginal) else change(x)
        return x


def _on_pixels(change: nn.Module) -> bool:
    return isinstance(change, OnPixels) and change.pixels
