"""Fine-pruning: the least active units of the last hidden layer go, then all layers are fine-tuned.

K. Liu, B. Dolan-Gavitt, S. Garg, "Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural Networks", RAID
2018, section 4.

Differs from the paper: a fixed share of units goes, where the paper prunes until validation accuracy falls by 4 points;
units are the features that the last layer sees (the channels of the last convolution after global pooling). They stay
gone during fine-tuning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.utils import prune

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.nn.architectures import Normalized
from modelprint.nn.heads import Head, head_of
from modelprint.training.loop import TrainRecipe, predict


@ATTACKS.register("fine-prune")
@dataclass(frozen=True, kw_only=True)
class FinePrune(Attack):
    """Fine-pruning.

    Attributes:
        rate: the share of units that goes, in (0, 1).
        epochs: fine-tuning on true labels after it.
    """

    name: ClassVar[str] = "fine-prune"
    family: ClassVar[Family] = "pruning"

    rate: float = 0.5
    epochs: int = 10
    lr: float = 0.005

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(f"rate must lie between 0 and 1, got {self.rate}")

    def _run(self, loot: Loot) -> AttackResult:
        head = head_of(loot.copy, loot.spec)
        activity = mean_activity(loot.copy, head, loot.images, modality=loot.data.modality)
        gone = activity.argsort()[: int(self.rate * len(activity))]
        mask = torch.ones_like(head.layer.weight)
        mask[:, gone] = 0
        prune.custom_from_mask(head.layer, "weight", mask)  # type: ignore[no-untyped-call]
        recipe = TrainRecipe(epochs=self.epochs, lr=self.lr, schedule="constant", augment="none")
        report = self.train(loot, loot.copy, loot.images, loot.labels, recipe)
        prune.remove(head.layer, "weight")  # type: ignore[no-untyped-call]
        return AttackResult(
            model=loot.copy,
            spec=loot.spec,
            report={"losses": list(report.losses), "pruned_units": len(gone), "units": len(activity)},
        )


def mean_activity(model: Normalized, head: Head, images: Tensor, *, modality: Modality = IMAGE) -> Tensor:
    """Mean absolute value of each input of the last layer, summed over places where there are any: (features,)."""
    total = torch.zeros(head.width)

    def note(_: torch.nn.Module, arguments: tuple[Tensor, ...]) -> None:
        features = arguments[0].movedim(1, -1) if isinstance(head.layer, torch.nn.Conv2d) else arguments[0]
        total.add_(features.abs().reshape(-1, head.width).sum(0).cpu())

    hook = head.layer.register_forward_pre_hook(note)
    try:
        predict(model, images, modality=modality)
    finally:
        hook.remove()
    return total / len(images)
