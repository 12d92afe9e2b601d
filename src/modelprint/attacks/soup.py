"""A soup: the weights of the source and of another model of the same architecture, averaged.

M. Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time", ICML 2022.

Differs from the paper: two models; the other is a file that the attacker has (`other`: a sibling, tuned from the same
public model, gives a good soup), or a model that he trains from scratch on his images (a soup with it answers badly
unless one share is large). Averaging costs nothing; training the other model costs what it costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.core.devices import device_of
from modelprint.core.errors import ModelError
from modelprint.nn.spec import build
from modelprint.nn.weight_files import read_weights
from modelprint.training.train import default_recipe


@ATTACKS.register("soup")
@dataclass(frozen=True, kw_only=True)
class Soup(Attack):
    """An average of two models' weights, statistics of BatchNorm included.

    Attributes:
        share: of the source, in (0, 1).
        other: a weights file of the same architecture; none: a model is trained from scratch.
        epochs: of that training; those of the data's default recipe when none are given.
    """

    name: ClassVar[str] = "soup"
    family: ClassVar[Family] = "averaging"

    share: float = 0.5
    other: str = ""
    epochs: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share must lie between 0 and 1, got {self.share}")

    def _run(self, loot: Loot) -> AttackResult:
        other = read_weights(Path(self.other)).state if self.other else self._trained(loot)
        own = loot.copy.body.state_dict()
        different = [name for name, value in own.items() if name not in other or other[name].shape != value.shape]
        if different:
            raise ModelError(f"{self.other or 'the other model'} has no {different[0]} of the source's shape: no soup")
        with torch.no_grad():
            for name, value in own.items():
                if value.is_floating_point():
                    value.mul_(self.share).add_(other[name].to(value.device, value.dtype), alpha=1 - self.share)
        return AttackResult(model=loot.copy, spec=loot.spec)

    def _trained(self, loot: Loot) -> Mapping[str, Tensor]:
        model = build(loot.spec, seed=loot.seed).to(device_of(loot.copy))
        self.train(loot, model, loot.images, loot.labels, default_recipe(loot.data, epochs=self.epochs))
        return model.body.state_dict()
