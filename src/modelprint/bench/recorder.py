"""The recorder of a zoo: every fingerprint of its benchmark is made first, so that every model answers its queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
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
from modelprint.schemes import SCHEMES
from modelprint.zoo.building import FIRST
from modelprint.zoo.design import slug
from modelprint.zoo.population import load
from modelprint.zoo.store import Store as ZooStore

REFERENCES = "references"  # of weights, which fingerprints in a repository lack
_QUERIES, _LABELS, _POOL = "queries.json", "labels.json", "pool.json"


@dataclass(frozen=True, kw_only=True)
class BenchRecording:
    """Makes the recorder of a zoo whose models answer a benchmark's fingerprints.

    Attributes:
        zoo: the folder.
        pool: further inputs, a data reference.
        jobs: processes that make fingerprints, of one thread each.
    """

    planned: Planned
    zoo: Path
    pool: str | None
    jobs: int = 1
    trust_code: bool = False
    progress: Progress | None = None

    def needed(self) -> Set[str] | None:
        """What references of weights are made from, where every fingerprint is there; None: all of an owner's models.

        Raises:
            IntegrityError: the record of a fingerprint is damaged.
        """
        owners = {entry.identity for entry in self.planned.plan.entries if entry.part in FIRST}
        if not owners <= ZooStore(self.zoo, self.planned.plan).models.keys():
            return None
        field = Field(bench=self.planned.bench, plan=self.planned.plan, models=load(self.planned.plan, folder=self.zoo))
        ids: set[str] = set()
        for enrolment in field.enrolments():
            place = Store(self.zoo).fingerprint(enrolment.identity)
            if Store(self.zoo).crafted(enrolment.identity) is None:
                return None
            held = _held(place)
            if held is not None and not self._reference_file(place, held).is_file():
                ids |= {enrolment.source, *enrolment.checkpoint, *enrolment.siblings}
        return ids

    def recorder(self) -> BenchRecorder:
        """Make the fingerprints in the zoo's folder, the sheets of their inputs, and the recorder of both.

        Sheets that are there already stay: models were recorded on them.

        Raises:
            ModelprintError: a fingerprint cannot be made.
        """
        zoo = self.zoo
        enrolments = craft_all(
            self.planned.bench, self.planned.plan, zoo_folder=zoo, folder=zoo, jobs=self.jobs,
            trust_code=self.trust_code, progress=self.progress,
        )  # fmt: skip
        queries, labels, others = (zoo / SHEETS / name for name in (_QUERIES, _LABELS, _POOL))
        scored, labelled = _by_reading(enrolments, zoo)
        evaded = {}
        for evasion, names in _behind(self.planned, zoo).items():
            evaded[evasion] = zoo / SHEETS / f"behind-{slug(evasion)}.json"
            if not evaded[evasion].is_file():
                write_sheet(evaded[evasion], names, evasion=evasion)
        if not queries.is_file():
            write_sheet(queries, scored)
            write_sheet(labels, labelled, labels=True, but=read_sheet(queries).hashes)
        if not others.is_file() and self.pool is not None:
            write_sheet(others, (), self.pool, but=read_sheet(queries).hashes)
        return BenchRecorder(
            sheets=tuple(path for path in (queries, labels, others, *evaded.values()) if _asks(path)),
            holdout=self.planned.plan.measured_on,
            evasions=tuple(evaded),
            references=self._references(enrolments),
        )

    def _references(self, enrolments: Sequence[Enrolment]) -> dict[str, Path]:
        """What fingerprints hold of their sources' weights, by its hash; made again where they came without it."""
        paths = {model.id: model.path for model in load(self.planned.plan, folder=self.zoo)}
        files: dict[str, Path] = {}
        for enrolment in enrolments:
            place = Store(self.zoo).fingerprint(enrolment.identity)
            held = _held(place)
            if held is None or held in files:
                continue
            files[held] = self._reference_file(place, held)
            if not files[held].is_file():
                made = reference(
                    load_model(paths[enrolment.source], trust_code=self.trust_code),
                    checkpoint=next((paths[name] for name in enrolment.checkpoint), None),
                    siblings=tuple(load_model(paths[name], trust_code=self.trust_code) for name in enrolment.siblings),
                )
                made.save(files[held])
        return files

    def _reference_file(self, place: Path, held: str) -> Path:
        """Where the reference of weights that a fingerprint holds lies, or is to lie."""
        beside = place / WEIGHTS
        return (
            beside if beside.is_file() else self.zoo / REFERENCES / f"{held.removeprefix('sha256:')[:32]}.safetensors"
        )


def _asks(sheet: Path) -> bool:
    """Whether inputs stand on a sheet."""
    return sheet.is_file() and bool(read_sheet(sheet).hashes)


def _by_reading(enrolments: Sequence[Enrolment], zoo: Path) -> tuple[list[str], list[str]]:
    """The folders of the fingerprints whose schemes read scores, and of those whose schemes read labels alone."""
    scored: list[str] = []
    labelled: list[str] = []
    for enrolment in enrolments:
        scheme = SCHEMES[enrolment.scheme](**enrolment.parameters)
        reads_scores = scheme.lost_with_labels is not None or scheme.transductive
        (scored if reads_scores else labelled).append(Store(zoo).fingerprint(enrolment.identity).name)
    return scored, labelled


def _held(place: Path) -> str | None:
    """The hash of the reference of weights that a fingerprint holds."""
    return Fingerprint.load(place, weights=False).manifest.weights


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
