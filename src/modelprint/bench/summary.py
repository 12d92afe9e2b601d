"""From finished cells to results: runs, rows, figures, provenance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np

from modelprint.bench.cells import Entrant, Field, Meeting
from modelprint.bench.earlier import Earlier
from modelprint.bench.evading import NONE
from modelprint.bench.judging import ACCESSES, letters
from modelprint.bench.rows import evasion_cost, group_interval, rows_of
from modelprint.bench.store import CellResult, CraftRecord, Store
from modelprint.core.access import Access
from modelprint.core.provenance import provenance
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.results.kinds import with_kinds
from modelprint.results.records import (
    EvasionCost,
    JudgedModel,
    ReadAs,
    Regions,
    Results,
    Run,
    SuspectVerdict,
    Sweep,
    SweepPoint,
)
from modelprint.stats.roc import auc
from modelprint.suspects.evasion import evasions
from modelprint.zoo.population import ZooModel


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
            rows=with_kinds(rows_of(suspects, runs), runs, suspects),
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

    def crafted(self, entrant: Entrant) -> CraftRecord | None:
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
        record = self.crafted(entrant)
        if record is None:
            return []
        met = {meeting.judged.id: self.cell(entrant, meeting.model) for meeting in suspects}
        judged = {name: cell for name, cell in met.items() if cell is not None}
        if not judged:
            return []
        needs = entrant.contender.configured().needs
        least, most = needs.suspect, Access.WEIGHTS if needs.weights and entrant.evasion == NONE else Access.SCORES
        return [
            self.run(entrant, record, cast(ReadAs, str(access)), judged)
            for access in ACCESSES
            if least <= access <= most
            and not any(cell.scores and str(access) not in {*cell.scores, *cell.judged} for cell in judged.values())
        ]

    def run(self, entrant: Entrant, record: CraftRecord, access: ReadAs, judged: dict[str, CellResult]) -> Run:
        enrolment, plain = entrant.enrolment, entrant.evasion == NONE
        calibration = self.store.calibration(enrolment.identity)
        limit = None if calibration is None else calibration.thresholds.get(access)
        return Run(
            scheme=entrant.contender.label,
            source=enrolment.source,
            access=access,
            budget=enrolment.budget,
            queries=record.queries,
            evasion=entrant.evasion,
            seed=enrolment.seed,
            scores={name: _rounded(cell.scores.get(access)) for name, cell in judged.items()},
            calibration=self.calibration(entrant, access) if plain else {},
            threshold=_rounded(limit),
            verdicts=dict(_apart(judged, access, limit, each=entrant.contender.configured().transductive)),
            relations={
                name: relation
                for name, cell in judged.items()
                if plain and (one := cell.judged.get(access)) is not None and (relation := one.relation) is not None
            },
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

    def calibration(self, entrant: Entrant, access: str) -> dict[str, float]:
        """The scores of the calibration models that were asked."""
        members = {member.name: self.cells.get(cell) for cell, member in self.field.calibration(entrant).items()}
        return {
            name: round(cell.scores[access], 6)
            for name, cell in members.items()
            if cell is not None and access in cell.scores
        }

    def sweeps(self) -> tuple[Sweep, ...]:
        points: dict[str, list[SweepPoint]] = defaultdict(list)
        for entrant in self.entrants:
            knob = entrant.contender.knob
            if knob is None:
                continue
            source = next(model for model in self.field.sources if model.id == entrant.enrolment.source)
            record = self.crafted(entrant)
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
        return tuple(Sweep(knob=name, points=tuple(members)) for name, members in points.items() if members)

    def regions(self) -> tuple[Regions, ...]:
        for entrant in self.plain():
            if not self.field.drawn(entrant) or self.crafted(entrant) is None:
                continue
            fingerprint = Fingerprint.load(self.store.fingerprint(entrant.enrolment.identity))
            if fingerprint.plane is None:
                continue
            own = fingerprint.plane["labels"]
            labels = {entrant.enrolment.source: letters(own.ravel())}
            for model in self.field.models:
                cell = self.cell(entrant, model) if self.field.is_drawn(model) else None
                if cell is not None and cell.regions is not None:
                    labels[model.id] = cell.regions
            return (
                Regions(scheme=entrant.contender.label, source=entrant.enrolment.source, side=len(own), labels=labels),
            )
        return ()

    def evasions(self) -> tuple[EvasionCost, ...]:
        """What each evasion does, and what it costs the copies."""
        accuracy: dict[str, dict[str, float]] = defaultdict(dict)
        images = 0
        for cell, (model, evasion) in self.field.weighings().items():
            result = self.cells.get(cell)
            if result is not None and "accuracy" in result.details:
                accuracy[evasion][model.id] = result.details["accuracy"]
                images = int(result.details["images"])
        return tuple(
            evasion_cost(
                evasion,
                recipe=[] if evasion == NONE else [one.recipe() for one in evasions(evasion)],
                accuracy=accuracy[evasion],
                plain=accuracy[NONE],
                images=images,
            )
            for evasion in self.field.evasions
            if accuracy[evasion] and accuracy[NONE]
        )

    def provenance(self) -> dict[str, object]:
        planned = self.field.planned(self.entrants)
        records = {identity: self.cells[identity] for identity in planned if identity in self.cells}
        failed = [record for record in records.values() if record.error is not None]
        prints = {entrant.enrolment.identity: entrant for entrant in self.entrants}
        crafts = [record for entrant in prints.values() if (record := self.crafted(entrant)) is not None]
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


def _apart(
    judged: Mapping[str, CellResult], access: str, limit: float | None, *, each: bool
) -> Iterator[tuple[str, SuspectVerdict]]:
    """The verdicts that score and threshold, as they are written, do not say.

    Args:
        each: whether each suspect has a threshold of its own, so that another one is no news.
    """
    for name, cell in judged.items():
        judgement = cell.judged.get(access)
        if judgement is None:
            continue
        score, threshold = _rounded(judgement.score), _rounded(limit)
        above = score is not None and threshold is not None and score > threshold
        apart = judgement.score is None or judgement.classes is not None or (judgement.threshold != limit and not each)
        if apart or above != (judgement.verdict == "derived"):
            yield (
                name,
                SuspectVerdict(
                    verdict=judgement.verdict,
                    threshold=_rounded(judgement.threshold),
                    p_value=_rounded(judgement.p_value),
                    matched=judgement.classes is not None,
                    reason=judgement.reason,
                ),
            )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _once(judged: object) -> tuple[JudgedModel, ...]:
    unique: dict[str, JudgedModel] = {}
    for model in judged:  # type: ignore[attr-defined]
        unique.setdefault(model.id, model)
    return tuple(unique.values())
