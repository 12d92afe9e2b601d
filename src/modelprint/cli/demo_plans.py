"""What the demo trains for each modality: a bundled set, networks, copies and independent models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelprint.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class DemoCopy:
    """A copy of the source.

    Attributes:
        words: what the table calls it.
    """

    attack: str
    settings: Mapping[str, str] = field(default_factory=dict)
    words: str


@dataclass(frozen=True, kw_only=True)
class DemoModel:
    """An independent model, trained on a split of the set."""

    kind: str
    split: str
    arch: str
    arch_args: Mapping[str, int] = field(default_factory=dict)
    seed: int


@dataclass(frozen=True, kw_only=True)
class DemoPlan:
    """The models of one demo.

    Attributes:
        data: a set that is bundled, or drawn here.
        arch: of the source.
    """

    data: str
    arch: str
    copies: tuple[DemoCopy, ...]
    independent: tuple[DemoModel, ...]


COPIES = (
    DemoCopy(attack="ftll", words="fine-tuned, last layer"),
    DemoCopy(attack="ftal", words="fine-tuned, all layers"),
    DemoCopy(attack="rtal", words="last layer re-trained, then all"),
    DemoCopy(attack="prune", settings={"rate": "0.4", "finetune_epochs": "0"}, words="40 % pruned"),
    DemoCopy(attack="prune", settings={"rate": "0.6", "finetune_epochs": "10"}, words="60 % pruned, fine-tuned"),
    DemoCopy(attack="extract-soft", words="extracted from probabilities"),
    DemoCopy(attack="extract-labels", words="extracted from labels"),
)


def _independent(own: str, wide: str, other: str, **arch_args: int) -> tuple[DemoModel, ...]:
    """Two like the source, one of other data, one of another architecture, one of both."""
    return (
        DemoModel(kind="SAST", split="owner", arch=own, seed=11),
        DemoModel(kind="SAST", split="owner", arch=own, seed=12),
        DemoModel(kind="SADT", split="stranger", arch=own, seed=13),
        DemoModel(kind="DAST", split="owner", arch=wide, seed=14),
        DemoModel(kind="DADT", split="stranger", arch=other, arch_args=arch_args, seed=15),
    )


DEMOS: Mapping[str, DemoPlan] = {
    "image": DemoPlan(data="digits", arch="cnn", copies=COPIES, independent=_independent("cnn", "wide", "mlp")),
    "vector": DemoPlan(
        data="digits-table",
        arch="vector-mlp",
        copies=COPIES,
        independent=_independent("vector-mlp", "vector-residual", "vector-mlp", width=48, depth=3),
    ),
    "series": DemoPlan(
        data="control-charts",
        arch="series-cnn",
        copies=COPIES,
        independent=_independent("series-cnn", "series-fcn", "series-mlp", width=48),
    ),
    "text": DemoPlan(
        data="made-up-languages",
        arch="text-cnn",
        copies=COPIES,
        independent=_independent("text-cnn", "text-ngrams", "text-transformer", width=24),
    ),
}


def demo_plan(modality: str) -> DemoPlan:
    """The demo of a modality.

    Raises:
        UsageError: there is none.
    """
    if modality not in DEMOS:
        raise UsageError(f"--modality {modality}: there are demos of {', '.join(DEMOS)}")
    return DEMOS[modality]
