"""Attacks one after another: prune, then fine-tune; extract, then fine-tune ...

N. Lukas, E. Jiang, X. Li, F. Kerschbaum, "SoK: How Robust is Image Classification Deep Neural Network Watermarking?",
S&P 2022: no single attack removed every watermark, combined ones did.

Differs from the paper: any order of any registered attacks, all on the same images; an extracted model may be modified
after the theft.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.core.errors import UsageError
from modelprint.data.labelled import LabelledSet


@ATTACKS.register("chain")
@dataclass(frozen=True, kw_only=True)
class Chain(Attack):
    """A chain.

    Attributes:
        steps: "prune rate=0.6 > ftal epochs=5": attacks with their settings, in order.
    """

    name: ClassVar[str] = "chain"
    family: ClassVar[Family] = "chain"

    steps: str = "prune rate=0.6 > ftal"

    def __post_init__(self) -> None:
        try:
            self.attacks()
        except UsageError as error:
            raise ValueError(f"steps={self.steps!r}: {error}") from error

    def attacks(self) -> tuple[Attack, ...]:
        """The attacks, in order.

        >>> [attack.name for attack in Chain(steps="extract-labels epochs=3 > ftll").attacks()]
        ['extract-labels', 'ftll']
        """
        return tuple(_attack(step) for step in self.steps.split(">"))

    def task(self, data: LabelledSet) -> LabelledSet:
        """The images of the last task of the chain."""
        for attack in self.attacks():
            data = attack.task(data)
        return data

    def _run(self, loot: Loot) -> AttackResult:
        result, data = AttackResult(model=loot.copy, spec=loot.spec), loot.data
        reports: list[dict[str, Any]] = []
        for place, attack in enumerate(self.attacks()):
            if attack.recipe is None:
                attack = replace(attack, recipe=self.recipe)  # noqa: PLW2901 - the same attack, trained otherwise
            result = attack.run(result.model, result.spec, data, seed=loot.seed + place, on_epoch=loot.on_epoch)
            data = attack.task(data)
            reports.append({"attack": attack.name, **result.report})
        return AttackResult(model=result.model, spec=result.spec, report={"steps": reports})


def _attack(step: str) -> Attack:
    name, *settings = step.split() or [""]
    pairs = [setting.partition("=") for setting in settings]
    return ATTACKS[name].configured({key: value for key, _, value in pairs})
