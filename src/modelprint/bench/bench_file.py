"""A benchmark as a TOML file: contenders by short lists, sweeps over a parameter.

docs/bench.md describes the format; `research/benches/` holds the committed ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import Field

from modelprint.bench.plan import Bench, Contender, Knob
from modelprint.core.records import Record
from modelprint.core.toml_files import Value, as_text, explained, read_toml
from modelprint.suspects.evasion import evasions
from modelprint.zoo.plan import Plan
from modelprint.zoo.plans import plan_of


class Choices(Record):
    """What a contender may say; what it leaves out is as the table around it says, or as usual.

    Attributes:
        label: what tables call it; the scheme's name unless given.
        settings: hyper-parameters of the scheme.
    """

    label: str | None = None
    settings: dict[str, Value] | None = None
    budgets: tuple[int, ...] | None = None
    seeds: tuple[int, ...] | None = None
    rehearsed: bool | None = None
    unseen: str | None = None
    shadows: int | None = None
    evasions: tuple[str, ...] | None = None


class ContenderEntry(Choices):
    """One table `[[contenders]]`.

    Attributes:
        scheme, schemes: one, or several that enter alike, one after the other.
        runs: several contenders of the same scheme, each with what it says besides or instead.
    """

    scheme: str | None = None
    schemes: tuple[str, ...] = ()
    runs: tuple[Choices, ...] = (Choices(),)


class Point(Record):
    """One variant in a figure.

    Attributes:
        value: its place on the axis.
    """

    value: int | float
    label: str | None = None
    settings: dict[str, Value]


class SweepEntry(Record):
    """One table `[[sweep]]`: variants of a scheme for a figure.

    Attributes:
        knob: what the figure calls the parameter.
        setting: the hyper-parameter that is turned through `values`; `by`: hyper-parameters that each give a line of
            their own, with their values.
        points: single points in place of `values`.
        line, label: with the names of hyper-parameters in braces.
        thinning: every nth independent model is asked.
    """

    scheme: str
    knob: str
    setting: str | None = None
    values: tuple[int | float, ...] = ()
    by: dict[str, tuple[int | float, ...]] = Field(default_factory=dict)
    points: tuple[Point, ...] = ()
    line: str = ""
    label: str | None = None
    settings: dict[str, Value] = Field(default_factory=dict)
    budgets: tuple[int, ...]
    thinning: int = 1


class BenchFile(Record):
    """The file, as it is written.

    Attributes:
        zoo: a committed plan's name, or a TOML file beside this one.
        defaults: what every contender says unless it says otherwise.
    """

    name: str = Field(min_length=1)
    zoo: str
    budgets: tuple[int, ...]
    seeds: tuple[int, ...]
    alpha: float = Field(default=0.05, gt=0, lt=1)
    regions: str | None = None
    first_source_only: bool = False
    defaults: Choices = Choices()
    contenders: tuple[ContenderEntry, ...] = Field(min_length=1)
    sweep: tuple[SweepEntry, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A benchmark, and the plan of its zoo."""

    bench: Bench
    plan: Plan


def read_bench(path: Path) -> Planned:
    """The benchmark that a file describes.

    Raises:
        UsageError: no such file, not TOML, or a plan that cannot be; the message names the file and the place in it.
    """
    file = read_toml(path, BenchFile)
    with explained(f"{path}: zoo"):
        plan = plan_of(str(path.parent / file.zoo) if file.zoo.endswith(".toml") else file.zoo)
    contenders: list[Contender] = []
    for number, entry in enumerate(file.contenders, start=1):
        with explained(f"{path}: contender {number}"):
            contenders += _checked(_contenders(entry, file.defaults))
    for number, sweep in enumerate(file.sweep, start=1):
        with explained(f"{path}: sweep {number}"):
            contenders += _checked(_points(sweep))
    labels = {contender.label for contender in contenders}
    with explained(f"{path}: regions"):
        if file.regions is not None and file.regions not in labels:
            raise ValueError(f"{file.regions!r} is no contender: use one of {', '.join(sorted(labels))}")
    bench = Bench(
        name=file.name,
        zoo=plan.name,
        contenders=tuple(contenders),
        budgets=file.budgets,
        seeds=file.seeds,
        alpha=file.alpha,
        regions=file.regions,
        first_source_only=file.first_source_only,
    )
    return Planned(bench=bench, plan=plan)


def _contenders(entry: ContenderEntry, defaults: Choices) -> Iterator[Contender]:
    """One for each scheme and run, what the run says first, then the entry, then the defaults."""
    schemes = entry.schemes or (entry.scheme,)
    for scheme in schemes:
        if scheme is None or (entry.schemes and entry.scheme is not None):
            raise ValueError("name a scheme, or a list of schemes")
        for run in entry.runs:
            merged: dict[str, Any] = {}
            for choices in (defaults, entry, run):
                given = choices.model_dump(include=set(Choices.model_fields), exclude_none=True)
                settings = {**merged.get("settings", {}), **given.pop("settings", {})}
                merged = {**merged, **given, **({"settings": settings} if settings else {})}
            merged["settings"] = _as_texts(merged.get("settings", {}))
            yield Contender(scheme=scheme, **{"label": scheme, **merged})


def _points(sweep: SweepEntry) -> Iterator[Contender]:
    if bool(sweep.points) == bool(sweep.values) or bool(sweep.values) != (sweep.setting is not None):
        raise ValueError("give a setting and its values, or points")
    for point in sweep.points or _turned(sweep):
        label = point.label or sweep.label
        if label is None:
            raise ValueError("give a label")
        try:
            knob = Knob(name=sweep.knob, value=point.value, line=sweep.line.format(**point.settings))
            label = label.format(**point.settings)
        except (KeyError, IndexError) as error:
            raise ValueError(f"line and label may name {', '.join(point.settings)} in braces, not {error}") from error
        yield Contender(
            label=label,
            scheme=sweep.scheme,
            settings={**_as_texts(sweep.settings), **_as_texts(point.settings)},
            knob=knob,
            budgets=sweep.budgets,
            thinning=sweep.thinning,
        )


def _turned(sweep: SweepEntry) -> Iterator[Point]:
    """The setting at each of its values, for each line."""
    for line in product(*sweep.by.values()):
        for value in sweep.values:
            yield Point(value=value, settings={**dict(zip(sweep.by, line, strict=True)), str(sweep.setting): value})


def _checked(contenders: Iterator[Contender]) -> Iterator[Contender]:
    """The contenders, whose schemes, settings and evasions there are."""
    for contender in contenders:
        contender.configured()
        for evasion in contender.evasions:
            evasions(evasion)
        yield contender


def _as_texts(values: Mapping[str, Value]) -> dict[str, str]:
    return {key: as_text(value) for key, value in values.items()}
