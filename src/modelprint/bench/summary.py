"""From finished cells to results: runs, rows, figures, provenance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from modelprint.bench.cells import Entrant, Field, Meeting
from modelprint.bench.earlier import Earlier
from modelprint.bench.evading import NONE, renames
from modelprint.bench.rows import evasion_cost, group_interval, rows_of
from modelprint.bench.store import CellResult, CraftRecord, Store
from modelprint.bench.work import ACCESSES, letters
from modelprint.core.provenance import provenance
from modelprint.ownership.expect import expected_by
from modelprint.ownership.fingerprint import CalibrationModel, Fingerprint
from modelprint.results.records import EvasionCost, JudgedModel, Regions, Results, Run, Sweep, SweepPoint
from modelprint.stats.calibration import ranked_by_kind
from modelprint.stats.roc import auc
from modelprint.suspects.evasion import evasions
from modelprint.zoo.population import ZooModel

_BEHIND = " behind "


def summarise(field: Field, store: Store, before: Results | None = None) -> Results:
    """Everything that is finished, as one record; what is not, as it stands in earlier results.

    Raises:
        ModelprintError: the earlier results are of other models.
    """
    return _Summary(field, store, before).results()


class _Summary:
    def __init__(self, field: Field, store: Store, before: Results | None) -> None:
        self.field = field
        self.store = store
        self.earlier = Earlier(before, [field.suspects(source) for source in field.enrolled])
        self.cells = store.cells()
        self.entrants = list(field.entrants())
        self.models = {model.id: model for model in field.models}
        self.broken: list[str] = []

    def results(self) -> Results:
        met = {source.id: self.field.suspects(source) for source in self.field.enrolled}
        swept = {source.id: self.field.swept(source) for source in self.field.enrolled}
        runs = [
            run
            for entrant in self.main()
            for run in self.runs(entrant, met[entrant.enrolment.source]) or self.earlier.runs(entrant)
        ]
        swept_runs = [
            run
            for entrant in self.plain()
            for run in self.runs(entrant, swept[entrant.enrolment.source]) or self.earlier.runs(entrant, swept=True)
        ]
        suspects = _once(meeting.judged for source in met.values() for meeting in source)
        sweeps = self.sweeps()
        return Results(
            name=self.field.bench.name,
            data=self.field.plan.data,
            alpha=self.field.bench.alpha,
            sources={source.id: source.accuracy for source in self.field.enrolled},
            rows=tuple(rows_of(suspects, runs)),
            suspects=suspects,
            runs=tuple(runs),
            swept=_once(meeting.judged for source in swept.values() for meeting in source),
            swept_runs=tuple(run for run in swept_runs if run.scores),
            regions=self.regions() or self.earlier.regions,
            sweeps=sweeps,
            evasions=self.evasions(),
            provenance=self.provenance(),
        )

    def main(self) -> list[Entrant]:
        """Every fingerprint of a scheme that is judged, plainly and behind each evasion."""
        return [entrant for entrant in self.entrants if entrant.contender.knob is None]

    def plain(self) -> list[Entrant]:
        """Those that suspects meet plainly."""
        return [entrant for entrant in self.main() if entrant.evasion == NONE]

    def made(self, entrant: Entrant) -> CraftRecord | None:
        """The record of a fingerprint that there is."""
        record = self.store.crafted(entrant.enrolment.identity)
        if record is not None and record.error is not None:
            self.broken.append(f"{entrant.contender.label}, {entrant.enrolment.source}: {record.error}")
        return record if record is not None and record.error is None else None

    def cell(self, entrant: Entrant, model: ZooModel) -> CellResult | None:
        """The result of a cell that is finished, or failed."""
        drawn = self.field.drawn(entrant) and self.field.is_drawn(model)
        return self.cells.get(self.field.cell(entrant, model, regions=drawn))

    def runs(self, entrant: Entrant, suspects: list[Meeting]) -> list[Run]:
        record = self.made(entrant)
        if record is None:
            return []
        judged = {meeting.judged.id: self.cell(entrant, meeting.model) for meeting in suspects}
        # a verifier does not know of the evasion: what calibrates answers plainly, and is read in the same way
        ranked = entrant if renames(entrant.evasion) else replace(entrant, evasion=NONE)
        scheme = entrant.contender.configured()
        calibration = {
            _BEHIND.join([model.id, *seen]): self.cell(replace(ranked, evasion=seen[0]) if seen else ranked, model)
            for seen in [[], *([name] for name in expected_by(scheme))]
            for model in self.field.part("calibration")
        }
        finished = {name: cell for name, cell in judged.items() if cell is not None}
        if not finished:
            return []
        return [
            self.run(entrant, record, str(access), finished, calibration)  # type: ignore[arg-type]
            for access in ACCESSES
            if access >= scheme.needs.suspect
            and not any(cell.scores and str(access) not in cell.scores for cell in finished.values())
        ]

    def run(
        self,
        entrant: Entrant,
        record: CraftRecord,
        access: Literal["labels", "scores"],
        judged: dict[str, CellResult],
        calibration: dict[str, CellResult | None],
    ) -> Run:
        enrolment, plain = entrant.enrolment, entrant.evasion == NONE
        against = {name: cell.scores[access] for name, cell in calibration.items() if cell and access in cell.scores}
        return Run(
            scheme=entrant.contender.label,
            source=enrolment.source,
            access=access,
            budget=enrolment.budget,
            queries=record.queries,
            evasion=entrant.evasion,
            seed=enrolment.seed,
            scores={name: _rounded(cell.scores.get(access)) for name, cell in judged.items()},
            calibration={name: round(score, 6) for name, score in against.items()} if plain else {},
            threshold=self.threshold(against),
            details={
                name: {key: round(value, 5) for key, value in cell.details.items()}
                for name, cell in judged.items()
                if cell.details and plain
            },
            failures={name: cell.error for name, cell in judged.items() if cell.error is not None},
            craft_seconds=round(record.seconds, 3),
            ask_seconds=round(sum(cell.seconds for cell in judged.values()), 3),
            forward_seconds=round(sum(cell.forward_seconds for cell in judged.values()), 3),
        )

    def threshold(self, against: Mapping[str, float]) -> float | None:
        """By the calibration models, as a verifier sets it: for each kind of innocents by itself."""
        if not against:
            return None
        records = [self.calibrating(*name.split(_BEHIND)) for name in against]
        rank = ranked_by_kind(
            np.array(list(against.values())),
            [record.group for record in records],
            self.field.bench.alpha,
            families=[record.family for record in records],
            pool=True,  # as the committed results were; the digits zoo has two siblings
        )
        return _rounded(rank.threshold)

    def calibrating(self, name: str, transform: str | None = None) -> CalibrationModel:
        """A calibration model as a fingerprint records it."""
        model = self.models[name]
        copy = model.role == "derived" and model.source is not None
        return CalibrationModel(
            name=name,
            identity=model.row.sha256,
            kind="COPY" if copy else model.kind,
            made_from=self.models[model.source].row.sha256 if copy and model.source else None,
            behind=transform,
        )

    def sweeps(self) -> tuple[Sweep, ...]:
        points: dict[str, list[SweepPoint]] = defaultdict(list)
        for entrant in self.entrants:
            knob = entrant.contender.knob
            if knob is None:
                continue
            source = next(model for model in self.field.sources if model.id == entrant.enrolment.source)
            record = self.made(entrant)
            scores: dict[str, list[float]] = {"derived": [], "independent": []}
            for meeting in self.field.suspects(source, thinning=entrant.contender.thinning):
                cell = self.cell(entrant, meeting.model)
                if cell is not None and "labels" in cell.scores and meeting.judged.counts_as in ("all", "independent"):
                    scores[meeting.judged.role].append(cell.scores["labels"])
            derived, independent = np.array(scores["derived"]), np.array(scores["independent"])
            if record is None or not (len(derived) and len(independent)):
                known = self.earlier.point(entrant)
                points[knob.name] += [] if known is None else [known]
                continue
            points[knob.name].append(
                SweepPoint(
                    value=knob.value,
                    line=knob.line,
                    auc=round(auc(derived, independent), 5),
                    interval=group_interval(derived, independent),
                    distinct=record.distinct,
                    n_derived=len(derived),
                    n_independent=len(independent),
                )
            )
        return tuple(Sweep(knob=name, points=tuple(found)) for name, found in points.items() if found)

    def regions(self) -> tuple[Regions, ...]:
        for entrant in self.plain():
            if not self.field.drawn(entrant) or self.made(entrant) is None:
                continue
            fingerprint = Fingerprint.load(self.store.fingerprint(entrant.enrolment.identity))
            if fingerprint.plane is None:
                continue
            own = fingerprint.plane["labels"]
            found = {entrant.enrolment.source: letters(own.ravel())}
            for model in self.field.models:
                cell = self.cell(entrant, model) if self.field.is_drawn(model) else None
                if cell is not None and cell.regions is not None:
                    found[model.id] = cell.regions
            return (
                Regions(scheme=entrant.contender.label, source=entrant.enrolment.source, side=len(own), labels=found),
            )
        return ()

    def evasions(self) -> tuple[EvasionCost, ...]:
        """What each evasion does, and what it costs the copies."""
        told: dict[str, dict[str, float]] = defaultdict(dict)
        images = 0
        for cell, (model, evasion) in self.field.weighings().items():
            result = self.cells.get(cell)
            if result is not None and "accuracy" in result.details:
                told[evasion][model.id] = result.details["accuracy"]
                images = int(result.details["images"])
        return tuple(
            evasion_cost(
                evasion,
                recipe=[] if evasion == NONE else [one.recipe() for one in evasions(evasion)],
                accuracy=told[evasion],
                plain=told[NONE],
                images=images,
            )
            for evasion in self.field.evasions
            if told[evasion] and told[NONE]
        )

    def provenance(self) -> dict[str, object]:
        planned = self.field.planned(self.entrants)
        records = {identity: self.cells[identity] for identity in planned if identity in self.cells}
        failed = [record for record in records.values() if record.error is not None]
        prints = {entrant.enrolment.identity: entrant for entrant in self.entrants}
        crafts = [record for entrant in prints.values() if (record := self.made(entrant)) is not None]
        return {
            **provenance(),
            "command": f"modelprint bench run {self.field.bench.name}",
            "bench": self.field.bench.identity,
            "zoo": self.field.plan.identity,
            "zoo_models": len(self.field.models),
            "zoo_planned": len(self.field.plan.entries),
            "zoo_hours": round(sum(model.row.seconds or 0.0 for model in self.field.models) / 3600, 2),
            "source_seconds": self.field.sources[0].row.seconds,
            "cells_planned": len(planned),
            "cells_finished": len(records) - len(failed),
            "cells_failed": len(failed),
            "fingerprints_broken": sorted(set(self.broken)),
            **({"kept": dict(sorted(self.earlier.kept.items()))} if self.earlier.kept else {}),
            "craft_hours": round(sum(record.seconds for record in crafts) / 3600, 3),
            "ask_hours": round(sum(record.seconds for record in records.values()) / 3600, 3),
            "forward_hours": round(sum(record.forward_seconds for record in records.values()) / 3600, 3),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _once(judged: object) -> tuple[JudgedModel, ...]:
    unique: dict[str, JudgedModel] = {}
    for model in judged:  # type: ignore[attr-defined]
        unique.setdefault(model.id, model)
    return tuple(unique.values())
