"""What a worker does: make one fingerprint, or put many fingerprints' queries to one suspect and score the answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from modelprint.bench.evading import HELD_OUT, Respondent, renames
from modelprint.bench.plan import Enrolment
from modelprint.bench.store import CellResult, CraftRecord
from modelprint.core.access import Access
from modelprint.core.errors import ModelprintError
from modelprint.core.suspect import Answers
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.ownership.decide import LEAST_ANSWERED
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.matching import rematched
from modelprint.ownership.plane import grid
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme
from modelprint.training.loop import predict
from modelprint.zoo.reference_models.shadows import Shadows

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
ACCESSES = (Access.LABELS, Access.SCORES)


@dataclass(frozen=True, kw_only=True)
class CraftTask:
    """A fingerprint to make.

    Attributes:
        models: the files of the source and of the shadow models, under their ids.
        place: where it is to be written.
    """

    enrolment: Enrolment
    models: Mapping[str, Path]
    place: Path


@dataclass(frozen=True, kw_only=True)
class WeighTask:
    """A copy, and the evasions that may cost it accuracy.

    Attributes:
        data: whose first `HELD_OUT` images it is measured on.
        cells: the identity of each cell; `evasions`: of that cell.
        partner: the file of an independent model, for an evasion that needs one.
    """

    suspect: str
    model: Path
    data: str
    cells: tuple[str, ...]
    evasions: tuple[str, ...]
    partner: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A cell to be filled.

    Attributes:
        cell: its identity.
        fingerprint: where it lies.
        evasion: behind which the suspect answers.
        regions: whether the planar slice is asked for, too.
    """

    cell: str
    fingerprint: Path
    evasion: str
    regions: bool


@dataclass(frozen=True, kw_only=True)
class AskTask:
    """One suspect, and the fingerprints to judge it by.

    Attributes:
        same_classes: whether the suspect tells the source's classes apart.
        partner: the file of an independent model, for an evasion that needs one.
    """

    suspect: str
    model: Path
    cells: tuple[Asked, ...]
    same_classes: bool
    partner: Path | None = None


def craft(_: None, task: CraftTask) -> CraftRecord:
    """Make a fingerprint and write it; an error that a user can mend becomes the outcome."""
    started = time.process_time()
    plan = task.enrolment
    scheme = SCHEMES[plan.scheme](**plan.parameters)
    try:
        made = enroll(
            _model(task.models[plan.source]),
            _data(plan.data),
            scheme=scheme,
            train_data=_data(plan.train_data) if scheme.needs.train_images else None,
            shadows=Shadows(
                surrogates=tuple(_model(task.models[name]) for name in plan.surrogates),
                references=tuple(_model(task.models[name]) for name in plan.references),
                reference_copies=tuple(_model(task.models[name]) for name in plan.reference_copies),
            ),
            budget=plan.budget,
            seed=plan.seed,
            out=task.place,
        )
    except ModelprintError as error:
        return CraftRecord(enrolment=plan.identity, error=f"{type(error).__name__}: {error}")
    return CraftRecord(
        enrolment=plan.identity,
        seconds=time.process_time() - started,
        queries=len(made.queries),
        distinct=distinct_neighbours(made.queries, made.state["group"]) if "group" in made.state else None,
    )


def distinct_neighbours(queries: np.ndarray, group: np.ndarray) -> float | None:
    """The share of neighbouring queries of one group that differ once rounded to 8 bits; None without neighbours.

    >>> steps = np.array([0.0, 0.001, 0.5], np.float32).reshape(3, 1, 1, 1)
    >>> distinct_neighbours(steps, np.zeros(3, np.int64))
    0.5
    """
    together = group[1:] == group[:-1]
    if not together.any():
        return None
    stored = queries if queries.dtype == np.uint8 else np.round(queries * 255.0).astype(np.uint8)
    differ = (stored[1:] != stored[:-1]).reshape(len(stored) - 1, -1).any(axis=1)
    return float(differ[together].mean())


def ask(_: None, task: AskTask) -> list[CellResult]:
    """Load a suspect once and judge it by every fingerprint; one cell's failure does not touch the others."""
    try:
        model = _suspect(task.model)
    except ModelprintError as error:
        return [CellResult(cell=asked.cell, suspect=task.suspect, error=f"{error}") for asked in task.cells]
    results: list[CellResult] = []
    respondent = Respondent(model, who=task.suspect, partner=task.partner)
    for asked in task.cells:
        try:
            results.append(_judged(asked, respondent, task))
        except Exception as error:  # recorded, so that hours of other cells are not lost
            results.append(CellResult(cell=asked.cell, suspect=task.suspect, error=f"{type(error).__name__}: {error}"))
    return results


