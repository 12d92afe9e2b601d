"""What a worker does: make one fingerprint, or put many fingerprints' queries to one suspect and score the answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from modelprint.bench.plan import Enrolment
from modelprint.bench.store import CellResult, CraftRecord
from modelprint.core.access import Access
from modelprint.core.errors import ModelprintError
from modelprint.core.identity import digest_arrays
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.data.image_set import ImageSet
from modelprint.data.splits import load_data
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.plane import grid
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme
from modelprint.training.loop import predict
from modelprint.zoo.shadows import Shadows

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
class AskTask:
    """One suspect, and the fingerprints to judge it by.

    Attributes:
        cells: the identity of each cell; `prints`: the file of its fingerprint.
        same_classes: whether the suspect tells the source's classes apart.
        regions: cells whose planar slice is asked for, too.
    """

    suspect: str
    model: Path
    cells: tuple[str, ...]
    prints: tuple[Path, ...]
    same_classes: bool
    regions: frozenset[str] = field(default_factory=frozenset)


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
                copies=tuple(_model(task.models[name]) for name in plan.shadow_copies),
                strangers=tuple(_model(task.models[name]) for name in plan.shadow_strangers),
                robbed=tuple(_model(task.models[name]) for name in plan.shadow_robbed),
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
        return [CellResult(cell=cell, suspect=task.suspect, error=f"{error}") for cell in task.cells]
    results: list[CellResult] = []
    asked: dict[str, Answers] = {}  # fingerprints of the same queries (the controls') share the answers
    for cell, place in zip(task.cells, task.prints, strict=True):
        try:
            results.append(_judged(cell, place, model, task, asked))
        except Exception as error:  # recorded, so that hours of other cells are not lost
            results.append(CellResult(cell=cell, suspect=task.suspect, error=f"{type(error).__name__}: {error}"))
    return results


def _judged(cell: str, place: Path, model: LoadedModel, task: AskTask, asked: dict[str, Answers]) -> CellResult:
    started = time.process_time()
    judge = _judge(place)
    if judge.scheme.needs.same_classes and not task.same_classes:
        return CellResult(cell=cell, suspect=task.suspect, scores={})
    forward = 0.0
    if judge.queries not in asked:
        before = time.process_time()
        logits = predict(model.module, judge.images)
        forward = time.process_time() - before
        asked[judge.queries] = answers_from_scores(logits.numpy(), who=task.suspect)
    answers = asked[judge.queries]
    scores = {
        str(access): judge.score(answers.restricted(access))
        for access in ACCESSES
        if access >= judge.scheme.needs.access
    }
    details = {
        name: float(value)
        for name, value in judge.scheme.details(judge.fingerprint.state, judge.fingerprint.source, answers).items()
        if isinstance(value, int | float)
    }
    return CellResult(
        cell=cell,
        suspect=task.suspect,
        scores=scores,
        details=details,
        forward_seconds=forward,
        seconds=time.process_time() - started,
        regions=_regions(judge.fingerprint, model) if cell in task.regions else None,
    )


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """A fingerprint that is read once and used on many suspects.

    Attributes:
        queries: SHA-256 of the images.
    """

    queries: str
    fingerprint: Fingerprint
    scheme: Scheme
    images: torch.Tensor

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
    return _Judge(
        queries=digest_arrays({"queries": fingerprint.queries}),
        fingerprint=fingerprint,
        scheme=scheme,
        images=torch.from_numpy(fingerprint.queries),
    )


@lru_cache(maxsize=6)
def _data(reference: str) -> ImageSet:
    return load_data(reference)


@lru_cache(maxsize=32)
def _model(path: Path) -> LoadedModel:
    return load_model(path)


@lru_cache(maxsize=1)
def _suspect(path: Path) -> LoadedModel:
    return load_model(path)
