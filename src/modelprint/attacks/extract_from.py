"""Extraction into a student that starts from a public checkpoint, as most thieves' students do.

T. Orekondy, B. Schiele, M. Fritz, "Knockoff Nets: Stealing Functionality of Black-Box Models", CVPR 2019, section 4.2:
students start from ImageNet weights, and learn the source's answers to images of the thief's own.

Differs from the paper: images of the same task, each asked once. Where the source itself was tuned from that
checkpoint, the student is its sibling by weights and its copy by answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import nn
from torch.nn import functional

from modelprint.attacks.base import ATTACKS, AttackResult, Loot
from modelprint.attacks.extract import Extraction, distillation
from modelprint.core.errors import ModelError
from modelprint.nn.arch_names import runs_code
from modelprint.nn.architectures import Normalized
from modelprint.nn.spec import ModelSpec
from modelprint.nn.weight_files import read_weights
from modelprint.training.init import start_from
from modelprint.training.loop import predict


@ATTACKS.register("extract-from")
@dataclass(frozen=True, kw_only=True)
class ExtractFrom(Extraction):
    """A student from a checkpoint, fitted to the source's probabilities, or to its top-1 labels alone.

    Attributes:
        init: the checkpoint, a file that modelprint wrote; its architecture is the student's. None: fresh weights.
        labels: whether top-1 labels are all that the source answers.
        temperature: softens both sides, T >= 1, where it answers probabilities.
    """

    name: ClassVar[str] = "extract-from"

    init: str = ""
    labels: bool = False
    temperature: float = 4.0

    def student_spec(self, source: ModelSpec) -> ModelSpec:
        """The checkpoint's architecture, or as of any extraction, with the source's inputs and classes."""
        if not self.init:
            return super().student_spec(source)
        card = read_weights(Path(self.init)).card
        if card is None:
            raise ModelError(f"{self.init} does not say its architecture: name a file that modelprint wrote")
        if runs_code(card.spec.arch) and card.spec.arch != source.arch:
            raise ModelError(
                f"{self.init} names code, {card.spec.arch}, as its architecture, which the source's is not"
            )
        same = {name: getattr(source, name) for name in ("channels", "size", "height", "classes")}
        return card.spec.model_copy(update=same)

    def prepared(self, student: nn.Module, spec: ModelSpec) -> None:
        """Put the checkpoint's weights into a student."""
        if self.init:
            assert isinstance(student, Normalized)
            start_from(student, self.init, spec)

    def _run(self, loot: Loot) -> AttackResult:
        outputs = predict(loot.copy, loot.images).clone()
        if self.labels:
            return self.train_student(loot, loot.images, outputs.argmax(1))
        answers = functional.log_softmax(outputs, dim=1)
        return self.train_student(
            loot, loot.images, answers, loss=distillation(self.temperature), probabilities=answers.exp()
        )
