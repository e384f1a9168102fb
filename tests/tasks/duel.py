"""Two nets against each other: a task with an optimizer for each, the second of which moves at every other step."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import SGD

from nncli.contracts import Direction, Turn
from nncli.optim.updates import Updates
from nncli.tasks.base import Batch, Task
from tests.tasks.parts import made


class Duel(Task):
    """The critic tells inputs from what the net makes of them."""

    metrics: ClassVar[Mapping[str, Direction]] = {"fooled": "max"}
    logged: ClassVar[Mapping[str, Direction]] = {"critic_loss": "min", "net_loss": "min"}

    def __init__(self, critic: nn.Module, **parts: Any) -> None:
        super().__init__(**parts)
        self.critic, self.critic_updates = critic, Updates(partial(SGD, lr=0.1))

    def turns(self) -> list[Turn]:
        return [
            Turn(self.critic, self.critic_updates, self.critic_loss, name="critic"),
            Turn(self.net, self.updates, self.net_loss, name="net", every=2),
        ]

    def critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        x = self.transform(batch[0])
        return {"loss": softplus(-self.critic(x)).mean() + softplus(self.critic(self.net(x))).mean()}

    def net_loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": softplus(-self.critic(self(batch[0]))).mean()}

    def metric_sums(self, batch: Batch) -> Tensor:
        given = self.critic(self(batch[0]))
        return torch.stack([given.new_tensor(len(given)), (given > 0).sum()])

    def metrics_from(self, sums: list[float]) -> dict[str, float]:
        return {"fooled": sums[1] / sums[0]}


def duel() -> Duel:
    """On samples of two numbers; the same weights every time."""
    torch.manual_seed(0)
    return made(Duel, nn.Linear(2, 2), monitor="val/fooled", critic=nn.Linear(2, 1))
