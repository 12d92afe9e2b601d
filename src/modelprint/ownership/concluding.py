"""From what a suspect was asked, and answered, to a decision by the calibration models of a fingerprint."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from modelprint.core.access import Access
from modelprint.core.suspect import Answers
from modelprint.ownership.combined import by_itself, calibrated_alone, decide_together
from modelprint.ownership.decide import CalibrationScores, Decision, decide, only
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.lacking import decide_in_common
from modelprint.ownership.levels import Level, levels_of, shared_scores
from modelprint.ownership.parts import part_index, part_of
from modelprint.ownership.weights import weights_limit
from modelprint.schemes.auto import Auto
from modelprint.schemes.base import Scheme
from modelprint.stats.calibration import ranked_by_kind

SharedScores = CalibrationScores | dict[Access, CalibrationScores]


@dataclass(frozen=True, kw_only=True)
class Interview:
    """What was asked, and answered.

    Attributes:
        answers: to all queries of the fingerprint, -1 where there is none.
        asked: mask (n,) of the queries that were put.
        planned: mask (n,) of those that could have been, had the verdict not been settled before.
        lacking: classes of the fingerprint that the suspect cannot answer.
    """

    answers: Answers
    asked: np.ndarray
    planned: np.ndarray
    lacking: frozenset[int] = frozenset()

    def restricted(self, access: Access) -> Interview:
        """The same interview, as it would have gone at this level of access."""
        return replace(self, answers=self.answers.restricted(access))


def calibrated_limit(
    scheme: Scheme,
    fingerprint: Fingerprint,
    access: Access,
    planned: np.ndarray,
    alpha: float,
    *,
    pool_kinds: bool = False,
) -> float | None:
    """The threshold by the calibration models' answers to all planned queries; None where they are too few.

    Where scores depend on the suspect, too, this is the threshold without any.
    """
    if isinstance(scheme, Auto):
        return calibrated_alone(scheme, fingerprint, access, alpha, pool_kinds=pool_kinds)
    if not scheme.needs.asks:
        return weights_limit(fingerprint, alpha, pool_kinds=pool_kinds)
    state, source = fingerprint.state, fingerprint.source
    read = [only(other.restricted(access), planned) for other in fingerprint.calibration]
    return ranked_by_kind(
        scheme.scores_among(state, source, read),
        fingerprint.groups,
        alpha,
        families=fingerprint.families,
        pool=pool_kinds,
    ).threshold


def concluded(
    scheme: Scheme,
    fingerprint: Fingerprint,
    interview: Interview,
    *,
    alpha: float,
    owners: int = 1,
    pool_kinds: bool = False,
    shared: SharedScores | None = None,
    weights: Level | None = None,
) -> Decision:
    """What an interview shows, by the fingerprint's calibration models.

    Args:
        owners: who ask about this suspect, which the p-value is to be adjusted for.
        pool_kinds: as of `decide`.
        shared: the scores of the calibration models, where many suspects are judged (`calibration_scores`).
        weights: what the suspect's weights say, for schemes that compare them beside its answers.
    """
    if isinstance(scheme, Auto):
        if interview.lacking:  # scores of all classes cannot be compared, labels can
            labels, index = part_of(fingerprint, scheme, Access.LABELS), part_index(fingerprint, scheme, Access.LABELS)
            reader = scheme.parts[Access.LABELS]
            decision = concluded(
                reader,
                labels,
                replace(
                    interview.restricted(Access.LABELS),
                    answers=interview.answers.take(index).restricted(Access.LABELS),
                    asked=interview.asked[index],
                    planned=interview.planned[index],
                ),
                alpha=alpha,
                owners=owners,
                pool_kinds=pool_kinds,
            )
            queries = int(interview.asked[index].sum())
            return by_itself(decision, scheme=reader, access=Access.LABELS, queries=queries)
        levels = levels_of(
            scheme,
            fingerprint,
            interview.answers,
            asked=interview.asked,
            planned=interview.planned,
            alpha=alpha,
            owners=owners,
            pool_kinds=pool_kinds,
            shared=shared if isinstance(shared, dict) else None,
        )
        return decide_together(levels, weights, fingerprint, alpha=alpha, owners=owners, pool_kinds=pool_kinds)
    if interview.lacking:
        return decide_in_common(
            scheme,
            fingerprint,
            interview.answers,
            lacking=interview.lacking,
            asked=interview.asked,
            planned=interview.planned,
            alpha=alpha,
            owners=owners,
            pool_kinds=pool_kinds,
        )
    decision = decide(
        scheme,
        fingerprint.state,
        fingerprint.source,
        interview.answers,
        fingerprint.calibration,
        alpha=alpha,
        asked=interview.asked,
        planned=interview.planned,
        groups=fingerprint.groups,
        families=fingerprint.families,
        owners=owners,
        pool_kinds=pool_kinds,
        shared=shared if isinstance(shared, CalibrationScores) else None,
    )
    if scheme.needs.suspect is Access.LABELS:
        return decision
    return by_itself(decision, scheme=scheme, access=scheme.needs.suspect, queries=int(interview.asked.sum()))


def calibration_scores(scheme: Scheme, fingerprint: Fingerprint) -> SharedScores:
    """The scores of a fingerprint's calibration models, for all suspects that are judged by it."""
    if isinstance(scheme, Auto):
        return shared_scores(scheme, fingerprint)
    return CalibrationScores(
        scheme=scheme, state=fingerprint.state, source=fingerprint.source, calibration=fingerprint.calibration
    )
