"""What comparing weights gives: one score, a figure for each weight, and what could not be compared."""

from __future__ import annotations

from typing import Literal

from modelprint.core.records import Record

How = Literal["named order", "aligned", "not aligned"]


class WeightFigure(Record):
    """One weight of the source and the suspect's.

    Attributes:
        suspect_name: the same, unless it was paired by shape and position.
        numbers: of the source's weight.
        matched: the share of them that has a counterpart; below 1 where channels were removed.
        likeness: the cosine between the balanced weights, -1 to 1.
        own: the share of the source's own part in the suspect's weight: 1 in a copy, 0 in what shares nothing but the
            common part; None where the source has no own part here.
        difference: the size of what was added to the source's weight, relative to it; None unless they are alike.
        difference_rank: how many directions hold nine tenths of what was added, squared: few for a merged LoRA; None
            where there are more than were looked for, or nothing was looked at.
        how: "aligned" where channels were matched by their weights, "not aligned" where the order of inputs or outputs
            is not understood.
    """

    name: str
    suspect_name: str
    numbers: int
    matched: float
    likeness: float
    own: float | None
    difference: float | None
    difference_rank: int | None
    how: How


class LeftOut(Record):
    """A weight that was not compared, and why."""

    name: str
    why: str


class Shares(Record):
    """What the suspect's weights are made of, by least squares, over all weights.

    Attributes:
        source: of the source's own part.
        shared: of the part that the source has in common with the shared models; None where none were given.
        rest: of the squared weights, the share that neither explains, 0 to 1.
    """

    source: float
    shared: float | None
    rest: float


class LineageResult(Record):
    """The comparison of a suspect's weights with a source's.

    Attributes:
        score: the share of the source's own part in the suspect, higher = more likely derived; None where too little
            could be compared.
        why: what could not be compared, in one sentence; None where there is a score.
        compared: the share of the source's numbers that was compared.
        weights: in the source's order.
        left_out: weights of the source that were not compared.
        extra: weights of the suspect without a counterpart.
        named_p_value: exact against "trained from an independent initialisation", without any power where a thief
            permuted channels; see `permutation.named_p_value`. None where no channel can be permuted.
    """

    score: float | None
    why: str | None = None
    compared: float
    weights: tuple[WeightFigure, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    extra: tuple[str, ...] = ()
    shares: Shares | None = None
    named_p_value: float | None = None
