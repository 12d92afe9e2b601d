"""How far a zoo is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from modelprint.core.identity import digest_json
from modelprint.core.records import Record
from modelprint.zoo.plan import Plan
from modelprint.zoo.plans import default_folder, plan_of
from modelprint.zoo.recipes import Entry, Theft, Training
from modelprint.zoo.store import Failure, Measured, Store

WITHIN = 0.03  # independents must be as good as the sources, else scores separate by accuracy alone


class Count(Record):
    """Of a group of models: how many are there, of how many planned."""

    part: str
    role: str
    kind: str | None
    done: int
    total: int


class Status(Record):
    """A zoo's state.

    Attributes:
        size: of all weights, in bytes.
        seconds: of processor time that making took so far.
        left: estimated seconds of processor time to go: of each missing model, the mean of those that were made most
            like it; None where nothing was made yet.
        unlike: ids of independent models whose accuracy is more than 3 points from that of the sources' mean.
    """

    zoo: str
    folder: str
    done: int
    total: int
    size: int
    seconds: float
    left: float | None
    groups: tuple[Count, ...]
    failures: tuple[Failure, ...]
    unlike: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every planned model is there."""
        return self.done == self.total


def status(name: str | Plan, *, folder: Path | None = None) -> Status:
    """How far a zoo is; reads its index only.

    Raises:
        UsageError: no such zoo.
        IntegrityError: its index is damaged.
    """
    plan = plan_of(name) if isinstance(name, str) else name
    place = folder or default_folder(plan.name)
    store = Store(place, plan)
    rows = store.models
    seconds = [row.seconds for row in rows.values() if row.seconds is not None]
    return Status(
        zoo=plan.name,
        folder=str(place),
        done=len(rows),
        total=len(plan.entries),
        size=sum(row.size for row in rows.values()),
        seconds=sum(seconds),
        left=seconds_left(plan, rows),
        groups=_groups(plan, rows),
        failures=tuple(store.failures.values()),
        unlike=_unlike(plan, rows),
    )


def seconds_left(plan: Plan, rows: Mapping[str, Measured]) -> float | None:
    """Estimated seconds of processor time that missing models take; None where nothing is known.

    By the seconds for each input of the models that were made most like it, where they learn from a part of the data;
    else by the seconds of each.
    """
    known: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for entry in plan.entries:
        row = rows.get(entry.identity)
        if row is not None and row.seconds is not None:
            for likeness in _likenesses(entry):
                known[likeness].append(row.seconds / _inputs(entry, likeness))
    missing = [entry for entry in plan.entries if entry.identity not in rows]
    if missing and not known:
        return None
    nearest = [(entry, next(one for one in _likenesses(entry) if one in known)) for entry in missing]
    return sum(_inputs(entry, likeness) * fmean(known[likeness]) for entry, likeness in nearest)


def _likenesses(entry: Entry) -> list[tuple[str, ...]]:
    """What models that take about as long for each input have in common, the closest first."""
    recipe = entry.recipe
    part = "part" if "[" in recipe.data else "all"
    if isinstance(recipe, Theft):
        how = (part, recipe.attack, digest_json(recipe.parameters), *sorted(recipe.others.values()))
        return [how, (part, recipe.attack), (part,), ()]
    if isinstance(recipe, Training):
        return [(part, "train", recipe.arch, digest_json(recipe.arch_args)), (part, "train"), (part,), ()]
    return [(recipe.make,), ()]


def _inputs(entry: Entry, likeness: tuple[str, ...]) -> int:
    """How many inputs a model learns from, where it is like others of which that is known, too; else 1."""
    if not likeness:
        return 1
    start, _, stop = entry.recipe.data.partition("[")[2].rstrip("]").partition(":")
    return int(stop) - int(start) if start.isdigit() and stop.isdigit() else 1


def _groups(plan: Plan, rows: dict[str, Measured]) -> tuple[Count, ...]:
    def group(entry: Entry) -> tuple[str, str, str | None]:
        return entry.part, entry.role, entry.kind or entry.family

    total = Counter(group(entry) for entry in plan.entries)
    done = Counter(group(entry) for entry in plan.entries if entry.identity in rows)
    return tuple(
        Count(part=part, role=role, kind=kind, done=done[part, role, kind], total=number)
        for (part, role, kind), number in total.items()
    )


def _unlike(plan: Plan, rows: dict[str, Measured]) -> tuple[str, ...]:
    sources = [rows[entry.identity].accuracy for entry in plan.sources if entry.identity in rows]
    if not sources:
        return ()
    mean = sum(sources) / len(sources)
    return tuple(
        entry.id
        for entry in plan.entries
        if entry.role == "independent" and entry.identity in rows and abs(rows[entry.identity].accuracy - mean) > WITHIN
    )
