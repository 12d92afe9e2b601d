"""What a worker does to judge: ask a fingerprint's calibration models, and put many fingerprints' queries to a suspect.

A cell holds what `verify` would say of the suspect if it asked every query: the same code asks, refuses, matches
classes and decides (ownership.ask, ownership.concluding). Where a scheme may stop early the verdict is the same, unless
the suspect stops answering later on. The scores of the calibration models are computed once for all suspects that
answered the same queries.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.bench.evading import NONE, Respondent
from modelprint.bench.store import CalibrationRecord, CellResult, Judgement
from modelprint.bench.subjects import Subject, held_fingerprint, subject_of
from modelprint.core.access import Access
from modelprint.core.errors import MisfitError, ModelprintError, SuspectError
from modelprint.core.suspect import Answers
from modelprint.ownership.ask import interrogate
from modelprint.ownership.combined import decide_together
from modelprint.ownership.concluding import Interview, SharedScores, calibrated_limit, calibration_scores, concluded
from modelprint.ownership.decide import Decision
from modelprint.ownership.fingerprint import CalibrationModel, Fingerprint
from modelprint.ownership.levels import Level, weights_level
from modelprint.ownership.opening import scheme_of
from modelprint.schemes.auto import Auto
from modelprint.schemes.base import Scheme

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
ACCESSES = (Access.LABELS, Access.SCORES, Access.WEIGHTS)
POOL_KINDS = True  # as in the committed results: the digits zoo, for one, has two siblings


@dataclass(frozen=True, kw_only=True)
class Member:
    """A calibration model.

    Attributes:
        cell: the identity of its cell.
        record: as the fingerprint will hold it.
        model: its file.
        evasion: behind which it answers, where the fingerprint expects that; "none" otherwise.
    """

    cell: str
    record: CalibrationModel
    model: Path
    evasion: str


@dataclass(frozen=True, kw_only=True)
class CalibrateTask:
    """A fingerprint whose calibration models are to be asked.

    Attributes:
        fingerprint: where it lies; `place`: where it is to be written with its calibration.
        alpha: the accepted rate of false positives.
        device: where models answer.
    """

    enrolment: str
    fingerprint: Path
    place: Path
    members: tuple[Member, ...]
    alpha: float
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """What came of that: the record, and the cell of each calibration model.

    Attributes:
        record: None where no model could be asked.
    """

    record: CalibrationRecord | None
    cells: list[CellResult]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A cell to be filled.

    Attributes:
        cell: its identity.
        fingerprint: where it lies, with its calibration unless it stands in a figure only.
        judged_by: the identity of fingerprint, calibration and alpha; None without calibration.
        evasion: behind which the suspect answers.
        regions: whether the planar slice is asked for, too.
    """

    cell: str
    fingerprint: Path
    judged_by: str | None
    evasion: str
    regions: bool


@dataclass(frozen=True, kw_only=True)
class AskTask:
    """One suspect, and the fingerprints to judge it by.

    Attributes:
        alpha: the accepted rate of false positives.
        partner: the file of an independent model, for an evasion that needs one.
        device: where models answer.
    """

    suspect: str
    model: Path
    cells: tuple[Asked, ...]
    alpha: float
    partner: Path | None = None
    device: str = "cpu"


def calibrate(_: None, task: CalibrateTask) -> Calibrated:
    """Ask the calibration models of a fingerprint, and write it with their answers; one's failure is recorded."""
    fingerprint = held_fingerprint(task.fingerprint)
    scheme = scheme_of(fingerprint)
    cells: list[CellResult] = []
    members: list[Member] = []
    answers: list[Answers] = []
    for member in task.members:
        try:
            cell, given = _calibrating(member, fingerprint, scheme, task.device)
        except Exception as error:  # recorded, as that of a suspect is
            reason = f"{type(error).__name__}: {error}"
            cells.append(CellResult(cell=member.cell, suspect=member.record.name, error=reason))
        else:
            cells.append(cell)
            members.append(member)
            answers.append(given)
    if not members:
        return Calibrated(record=None, cells=cells)
    records = tuple(
        member.record if fingerprint.manifest.weights is None else _with_weights(member, fingerprint)
        for member in members
    )
    calibrated = fingerprint.recalibrated(records, tuple(answers))
    calibrated.save(task.place)
    everything = np.ones(len(calibrated), dtype=bool)
    record = CalibrationRecord(
        enrolment=task.enrolment,
        members=tuple(member.cell for member in members),
        alpha=task.alpha,
        fingerprint=calibrated.identity,
        thresholds={
            str(access): calibrated_limit(scheme, calibrated, access, everything, task.alpha, pool_kinds=POOL_KINDS)
            for access in levels_read(scheme, Access.WEIGHTS)
        },
    )
    return Calibrated(record=record, cells=cells)


