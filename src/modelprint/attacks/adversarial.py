"""Adversarial training: the copy learns true labels on clean images and on L-infinity PGD examples of itself.

A. Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018; clean images mixed in and
budgets 1e-3 .. 1 as in ADV-TRA (NeurIPS 2024), which trains 20-50 epochs.

Differs from the paper: it starts from the source's weights; half of each batch is perturbed, half stays clean; fewer
epochs and PGD steps unless said otherwise; constant learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.perturb.pgd import pgd
from modelprint.training.loop import Augment, TrainRecipe, fit


@ATTACKS.register("adversarial")
@dataclass(frozen=True, kw_only=True)
class AdversarialTraining(Attack):
    """Fine-tuning with PGD examples.

    Attributes:
        epsilon: the largest change of a coordinate, as a share of its range (of a pixel: on the [0, 1] scale).
        share: of each batch that is perturbed.
    """

    name: ClassVar[str] = "adversarial"
    family: ClassVar[Family] = "adversarial"
    hooks: ClassVar[bool] = True

    epsilon: float = 0.01
    steps: int = 5
    share: float = 0.5
    epochs: int = 10
    lr: float = 0.01
    augment: Augment = "none"

    def __post_init__(self) -> None:
        if not self.epsilon > 0:
            raise ValueError(f"epsilon must be positive, got {self.epsilon}")

    def _run(self, loot: Loot) -> AttackResult:
        def perturb(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
            hard = round(self.share * len(inputs))  # batches are shuffled: the first ones are any ones
            moved = pgd(
                model,
                inputs[:hard],
                labels[:hard],
                epsilon=self.epsilon * loot.data.modality.box.span,
                steps=self.steps,
                generator=loot.generator,
                space=loot.data.modality.box,
            )
            return torch.cat([moved, inputs[hard:]])

        recipe = TrainRecipe(epochs=self.epochs, lr=self.lr, schedule="constant", augment=self.augment)
        report = fit(
            loot.copy,
            loot.images,
            loot.labels,
            self.hooked(recipe),
            generator=loot.generator,
            perturb=perturb,
            on_epoch=loot.on_epoch,
            modality=loot.data.modality,
        )
        return AttackResult(model=loot.copy, spec=loot.spec, report={"losses": list(report.losses)})
