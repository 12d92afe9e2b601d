"""Build a zoo: whatever is missing, in parallel, resumable after a kill at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from modelprint.core.devices import resolve_device
from modelprint.core.errors import UsageError
from modelprint.core.files import locked, write_bytes
from modelprint.core.identity import digest, digest_file
from modelprint.nn.loading import load_model
from modelprint.zoo.plan import Plan
from modelprint.zoo.plans import default_folder, plan_of
from modelprint.zoo.pool import TaskPool
from modelprint.zoo.recipes import Entry, Theft, made_by
from modelprint.zoo.state import Status, status
from modelprint.zoo.store import Failure, Measured, Store
from modelprint.zoo.work import Ground, Outcome, Task, perform


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far a build is.

    Attributes:
        id: of the model that was just made, or failed.
        done, total: models that are there, and that are planned.
        left: estimated seconds to go, at the rate of this run.
    """

    id: str
    done: int
    total: int
    failed: int
    left: float


Progress = Callable[[Step], None]


def build(
    name: str | Plan,
    *,
    jobs: int = 1,
    folder: Path | None = None,
    only: Iterable[str] | None = None,
    device: str = "cpu",
    trust_code: bool = False,
    progress: Progress | None = None,
) -> Status:
    """Make the models of a zoo that are not there yet.

    Each is written whole as soon as it is made, so that a build may be killed at any moment and started again. A model
    that cannot be made (its data are missing, training diverged) is recorded, and the build goes on.

    Args:
        name: of a planned zoo, or a plan.
        jobs: processes, of one thread each; the models do not depend on it.
        folder: see `default_folder`.
        only: parts ("test", "shadow" ...) to make; sources are made in any case.
        device: where they are made: auto, cpu, cuda, cuda:N or mps. A recipe names the same file wherever it is made,
            though only the CPU makes the same weights everywhere.
        trust_code: whether code that the plan names (an architecture or a recipe in a file) may be run.

    Raises:
        UsageError: no such zoo, or it names code that is not trusted.
        DeviceError: no such device here.
        ModelprintError: another build is at work there, the disk is full, or a worker process died.
    """
    plan = plan_of(name) if isinstance(name, str) else name
    chosen = str(resolve_device(device))
    code = next((entry.recipe.code for entry in plan.entries if entry.recipe.code is not None), None)
    if code is not None and not trust_code:
        raise UsageError(f"the plan {plan.name} names code, {code}: pass --trust-code if you trust its maker")
    place = folder or default_folder(plan.name)
    parts = None if only is None else {*only, "source", "base"}
    store = Store(place, plan)
    with locked(store.folder, "build"):
        store.sweep()
        _Build(store, jobs=jobs, device=chosen, trust_code=trust_code, progress=progress).run(parts)
        store.write()
    return status(plan, folder=place)


def adopt(name: str | Plan, models: Path, *, folder: Path | None = None) -> list[str]:
    """Take over models that were trained elsewhere by exactly the recipes of a zoo; the ids of those that were.

    Args:
        models: a folder of `.safetensors` files that modelprint wrote. A derived model is taken over if the file that
            it was made from is in the folder, too, and stands for its source in the plan.
    """
    plan = plan_of(name) if isinstance(name, str) else name
    store = Store(folder or default_folder(plan.name), plan)
    present = [load_model(path) for path in sorted(models.glob("*.safetensors"))]
    taken: dict[str, str] = {}  # identity of the recipe -> identity of the file
    with locked(store.folder, "build"):
        for entry in (entry for stage in plan.stages() for entry in stage):
            for loaded in present:
                card = loaded.card
                if card is None or loaded.path is None or not made_by(card, entry.recipe):
                    continue
                if isinstance(entry.recipe, Theft) and card.recipe.get("source") != taken.get(entry.recipe.source):
                    continue
                if not store.path(entry.file).exists():
                    write_bytes(store.path(entry.file), loaded.path.read_bytes())
                taken[entry.identity] = digest_file(store.path(entry.file))
    return [entry.id for entry in plan.entries if entry.identity in taken]


class _Build:
    def __init__(self, store: Store, *, jobs: int, device: str, trust_code: bool, progress: Progress | None) -> None:
        self.trust_code = trust_code
        self.store = store
        self.jobs = jobs
        self.device = device
        self.progress = progress
        self.planned = store.plan.by_identity()
        self.started = time.perf_counter()
        self.built = 0
        self.to_make = 0

    def run(self, parts: set[str] | None) -> None:
        stages = [
            [entry for entry in stage if parts is None or entry.part in parts] for stage in self.store.plan.stages()
        ]
        self.to_make = sum(entry.identity not in self.store.models for stage in stages for entry in stage)
        plan = self.store.plan
        ground = Ground(
            holdout=f"{plan.data}:holdout",
            dtype=getattr(torch, plan.dtype),
            device=self.device,
            trust_code=self.trust_code,
        )
        with TaskPool(perform, ground, jobs=self.jobs) as pool:
            for stage in stages:
                self._run_stage([entry for entry in stage if entry.identity not in self.store.models], pool)

    def _run_stage(self, entries: list[Entry], pool: TaskPool[Task, Outcome]) -> None:
        there = self.store.unmeasured()
        rivals = {
            entry.id: self.store.path(entry.file)
            for entry in self.store.plan.sources
            if entry.identity in self.store.models
        }
        tasks: list[Task] = []
        for entry in entries:
            source = self._source(entry)
            if isinstance(entry.recipe, Theft) and source is None:
                missing = self.planned[entry.recipe.source].id
                self._note(entry, Outcome(error=f"its source {missing} is missing"))
                continue
            tasks.append(
                Task(
                    id=entry.id,
                    identity=entry.identity,
                    recipe=entry.recipe,
                    source=source,
                    measure_only=self.store.path(entry.file) if entry.identity in there else None,
                    rivals=rivals,
                )
            )
        pool.run(tasks, lambda index, outcome: self._note(self.planned[tasks[index].identity], outcome))

    def _source(self, entry: Entry) -> Path | None:
        if not isinstance(entry.recipe, Theft) or entry.recipe.source not in self.store.models:
            return None
        return self.store.path(self.planned[entry.recipe.source].file)

    def _note(self, entry: Entry, outcome: Outcome) -> None:
        """Write a model and what it is worth, or that it failed."""
        if outcome.error is not None:
            self.store.record(Failure(id=entry.id, identity=entry.identity, error=outcome.error))
        else:
            path = self.store.path(entry.file)
            weights = outcome.weights or path.read_bytes()
            if outcome.weights:
                write_bytes(path, weights)
            self.store.record(
                Measured(
                    id=entry.id,
                    identity=entry.identity,
                    file=entry.file,
                    sha256=digest(weights),
                    size=len(weights),
                    accuracy=outcome.accuracy,
                    agreements=dict(outcome.agreements),
                    seconds=outcome.seconds,
                )
            )
        self.built += 1
        if self.progress is not None:
            elapsed = time.perf_counter() - self.started
            self.progress(
                Step(
                    id=entry.id,
                    done=len(self.store.models),
                    total=len(self.store.plan.entries),
                    failed=len(self.store.failures),
                    left=elapsed / self.built * (self.to_make - self.built),
                )
            )
