"""Low-rank adapters trained on true labels, then merged into the weights.

E. Hu, Y. Shen, P. Wallis, Z. Allen-Zhu, Y. Li, S. Wang, L. Wang, W. Chen, "LoRA: Low-Rank Adaptation of Large Language
Models", ICLR 2022, section 4.1.

Differs from the paper: adapters on every convolution (as the matrix of outputs by inputs times window) and linear
layer, the last one included; BatchNorm keeps its statistics. Costs a training of few parameters on the attacker's
images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.attacks.prune import prunable
from modelprint.training.loop import TrainRecipe


@ATTACKS.register("lora")
@dataclass(frozen=True, kw_only=True)
class LoRA(Attack):
    """Merged adapters.

    Attributes:
        rank: of every adapter.
        epochs, lr: of their training.
    """

    name: ClassVar[str] = "lora"
    family: ClassVar[Family] = "fine-tuning"

    rank: int = 2
    epochs: int = 10
    lr: float = 0.01

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"rank must be at least 1, got {self.rank}")

    def _run(self, loot: Loot) -> AttackResult:
        modules = prunable(loot.copy)
        adapters = [_Adapter(module.weight, self.rank, loot.generator) for module in modules]
        for module, adapter in zip(modules, adapters, strict=True):
            parametrize.register_parametrization(module, "weight", adapter)
        recipe = TrainRecipe(epochs=self.epochs, lr=self.lr, schedule="constant", augment="none", bn_eval=True)
        moving = [parameter for adapter in adapters for parameter in adapter.parameters()]
        report = self.train(loot, loot.copy, loot.images, loot.labels, recipe, parameters=moving)
        for module in modules:
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
        return AttackResult(model=loot.copy, spec=loot.spec, report={"losses": list(report.losses)})


class _Adapter(nn.Module):
    """Adds a product of two thin matrices; at first it adds nothing."""

    def __init__(self, weight: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = weight.flatten(1).shape
        down = torch.randn(rank, columns, generator=generator) / columns**0.5
        self.down = nn.Parameter(down.to(weight.device))
        self.up = nn.Parameter(torch.zeros(rows, rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with what the adapter adds."""
        return weight + (self.up @ self.down).reshape(weight.shape)
