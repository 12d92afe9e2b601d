"""The recorder of a zoo: every fingerprint of its benchmark is made first, so that every model answers its queries."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from modelprint.bench.bench_file import Planned
from modelprint.bench.cells import Field
from modelprint.bench.evading import NONE, needs_partner, renames
from modelprint.bench.records import SHEETS, BenchRecorder, read_sheet, write_sheet
from modelprint.bench.running import Progress, craft_all
from modelprint.bench.store import Store
from modelprint.core.errors import UsageError
from modelprint.ownership.fingerprint import WEIGHTS, Fingerprint
from modelprint.zoo.design import slug
from modelprint.zoo.population import load

_QUERIES, _POOL = "queries.json", "pool.json"


def recorder_of(
    planned: Planned, zoo: Path, *, pool: str | None, trust_code: bool = False, progress: Progress | None = None
) -> BenchRecorder:
    """Make a benchmark's fingerprints in a zoo's folder, the sheets of their inputs, and the recorder of both.

    Sheets that are there already stay: models were recorded on them.

    Args:
        zoo: the folder; its sources, and all that fingerprints are made of, are built.
        pool: further inputs, a data reference.

    Raises:
        ModelprintError: a fingerprint cannot be made.
    """
    enrolments = craft_all(
        planned.bench, planned.plan, zoo_folder=zoo, folder=zoo, trust_code=trust_code, progress=progress
    )
    places = [Store(zoo).fingerprint(enrolment.identity) for enrolment in enrolments]
    queries, others = zoo / SHEETS / _QUERIES, zoo / SHEETS / _POOL
    evaded = {}
    for evasion, names in _behind(planned, zoo).items():
        evaded[evasion] = zoo / SHEETS / f"behind-{slug(evasion)}.json"
        if not evaded[evasion].is_file():
            write_sheet(evaded[evasion], names, evasion=evasion)
    if not queries.is_file():
        write_sheet(queries, [place.name for place in places])
    if not others.is_file() and pool is not None:
        write_sheet(others, (), pool, but=read_sheet(queries).hashes)
    return BenchRecorder(
        sheets=tuple(path for path in (queries, others, *evaded.values()) if path.is_file()),
        holdout=planned.plan.measured_on,
        evasions=tuple(evaded),
        references={
            held: place / WEIGHTS
            for place in places
            if (held := Fingerprint.load(place, weights=False).manifest.weights) is not None
            and (place / WEIGHTS).is_file()
        },
    )


def _behind(planned: Planned, zoo: Path) -> dict[str, list[str]]:
    """The folders of the fingerprints that suspects meet behind each evasion."""
    field = Field(bench=planned.bench, plan=planned.plan, models=load(planned.plan, folder=zoo))
    names: dict[str, list[str]] = defaultdict(list)
    for entrant in field.entrants():
        if entrant.evasion == NONE:
            continue
        if needs_partner(entrant.evasion) or renames(entrant.evasion):
            raise UsageError(
                f"{planned.bench.name}: answers behind {entrant.evasion} cannot be recorded: it takes another model, "
                "or renames classes"
            )
        names[entrant.evasion].append(Store(zoo).fingerprint(entrant.enrolment.identity).name)
    return names
