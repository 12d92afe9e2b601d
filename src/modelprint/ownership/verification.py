"""A verdict with all that a report shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelprint.core.suspect import Answers
from modelprint.core.verdict import Verdict
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.plain_asked import PlainAnswers


@dataclass(frozen=True, kw_only=True)
class Verification:
    """A verdict with all that a report shows.

    Attributes:
        fingerprint: with the calibration that was used.
        answers: to all queries of the fingerprint, -1 where not asked.
        calibration_scores: of the calibration models, on the queries that were answered.
        plane_labels: the suspect's labels (k, k) on the fingerprint's planar slice, where it was free to ask.
        cap: the most queries that could have been asked.
        lacking: classes of the fingerprint that the suspect cannot answer.
        budget: that was given, or that suits the suspect; None: none.
        plain: answers to unperturbed inputs, which tell the form in which it was asked; None where nothing was asked.
        unsteady: whether it gave two answers to one query.
    """

    verdict: Verdict
    fingerprint: Fingerprint
    answers: Answers
    calibration_scores: np.ndarray
    plane_labels: np.ndarray | None
    cap: int
    budget: int | None
    plain: PlainAnswers | None
    unsteady: bool = False
    lacking: frozenset[int] = frozenset()
