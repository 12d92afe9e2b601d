"""The recorder of a zoo: every fingerprint of its benchmark is made first, so that every model answers its queries."""

from __future__ import annotations

from pathlib import Path

from modelprint.bench.bench_file import Planned
from modelprint.bench.records import SHEETS, BenchRecorder, read_sheet, write_sheet
from modelprint.bench.running import Progress, craft_all
from modelprint.bench.store import Store
from modelprint.ownership.fingerprint import WEIGHTS, Fingerprint

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
    if not queries.is_file():
        write_sheet(queries, [place.name for place in places])
    if not others.is_file() and pool is not None:
        write_sheet(others, (), pool, but=read_sheet(queries).hashes)
    return BenchRecorder(
        sheets=tuple(path for path in (queries, others) if path.is_file()),
        references={
            held: place / WEIGHTS
            for place in places
            if (held := Fingerprint.load(place, weights=False).manifest.weights) is not None
            and (place / WEIGHTS).is_file()
        },
    )