def ask(_: None, task: AskTask) -> list[CellResult]:
    """Load a suspect once and judge it by every fingerprint; one cell's failure does not touch the others."""
    try:
        subject = _subject(task.model, task.device)
    except ModelprintError as error:
        return [CellResult(cell=asked.cell, suspect=task.suspect, error=f"{error}") for asked in task.cells]
    results: list[CellResult] = []
    respondents: dict[int, Respondent] = {}  # one, unless fingerprints are of different tasks
    for asked in task.cells:
        try:
            judge = _judge(asked.fingerprint, asked.judged_by)
            classes = judge.fingerprint.manifest.input.classes
            if classes not in respondents:
                respondents[classes] = subject.respondent(
                    task.suspect, classes=classes, partner=task.partner, device=task.device
                )
            results.append(_judged(asked, judge, subject, respondents[classes], task))
        except Exception as error:  # recorded, so that hours of other cells are not lost
            results.append(CellResult(cell=asked.cell, suspect=task.suspect, error=f"{type(error).__name__}: {error}"))
    return results


def _judged(asked: Asked, judge: _Judge, subject: Subject, respondent: Respondent, task: AskTask) -> CellResult:
    started, before = time.process_time(), respondent.forward_seconds
    suspect = respondent.behind(asked.evasion)
    shown = min(suspect.access, Access.SCORES)
    levels = levels_read(judge.scheme, Access.WEIGHTS if asked.evasion == NONE else shown)
    cell = CellResult(cell=asked.cell, suspect=task.suspect, judged_by=asked.judged_by)
    if not judge.scheme.needs.asks:
        return cell.model_copy(update=_by_weights(judge, subject, task.alpha, started))
    try:
        interview = interrogate(judge.fingerprint, judge.scheme, suspect, access=shown)
    except MisfitError:  # other classes: the two models cannot be compared
        return cell
    except SuspectError as error:
        judged = {str(access): _refused(str(error)) for access in levels}
        return cell.model_copy(update={"judged": judged, "seconds": time.process_time() - started})
    forward = respondent.forward_seconds - before
    decisions = {
        access: concluded(
            judge.scheme,
            judge.fingerprint,
            _heard(judge.fingerprint, judge.scheme, interview, access),
            alpha=task.alpha,
            pool_kinds=POOL_KINDS,
            shared=judge.shared,
            weights=_weights(judge.fingerprint, subject, task.alpha) if access is Access.WEIGHTS else None,
        )
        for access in levels
    }
    scores = {str(access): decision.score for access, decision in decisions.items() if decision.score is not None}
    if not np.isfinite(list(scores.values())).all():
        raise ModelprintError(f"scheme {judge.scheme.name} gave the scores {scores}")
    details: dict[str, float] = {}
    for decision in decisions.values():  # those at the highest level stand
        details |= {name: float(value) for name, value in decision.details.items() if isinstance(value, int | float)}
    if not interview.answers.answered.all():
        details["answered"] = float(interview.answers.answered.mean())
    return CellResult(
        cell=asked.cell,
        suspect=task.suspect,
        scores=scores,
        judged={str(access): _judgement(decision) for access, decision in decisions.items()},
        judged_by=asked.judged_by,
        details=details,
        forward_seconds=forward,
        seconds=time.process_time() - started,
        regions=_regions(judge.fingerprint, subject) if asked.regions else None,
    )


def levels_read(scheme: Scheme, most: Access) -> list[Access]:
    """The levels of access at which a scheme judges."""
    top = Access.WEIGHTS if scheme.needs.weights else Access.SCORES
    return [access for access in ACCESSES if scheme.needs.suspect <= access <= min(top, most)]


