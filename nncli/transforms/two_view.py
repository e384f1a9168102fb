"""Two random views of each sample, for contrastive learning (Chen et al. 2020, SimCLR)."""

from torch import Tensor

from nncli.transforms.transform import Transform


class TwoView(Transform):
    """In training mode (B, 2, ...): two independently changed views of each sample. Otherwise one, unchanged."""

    def _changed(self, x: Tensor) -> Tensor:
        return super()._changed(x.repeat_interleave(2, dim=0)).unflatten(0, (len(x), 2))

    def forward(self, x: Tensor) -> Tensor:
        return self._changed(x) if self.training else self.standardize(x)
