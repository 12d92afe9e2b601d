"""Distillation with features: a student learns the source's probabilities and what its last layer sees.

A. Romero, N. Ballas, S. E. Kahou, A. Chassang, C. Gatta, Y. Bengio, "FitNets: Hints for Thin Deep Nets", ICLR 2015,
section 2.3; the distillation is that of G. Hinton, O. Vinyals, J. Dean, 2015.

Differs from the paper: the student has the source's architecture, so that no regressor is needed; hint and
distillation are learned together. The attacker holds the source's weights, but the student's are fresh. Costs a
training from scratch on the attacker's images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot, Takes
from modelprint.attacks.extract import distillation
from modelprint.attacks.removalnet import WithFeatures
from modelprint.core.devices import device_of
from modelprint.nn.heads import head_of
from modelprint.nn.spec import build
from modelprint.training.loop import Loss, fit
from modelprint.training.train import default_recipe


@ATTACKS.register("distil-features")
@dataclass(frozen=True, kw_only=True)
class DistilFeatures(Attack):
    """Distillation with features.

    Attributes:
        temperature: softens both sides, T >= 1.
        feature_weight: of the hint, the mean squared difference of features relative to the source's, beside the
            distillation's 1.
        epochs: those of the data's default recipe when none are given.
    """

    name: ClassVar[str] = "distil-features"
    family: ClassVar[Family] = "extraction"
    takes: ClassVar[Takes] = "same-inputs"
    hooks: ClassVar[bool] = True

    temperature: float = 4.0
    feature_weight: float = 1.0
    epochs: int | None = None

    def _run(self, loot: Loot) -> AttackResult:
        teacher = WithFeatures(loot.copy, head_of(loot.copy, loot.spec))
        targets = loot.answers(teacher)
        student = build(loot.spec, seed=loot.seed).to(device_of(loot.copy))
        report = fit(
            WithFeatures(student, head_of(student, loot.spec)),
            loot.images,
            targets,
            self.hooked(default_recipe(loot.data, epochs=self.epochs)),
            generator=loot.generator,
            loss=self.loss(loot.spec.classes),
            on_epoch=loot.on_epoch,
            modality=loot.data.modality,
        )
        return AttackResult(model=student, spec=loot.spec, report={"losses": list(report.losses)})

    def loss(self, classes: int) -> Loss:
        """Of rows [logits, features] of student and source."""
        distil = distillation(self.temperature)

        def loss(outputs: Tensor, targets: Tensor) -> Tensor:
            features, hint = outputs[:, classes:], targets[:, classes:]
            size = hint.square().mean().clamp_min(torch.finfo(hint.dtype).tiny)
            soft = functional.log_softmax(targets[:, :classes], dim=1)
            return distil(outputs[:, :classes], soft) + self.feature_weight * (features - hint).square().mean() / size

        return loss
