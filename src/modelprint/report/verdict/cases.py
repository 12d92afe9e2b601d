"""What a report is made of: the models that were checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from modelprint.core.suspect import Answers
from modelprint.core.verdict import Verdict

Role = Literal["suspect", "derived", "independent", "source"]
MOST_IN_FOCUS = 3


@dataclass(frozen=True, kw_only=True)
class Case:
    """One model that was checked.

    Attributes:
        name: what the user calls it; may come from somebody unknown, so it is never trusted.
        role: "suspect" where nothing is known; the others are controls whose making is known.
        kind: how it was made, where known: "FTAL", "prune 40 %", "SAST".
        answers: to all queries of the fingerprint.
        plane_labels: int (k, k), its labels on the fingerprint's planar slice, where it was free to ask.
        accuracy: on images that it was not trained on, 0 to 1.
        cap: the most queries that could have been asked of it; all of the fingerprint when None.
    """

    name: str
    role: Role
    kind: str = ""
    verdict: Verdict
    answers: Answers
    plane_labels: np.ndarray | None = None
    accuracy: float | None = None
    cap: int | None = None


def scores_of(cases: Sequence[Case], role: Role) -> Float[np.ndarray, " n"]:
    """The scores of the models of one role; those that could not be scored are left out."""
    return np.array([case.verdict.score for case in cases if case.role == role and case.verdict.score is not None])


def has_population(cases: Sequence[Case]) -> bool:
    """Whether derived and independent models can be compared: at least one scored model of each."""
    return bool(len(scores_of(cases, "derived")) and len(scores_of(cases, "independent")))


def shared_threshold(cases: Sequence[Case]) -> float | None:
    """The threshold that all verdicts used; None where there is none, or more than one."""
    thresholds = {case.verdict.threshold for case in cases}
    return thresholds.pop() if len(thresholds) == 1 else None


def in_focus(cases: Sequence[Case]) -> list[int]:
    """Which cases are shown picture by picture: the first suspects; without any, the typical model of each role.

    Typical is the model whose score is the (lower) median of its role's.
    """
    suspects = [i for i, case in enumerate(cases) if case.role == "suspect"]
    if suspects:
        return suspects[:MOST_IN_FOCUS]
    chosen = []
    for role in ("derived", "independent", "source"):
        members = [i for i, case in enumerate(cases) if case.role == role and case.verdict.score is not None]
        members.sort(key=lambda i: cases[i].verdict.score or 0.0)
        if members:
            chosen.append(members[(len(members) - 1) // 2])
    return chosen[:2] or list(range(len(cases)))[:1]
