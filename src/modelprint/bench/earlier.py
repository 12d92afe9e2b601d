"""Results of an earlier run, for contenders that are not run again: a part of a benchmark may be measured anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from modelprint.bench.cells import Entrant, Meeting
from modelprint.core.errors import ModelprintError
from modelprint.results.records import JudgedModel, Regions, Results, Run, SweepPoint

_Key = tuple[str, str, int, str, int]


class Earlier:
    """What stands in results that were written before.

    Args:
        results: none, if there are none.
        met: whom each source meets now.

    Attributes:
        kept: where each "LABEL at BUDGET" that was taken over came from: its revision and date.

    Raises:
        ModelprintError: the results are of other models.
    """

    def __init__(self, results: Results | None, met: Sequence[Sequence[Meeting]]) -> None:
        self.results = results
        self.kept: dict[str, dict[str, Any]] = {}
        self._runs: dict[tuple[bool, _Key], list[Run]] = defaultdict(list)
        if results is None:
            return
        if _outline(results.suspects) != _outline([meeting.judged for source in met for meeting in source]):
            raise ModelprintError(
                f"the earlier results of {results.name} are of other models than the zoo's: run all contenders, or "
                "write elsewhere with --out"
            )
        for swept, runs in ((False, results.runs), (True, results.swept_runs)):
            for run in runs:
                self._runs[swept, (run.scheme, run.source, run.budget, run.evasion, run.seed)].append(run)

    def runs(self, entrant: Entrant, *, swept: bool = False) -> list[Run]:
        """The runs of a fingerprint, at each level of access."""
        plan = entrant.enrolment
        runs = self._runs[swept, (entrant.contender.label, plan.source, plan.budget, entrant.evasion, plan.seed)]
        if runs:
            self._keep(entrant)
        return runs

    def point(self, entrant: Entrant) -> SweepPoint | None:
        """The point of a contender that stands in a figure."""
        knob = entrant.contender.knob
        if self.results is None or knob is None:
            return None
        for sweep in self.results.sweeps:
            for point in sweep.points:
                if (sweep.knob, point.value, point.line) == (knob.name, knob.value, knob.line):
                    self._keep(entrant)
                    return point
        return None

    @property
    def regions(self) -> tuple[Regions, ...]:
        """What was drawn."""
        return () if self.results is None else self.results.regions

    def _keep(self, entrant: Entrant) -> None:
        assert self.results is not None
        name, origin = f"{entrant.contender.label} at {entrant.enrolment.budget}", self.results.provenance
        self.kept[name] = origin.get("kept", {}).get(name, {key: origin.get(key) for key in ("revision", "date")})


def _outline(judged: Sequence[JudgedModel]) -> dict[str, tuple[str, float]]:
    return {model.id: (model.counts_as, round(model.accuracy, 6)) for model in judged}
