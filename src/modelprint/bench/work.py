"""What a worker does besides judging: make a fingerprint, measure what evasions cost a copy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from modelprint.bench.evading import HELD_OUT, renames
from modelprint.bench.plan import Enrolment
from modelprint.bench.store import CellResult, CraftRecord
from modelprint.bench.subjects import subject_of
from modelprint.core.errors import ModelprintError
from modelprint.core.suspect import Answers
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.ownership.enroll import enroll
from modelprint.ownership.matching import rematched
from modelprint.schemes import SCHEMES
from modelprint.zoo.reference_models.shadows import Shadows
from modelprint.zoo.reference_models.training import HowTrained


@dataclass(frozen=True, kw_only=True)
class CraftTask:
    """A fingerprint to make.

    Attributes:
        models: the files of the source and of the shadow models, under their ids.
        place: where it is to be written.
        device: where it is made.
        trust_code: whether code that the models' files name as their architecture may be run.
    """

    enrolment: Enrolment
    models: Mapping[str, Path]
    place: Path
    device: str = "cpu"
    trust_code: bool = False


@dataclass(frozen=True, kw_only=True)
class WeighTask:
    """A copy, and the evasions that may cost it accuracy.

    Attributes:
        data: whose first `HELD_OUT` images it is measured on.
        cells: the identity of each cell; `evasions`: of that cell.
        partner: the file of an independent model, for an evasion that needs one.
        device: where models answer.
    """

    suspect: str
    model: Path
    data: str
    cells: tuple[str, ...]
    evasions: tuple[str, ...]
    partner: Path | None = None
    device: str = "cpu"


def craft(_: None, task: CraftTask) -> CraftRecord:
    """Make a fingerprint and write it; an error that a user can mend becomes the outcome."""
    started = time.process_time()
    plan = task.enrolment
    scheme = SCHEMES[plan.scheme](**plan.parameters)
    try:
        fingerprint = enroll(
            _model(task.models[plan.source], task.device, task.trust_code),
            _data(plan.data),
            scheme=scheme,
            train_data=_data(plan.train_data) if scheme.needs.train_images else None,
            shadows=Shadows(
                surrogates=tuple(_model(task.models[name], task.device, task.trust_code) for name in plan.surrogates),
                references=tuple(_model(task.models[name], task.device, task.trust_code) for name in plan.references),
                reference_copies=tuple(
                    _model(task.models[name], task.device, task.trust_code) for name in plan.reference_copies
                ),
                siblings=tuple(_model(task.models[name], task.device, task.trust_code) for name in plan.siblings),
            ),
            how=HowTrained(init=next((task.models[name] for name in plan.checkpoint), None)),
            budget=plan.budget,
            seed=plan.seed,
            out=task.place,
        )
    except ModelprintError as error:
        return CraftRecord(enrolment=plan.identity, error=f"{type(error).__name__}: {error}")
    return CraftRecord(
        enrolment=plan.identity,
        seconds=time.process_time() - started,
        queries=len(fingerprint.queries),
        distinct=distinct_neighbours(fingerprint.queries, fingerprint.state["group"], modality=fingerprint.modality)
        if "group" in fingerprint.state
        else None,
    )


def distinct_neighbours(queries: np.ndarray, group: np.ndarray, *, modality: Modality = IMAGE) -> float | None:
    """The share of neighbouring queries of one group that differ once they are stored; None without neighbours.

    >>> steps = np.array([0.0, 0.001, 0.5], np.float32).reshape(3, 1, 1, 1)
    >>> distinct_neighbours(steps, np.zeros(3, np.int64))
    0.5
    """
    together = group[1:] == group[:-1]
    if not together.any():
        return None
    stored = modality.to_stored(modality.to_model(queries)).numpy()
    differ = (stored[1:] != stored[:-1]).reshape(len(stored) - 1, -1).any(axis=1)
    return float(differ[together].mean())


def weigh(_: None, task: WeighTask) -> list[CellResult]:
    """How many held-out images a copy behind each evasion gets right; one that gets no answer is wrong.

    Classes that were renamed are matched: those who use the copy know the names.
    """
    data = _data(task.data)
    data = data.take(np.arange(min(HELD_OUT, len(data))))
    results: list[CellResult] = []
    try:
        subject = subject_of(task.model, task.device)
        respondent = subject.respondent(task.suspect, partner=task.partner, device=task.device)
    except ModelprintError as error:
        return [CellResult(cell=cell, suspect=task.suspect, error=f"{error}") for cell in task.cells]
    for cell, evasion in zip(task.cells, task.evasions, strict=True):
        started = time.process_time()
        try:
            if (known := subject.weighed(evasion)) is not None:
                details = {"accuracy": known.accuracy, "images": float(known.images)}
                results.append(CellResult(cell=cell, suspect=task.suspect, details=details))
                continue
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


@lru_cache(maxsize=6)
def _data(reference: str) -> LabelledSet:
    return load_data(reference)


@lru_cache(maxsize=32)
def _model(path: Path, device: str, trust_code: bool) -> LoadedModel:
    return load_model(path, device=device, trust_code=trust_code)
