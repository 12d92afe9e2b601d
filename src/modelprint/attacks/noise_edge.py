"""Gaussian noise on every weight, as much as the copy's worth allows.

Of the kind of weight shifting in N. Lukas, E. Jiang, X. Li, F. Kerschbaum, "SoK: How Robust is Image Classification
Deep Neural Network Watermarking?", S&P 2022.

Differs from the paper: the scale is the largest at which accuracy on the attacker's images stays above a share of the
source's, found by halving an interval; no fine-tuning follows. Costs up to 15 % of the accuracy, and nine passes over
the attacker's images, without training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.attacks.prune import prunable

_LARGEST = 2.0  # standard deviations of a tensor


@ATTACKS.register("noise-edge")
@dataclass(frozen=True, kw_only=True)
class NoiseEdge(Attack):
    """Weight noise to the edge of worth.

    Attributes:
        worth: the share of the source's accuracy, on the attacker's images, that the copy keeps, in (0, 1).
        steps: how often the interval is halved.
    """

    name: ClassVar[str] = "noise-edge"
    family: ClassVar[Family] = "noise"

    worth: float = 0.85
    steps: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.worth < 1:
            raise ValueError(f"worth must lie between 0 and 1, got {self.worth}")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")

    @torch.no_grad()
    def _run(self, loot: Loot) -> AttackResult:
        modules = prunable(loot.copy)
        before = [module.weight.clone() for module in modules]
        noise = [
            torch.randn(weight.shape, generator=loot.generator).to(weight.device) * weight.std() for weight in before
        ]
        least = self.worth * _accuracy(loot)
        low, high = 0.0, _LARGEST
        for _ in range(self.steps):
            middle = (low + high) / 2
            _add(modules, before, noise, middle)
            low, high = (middle, high) if _accuracy(loot) >= least else (low, middle)
        _add(modules, before, noise, low)
        return AttackResult(model=loot.copy, spec=loot.spec, report={"scale": low, "accuracy": _accuracy(loot)})


def _add(modules: Sequence[nn.Module], before: Sequence[Tensor], noise: Sequence[Tensor], scale: float) -> None:
    for module, weight, part in zip(modules, before, noise, strict=True):
        assert isinstance(module.weight, Tensor)
        module.weight.copy_(weight + scale * part)


def _accuracy(loot: Loot) -> float:
    """On the attacker's images."""
    return float((loot.answers().argmax(1) == loot.labels).double().mean())
