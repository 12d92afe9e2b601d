"""Adversarial extraction: a student of the source's labels, hardened afterwards with PGD examples.

Y. Guan, J. Liang, R. He, "Are You Stealing My Model? Sample Correlation for Fingerprinting Deep Neural Networks" (SAC),
NeurIPS 2022: a label-extracted student, then 2 epochs on PGD examples (4/255) with the source's labels.

Differs from the paper: budget 4/256 and half of each batch stays clean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from modelprint.attacks.adversarial import AdversarialTraining
from modelprint.attacks.base import ATTACKS, AttackResult, Loot
from modelprint.attacks.extract import Extraction, ExtractLabels


@ATTACKS.register("extract-adversarial")
@dataclass(frozen=True, kw_only=True)
class ExtractAdversarial(Extraction):
    """Adversarial extraction.

    Attributes:
        hardening_epochs: with PGD examples, at learning rate `hardening_lr`.
        epsilon: of the PGD examples, as a share of the range of a coordinate.
    """

    name: ClassVar[str] = "extract-adversarial"

    hardening_epochs: int = 2
    hardening_lr: float = 0.01
    epsilon: float = 4 / 256
    steps: int = 5

    def _run(self, loot: Loot) -> AttackResult:
        answered = replace(
            loot.data,
            labels=loot.answers().argmax(1).numpy(),
            class_names=tuple(str(label) for label in range(loot.spec.classes)),
        )
        student = ExtractLabels(arch=self.arch, arch_args=self.arch_args, epochs=self.epochs, recipe=self.recipe).run(
            loot.copy, loot.spec, loot.data, seed=loot.seed, on_epoch=loot.on_epoch
        )
        hardening = AdversarialTraining(
            epsilon=self.epsilon, steps=self.steps, epochs=self.hardening_epochs, lr=self.hardening_lr
        )
        result = hardening.run(student.model, student.spec, answered, seed=loot.seed)
        report = {"extraction": student.report, "hardening": result.report, "queries": len(answered)}
        if self.recipe is not None:
            report["note"] = f"{self.name} hooks into training to harden: the built-in loop did that with sgd"
        return AttackResult(model=result.model, spec=result.spec, report=report)
