"""Verify a suspect: ask it, decide, say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, SuspectError
from modelprint.core.suspect import UNANSWERED, Answers, Suspect
from modelprint.core.verdict import Verdict
from modelprint.nn.loading import LoadedModel, weights_identity
from modelprint.ownership.decide import decide
from modelprint.ownership.enroll import Negatives, ask_negatives, negative_models
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.plane import SIDE, grid
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Progress, Scheme, silent
from modelprint.suspects.local import CallableSuspect, TorchSuspect
from modelprint.suspects.open import SuspectOptions, open_suspect

AnySuspect = str | Path | Suspect | nn.Module | Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """A verdict with all that a report shows.

    Attributes:
        answers: to all queries of the fingerprint, -1 where not asked.
        calibration_scores: of the calibration models, on the queries that were answered.
        plane_labels: the suspect's labels (k, k) on the fingerprint's planar slice, where it was free to ask.
    """

    verdict: Verdict
    answers: Answers
    calibration_scores: np.ndarray
    plane_labels: np.ndarray | None


def verify(
    fingerprint: str | Path | Fingerprint,
    suspect: AnySuspect,
    *,
    access: str | Access = Access.LABELS,
    alpha: float = 0.05,
    budget: int | None = None,
    negatives: Negatives = (),
    options: SuspectOptions | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Whether a suspect was made from the enrolled model: derived, not shown, or inconclusive.

    Args:
        suspect: a file, URL or recording; a module; or any callable from uint8 images (n, c, h, w) to labels (n,) or
            scores (n, classes).
        access: "labels" or "scores"; no more than that leaves the suspect.
        alpha: the accepted rate of false accusations.
        budget: the most queries to ask.
        negatives: independent models to calibrate on, in place of those of the fingerprint.

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
        options=options,
        progress=progress,
        slice_plane=False,
    ).verdict


def examine(
    fingerprint: str | Path | Fingerprint,
    suspect: AnySuspect,
    *,
    access: str | Access = Access.LABELS,
    alpha: float = 0.05,
    budget: int | None = None,
    negatives: Negatives = (),
    options: SuspectOptions | None = None,
    progress: Progress = silent,
    slice_plane: bool = True,
) -> Verification:
    """`verify`, with the answers that a report shows; `slice_plane` asks a local suspect for the decision regions."""
    print_ = fingerprint if isinstance(fingerprint, Fingerprint) else Fingerprint.load(fingerprint)
    if not 0 < alpha < 1:
        raise FingerprintError(f"alpha must lie between 0 and 1, got {alpha}")
    scheme = scheme_of(print_)
    level = Access.parse(access) if isinstance(access, str) else access
    respondent = opened(suspect, print_, options)
    if negatives:
        print_ = recalibrated(print_, negatives, progress=progress)
    answers, asked = interrogate(print_, scheme, respondent, access=level, budget=budget, progress=progress)
    decision = decide(
        scheme, print_.state, print_.source, answers, print_.calibration, alpha=alpha, asked=asked
    )
    verdict = Verdict(
        verdict=decision.outcome,
        scheme=scheme.name,
        score=decision.score,
        alpha=alpha,
        threshold=decision.threshold,
        p_value=decision.p_value,
        false_accusations=decision.false_accusations,
        queries=int(asked.sum()),
        access=str(level),
        fingerprint=print_.identity,
        suspect=respondent.identity,
        message=decision.message,
        **decision.details,
    )
    return Verification(
        verdict=verdict,
        answers=answers,
        calibration_scores=decision.calibration_scores,
        plane_labels=_plane(print_, respondent) if slice_plane and respondent.free else None,
    )


def scheme_of(fingerprint: Fingerprint) -> Scheme:
    """The scheme a fingerprint was made by, with its hyper-parameters.

    Raises:
        FingerprintError: this version does not know the scheme or its parameters.
    """
    try:
        return SCHEMES[fingerprint.manifest.scheme](**fingerprint.manifest.parameters)
    except (TypeError, ValueError) as error:
        raise FingerprintError(
            f"the fingerprint's {fingerprint.manifest.scheme} parameters do not fit this version: {error}"
        ) from error


def opened(suspect: AnySuspect, fingerprint: Fingerprint, options: SuspectOptions | None = None) -> Suspect:
    """A suspect of any form, behind the one protocol."""
    if isinstance(suspect, Suspect):
        return suspect
    if isinstance(suspect, LoadedModel):
        return TorchSuspect(suspect.module, identity=suspect.identity)
    if isinstance(suspect, nn.Module):
        return TorchSuspect(suspect.eval(), identity=weights_identity(suspect))
    if callable(suspect):
        return CallableSuspect(suspect)
    needs = fingerprint.manifest.input
    chosen = replace(
        options or SuspectOptions(),
        class_names=needs.class_names,
        input_shape=needs.shape,
        queries=fingerprint.queries,
    )
    return open_suspect(str(suspect), chosen)


def recalibrated(fingerprint: Fingerprint, negatives: Negatives, *, progress: Progress = silent) -> Fingerprint:
    """The fingerprint with the threshold set by a judge's own choice of independent models."""
    needs = fingerprint.manifest.input
    others = negative_models(
        negatives, source=None, seeds=None, shape=needs.shape, classes=needs.classes, progress=progress
    )
    answers = ask_negatives(others, fingerprint.queries, needs.classes, progress=progress)
    return fingerprint.recalibrated(tuple(other.record for other in others), answers)


