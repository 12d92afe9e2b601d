"""Extraction: a student learns the source's answers to the attacker's images.

F. Tramer, F. Zhang, A. Juels, M. Reiter, T. Ristenpart, "Stealing Machine Learning Models via Prediction APIs", USENIX
Security 2016; with probabilities it is G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network",
2015 (KL divergence between softened outputs, times T squared).

Differs from the paper: each image is asked once, unchanged, and its answer is the target for every shifted or mirrored
view of it; no true label is used; the student trains by the project's own short recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot, Takes
from modelprint.core.devices import device_of
from modelprint.nn.arch_names import code_of, located
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.loop import Loss
from modelprint.training.train import default_recipe


@dataclass(frozen=True, kw_only=True)
class Extraction(Attack):
    """Base of the attacks that train a student on the source's answers.

    Attributes:
        arch: the student's architecture; the source's own when none is given.
        arch_args: its arguments.
        epochs: of the student's training; those of the data's default recipe when none are given.
    """

    family: ClassVar[Family] = "extraction"
    takes: ClassVar[Takes] = "same-inputs"

    arch: str | None = None
    arch_args: Mapping[str, int | float | bool | str] = field(default_factory=dict)
    epochs: int | None = None

    def student_spec(self, source: ModelSpec) -> ModelSpec:
        """What the student is: the source's spec, or another architecture with its inputs and classes."""
        if self.arch is None and not self.arch_args:
            return source
        arch = source.arch if self.arch is None else located(self.arch, Path())
        changes = {"arch": arch, "arch_args": dict(self.arch_args), "head": None, "code": code_of(arch)}
        return source.model_copy(update=changes)

    def prepared(self, student: nn.Module, spec: ModelSpec) -> None:
        """Change a fresh student before it learns; as it is unless a subclass says otherwise."""

    def train_student(
        self,
        loot: Loot,
        images: Tensor,
        targets: Tensor,
        *,
        loss: Loss | None = None,
        probabilities: Tensor | None = None,
    ) -> AttackResult:
        """A fresh student fitted to targets, by the chosen recipe or the default one of the attacker's images.

        Args:
            probabilities: what an owner's own recipe learns in place of targets that only `loss` understands.
        """
        spec = self.student_spec(loot.spec)
        student = build(spec, seed=loot.seed).to(device_of(loot.copy))
        self.prepared(student, spec)
        recipe = default_recipe(loot.data, epochs=self.epochs)
        report = self.train(loot, student, images, targets, recipe, loss=loss, probabilities=probabilities)
        return AttackResult(model=student, spec=spec, report={"losses": list(report.losses), "queries": len(images)})


@ATTACKS.register("extract-soft")
@dataclass(frozen=True, kw_only=True)
class ExtractSoft(Extraction):
    """From probabilities.

    Attributes:
        temperature: softens both sides, T >= 1.
    """

    name: ClassVar[str] = "extract-soft"

    temperature: float = 4.0

    def _run(self, loot: Loot) -> AttackResult:
        answers = functional.log_softmax(loot.answers(), dim=1)
        return self.train_student(
            loot, loot.images, answers, loss=distillation(self.temperature), probabilities=answers.exp()
        )


@ATTACKS.register("extract-labels")
@dataclass(frozen=True, kw_only=True)
class ExtractLabels(Extraction):
    """From top-1 labels alone."""

    name: ClassVar[str] = "extract-labels"

    def _run(self, loot: Loot) -> AttackResult:
        return self.train_student(loot, loot.images, loot.answers().argmax(1))


def distillation(temperature: float) -> Loss:
    """KL(teacher || student) of outputs softened by T, mean over the batch, times T squared.

    >>> import torch
    >>> answers = torch.tensor([[0.7, 0.3]]).log()
    >>> round(float(distillation(2.0)(answers + 5.0, answers)), 6)
    0.0
    """

    def loss(logits: Tensor, teacher: Tensor) -> Tensor:
        return temperature**2 * functional.kl_div(
            functional.log_softmax(logits / temperature, dim=1),
            functional.log_softmax(teacher / temperature, dim=1),
            reduction="batchmean",
            log_target=True,
        )

    return loss
