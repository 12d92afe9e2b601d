"""Gaussian noise on every weight, relative to the spread of its tensor.

Of the kind of weight shifting in N. Lukas, E. Jiang, X. Li, F. Kerschbaum, "SoK: How Robust is Image Classification
Deep Neural Network Watermarking?", S&P 2022.

Differs from the paper: plain Gaussian noise, scaled by each tensor's own standard deviation; no fine-tuning follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.attacks.prune import prunable


@ATTACKS.register("noise")
@dataclass(frozen=True, kw_only=True)
class WeightNoise(Attack):
    """Weight noise.

    Attributes:
        scale: standard deviation of the noise, in standard deviations of the tensor.
    """

    name: ClassVar[str] = "noise"
    family: ClassVar[Family] = "noise"

    scale: float = 0.05

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}")

    @torch.no_grad()
    def _run(self, loot: Loot) -> AttackResult:
        for module in prunable(loot.copy):
            noise = torch.randn(module.weight.shape, generator=loot.generator)
            module.weight.add_(noise.to(module.weight.device), alpha=self.scale * float(module.weight.std()))
        return AttackResult(model=loot.copy, spec=loot.spec)
