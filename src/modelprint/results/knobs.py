"""A knob of an attack that was turned: which, how far, and on which line of a chart the model stands.

Benchmarks write it by the attack's parameters. Results of before hold labels alone, which `by_label` reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from modelprint.attacks.finetune import FineTune
from modelprint.core.records import Record

Knob = Literal["epochs", "pruned", "budget"]

_TUNED = ("FTLL", "FTAL", "RTLL", "RTAL")
_TUNING = re.compile(r"(FTLL|FTAL|RTLL|RTAL)(?:, (\d+) epochs?)?")
_PRUNING = re.compile(r"prune (\d+(?:\.\d+)?) %(, fine-tuned)?")
_ADVERSARIAL = re.compile(r"adversarial (\d+(?:\.\d+)?)")


class Turned(Record):
    """A point of a chart: epochs of fine-tuning, percent of weights pruned, or L-infinity budget."""

    knob: Knob
    line: str
    value: float


def by_parameters(attack: str, parameters: Mapping[str, Any]) -> Turned | None:
    """The knob of an attack by its registered name and parameters; None for attacks without one.

    An attack that trained by a chosen recipe has none either: its epochs are not those of the published settings.

    >>> by_parameters("prune", {"rate": 0.6, "finetune_epochs": 10})
    Turned(knob='pruned', line='then fine-tuned', value=60.0)
    """
    if "recipe" in parameters:
        return None
    if attack.upper() in _TUNED:
        return Turned(knob="epochs", line=attack.upper(), value=float(parameters["epochs"]))
    if attack == "prune":
        line = "then fine-tuned" if parameters["finetune_epochs"] else "not fine-tuned"
        return Turned(knob="pruned", line=line, value=round(100 * float(parameters["rate"]), 6))
    if attack == "adversarial":
        return Turned(knob="budget", line="adversarial training", value=float(parameters["epsilon"]))
    return None


def by_label(attack: str | None) -> Turned | None:
    """What an attack's label in older results says of a knob; None for attacks without one.

    An attack named without epochs was made with the attack's own default.

    >>> by_label("RTAL, 30 epochs")
    Turned(knob='epochs', line='RTAL', value=30.0)
    >>> by_label("FTLL").value, by_label("prune 60 %, fine-tuned").line, by_label("adversarial 0.01").value
    (10.0, 'then fine-tuned', 0.01)
    >>> by_label("extracted, then pruned") is None
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