def _heard(fingerprint: Fingerprint, scheme: Scheme, interview: Interview, access: Access) -> Interview:
    """The interview as it would have gone at this level of access."""
    heard = interview.restricted(access)
    if not isinstance(scheme, Auto) or access >= Access.SCORES:
        return heard
    masks = [scheme.asked_of(fingerprint.state, level) for level in scheme.asked_at(access)]
    asked = np.logical_or.reduce(masks)
    return replace(heard, asked=heard.asked & asked, planned=heard.planned & asked)


def _weights(fingerprint: Fingerprint, subject: Subject, alpha: float) -> Level | None:
    """What a suspect's weights say."""
    if fingerprint.manifest.weights is None:
        return None
    return weights_level(subject.compared(fingerprint), fingerprint, alpha=alpha, pool_kinds=POOL_KINDS)


def _with_weights(member: Member, fingerprint: Fingerprint) -> CalibrationModel:
    """The record of a calibration model with the score of its weights."""
    score = subject_of(member.model, "cpu").compared(fingerprint).score
    return member.record.model_copy(update={"weights": score})


def _by_weights(judge: _Judge, subject: Subject, alpha: float, started: float) -> dict[str, Any]:
    """The fields of the cell of a scheme that compares weights alone."""
    level = _weights(judge.fingerprint, subject, alpha)
    assert level is not None
    access = str(Access.WEIGHTS)
    decision = decide_together([], level, judge.fingerprint, alpha=alpha, pool_kinds=POOL_KINDS)
    return {
        "scores": {} if decision.score is None else {access: decision.score},
        "judged": {access: _judgement(decision)},
        "seconds": time.process_time() - started,
    }


def _judgement(decision: Decision) -> Judgement:
    return Judgement(
        verdict=decision.outcome,
        score=decision.score,
        threshold=decision.threshold,
        p_value=decision.p_value,
        relation=decision.relation,
        classes=None if decision.matching is None else tuple(decision.matching.classes.tolist()),
        reason=decision.message if decision.outcome == "inconclusive" else None,
    )


def _refused(reason: str) -> Judgement:
    return Judgement(verdict="inconclusive", score=None, reason=reason)


def _calibrating(member: Member, fingerprint: Fingerprint, scheme: Scheme, device: str) -> tuple[CellResult, Answers]:
    """What a calibration model answers, and its scores."""
    started, classes = time.process_time(), fingerprint.manifest.input.classes
    respondent = subject_of(member.model, device).respondent(member.record.name, classes=classes, device=device)
    answers = respondent.behind(member.evasion).ask(fingerprint.queries, access=Access.SCORES)
    scores = {
        str(access): scheme.score(fingerprint.state, fingerprint.source, answers.restricted(access))
        for access in levels_read(scheme, Access.SCORES)
        if not scheme.transductive  # these have a score beside a suspect alone
    }
    cell = CellResult(
        cell=member.cell,
        suspect=member.record.name,
        scores=scores,
        forward_seconds=respondent.forward_seconds,
        seconds=time.process_time() - started,
    )
    return cell, answers


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """A fingerprint that is read once and used on many suspects."""

    fingerprint: Fingerprint
    scheme: Scheme
    shared: SharedScores


def _regions(fingerprint: Fingerprint, subject: Subject) -> str | None:
    labels = subject.labels_on_plane(fingerprint)
    return None if labels is None else letters(labels.ravel())


def letters(labels: np.ndarray) -> str:
    """One letter per label.

    >>> letters(np.array([0, 9, 10, 99]))
    '09a?'
    """
    return "".join(LETTERS[label] if label < len(LETTERS) else "?" for label in labels)


@lru_cache(maxsize=128)
def _judge(place: Path, judged_by: str | None) -> _Judge:
    """The fingerprint at a place; `judged_by` tells versions apart that were written there one after the other."""
    fingerprint = held_fingerprint(place)
    scheme = scheme_of(fingerprint)
    return _Judge(fingerprint=fingerprint, scheme=scheme, shared=calibration_scores(scheme, fingerprint))


@lru_cache(maxsize=1)
def _subject(path: Path, device: str) -> Subject:
    return subject_of(path, device)
