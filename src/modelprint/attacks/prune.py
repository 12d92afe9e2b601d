"""Magnitude pruning: the smallest weights of the whole network become zero.

S. Han, J. Pool, J. Tran, W. Dally, "Learning both Weights and Connections for Efficient Neural Networks", NIPS 2015;
rates .1-.9 and fine-tuning after it as in the fingerprinting papers (ADV-TRA: 10 epochs at learning rate .001).

Differs from the paper: one step instead of several; the threshold is global, over all convolutions and linear layers.
Pruned weights stay zero during fine-tuning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn.utils import prune

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.nn.architectures import Normalized
from modelprint.nn.layers import Weighted
from modelprint.training.loop import TrainRecipe


@ATTACKS.register("prune")
@dataclass(frozen=True, kw_only=True)
class Prune(Attack):
    """Global magnitude pruning.

    Attributes:
        rate: the share of weights that becomes zero, in (0, 1).
        finetune_epochs: training on true labels after it; 0 for none.
    """

    name: ClassVar[str] = "prune"
    family: ClassVar[Family] = "pruning"

    rate: float = 0.5
    finetune_epochs: int = 0
    lr: float = 0.001

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(f"rate must lie between 0 and 1, got {self.rate}")

    def _run(self, loot: Loot) -> AttackResult:
        loot.copy.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch.prune views weights
        weights = [(module, "weight") for module in prunable(loot.copy)]
        prune.global_unstructured(weights, prune.L1Unstructured, amount=self.rate)
        losses = self._finetuned(loot, loot.copy)
        for module, name in weights:
            prune.remove(module, name)  # type: ignore[no-untyped-call]
        return AttackResult(model=loot.copy, spec=loot.spec, report={"losses": losses, "sparsity": sparsity(loot.copy)})

    def _finetuned(self, loot: Loot, model: Normalized) -> list[float]:
        """The losses of training on true labels, if any."""
        if not self.finetune_epochs:
            return []
        recipe = TrainRecipe(epochs=self.finetune_epochs, lr=self.lr, schedule="constant", augment="none")
        return list(self.train(loot, model, loot.images, loot.labels, recipe).losses)


def prunable(model: nn.Module) -> list[Weighted]:
    """Convolutions and linear layers; not the last layer of torch's attention, whose weights it reads by itself."""
    return [
        module
        for module in model.modules()
        if isinstance(module, Weighted) and not isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear)
    ]


def sparsity(model: Normalized) -> float:
    """The share of zeros among the weights of convolutions and linear layers."""
    weights = [module.weight.detach() for module in prunable(model)]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return zeros / sum(weight.numel() for weight in weights)
