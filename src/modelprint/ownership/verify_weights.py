"""The part of a verdict that weights give: beside the suspect's answers, or alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, ModelError, UsageError
from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.core.verdict import Verdict
from modelprint.lineage import LineageResult, compare
from modelprint.ownership.combined import decide_together
from modelprint.ownership.decide import Decision
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.levels import Level, weights_level
from modelprint.ownership.opening import NOTE, AnySuspect
from modelprint.ownership.remarks import remarks
from modelprint.ownership.verification import Verification
from modelprint.ownership.weights import tensors_of


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A suspect's weights beside the source's.

    Attributes:
        identity: of the suspect's file.
    """

    level: Level
    identity: str

    @property
    def speaks(self) -> bool:
        """Whether there is a score."""
        return self.level.decision.score is not None


def weights_beside(fingerprint: Fingerprint, suspect: AnySuspect, *, alpha: float, pool_kinds: bool) -> Compared | None:
    """What a suspect's weights say; None where it shows none, or the fingerprint holds none of the source's."""
    if fingerprint.weights is None:
        return None
    try:
        tensors, identity = tensors_of(suspect)
        result = compare(fingerprint.weights, tensors)
    except UsageError:  # an address, a recording, a function
        return None
    except ModelError as error:  # of a format whose weights are not read; it is asked all the same
        result, identity = LineageResult(score=None, why=str(error), compared=0.0), str(suspect)
    return Compared(level=weights_level(result, fingerprint, alpha=alpha, pool_kinds=pool_kinds), identity=identity)


def weights_alone(
    fingerprint: Fingerprint,
    calibrated: Fingerprint,
    suspect: AnySuspect,
    compared: Compared | None,
    opening: ModelError,
    *,
    alpha: float,
) -> Verification:
    """The verdict on a file that cannot be asked, by its weights.

    Raises:
        ModelError: they cannot be compared either.
    """
    if compared is None or not compared.speaks:
        raise opening
    decision = decide_together([], compared.level, calibrated, alpha=alpha)
    return _unasked(
        fingerprint, calibrated, decision, compared.identity, alpha=alpha, note=f"it was not asked: {opening}"
    )


def by_weights(
    fingerprint: Fingerprint, calibrated: Fingerprint, suspect: AnySuspect, *, alpha: float, pool_kinds: bool
) -> Verification:
    """The verdict of a scheme that compares weights.

    Raises:
        FingerprintError: the fingerprint holds no weights.
        ModelprintError: the suspect shows no weights, or its file cannot be read.
    """
    if calibrated.weights is None:
        raise FingerprintError("this fingerprint holds no weights of the source: it comes from a bundle; enroll again")
    tensors, identity = tensors_of(suspect)
    result = compare(calibrated.weights, tensors)
    level = weights_level(result, calibrated, alpha=alpha, pool_kinds=pool_kinds)
    decision = decide_together([], level, calibrated, alpha=alpha, pool_kinds=pool_kinds)
    return _unasked(fingerprint, calibrated, decision, identity, alpha=alpha)


def _unasked(
    fingerprint: Fingerprint,
    calibrated: Fingerprint,
    decision: Decision,
    identity: str,
    *,
    alpha: float,
    note: str | None = None,
) -> Verification:
    """A verdict for which no query was put."""
    calibration_remarks = remarks(calibrated)
    message = "; ".join([decision.message, *calibration_remarks])
    verdict = Verdict(
        verdict=decision.outcome,
        scheme=fingerprint.manifest.scheme,
        score=decision.score,
        alpha=alpha,
        threshold=decision.threshold,
        p_value=decision.p_value,
        false_accusations=decision.false_accusations,
        queries=0,
        asked=0,
        answered=0,
        access=str(Access.WEIGHTS),
        fingerprint=fingerprint.identity,
        suspect=identity,
        kinds=decision.kinds,
        pooled=decision.pooled,
        remarks=calibration_remarks,
        message=message if note is None else message + NOTE + note,
        details=decision.details,
        evidence=decision.evidence,
        relation=decision.relation,
    )
    return Verification(
        verdict=verdict,
        fingerprint=calibrated,
        answers=Answers(labels=np.full(len(calibrated), UNANSWERED, dtype=np.int64)),
        calibration_scores=decision.calibration_scores,
        plane_labels=None,
        cap=0,
        budget=None,
        plain=None,
    )
