"""RemovalNet: distil the copy's outputs back into it while its inner features are pushed away from the source's.

H. Yao, Z. Li, K. Huang, J. Lou, Z. Qin, K. Ren, "RemovalNet: DNN Fingerprint Removal Attacks", IEEE TDSC 2023
(arXiv:2308.12319): KL at temperature 20, a feature term, cross-entropy on labels; 400 samples, 1,000 iterations.

Differs from the paper: both levels of its optimisation are minimised together; the feature term is the cosine between
the copy's and the source's features below the last layer, which starts at 1 and has a floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.attacks.extract import distillation
from modelprint.nn.architectures import Normalized
from modelprint.nn.heads import Head, head_of, seen_by
from modelprint.training.loop import Loss, TrainRecipe, fit, predict


@ATTACKS.register("removalnet")
@dataclass(frozen=True, kw_only=True)
class RemovalNet(Attack):
    """RemovalNet.

    Attributes:
        samples: the attacker's images that are used.
        iterations: steps of training.
        feature_weight, label_weight: weights of the feature term and of the cross-entropy, beside the distillation's 1.
    """

    name: ClassVar[str] = "removalnet"
    family: ClassVar[Family] = "removal"
    hooks: ClassVar[bool] = True

    samples: int = 400
    iterations: int = 1000
    temperature: float = 20.0
    feature_weight: float = 3.0
    label_weight: float = 1.0
    lr: float = 0.01
    batch_size: int = 100

    def _run(self, loot: Loot) -> AttackResult:
        chosen = torch.randperm(len(loot.data), generator=loot.generator)[: self.samples]
        images, labels = loot.images[chosen], loot.labels[chosen]
        student = WithFeatures(loot.copy, head_of(loot.copy, loot.spec))
        before = predict(student, images, modality=loot.data.modality).clone()  # of the source: nothing has moved yet
        batches = -(-len(chosen) // self.batch_size)
        recipe = TrainRecipe(
            epochs=-(-self.iterations // batches),
            lr=self.lr,
            batch_size=self.batch_size,
            schedule="constant",
            augment="none",
        )
        report = fit(
            student,
            images,
            torch.cat([before, labels[:, None].float()], dim=1),
            self.hooked(recipe),
            generator=loot.generator,
            loss=self.loss(loot.spec.classes),
            on_epoch=loot.on_epoch,
            modality=loot.data.modality,
        )
        after = predict(student, images, modality=loot.data.modality)
        cosine = functional.cosine_similarity(after[:, loot.spec.classes :], before[:, loot.spec.classes :]).mean()
        return AttackResult(
            model=loot.copy, spec=loot.spec, report={"losses": list(report.losses), "feature_cosine": float(cosine)}
        )

    def loss(self, classes: int) -> Loss:
        """Of rows [logits, features] and rows [source's logits, source's features, label]."""
        distil = distillation(self.temperature)

        def loss(outputs: Tensor, targets: Tensor) -> Tensor:
            logits, features = outputs[:, :classes], outputs[:, classes:]
            teacher, old, labels = targets[:, :classes], targets[:, classes:-1], targets[:, -1].long()
            away = functional.cosine_similarity(features, old).mean()
            return (
                distil(logits, teacher)
                + self.feature_weight * away
                + self.label_weight * functional.cross_entropy(logits, labels)
            )

        return loss


class WithFeatures(nn.Module):
    """A model that returns its logits and, beside them, what its last layer saw."""

    def __init__(self, model: Normalized, head: Head) -> None:
        super().__init__()
        self.model = model
        self.head = head

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits, then features, in one row for each input."""
        with seen_by(self.head.layer) as features:
            logits = self.model(inputs)
        return torch.cat([logits, *(part.flatten(1) for part in features)], dim=1)
