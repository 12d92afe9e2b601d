"""Build a zoo: whatever is missing, in parallel, resumable after a kill at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Set
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
from modelprint.zoo.recording import Recorder, Recording
from modelprint.zoo.state import Status, status
from modelprint.zoo.store import Failure, Measured, Remade, Store
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
FIRST = frozenset({"source", "shadow", "rehearsal"})  # what fingerprints are made of


def build(
    name: str | Plan,
    *,
    jobs: int = 1,
    folder: Path | None = None,
    only: Iterable[str] | None = None,
    device: str = "cpu",
    trust_code: bool = False,
    recording: Recording | None = None,
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
        recording: asked for a recorder when the sources and all that an owner makes (`FIRST`) are known, and those that
            it needs are there with their weights, unless every model has its record; the recorder is called with every
            model. A model that has a record is not made again, though its weights are gone.

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
        building = _Build(store, jobs=jobs, device=chosen, trust_code=trust_code, progress=progress)
        if recording is not None:
            building.prepare(FIRST if parts is None else FIRST & parts, needed=recording.needed())
            building.recorder = recording.recorder()
        building.run(parts)
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
        self.recorder: Recorder | None = None

    def prepare(self, parts: Set[str], *, needed: Set[str] | None) -> None:
        """Have the models of some parts, those `needed` (None: all) with weights, if one is still to be recorded."""
        if all(self.store.record_of(entry.file) is not None for entry in self.store.plan.entries):
            return
        entries = [entry for entry in self.store.plan.entries if entry.part in parts]
        known = {entry.identity for entry in entries if needed is not None and entry.id not in needed}
        self._make(
            {entry.identity for entry in entries if not self._at_hand(entry)} - (known & self.store.models.keys())
        )

    def run(self, parts: Set[str] | None) -> None:
        """Make what is missing of some parts, and what that is made from."""
        entries = [entry for entry in self.store.plan.entries if parts is None or entry.part in parts]
        self._make({entry.identity for entry in entries if not self._done(entry)})

    def _only_to_record(self, entry: Entry) -> bool:
        """Whether fingerprints were made of a model that is at hand.

        Its record comes first: with it, another machine knows the file, and the fingerprints stay what they are, though
        that machine may round otherwise when it makes the model again.
        """
        return self.recorder is not None and entry.part in FIRST and self._at_hand(entry)

    def _at_hand(self, entry: Entry) -> bool:
        """Whether a model is known, and its weights are there."""
        return entry.identity in self.store.models and self.store.path(entry.file).is_file()

    def _make(self, missing: Set[str]) -> None:
        again = self._parents(missing)
        self.to_make = len(missing | again)
        plan = self.store.plan
        ground = Ground(
            holdout=plan.measured_on,
            dtype=getattr(torch, plan.dtype),
            device=self.device,
            trust_code=self.trust_code,
            recorder=self.recorder,
        )
        wanted = missing | again
        owners = {identity for identity in wanted if self._only_to_record(self.planned[identity])}
        with TaskPool(perform, ground, jobs=self.jobs) as pool:
            for turn in (owners, wanted - owners):
                for stage in plan.stages():
                    self._run_stage([entry for entry in stage if entry.identity in turn], pool)

    def _done(self, entry: Entry) -> bool:
        """Whether nothing is to be done for a model: it is there, and recorded if it is to be."""
        if entry.identity not in self.store.models:
            return False
        return self.recorder is None or self.store.record_of(entry.file) is not None

    def _parents(self, missing: Set[str]) -> set[str]:
        """The models that missing ones are made from, and that are not known, or whose weights are gone."""
        gone: set[str] = set()
        waiting = [self.planned[identity] for identity in missing]
        while waiting:
            recipe = waiting.pop().recipe
            for identity in recipe.needed if isinstance(recipe, Theft) else ():
                parent = self.planned[identity]
                if identity not in gone and not self._at_hand(parent):
                    gone.add(identity)
                    waiting.append(parent)
        return gone

    def _run_stage(self, entries: list[Entry], pool: TaskPool[Task, Outcome]) -> None:
        there = {entry.identity for entry in entries if self.store.path(entry.file).is_file()}
        rivals = {
            entry.id: self.store.path(entry.file)
            for entry in self.store.plan.sources
            if entry.identity in self.store.models and self.store.path(entry.file).is_file()
        }
        tasks: list[Task] = []
        for entry in entries:
            needed = self._needed(entry)
            absent = [identity for identity, path in needed.items() if path is None]
            if absent:
                self._note(entry, Outcome(error=f"its source {self.planned[absent[0]].id} is missing"))
                continue
            recipe = entry.recipe
            others = recipe.others if isinstance(recipe, Theft) else {}
            tasks.append(
                Task(
                    id=entry.id,
                    identity=entry.identity,
                    recipe=entry.recipe,
                    source=needed[recipe.source] if isinstance(recipe, Theft) else None,
                    others={name: path for name, identity in others.items() if (path := needed[identity])},
                    measure_only=self.store.path(entry.file) if entry.identity in there else None,
                    rivals=rivals,
                )
            )
        pool.run(tasks, lambda index, outcome: self._note(self.planned[tasks[index].identity], outcome))

    def _needed(self, entry: Entry) -> dict[str, Path | None]:
        """The files of the models that an entry is made from; None of those that are not there."""
        recipe = entry.recipe
        paths = {
            identity: self.store.path(self.planned[identity].file)
            for identity in (recipe.needed if isinstance(recipe, Theft) else ())
        }
        return {identity: path if path.is_file() else None for identity, path in paths.items()}

    def _note(self, entry: Entry, outcome: Outcome) -> None:
        """Write a model and what it is worth, or that it failed."""
        if outcome.error is not None:
            self.store.record(Failure(id=entry.id, identity=entry.identity, error=outcome.error))
        else:
            self._keep(entry, outcome)
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

    def _keep(self, entry: Entry, outcome: Outcome) -> None:
        """Write a model's weights and record; what was recorded when it was first made stands."""
        path, known = self.store.path(entry.file), self.store.models.get(entry.identity)
        weights = outcome.weights or path.read_bytes()
        identity = digest(weights)
        if outcome.weights:
            write_bytes(path, weights)
        recorded = self.store.record_of(entry.file) is not None
        if recorded and known is not None:
            if known.sha256 != identity:
                self.store.note_remade(Remade(id=entry.id, first=known.sha256, now=identity))
            return
        if outcome.record:
            write_bytes(self.store.record_path(entry.file), outcome.record)
        self.store.record(
            Measured(
                id=entry.id,
                identity=entry.identity,
                file=entry.file,
                sha256=identity,
                size=len(weights),
                accuracy=outcome.accuracy,
                agreements=dict(outcome.agreements),
                seconds=outcome.seconds if known is None else known.seconds,
            )
        )
