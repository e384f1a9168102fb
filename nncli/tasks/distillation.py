"""A net that learns from another's outputs (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network")."""

import copy
from collections.abc import Mapping
from typing import Annotated, Literal, Self, Unpack

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn

from nncli.contracts import Form
from nncli.errors import NnError
from nncli.losses.kl import KL
from nncli.tasks.base import Batch, Parts
from nncli.tasks.classification import Classification, class_scores


class Distillation(Classification):
    """The loss is `alpha` times the divergence from the teacher's softened scores, plus 1 - alpha times that of labels.

    The teacher sees the same standardized and augmented samples as the student. It is frozen, and stored in the
    checkpoints, so that a run can be resumed without the run that the teacher came from.
    """

    def __init__(
        self,
        teacher: nn.Module,
        temperature: Annotated[float, Gt(0)],
        alpha: Annotated[float, Interval(ge=0, le=1)],
        num_classes: Annotated[int, Ge(2)] | None = None,
        class_weights: Literal["balanced"] | None = None,
        **parts: Unpack[Parts],
    ) -> None:
        super().__init__(num_classes, class_weights, **parts)
        self.teacher = teacher.requires_grad_(False).eval()
        self.divergence, self.alpha = KL(temperature), alpha

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.teacher.eval()
        return self

    def forms(self) -> Mapping[str, Form]:
        """Those of the student; the teacher is left behind."""
        student = copy.copy(self)
        student._modules = {name: part for name, part in self._modules.items() if name != "teacher"}
        return super(Distillation, student).forms()

    def training_loss(self, batch: Batch) -> Tensor:
        x, y = self.seen(batch)
        logits = self.net(x)
        scores, taught = class_scores(logits), class_scores(self._taught(x))
        if scores.shape != taught.shape:
            raise NnError(
                f"the teacher outputs {taught.shape[1]} scores, the net {scores.shape[1]}: "
                "a teacher must have been trained on the same classes"
            )
        soft = self.divergence.between(scores.float(), taught.float())
        return self.alpha * soft + (1 - self.alpha) * self._loss(logits, y)

    @torch.no_grad()
    def _taught(self, x: Tensor) -> Tensor:
        try:
            return self.teacher(x)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            why = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise NnError(
                f"the teacher does not accept samples of shape {list(x.shape[1:])}; it must have been trained on "
                f"samples of that shape ({why})"
            ) from error
