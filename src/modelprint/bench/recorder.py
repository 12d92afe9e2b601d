"""The recorder of a zoo: every fingerprint of its benchmark is made first, so that every model answers its queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from modelprint.bench.bench_file import Planned
from modelprint.bench.cells import Field
from modelprint.bench.evading import NONE, needs_partner, renames
from modelprint.bench.plan import Enrolment
from modelprint.bench.records import SHEETS, BenchRecorder, read_sheet, write_sheet
from modelprint.bench.running import Progress, craft_all
from modelprint.bench.store import Store
from modelprint.core.errors import UsageError
from modelprint.nn.loading import load_model
from modelprint.ownership.fingerprint import WEIGHTS, Fingerprint
from modelprint.ownership.weights import reference
from modelprint.zoo.design import slug
from modelprint.zoo.population import load

REFERENCES = "references"  # of weights, which fingerprints in a repository lack
_QUERIES, _POOL = "queries.json", "pool.json"


def recorder_of(
    planned: Planned,
    zoo: Path,
    *,
    pool: str | None,
    jobs: int = 1,
    trust_code: bool = False,
    progress: Progress | None = None,
) -> BenchRecorder:
    """Make a benchmark's fingerprints in a zoo's folder, the sheets of their inputs, and the recorder of both.

    Sheets that are there already stay: models were recorded on them.

    Args:
        zoo: the folder; its sources, and all that fingerprints are made of, are built.
        pool: further inputs, a data reference.
        jobs: processes that make fingerprints, of one thread each.

    Raises:
        ModelprintError: a fingerprint cannot be made.
    """
    enrolments = craft_all(
        planned.bench, planned.plan, zoo_folder=zoo, folder=zoo, jobs=jobs, trust_code=trust_code, progress=progress
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
        references=_references(planned, zoo, enrolments, trust_code=trust_code),
    )


def _references(planned: Planned, zoo: Path, enrolments: Sequence[Enrolment], *, trust_code: bool) -> dict[str, Path]:
    """What fingerprints hold of their sources' weights, by its hash; made again where fingerprints came without it."""
    paths = {model.id: model.path for model in load(planned.plan, folder=zoo)}
    files: dict[str, Path] = {}
    for enrolment in enrolments:
        place = Store(zoo).fingerprint(enrolment.identity)
        held = Fingerprint.load(place, weights=False).manifest.weights
        if held is None or held in files:
            continue
        files[held] = place / WEIGHTS
        if not files[held].is_file():
            files[held] = zoo / REFERENCES / f"{held.removeprefix('sha256:')[:32]}.safetensors"
        if not files[held].is_file():
            made = reference(
                load_model(paths[enrolment.source], trust_code=trust_code),
                checkpoint=next((paths[name] for name in enrolment.checkpoint), None),
                siblings=tuple(load_model(paths[name], trust_code=trust_code) for name in enrolment.siblings),
            )
            made.save(files[held])
    return files


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
