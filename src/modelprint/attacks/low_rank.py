"""Low-rank factors: every weight is replaced by its best approximation of a lower rank.

E. Denton, W. Zaremba, J. Bruna, Y. LeCun, R. Fergus, "Exploiting Linear Structure Within Convolutional Networks for
Efficient Evaluation", NIPS 2014, section 3.2.

Differs from the paper: one singular value decomposition of the matrix (outputs, inputs times window); the factors are
multiplied out again, so that the architecture stays. Costs accuracy, which grows fast below half of the rank; no images
and no training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.attacks.prune import prunable


@ATTACKS.register("low-rank")
@dataclass(frozen=True, kw_only=True)
class LowRank(Attack):
    """Low-rank factors of every convolution and linear layer.

    Attributes:
        keep: the share of each weight's rank that stays, in (0, 1).
    """

    name: ClassVar[str] = "low-rank"
    family: ClassVar[Family] = "compression"

    keep: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.keep < 1:
            raise ValueError(f"keep must lie between 0 and 1, got {self.keep}")

    @torch.no_grad()
    def _run(self, loot: Loot) -> AttackResult:
        for module in prunable(loot.copy):
            module.weight.copy_(of_rank(module.weight, self.keep))
        return AttackResult(model=loot.copy, spec=loot.spec)


def of_rank(weight: Tensor, keep: float) -> Tensor:
    """The nearest weight, in squares, that has a share of the full rank, and a rank of at least 1.

    >>> of_rank(torch.tensor([[3.0, 0.0], [0.0, 1.0]]), 0.5).round().tolist()
    [[3.0, 0.0], [0.0, 0.0]]
    """
    left, values, right = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    rank = max(1, round(keep * len(values)))
    nearest: Tensor = (left[:, :rank] * values[:rank]) @ right[:rank]
    return nearest.reshape(weight.shape)
