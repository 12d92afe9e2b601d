"""Run a benchmark: make the fingerprints that are missing, judge the suspects that were not judged, sum up.

Every finished task is written whole before the next is noted, so that a run may be killed at any moment and started
again: what is to be done is what is planned minus what is finished. Failures are recorded, and tried again next time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelprint.bench.cells import Entrant, Field
from modelprint.bench.earlier import Earlier
from modelprint.bench.evading import needs_partner
from modelprint.bench.judging import Asked, AskTask, Calibrated, CalibrateTask, Member, ask, calibrate
from modelprint.bench.plan import Bench, Enrolment
from modelprint.bench.store import CellResult, CraftRecord, Store
from modelprint.bench.summary import summarise
from modelprint.bench.work import CraftTask, WeighTask, craft, weigh
from modelprint.core.errors import ModelprintError
from modelprint.core.files import locked
from modelprint.results.records import Results
from modelprint.zoo.executors import Executor, Processes, kept
from modelprint.zoo.plan import Plan
from modelprint.zoo.plans import plan_of
from modelprint.zoo.population import ZooModel, load

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class State:
    """How far a benchmark is: fingerprints, cells, and the models of its zoo."""

    fingerprints: int
    crafted: int
    cells: int
    finished: int
    failed: int
    models: int
    models_planned: int


def run(
    bench: Bench,
    *,
    folder: Path,
    zoo: Plan | None = None,
    zoo_folder: Path | None = None,
    executor: Executor | None = None,
    device: str = "cpu",
    trust_code: bool = False,
    only: Sequence[str] | None = None,
    budgets: Sequence[int] | None = None,
    before: Results | None = None,
    progress: Progress | None = None,
) -> Results:
    """The benchmark's results, on the models of its zoo that are built.

    Args:
        folder: where fingerprints and cells are kept.
        zoo: the plan of a zoo that is not a named one.
        executor: one process unless given; the results do not depend on it.
        device: where the executor's processes compute: auto, cpu, cuda, cuda:N or mps, as it stands there. The cells
            are the same ones wherever they are computed; numbers may differ in their last digits.
        trust_code: whether code that models' files name as their architecture may be run, where fingerprints are made.
        only, budgets: labels of the contenders, and caps on the queries, to run; what was finished of the others
            stands in the results all the same.
        before: earlier results, from which stands what is not finished here.

    Raises:
        UsageError: no such zoo, scheme or parameter.
        ModelprintError: nothing of the zoo is built, earlier results are of other models, another run is at work there,
            or the disk is full.
    """
    plan = zoo or plan_of(bench.zoo)
    field = Field(bench=bench, plan=plan, models=load(plan, folder=zoo_folder))
    Earlier(before, [field.suspects(source) for source in field.enrolled])  # refuses now, not after hours
    store = Store(folder)
    with locked(folder, "benchmark"):
        running = _Run(field, store, executor or Processes(), device, progress or _silent, trust_code=trust_code)
        with kept(running.executor):
            running.go(only, budgets)
        return summarise(field, store, before)


def craft_all(
    bench: Bench,
    plan: Plan,
    *,
    zoo_folder: Path,
    folder: Path,
    jobs: int = 1,
    trust_code: bool = False,
    progress: Progress | None = None,
) -> list[Enrolment]:
    """Make every fingerprint of a benchmark that is missing, on `jobs` processes; those that there are now.

    Raises:
        ModelprintError: a source is not built, or a fingerprint cannot be made.
    """
    field = Field(bench=bench, plan=plan, models=load(plan, folder=zoo_folder))
    store = Store(folder)
    enrolments = field.enrolments()
    _Run(field, store, Processes(jobs), "cpu", progress or _silent, trust_code=trust_code).craft(enrolments)
    for enrolment in enrolments:
        record = store.crafted(enrolment.identity)
        if record is None or record.error is not None:
            raise ModelprintError(
                f"no fingerprint of {enrolment.source} by {enrolment.contender}: {record and record.error}"
            )
    return enrolments


def state(bench: Bench, *, folder: Path, zoo: Plan | None = None, zoo_folder: Path | None = None) -> State:
    """How far a benchmark is, on the models that are built.

    Raises:
        UsageError: no such zoo, scheme or parameter.
        ModelprintError: nothing of the zoo is built.
    """
    plan = zoo or plan_of(bench.zoo)
    field = Field(bench=bench, plan=plan, models=load(plan, folder=zoo_folder))
    store = Store(folder)
    entrants = list(field.entrants())
    enrolments = dict.fromkeys(entrant.enrolment.identity for entrant in entrants)
    crafted = [record for identity in enrolments if (record := store.crafted(identity)) is not None]
    planned = field.planned(entrants)
    results = [result for cell, result in store.cells().items() if cell in planned]
    failed = sum(result.error is not None for result in results)
    return State(
        fingerprints=len(enrolments),
        crafted=sum(record.error is None for record in crafted),
        cells=len(planned),
        finished=len(results) - failed,
        failed=failed,
        models=len(field.models),
        models_planned=len(plan.entries),
    )


def _silent(stage: str, done: int, total: int) -> None:
    """Nobody looks."""


class _Run:
    def __init__(
        self,
        field: Field,
        store: Store,
        executor: Executor,
        device: str,
        progress: Progress,
        *,
        trust_code: bool = False,
    ) -> None:
        self.field = field
        self.store = store
        self.executor = executor
        self.device = device
        self.progress = progress
        self.trust_code = trust_code
        self.paths = {model.id: model.path for model in field.models}

    def go(self, only: Sequence[str] | None, budgets: Sequence[int] | None) -> None:
        entrants = [
            entrant
            for entrant in self.field.entrants()
            if (only is None or entrant.contender.label in only)
            and (budgets is None or entrant.enrolment.budget in budgets)
        ]
        self.craft([entrant.enrolment for entrant in entrants])
        crafted = [entrant for entrant in entrants if self._made(entrant.enrolment)]
        self._calibrate(crafted)
        self._ask(crafted)
        self._weigh()

    def _made(self, enrolment: Enrolment) -> bool:
        record = self.store.crafted(enrolment.identity)
        return record is not None and record.error is None

    def craft(self, enrolments: Sequence[Enrolment]) -> None:
        missing = {enrolment.identity: enrolment for enrolment in enrolments if not self._made(enrolment)}
        tasks = [
            CraftTask(
                enrolment=enrolment,
                models={
                    name: self.paths[name]
                    for name in (
                        enrolment.source,
                        *enrolment.surrogates,
                        *enrolment.references,
                        *enrolment.reference_copies,
                        *enrolment.checkpoint,
                    )
                },
                place=self.store.fingerprint(identity),
                device=self.device,
                trust_code=self.trust_code,
            )
            for identity, enrolment in missing.items()
        ]
        finished = 0

        def done(index: int, record: CraftRecord) -> None:
            nonlocal finished
            finished += 1
            self.store.note(record)
            self.progress("fingerprints", finished, len(tasks))

        self.executor.run(craft, tasks, done)

    def _calibrate(self, entrants: Sequence[Entrant]) -> None:
        """Ask the calibration models of every fingerprint of which some were not asked."""
        tasks: dict[str, CalibrateTask] = {}
        for entrant in entrants:
            identity = entrant.enrolment.identity
            if identity in tasks:
                continue
            members = self.field.calibration(entrant)
            known = self.store.calibration(identity)
            if not members or (known is not None and known.fits(tuple(members), self.field.bench.alpha)):
                continue
            tasks[identity] = CalibrateTask(
                enrolment=identity,
                fingerprint=self.store.fingerprint(identity),
                place=self.store.calibrated(identity),
                members=tuple(
                    Member(cell=cell, record=member.record, model=member.model.judged_by, evasion=member.evasion)
                    for cell, member in members.items()
                ),
                alpha=self.field.bench.alpha,
                device=self.device,
            )
        finished = 0

        def done(index: int, calibrated: Calibrated) -> None:
            nonlocal finished
            finished += 1
            self.store.write(calibrated.cells)
            if calibrated.record is not None:
                self.store.note_calibration(calibrated.record)
            self.progress("calibrations", finished, len(tasks))

        self.executor.run(calibrate, list(tasks.values()), done)

    def _ask(self, entrants: Sequence[Entrant]) -> None:
        tasks = list(self._ask_tasks(entrants, self.store.cells()))
        self.executor.run(ask, tasks, self._written("suspects", len(tasks)))

    def _weigh(self) -> None:
        """The accuracy that evasions cost the copies."""
        finished = self._finished()
        wanted: dict[str, dict[str, str]] = defaultdict(dict)
        models = {}
        for cell, (model, evasion) in self.field.weighings().items():
            if cell not in finished:
                wanted[model.id][cell] = evasion
                models[model.id] = model
        tasks = [
            WeighTask(
                suspect=suspect,
                model=models[suspect].judged_by,
                data=f"{self.field.plan.data}:holdout",
                cells=tuple(cells),
                evasions=tuple(cells.values()),
                partner=self._partner(models[suspect], cells.values()),
                device=self.device,
            )
            for suspect, cells in wanted.items()
        ]
        self.executor.run(weigh, tasks, self._written("accuracies", len(tasks)))

    def _finished(self) -> set[str]:
        return {cell for cell, result in self.store.cells().items() if result.error is None}

    def _written(self, stage: str, total: int) -> Callable[[int, list[CellResult]], None]:
        """What is done with the results of a task."""
        count = 0

        def done(index: int, results: list[CellResult]) -> None:
            nonlocal count
            count += 1
            self.store.write(results)
            self.progress(stage, count, total)

        return done

    def _partner(self, model: ZooModel, evasions: Iterable[str]) -> Path | None:
        return self.field.partner(model).path if any(map(needs_partner, evasions)) else None

    def _ask_tasks(self, entrants: Sequence[Entrant], results: Mapping[str, CellResult]) -> list[AskTask]:
        """One task for each suspect of each source, all its fingerprints together."""
        wanted: dict[tuple[str, str], dict[str, Asked]] = defaultdict(dict)
        for entrant in entrants:
            identity = entrant.enrolment.identity
            calibration = self.store.calibration(identity) if entrant.contender.knob is None else None
            judged_by = None if calibration is None else calibration.identity
            place = self.store.fingerprint(identity) if calibration is None else self.store.calibrated(identity)
            for cell, model in self.field.cells(entrant).items():
                if cell not in results or not results[cell].stands(judged_by):
                    drawn = self.field.drawn(entrant) and self.field.is_drawn(model)
                    asked = Asked(
                        cell=cell, fingerprint=place, judged_by=judged_by, evasion=entrant.evasion, regions=drawn
                    )
                    wanted[entrant.enrolment.source, model.id][cell] = asked
        models = {model.id: model for model in self.field.models}
        return [
            AskTask(
                suspect=suspect,
                model=models[suspect].judged_by,
                cells=tuple(cells.values()),
                alpha=self.field.bench.alpha,
                partner=self._partner(models[suspect], (asked.evasion for asked in cells.values())),
                device=self.device,
            )
            for (_, suspect), cells in wanted.items()
        ]
