"""What a label of an attack says: the knob that was turned, how far, and on which line of a chart it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from modelprint.attacks.finetune import FineTune

Knob = Literal["epochs", "pruned", "budget"]

_TUNING = re.compile(r"(FTLL|FTAL|RTLL|RTAL)(?:, (\d+) epochs?)?")
_PRUNING = re.compile(r"prune (\d+(?:\.\d+)?) %(, fine-tuned)?")
_ADVERSARIAL = re.compile(r"adversarial (\d+(?:\.\d+)?)")


@dataclass(frozen=True, kw_only=True)
class Turned:
    """A point of a chart: epochs of fine-tuning, percent of weights pruned, or L-infinity budget."""

    knob: Knob
    line: str
    value: float


def turned(attack: str | None) -> Turned | None:
    """What an attack's label says of a knob; None for attacks without one.

    An attack named without epochs was made with the attack's own default.

    >>> turned("RTAL, 30 epochs")
    Turned(knob='epochs', line='RTAL', value=30.0)
    >>> turned("FTLL").value, turned("prune 60 %, fine-tuned").line, turned("adversarial 0.01").value
    (10.0, 'then fine-tuned', 0.01)
    >>> turned("extracted, then pruned") is None
    True
    """
    if attack is None:
        return None
    if match := _TUNING.fullmatch(attack):
        kind, epochs = match.groups()
        return Turned(knob="epochs", line=kind, value=float(epochs or FineTune.epochs))
    if match := _PRUNING.fullmatch(attack):
        line = "then fine-tuned" if match[2] else "not fine-tuned"
        return Turned(knob="pruned", line=line, value=float(match[1]))
    if match := _ADVERSARIAL.fullmatch(attack):
        return Turned(knob="budget", line="adversarial training", value=float(match[1]))
    return None
