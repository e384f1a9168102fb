"""From raw inputs to those of the net: always standardized, and randomly changed in training."""

import torch
from torch import Tensor, nn

from nncli.contracts import ByEpoch, ByOriginal, Fitted, Inputs, Invertible, Mix, OnPixels


class Transform(nn.Module):
    """`standardize`, and in training mode the changes of `augment`, on a whole batch on its device.

    A change sees standardized values, where 0 is the mean of the training part, so gaps and holes are filled with 0. A
    change with `pixels = True` works on raw values, such as 0 to 255, and is applied before standardizing, wherever it
    is in the list. `by_original` also receives the raw values, and `set_epoch` the epoch. All changes use torch's
    global random state and compute in float32. `mix` mixes samples and their targets,
    `mix(x, y_soft) -> (x, y_soft)`; the task calls it, since it changes the targets.
    """

    def __init__(self, standardize: nn.Module, augment: list[nn.Module], mix: nn.Module | None = None) -> None:
        super().__init__()
        self.standardize = standardize
        self.augment = nn.ModuleList(augment)
        self.mix = mix

    def fit(self, inputs: Inputs) -> None:
        """Compute the statistics of the standardization from the training part, in pieces."""
        if isinstance(self.standardize, Fitted):
            self.standardize.fit(inputs)

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch of the next batches, from 0, to the changes that depend on it."""
        for change in self.augment:
            if isinstance(change, ByEpoch):
                change.set_epoch(epoch)

    def mixer(self) -> Mix | None:
        """The function that mixes transformed samples and their targets, if any."""
        return self.mix

    def forward(self, x: Tensor) -> Tensor:
        return self._changed(x) if self.training and len(self.augment) else self.standardize(x)

    @torch.no_grad()
    def augmented(self, x: Tensor) -> Tensor:
        """A batch as it is changed in training, but in the units of the data, for pictures of it."""
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
