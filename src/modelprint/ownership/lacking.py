"""A suspect that lacks some of the fingerprint's classes: all models are judged by the classes that it has.

A query to which the source answers such a class shows nothing. On the others the suspect chooses among fewer classes
than the calibration models did, and agrees with the source more often by chance. Both are evened out: such queries
count as disagreements of every model, and a calibration model that answered a lacking class is given its best of the
other classes or, where only its label is known, the source's, which raises the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from modelprint.core.suspect import Answers
from modelprint.ownership.decide import Decision, decide, unscored_decision
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.kinds import Group
from modelprint.schemes.base import Scheme
from modelprint.stats.calibration import ranked_by_kind

_FEW = "half of them must be of classes that it has"
_WHOLE = "compares answers as a whole: enroll with a scheme that counts agreements, such as adv-tra"
LEAST_SHARE = 0.5  # of the queries that were put: those whose class the suspect has


@dataclass(frozen=True, kw_only=True)
class Common:
    """The answers of all models, by the classes that the suspect has.

    Attributes:
        answers: of the suspect.
        calibration: of the calibration models.
        outside: mask (n,) of the queries that count as disagreements of every model.
    """

    answers: Answers
    calibration: tuple[Answers, ...]
    outside: Bool[np.ndarray, " n"]


def in_common(
    source: Answers, answers: Answers, calibration: Sequence[Answers], *, lacking: Iterable[int], classes: int
) -> Common:
    """The answers as if no model had the classes that the suspect lacks; labels alone.

    >>> source = Answers(labels=np.array([0, 2, 1]))
    >>> suspect, other = Answers(labels=np.array([0, 0, -1])), Answers(labels=np.array([2, 2, 1]))
    >>> common = in_common(source, suspect, [other], lacking={2}, classes=3)
    >>> common.answers.labels.tolist(), common.calibration[0].labels.tolist(), common.outside.tolist()
    ([0, 0, -1], [0, 0, 1], [False, True, False])

    Args:
        classes: of the fingerprint.
    """
    has = np.ones(classes, dtype=bool)
    has[list(lacking)] = False
    outside = source.answered & ~has[source.labels]
    apart = np.where(source.labels == 0, 1, 0)  # any class but the source's
    return Common(
        answers=Answers(labels=np.where(outside & answers.answered, apart, answers.labels)),
        calibration=tuple(_restricted(other, source, has, outside, apart) for other in calibration),
        outside=outside,
    )


def _restricted(other: Answers, source: Answers, has: np.ndarray, outside: np.ndarray, apart: np.ndarray) -> Answers:
    beyond = other.answered & ~has[other.labels]
    best = source.labels if other.scores is None else np.where(has, other.scores, -np.inf).argmax(axis=1)
    labels = np.where(beyond, best, other.labels)
    return Answers(labels=np.where(outside & other.answered, apart, labels).astype(np.int64))


def decide_in_common(
    scheme: Scheme,
    fingerprint: Fingerprint,
    answers: Answers,
    *,
    lacking: frozenset[int],
    asked: Bool[np.ndarray, " n"],
    planned: Bool[np.ndarray, " n"],
    alpha: float,
    owners: int = 1,
    pool_kinds: bool = False,
) -> Decision:
    """What the answers of a suspect without some classes show; inconclusive where they cannot show anything.

    Args:
        answers, asked, planned, alpha, owners, pool_kinds: as of `decide`.
    """
    source, classes = fingerprint.source, fingerprint.manifest.input.classes
    common = in_common(source, answers, fingerprint.calibration, lacking=lacking, classes=classes)
    outside, put = int((common.outside & asked).sum()), int(asked.sum())
    described = f"the suspect lacks {len(lacking)} of {classes} classes, and {outside} of {put} queries are of these"
    if not scheme.counts_agreements or outside > (1 - LEAST_SHARE) * put:
        unscored = ranked_by_kind(
            np.zeros(len(fingerprint.calibration)),
            fingerprint.groups or [Group()] * len(fingerprint.calibration),
            alpha / owners,
            families=fingerprint.families,
            pool=pool_kinds,
        )
        why = _FEW if scheme.counts_agreements else f"{scheme.name} {_WHOLE}"
        return unscored_decision(f"{described}: {why}", unscored)
    decision = decide(
        scheme,
        fingerprint.state,
        source,
        common.answers,
        common.calibration,
        alpha=alpha,
        asked=asked,
        planned=planned,
        groups=fingerprint.groups,
        families=fingerprint.families,
        owners=owners,
        pool_kinds=pool_kinds,
    )
    return replace(decision, message=f"{decision.message}; {described}: they count as disagreements of every model")
