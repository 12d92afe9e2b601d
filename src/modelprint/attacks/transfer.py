"""Transfer learning: a new last layer for other classes, then all layers are fine-tuned.

N. Lukas, E. Jiang, X. Li, F. Kerschbaum, "SoK: How Robust is Image Classification Deep Neural Network Watermarking?",
S&P 2022, section 4; Y. Guan, J. Liang, R. He (SAC), NeurIPS 2022, count it among the thefts.

Differs from the paper: the new task may be the first few classes of the same data, so that any data set can serve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot, Takes
from modelprint.core.errors import DataError, ModelError
from modelprint.data.labelled import LabelledSet
from modelprint.nn.arch_names import runs_code
from modelprint.nn.heads import head_of, replace_head
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.loop import TrainRecipe


@ATTACKS.register("transfer")
@dataclass(frozen=True, kw_only=True)
class Transfer(Attack):
    """Transfer to other classes.

    Attributes:
        trunk_stays: whether nothing but the new layer is trained.
        classes: the first so many classes of the images are the new task; all of them when none is given.
    """

    name: ClassVar[str] = "transfer"
    family: ClassVar[Family] = "transfer"
    takes: ClassVar[Takes] = "same-inputs"
    trunk_stays: ClassVar[bool] = False

    classes: int | None = 5
    epochs: int = 10
    lr: float = 0.01

    def __post_init__(self) -> None:
        if self.classes is not None and self.classes < 2:
            raise ValueError(f"classes must be at least 2, got {self.classes}")

    def task(self, data: LabelledSet) -> LabelledSet:
        """The images of the new task."""
        if self.classes is None:
            return data
        if self.classes > data.classes:
            raise DataError(f"{data.name} has {data.classes} classes, {self.classes} were asked for")
        part = data.take(np.flatnonzero(data.labels < self.classes))
        return replace(
            part,
            name=f"{data.name} (first {self.classes} classes)",
            class_names=data.class_names[: self.classes],
            numbering="list",
        )

    def _run(self, loot: Loot) -> AttackResult:
        task = self.task(loot.data)
        spec = loot.spec.model_copy(update={"classes": task.classes})
        check_builds(spec)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(loot.seed)
            replace_head(loot.copy, head_of(loot.copy, loot.spec), task.classes)
        recipe = TrainRecipe(
            epochs=self.epochs, lr=self.lr, schedule="constant", augment="none", bn_eval=self.trunk_stays
        )
        report = self.train(
            loot,
            loot.copy,
            torch.from_numpy(task.stored),
            torch.from_numpy(task.labels),
            recipe,
            classes=task.classes,
            parameters=head_of(loot.copy, spec).layer.parameters() if self.trunk_stays else None,
        )
        return AttackResult(model=loot.copy, spec=spec, report={"losses": list(report.losses)})


def check_builds(spec: ModelSpec) -> None:
    """Refuse, before training, an architecture whose file could not be read again with other classes."""
    if runs_code(spec.arch) and head_of(build(spec), spec).classes != spec.classes:
        raise ModelError(
            f"{spec.arch} always gives the same number of classes: let it take the argument `classes`, which transfer "
            "changes"
        )
