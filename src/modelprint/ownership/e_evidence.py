"""The evidence of `contrast` as an e-value: a number that may be averaged, and read at any alpha.

Of each model M = exp(rate x score) counts, the score being the highest point of its whole path of evidence; the
e-value is the suspect's share of the sum over itself and the calibration models of a kind, times their number, and the
worst kind counts (`stats.e_values`). It stands beside the rank's p-value, and takes no part in a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelprint.core.access import Access
from modelprint.core.errors import UsageError
from modelprint.core.suspect import Answers
from modelprint.ownership.decide import only
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import scheme_of
from modelprint.ownership.parts import part_index, part_of
from modelprint.schemes.auto import Auto
from modelprint.schemes.contrast import Contrast
from modelprint.stats.calibration import family_counts
from modelprint.stats.e_values import e_value_by_kind, tempered

RATE = 0.25  # of the exponent, in 1 / nats; chosen on copies outside the test part (docs/theory.md)


@dataclass(frozen=True, kw_only=True)
class EEvidence:
    """What the answers show, as a ratio.

    Attributes:
        value: the e-value; None where no kind of calibration model has families enough for alpha.
        largest: what it can be at most: families of the smallest kind that counts, and 1; None likewise.
        rate: of the exponent.
    """

    value: float | None
    largest: int | None
    rate: float


def e_evidence(
    fingerprint: Fingerprint, answers: Answers, *, asked: np.ndarray, alpha: float = 0.05, rate: float = RATE
) -> EEvidence:
    """The e-value of a suspect's labels, by a fingerprint of `contrast`, or of `auto` with it.

    Calibration models count with their answers to all queries. A missing answer of the suspect, and a query that was
    not asked, can only lower its value.

    Args:
        answers: to all queries of the fingerprint, -1 where there is none.
        asked: mask (n,) of the queries that were put.
        alpha: kinds with fewer than 1 / alpha - 1 families do not count.

    Raises:
        UsageError: the fingerprint's labels are read by another scheme.
    """
    scheme = scheme_of(fingerprint)
    if isinstance(scheme, Auto):
        index = part_index(fingerprint, scheme, Access.LABELS)
        fingerprint, answers, asked = part_of(fingerprint, scheme, Access.LABELS), answers.take(index), asked[index]
        scheme = scheme.parts[Access.LABELS]
    if not isinstance(scheme, Contrast):
        raise UsageError(f"e-values are those of contrast, and this fingerprint's labels are read by {scheme.name}")
    state, source = fingerprint.state, fingerprint.source
    labels = answers.restricted(Access.LABELS)
    heard = only(labels, asked & labels.answered)
    own = scheme.least_score(state, source, heard, asked & ~labels.answered)
    read = [other.restricted(Access.LABELS) for other in fingerprint.calibration]
    values = tempered(np.array([own, *(scheme.score(state, source, other) for other in read)]), rate=rate)
    groups, families = fingerprint.groups, fingerprint.families
    value = e_value_by_kind(float(values[0]), values[1:], groups, families=families, alpha=alpha)
    counted = [count for count in family_counts(groups, families).values() if count >= 1 / alpha - 1]
    return EEvidence(value=value, largest=None if value is None else min(counted) + 1, rate=rate)