def weigh(_: None, task: WeighTask) -> list[CellResult]:
    """How many held-out images a copy behind each evasion gets right; one that gets no answer is wrong.

    Classes that were renamed are told apart: the thief's customers know the names.
    """
    data = _data(task.data)
    data = data.take(np.arange(min(HELD_OUT, len(data))))
    results: list[CellResult] = []
    try:
        respondent = Respondent(_suspect(task.model), who=task.suspect, partner=task.partner)
    except ModelprintError as error:
        return [CellResult(cell=cell, suspect=task.suspect, error=f"{error}") for cell in task.cells]
    for cell, evasion in zip(task.cells, task.evasions, strict=True):
        started = time.process_time()
        try:
            answers = respondent.behind(evasion).ask(data.stored)
            if renames(evasion):
                answers = rematched(Answers(labels=data.labels), answers)
            right = float((answers.labels == data.labels).mean())
        except ModelprintError as error:
            results.append(CellResult(cell=cell, suspect=task.suspect, error=f"{type(error).__name__}: {error}"))
        else:
            seconds = time.process_time() - started
            details = {"accuracy": right, "images": float(len(data))}
            results.append(CellResult(cell=cell, suspect=task.suspect, details=details, seconds=seconds))
    return results


def _judged(asked: Asked, respondent: Respondent, task: AskTask) -> CellResult:
    started, before = time.process_time(), respondent.forward_seconds
    judge = _judge(asked.fingerprint)
    if judge.scheme.needs.same_classes and not task.same_classes:
        return CellResult(cell=asked.cell, suspect=task.suspect, scores={})
    suspect = respondent.behind(asked.evasion)
    shown = min(suspect.access, Access.SCORES)
    answers = suspect.ask(judge.fingerprint.queries, access=shown)
    forward = respondent.forward_seconds - before
    if answers.answered.mean() < LEAST_ANSWERED:  # a verifier says "inconclusive"
        return CellResult(
            cell=asked.cell,
            suspect=task.suspect,
            details={"answered": float(answers.answered.mean())},
            forward_seconds=forward,
            seconds=time.process_time() - started,
        )
    if renames(asked.evasion):
        answers = rematched(judge.fingerprint.source, answers)
    scores = {
        str(access): judge.score(answers.restricted(access))
        for access in ACCESSES
        if judge.scheme.needs.suspect <= access <= shown
    }
    details = {
        name: float(value)
        for name, value in judge.scheme.details(judge.fingerprint.state, judge.fingerprint.source, answers).items()
        if isinstance(value, int | float)
    }
    return CellResult(
        cell=asked.cell,
        suspect=task.suspect,
        scores=scores,
        details=details,
        forward_seconds=forward,
        seconds=time.process_time() - started,
        regions=_regions(judge.fingerprint, respondent.model) if asked.regions else None,
    )


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """A fingerprint that is read once and used on many suspects."""

    fingerprint: Fingerprint
    scheme: Scheme

    def score(self, answers: Answers) -> float:
        value = self.scheme.score(self.fingerprint.state, self.fingerprint.source, answers)
        if not np.isfinite(value):
            raise ModelprintError(f"scheme {self.scheme.name} gave the score {value}")
        return float(value)


def _regions(fingerprint: Fingerprint, model: LoadedModel) -> str | None:
    if fingerprint.plane is None:
        return None
    images = grid(fingerprint.plane["anchors"])
    side = len(images)
    labels = predict(model.module, torch.from_numpy(images.reshape(side * side, *images.shape[2:]))).argmax(1)
    return letters(labels.numpy())


def letters(labels: np.ndarray) -> str:
    """One letter per label.

    >>> letters(np.array([0, 9, 10, 99]))
    '09a?'
    """
    return "".join(LETTERS[label] if label < len(LETTERS) else "?" for label in labels)


@lru_cache(maxsize=400)
def _judge(place: Path) -> _Judge:
    fingerprint = Fingerprint.load(place)
    scheme = SCHEMES[fingerprint.manifest.scheme](**fingerprint.manifest.parameters)
    return _Judge(fingerprint=fingerprint, scheme=scheme)


@lru_cache(maxsize=6)
def _data(reference: str) -> LabelledSet:
    return load_data(reference)


@lru_cache(maxsize=32)
def _model(path: Path) -> LoadedModel:
    return load_model(path)


@lru_cache(maxsize=1)
def _suspect(path: Path) -> LoadedModel:
    return load_model(path)
