"""JBDA: a few seeds grow into a transfer set along the student's own gradients.

N. Papernot, P. McDaniel, I. Goodfellow, S. Jha, Z. B. Celik, A. Swami, "Practical Black-Box Attacks against Machine
Learning", AsiaCCS 2017, algorithm 1; M. Juuti et al. (PRADA), EuroS&P 2019, defend against it.

Differs from the paper: the student trains on between rounds (it does not start anew) and once more at the end; the
source is asked with points rounded to what is stored, as an API would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from modelprint.attacks.base import ATTACKS, AttackResult, Loot
from modelprint.attacks.extract import Extraction
from modelprint.core.devices import device_of
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.nn.spec import build
from modelprint.perturb.evaluate import frozen
from modelprint.training.loop import TrainRecipe, fit, predict
from modelprint.training.train import default_recipe


@ATTACKS.register("jbda")
@dataclass(frozen=True, kw_only=True)
class JBDA(Extraction):
    """Jacobian-based dataset augmentation.

    Attributes:
        seeds: the attacker's images at the start; each round doubles the set.
        rounds: of augmentation.
        step: lambda, as a share of the range of a coordinate.
        round_epochs: training in each round; `epochs` is the training at the end.
    """

    name: ClassVar[str] = "jbda"

    seeds: int = 150
    rounds: int = 6
    step: float = 0.1
    round_epochs: int = 10
    epochs: int | None = 10

    def _run(self, loot: Loot) -> AttackResult:
        spec = self.student_spec(loot.spec)
        student = build(spec, seed=loot.seed).to(device_of(loot.copy)).eval()
        chosen = torch.randperm(len(loot.data), generator=loot.generator)[: self.seeds]
        points = loot.images[chosen]
        labels = predict(loot.copy, points, modality=loot.data.modality).argmax(1).clone()
        between = TrainRecipe(epochs=self.round_epochs, lr=0.02, batch_size=64, schedule="constant", augment="none")
        for _ in range(self.rounds):
            fit(student, points, labels, between, generator=loot.generator, modality=loot.data.modality)
            fresh = jacobian_step(student, points, labels, self.step, modality=loot.data.modality)
            points = torch.cat([points, fresh])
            labels = torch.cat([labels, predict(loot.copy, fresh, modality=loot.data.modality).argmax(1)])
        recipe = default_recipe(loot.data, epochs=self.epochs)
        report = self.train(loot, student, points, labels, recipe)
        return AttackResult(model=student, spec=spec, report={"losses": list(report.losses), "queries": len(points)})


def jacobian_step(
    student: nn.Module, stored: Tensor, labels: Tensor, step: float, *, modality: Modality = IMAGE
) -> Tensor:
    """X' = x + lambda sign(dF_label(x)/dx) for stored points, rounded again."""
    moved: list[Tensor] = []
    device = device_of(student)
    with frozen(student):
        for batch, target in zip(torch.split(stored, 512), torch.split(labels, 512), strict=True):
            inputs = modality.to_model(batch, device=device).requires_grad_()
            outputs = student(inputs).gather(1, target[:, None].to(device)).sum()
            (gradient,) = torch.autograd.grad(outputs, inputs)
            moved.append(modality.box.clip(inputs.detach() + step * modality.box.span * gradient.sign()).cpu())
    return modality.to_stored(torch.cat(moved))
