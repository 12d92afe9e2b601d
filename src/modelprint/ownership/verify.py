"""Verify a suspect: ask it, decide, say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modelprint.core.access import Access
from modelprint.core.devices import resolve_device
from modelprint.core.errors import LabelsOnlyError, ModelError, UsageError
from modelprint.core.own_code import generators_kept
from modelprint.core.suspect import Suspect
from modelprint.core.verdict import Verdict
from modelprint.nn.options import ModelOptions
from modelprint.ownership.ahead import budget_of
from modelprint.ownership.costs import announce_asking
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.forms import check_accuracy
from modelprint.ownership.hearing import Heard, hear
from modelprint.ownership.negatives import (
    Negatives,
    Notice,
    unheard,
)
from modelprint.ownership.opening import NOTE, AnySuspect, level_of, opened, rehearsed, scheme_of
from modelprint.ownership.plane import labels_on
from modelprint.ownership.recalibrate import recalibrated
from modelprint.ownership.remarks import remarks
from modelprint.ownership.verification import Verification
from modelprint.ownership.verify_weights import by_weights, weights_alone, weights_beside
from modelprint.schemes.base import Progress, Scheme, silent
from modelprint.suspects.open import SuspectOptions, on_device


def verify(
    fingerprint: str | Path | Fingerprint,
    suspect: AnySuspect,
    *,
    access: str | Access | None = None,
    alpha: float = 0.05,
    budget: int | None = None,
    negatives: Negatives = (),
    pool_kinds: bool = False,
    accuracy: float | None = None,
    device: str | None = None,
    options: SuspectOptions | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Whether a suspect was made from the enrolled model: derived, not shown, or inconclusive.

    Args:
        suspect: a file, URL or recording; a module; or any callable from stored inputs (images: uint8 (n, c, h, w)) to
            labels (n,) or scores (n, classes).
        access: "labels", "scores" or "weights"; no more than that leaves the suspect. None: what the scheme needs.
        alpha: the accepted rate of false accusations.
        budget: the most queries to ask; None: 200 of an address, whose owner may charge for each, else all.
        negatives: independent models to calibrate on, in place of those of the fingerprint.
        pool_kinds: rank kinds of too few calibration models with the most frequent kind, in place of no rate for them.
        accuracy: of the suspect, where it is known to know less than the source; else one that knows far less was asked
            in the wrong form, and the verdict is inconclusive.
        device: where models compute: auto, cpu, cuda, cuda:N or mps; as of `options` unless given.

    Raises:
        ModelprintError: the suspect does not fit, or cannot be asked.
    """
    return examine(
        fingerprint,
        suspect,
        access=access,
        alpha=alpha,
        budget=budget,
        negatives=negatives,
        pool_kinds=pool_kinds,
        accuracy=accuracy,
        options=on_device(options, device),
        progress=progress,
        slice_plane=False,
    ).verdict