def interrogate(
    fingerprint: Fingerprint,
    scheme: Scheme,
    suspect: Suspect,
    *,
    access: Access,
    budget: int | None = None,
    progress: Progress = silent,
) -> tuple[Answers, np.ndarray]:
    """The suspect's answers, -1 where not asked, and the mask (n,) of what was asked.

    Raises:
        SuspectError: answers that are constant, or of other classes than the fingerprint's.
        FingerprintError: the budget holds not one unit of the scheme (a trajectory, a view).
    """
    total, classes = len(fingerprint), fingerprint.manifest.input.classes
    labels = np.full(total, UNANSWERED, dtype=np.int64)
    scores = np.full((total, classes), np.nan, dtype=np.float32) if access >= Access.SCORES else None
    asked = np.zeros(total, dtype=bool)
    asker = scheme.asker(fingerprint.state, budget)
    if not asker.total:
        raise FingerprintError(f"a budget of {budget} is less than this fingerprint can use: raise it")
    while True:
        batch = asker.next(Answers(labels=labels, scores=scores), asked)
        if not len(batch):
            break
        progress("queries", int(asked.sum()), asker.total)
        whole = len(batch) == total
        answers = suspect.ask(fingerprint.queries if whole else fingerprint.queries[batch], access=access)
        _check(answers, classes, suspect.identity)
        labels[batch] = answers.labels
        if scores is not None and answers.scores is not None:
            scores[batch] = answers.scores
        asked[batch] = True
    progress("queries", int(asked.sum()), asker.total)
    _check_varied(labels[asked], fingerprint.source.labels[asked], suspect.identity)
    return Answers(labels=labels, scores=scores), asked


def _check(answers: Answers, classes: int, who: str) -> None:
    if answers.scores is not None and answers.scores.shape[1] != classes:
        raise SuspectError(
            f"{who} tells {answers.scores.shape[1]} classes apart, the fingerprint {classes}: this scheme compares "
            "models of the same classes"
        )
    if len(answers) and answers.labels.max() >= classes:
        raise SuspectError(
            f"{who} answered class {answers.labels.max()}, the fingerprint has classes 0 to {classes - 1}: "
            "is it a model of the same task, and are its labels mapped to indices?"
        )


def _check_varied(labels: np.ndarray, source: np.ndarray, who: str) -> None:
    heard = labels[labels != UNANSWERED]
    if len(heard) >= 20 and len(np.unique(heard)) == 1 and len(np.unique(source)) > 1:
        raise SuspectError(
            f"{who} answers class {heard[0]} to all of {len(heard)} queries: its outputs are constant. Is its "
            "normalisation right (--mean, --std), and does it take inputs in [0, 1]?"
        )


def _plane(fingerprint: Fingerprint, suspect: Suspect) -> np.ndarray | None:
    if fingerprint.plane is None or "anchors" not in fingerprint.plane:
        return None
    images = grid(fingerprint.plane["anchors"])
    flat = images.reshape(SIDE * SIDE, *images.shape[2:])
    return suspect.ask(flat).labels.reshape(SIDE, SIDE)


def scores_of(verifications: Sequence[Verification]) -> np.ndarray:
    """The scores of several suspects, NaN where there is none."""
    return np.array([np.nan if v.verdict.score is None else v.verdict.score for v in verifications])
