"""Lineage: the suspect's weights compared with the source's, without any query.

Channels are matched first, one to one, so that their order and scale hide nothing (S. Ainsworth, J. Hayase, S.
Srinivasa, "Git Re-Basin: Merging Models modulo Permutation Symmetries", ICLR 2023). Training moves weights little: what
was fine-tuned, pruned, quantised or averaged from the source keeps most of them. What the source has in common with its
public checkpoint, and with siblings tuned from it, is taken away first. `modelprint.lineage` has the arithmetic,
docs/design/0013-lineage.md the figures.

Differs from the paper: it merges models; here the likeness of the matched weights is the score, and independent models
rank it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from modelprint.core.access import Access
from modelprint.core.errors import UnscorableError
from modelprint.core.quantities import Quantity
from modelprint.core.sections import Course, Exhibit, Facts, Paragraph, Section
from modelprint.core.suspect import Answers
from modelprint.schemes.base import SCHEMES, Asker, Enrollment, Needs, Queries, Scheme, State


@SCHEMES.register("lineage")
@dataclass(frozen=True, kw_only=True)
class Lineage(Scheme):
    """The share of the source's own part in the suspect's weights.

    Attributes:
        inputs: how many labelled inputs the fingerprint keeps, to try models out; suspects are never asked them.
    """

    name: ClassVar[str] = "lineage"
    title: ClassVar[str] = "Lineage: the weights themselves"
    explanation: ClassVar[tuple[str, ...]] = (
        "No query is sent. Every weight of the suspect is compared with the source's, after channels were matched.",
        "The score is the share of the source's own weights in the suspect's: near 1 for copies that were changed "
        "little, near 0 for models that were trained independently.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "It needs the suspect's file, of the source's architecture or one made narrower from it.",
        "Models that were extracted from answers share no weights with the source and are not found.",
        "Siblings, tuned from the same public checkpoint, look like copies unless the checkpoint is named at "
        "enrollment (--init).",
    )
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity(key="compared", title="weights compared", form="share"),
        Quantity(
            key="source_share",
            title="source's own part in the suspect",
            form="share",
            is_score=True,
            headline="of the source's weights",
        ),
        Quantity(key="named_p_value", title="p-value from permuted channels"),
    )

    inputs: int = 16

    def __post_init__(self) -> None:
        if self.inputs < 1:
            raise ValueError("inputs must be at least 1")

    @property
    def needs(self) -> Needs:
        """The weights of both; siblings, where there are any."""
        return Needs(source="weights", suspect=Access.WEIGHTS, shadows_welcome=True, same_classes=False, weights=True)

    def asker(self, state: State, budget: int | None = None) -> Asker:
        """Nothing is asked."""
        return Asker(0)

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Inputs drawn at random."""
        count = min(self.inputs, len(context.seeds), context.budget or self.inputs)
        index = torch.randperm(len(context.seeds), generator=generator)[:count].numpy()
        return Queries(
            stored=context.seeds.stored[index],
            labels=context.seeds.labels[index],
            group=np.zeros(count, dtype=np.int64),
        )

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """None of answers.

        Raises:
            UnscorableError: always.
        """
        raise UnscorableError("scheme lineage compares weights: name the suspect's model file")

    def sections(self, exhibit: Exhibit) -> Sequence[Section]:
        """The share of the source in every weight, from the input to the output."""
        compared = [details["weights"] for details in exhibit.details if details.get("weights")]
        if not compared:
            return (Section(title="Weight by weight", blocks=(Paragraph(text="No weights were compared."),)),)
        chart = Course(
            title="The source in every weight",
            caption="The share of the source's own part in each weight of the suspect, from the input to the output: "
            "1 is a plain copy, 0 nothing in common. A thief who keeps some layers and trains the others again shows "
            "a step.",
            x="weight, in the order of use",
            y="share of the source",
            models=[_line(details.get("weights") or ()) for details in exhibit.details],
            calibration=[],
            threshold=exhibit.threshold,
        )
        rows = [(str(weight["name"]), _words(weight)) for weight in compared[0]]
        return (Section(title="Weight by weight", blocks=(chart, Facts(rows=rows))),)


def _line(weights: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Place and share of each weight that has a part of the source's own."""
    return [
        (float(place), float(weight["own"])) for place, weight in enumerate(weights, 1) if weight["own"] is not None
    ]


def _words(weight: Mapping[str, Any]) -> str:
    own = "no own part of the source" if weight["own"] is None else f"{weight['own']:.2f} of the source"
    return f"{own}, likeness {weight['likeness']:.2f}, {weight['how']}"
