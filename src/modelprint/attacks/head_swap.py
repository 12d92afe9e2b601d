"""Another head on a frozen trunk: a new last layer for other classes, and nothing else moves.

J. Yosinski, J. Clune, Y. Bengio, H. Lipson, "How transferable are features in deep neural networks?", NIPS 2014: frozen
features serve another task.

Differs from the paper: the last layer alone is new; the task is as in `transfer`. Costs a training of one layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from modelprint.attacks.base import ATTACKS, AttackResult, Loot
from modelprint.attacks.transfer import Transfer, check_builds
from modelprint.nn.heads import head_of, replace_head
from modelprint.training.loop import TrainRecipe


@ATTACKS.register("head-swap")
@dataclass(frozen=True, kw_only=True)
class HeadSwap(Transfer):
    """A new head, on features that stay."""

    name: ClassVar[str] = "head-swap"

    def _run(self, loot: Loot) -> AttackResult:
        task = self.task(loot.data)
        spec = loot.spec.model_copy(update={"classes": task.classes})
        check_builds(spec)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(loot.seed)
            replace_head(loot.copy, head_of(loot.copy, loot.spec), task.classes)
        recipe = TrainRecipe(epochs=self.epochs, lr=self.lr, schedule="constant", augment="none", bn_eval=True)
        report = self.train(
            loot,
            loot.copy,
            torch.from_numpy(task.stored),
            torch.from_numpy(task.labels),
            recipe,
            classes=task.classes,
            parameters=head_of(loot.copy, spec).layer.parameters(),
        )
        return AttackResult(model=loot.copy, spec=spec, report={"losses": list(report.losses)})
