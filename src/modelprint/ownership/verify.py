"""Verify a suspect: ask it, decide, say so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from modelprint.core.access import Access
from modelprint.core.devices import resolve_device
from modelprint.core.errors import FingerprintError, LabelsOnlyError, ModelError, UsageError
from modelprint.core.own_code import generators_kept
from modelprint.core.suspect import UNANSWERED, Answers, Suspect
from modelprint.core.verdict import Verdict
from modelprint.lineage import LineageResult, compare
from modelprint.nn.options import ModelOptions
from modelprint.ownership import weights
from modelprint.ownership.ahead import budget_of
from modelprint.ownership.ask import (
    NOTE,
    AnySuspect,
    opened,
    rehearsed,
    scheme_of,
)
from modelprint.ownership.combined import Level, decide_together, weights_level
from modelprint.ownership.costs import announce_asking
from modelprint.ownership.decide import Decision
from modelprint.ownership.expect import expected_by
from modelprint.ownership.families import calibration_records
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.forms import check_accuracy
from modelprint.ownership.hearing import Heard, hear
from modelprint.ownership.negatives import (
    Inputs,
    Negatives,
    Notice,
    ask_negatives,
    behind,
    negative_models,
    unheard,
)
from modelprint.ownership.origin import Origin
from modelprint.ownership.plain_asked import PlainAnswers
from modelprint.ownership.plane import labels_on
from modelprint.ownership.remarks import remarks
from modelprint.schemes.base import Progress, Scheme, silent
from modelprint.suspects.open import SuspectOptions, on_device


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
    level = _level(scheme, access)
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
        return _by_weights(print_, calibrated, suspect, alpha=alpha, pool_kinds=pool_kinds)
    compared = None
    if scheme.needs.weights and level >= Access.WEIGHTS:
        compared = _weights_beside(calibrated, suspect, alpha=alpha, pool_kinds=pool_kinds)
    if isinstance(respondent, ModelError):
        return _weights_alone(print_, calibrated, suspect, compared, respondent, alpha=alpha)
    assert respondent is not None
    lowered = level > calibrated.access
    shown = min(level, calibrated.access, Access.SCORES)
    hearing = partial(
        _heard,
        calibrated,
        scheme,
        respondent,
        budget=budget,
        alpha=alpha,
        pool_kinds=pool_kinds,
        accuracy=accuracy,
        weights=None if compared is None else compared.level,
        notice=notice,
        progress=progress,
    )
    try:
        heard = hearing(access=shown)
    except LabelsOnlyError:
        if access is not None or not scheme.parts:
            raise
        shown = Access.LABELS
        heard = hearing(access=shown)
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


def _level(scheme: Scheme, access: str | Access | None) -> Access:
    """The most that is used of a suspect."""
    if access is None:
        return Access.WEIGHTS if scheme.parts else scheme.needs.suspect
    return Access.parse(access) if isinstance(access, str) else access


def _heard(
    fingerprint: Fingerprint,
    scheme: Scheme,
    suspect: Suspect,
    *,
    access: Access,
    budget: int | None,
    alpha: float,
    pool_kinds: bool,
    accuracy: float | None,
    weights: Level | None,
    notice: Notice,
    progress: Progress,
) -> Heard:
    announce_asking(fingerprint, scheme, suspect, access=access, budget=budget, notice=notice)
    return hear(
        fingerprint,
        scheme,
        suspect,
        access=access,
        budget=budget,
        alpha=alpha,
        pool_kinds=pool_kinds,
        accuracy=accuracy,
        weights=weights,
        progress=progress,
    )


@dataclass(frozen=True, kw_only=True)
class _Compared:
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


def _weights_beside(
    fingerprint: Fingerprint, suspect: AnySuspect, *, alpha: float, pool_kinds: bool
) -> _Compared | None:
    """What a suspect's weights say; None where it shows none, or the fingerprint holds none of the source's."""
    if fingerprint.weights is None:
        return None
    try:
        tensors, identity = weights.tensors_of(suspect)
        result = compare(fingerprint.weights, tensors)
    except UsageError:  # an address, a recording, a function
        return None
    except ModelError as error:  # of a format whose weights are not read; it is asked all the same
        result, identity = LineageResult(score=None, why=str(error), compared=0.0), str(suspect)
    return _Compared(level=weights_level(result, fingerprint, alpha=alpha, pool_kinds=pool_kinds), identity=identity)


def _weights_alone(
    fingerprint: Fingerprint,
    calibrated: Fingerprint,
    suspect: AnySuspect,
    compared: _Compared | None,
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


def _by_weights(
    fingerprint: Fingerprint, calibrated: Fingerprint, suspect: AnySuspect, *, alpha: float, pool_kinds: bool
) -> Verification:
    """The verdict of a scheme that compares weights.

    Raises:
        FingerprintError: the fingerprint holds no weights.
        ModelprintError: the suspect shows no weights, or its file cannot be read.
    """
    if calibrated.weights is None:
        raise FingerprintError("this fingerprint holds no weights of the source: it comes from a bundle; enroll again")
    tensors, identity = weights.tensors_of(suspect)
    result = compare(calibrated.weights, tensors)
    decision = weights.decide_by_weights(result, calibrated, alpha=alpha, pool_kinds=pool_kinds)
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


def recalibrated(
    fingerprint: Fingerprint,
    negatives: Negatives,
    *,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    device: torch.device | None = None,
    notice: Notice = unheard,
    progress: Progress = silent,
) -> Fingerprint:
    """The fingerprint with the threshold set by a judge's own choice of independent models."""
    manifest = fingerprint.manifest
    inputs = Inputs(shape=manifest.input.shape, class_names=manifest.input.class_names, modality=fingerprint.modality)
    calibrating = negative_models(
        negatives,
        inputs=inputs,
        source=Origin(
            identities=frozenset({manifest.source}), bases=frozenset(manifest.bases), values=manifest.source_values
        ),
        options=options,
        notice=notice,
    )
    calibrating = [
        *calibrating,
        *(
            seen
            for name in expected_by(scheme_of(fingerprint))
            for seen in behind(calibrating, name, inputs.modality, notice=notice)
        ),
    ]
    answers = ask_negatives(calibrating, fingerprint.queries, inputs, device=device, progress=progress)
    records = calibration_records(
        [one.record for one in calibrating],
        answers,
        [one.sketch for one in calibrating],
        source=fingerprint.source,
        source_sketch=None,
        classes=inputs.classes,
        moved=scheme_of(fingerprint).needs.space == "continuous",
    )
    if fingerprint.weights is not None:
        records = weights.with_scores(records, fingerprint.weights, calibrating, progress=progress)
    return fingerprint.recalibrated(records, answers)


def _plane(fingerprint: Fingerprint, suspect: Suspect) -> np.ndarray | None:
    if fingerprint.plane is None or "anchors" not in fingerprint.plane:
        return None
    return labels_on(
        fingerprint.plane["anchors"], lambda inputs: suspect.ask(inputs).labels, modality=fingerprint.modality
    )