@generators_kept()
def examine(
    fingerprint: str | Path | Fingerprint,
    suspect: AnySuspect,
    *,
    access: str | Access | None = None,
    alpha: float = 0.05,
    budget: int | None = None,
    negatives: Negatives = (),
    pool_kinds: bool = False,
    accuracy: float | None = None,
    options: SuspectOptions | None = None,
    notice: Notice = unheard,
    progress: Progress = silent,
    slice_plane: bool = True,
) -> Verification:
    """`verify`, with the answers that a report shows; `slice_plane` asks a local suspect for the decision regions."""
    print_ = fingerprint if isinstance(fingerprint, Fingerprint) else Fingerprint.load(fingerprint)
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, got {alpha}")
    check_accuracy(accuracy)
    scheme = scheme_of(print_)
    level = level_of(scheme, access)
    scheme.needs.check_access(scheme.name, level)
    respondent = _opened(scheme, suspect, print_, options, level)
    calibrated = print_
    if negatives:
        files = options.model if options is not None else ModelOptions()
        place = None if options is None or options.device is None else resolve_device(options.device)
        calibrated = recalibrated(print_, negatives, options=files, device=place, notice=notice, progress=progress)
    if scheme.needs.asks:
        rehearsed(scheme, calibrated)
    else:
        return by_weights(print_, calibrated, suspect, alpha=alpha, pool_kinds=pool_kinds)
    compared = None
    if scheme.needs.weights and level >= Access.WEIGHTS:
        compared = weights_beside(calibrated, suspect, alpha=alpha, pool_kinds=pool_kinds)
    if isinstance(respondent, ModelError):
        return weights_alone(print_, calibrated, suspect, compared, respondent, alpha=alpha)
    assert respondent is not None
    lowered = level > calibrated.access
    shown = min(level, calibrated.access, Access.SCORES)

    def heard_at(shown: Access) -> Heard:
        announce_asking(calibrated, scheme, respondent, access=shown, budget=budget, notice=notice)
        return hear(
            calibrated,
            scheme,
            respondent,
            access=shown,
            budget=budget,
            alpha=alpha,
            pool_kinds=pool_kinds,
            accuracy=accuracy,
            weights=None if compared is None else compared.level,
            progress=progress,
        )

    try:
        heard = heard_at(shown)
    except LabelsOnlyError:
        if access is not None or not scheme.parts:
            raise
        shown = Access.LABELS
        notice(f"{respondent.identity} gives labels alone: it is judged by these")
        heard = heard_at(shown)
    interview, decision = heard.interview, heard.decision
    for note in respondent.notes:
        notice(note)
    message = decision.message
    if lowered:
        message += "; some calibration models give labels only, so that labels are compared"
    calibration_remarks = remarks(calibrated)
    message = "; ".join([message, *calibration_remarks])
    seen = [*respondent.notes, *([] if heard.change is None else [heard.change])]
    verdict = Verdict(
        verdict=decision.outcome,
        scheme=scheme.name,
        score=decision.score,
        alpha=alpha,
        threshold=decision.threshold,
        p_value=decision.p_value,
        false_accusations=decision.false_accusations,
        queries=int(interview.asked.sum()),
        asked=int(interview.asked.sum()),
        answered=int((interview.asked & interview.answers.answered).sum()),
        access=str(Access.WEIGHTS if compared is not None and compared.speaks else shown),
        fingerprint=print_.identity,
        suspect=respondent.identity,
        kinds=decision.kinds,
        pooled=decision.pooled,
        remarks=calibration_remarks,
        message=message + NOTE + ". ".join(seen) if seen else message,
        form=heard.form,
        class_matching=None if decision.matching is None else tuple(decision.matching.classes.tolist()),
        details=decision.details,
        evidence=decision.evidence,
        relation=decision.relation,
    )
    return Verification(
        verdict=verdict,
        fingerprint=calibrated,
        answers=interview.answers,
        plain=heard.plain,
        unsteady=heard.change is not None,
        calibration_scores=decision.calibration_scores,
        plane_labels=_plane(print_, respondent) if slice_plane and respondent.free else None,
        cap=int(interview.planned.sum()),
        budget=budget_of(respondent, budget),
        lacking=interview.lacking,
    )


def _opened(
    scheme: Scheme, suspect: AnySuspect, fingerprint: Fingerprint, options: SuspectOptions | None, level: Access
) -> Suspect | ModelError | None:
    """What is asked, or why it cannot be though its weights may be compared; None where nothing is asked."""
    if not scheme.needs.asks:
        return None
    try:
        return opened(suspect, fingerprint, options)
    except ModelError as error:
        if not scheme.needs.weights or level < Access.WEIGHTS:
            raise
        return error


def _plane(fingerprint: Fingerprint, suspect: Suspect) -> np.ndarray | None:
    if fingerprint.plane is None or "anchors" not in fingerprint.plane:
        return None
    return labels_on(
        fingerprint.plane["anchors"], lambda inputs: suspect.ask(inputs).labels, modality=fingerprint.modality
    )
