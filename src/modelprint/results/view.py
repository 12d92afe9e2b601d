"""The one view of a benchmark's results, for tables of text and for the report: by setting, over seeds and sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from modelprint.results.records import ALL, Figure, JudgedModel, Results, Row, Run

if TYPE_CHECKING:
    from modelprint.core.quantities import Quantity
    from modelprint.schemes.base import ControlFigure

NOT_MEASURED = "not measured"
ENOUGH_INDEPENDENTS = 100  # below so many, TPR at 1 % FPR is the share found at no false positive


@cache
def controls() -> dict[str, ControlFigure]:
    """What each registered control measures, by its name: no schemes, but what a scheme must do better than."""
    from modelprint.schemes import SCHEMES

    return {name: control for name in SCHEMES if (control := SCHEMES[name].control) is not None}


@cache
def score_quantities() -> tuple[Quantity, ...]:
    """The quantities that schemes say are their score; runs do not say of which scheme their label is a variant."""
    from modelprint.schemes import SCHEMES

    return tuple(quantity for name in SCHEMES for quantity in SCHEMES[name].quantities if quantity.is_score)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A scheme as it was run: one line of the leaderboard.

    Attributes:
        access: "labels", "scores", "weights", or "either" where the first two give the same figures.
        budget: the cap on queries.
    """

    scheme: str
    access: str
    budget: int
    evasion: str = "none"

    @property
    def control(self) -> ControlFigure | None:
        """What a control measures; None for a scheme."""
        return controls().get(self.scheme)

    @property
    def name(self) -> str:
        """What charts call it: the scheme, and the access where that matters."""
        evasion = "" if self.evasion == "none" else f", {self.evasion}"
        return f"{self.scheme}{'' if self.access == 'either' else f', {self.access}'}{evasion}"

    @property
    def access_text(self) -> str:
        """The access in words."""
        return "labels or scores" if self.access == "either" else self.access

    @property
    def recorded_access(self) -> str:
        """The access under which its rows and runs are looked up."""
        return "labels" if self.access == "either" else self.access


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A figure of merit: the mean over seeds, the least and most of any seed, and the widest interval of 95 %."""

    mean: float
    least: float
    most: float
    seeds: int
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class View:
    """Results, looked up quickly; the same results give the same view."""

    results: Results

    @cached_property
    def models(self) -> dict[str, JudgedModel]:
        """Suspects and swept models by id."""
        return {model.id: model for model in (*self.results.swept, *self.results.suspects)}

    @cached_property
    def settings(self) -> list[Setting]:
        """All settings: the largest budget of each scheme first, and the best AUC first among these."""

        def place(one: Setting) -> tuple[bool, int, float]:
            largest = one.budget == self.largest_budget[one.scheme]
            return not largest, 0 if largest else -one.budget, -self._auc(one)

        return sorted(self._all_settings, key=place)

    @cached_property
    def settings_by_auc(self) -> list[Setting]:
        """All settings, the best AUC first, whatever the budget."""
        return sorted(
            self._all_settings, key=lambda one: (-self._auc(one), one.scheme, one.recorded_access, -one.budget)
        )

    @cached_property
    def leading(self) -> list[Setting]:
        """Each scheme and access at the scheme's largest budget, the best AUC first."""
        return [one for one in self.settings if one.budget == self.largest_budget[one.scheme]]

    @cached_property
    def best(self) -> Setting | None:
        """The scheme that finds most copies at 1 % FPR, at its largest budget: what sentences are about."""
        measured = [(one, self.measured(one, "tpr_at_1")) for one in self.leading if not one.control]
        shares = [(one, share.mean) for one, share in measured if share is not None]
        return max(shares, key=lambda share: share[1])[0] if shares else None

    @cached_property
    def schemes(self) -> list[str]:
        """Names in the order in which they were run, controls last: this order gives colours."""
        labels = [run.scheme for run in self.results.runs] + [row.scheme for row in self.results.rows]
        names = list(dict.fromkeys(labels))
        return sorted(names, key=lambda name: name in controls())  # stable

    @cached_property
    def families(self) -> list[str]:
        """Families of attacks, then the worthless and the transferred, as far as they occur."""
        names = dict.fromkeys(row.attack for row in self.results.rows if row.attack == row.family and row.attack != ALL)
        last = ("worthless", "transfer")
        groups = {row.attack for row in self.results.rows}
        return [name for name in names if name not in last] + [name for name in last if name in groups]

    @cached_property
    def largest_budget(self) -> dict[str, int]:
        """The largest budget of each scheme that has rows."""
        largest: dict[str, int] = {}
        for row in self.results.rows:
            largest[row.scheme] = max(row.budget, largest.get(row.scheme, 0))
        return largest

    def largest(self, scheme: str) -> Setting | None:
        """A scheme at its largest budget, from labels; None where it has no rows."""
        budget = self.largest_budget.get(scheme)
        return None if budget is None else Setting(scheme=scheme, access="labels", budget=budget)

    def reading(self, readings: Mapping[Setting, str]) -> str:
        """The sentence about the best scheme, or about the first that there is a sentence about."""
        first = next(iter(readings.values()))
        return first if self.best is None else readings.get(self.best, first)

    def rows(self, setting: Setting, attack: str = ALL) -> list[Row]:
        """One row per seed: the mean over sources, or the only source's."""
        key = (setting.scheme, setting.evasion, setting.budget, setting.recorded_access, attack)
        rows = self._rows.get(key, [])
        return [row for row in rows if row.source == ALL] or rows

    def runs(self, setting: Setting, *, swept: bool = False) -> list[Run]:
        """One run per source and seed."""
        key = (setting.scheme, setting.evasion, setting.budget, setting.recorded_access)
        runs = self.results.swept_runs if swept else self.results.runs
        return [run for run in runs if (run.scheme, run.evasion, run.budget, run.access) == key]

    def largest_runs(self, scheme: str, *, swept: bool = False) -> list[Run]:
        """The runs of a scheme at the largest budget that has any, from labels."""
        runs = [run for run in (self.results.swept_runs if swept else self.results.runs) if run.scheme == scheme]
        most = max((run.budget for run in runs), default=0)
        return [run for run in runs if run.budget == most and run.access == "labels"]

    def measured(self, setting: Setting, figure: Figure, attack: str = ALL) -> Measured | None:
        """A figure of merit, or None where it was not measured."""
        rows = self.rows(setting, attack)
        values = [value for row in rows if (value := getattr(row, figure)) is not None]
        if not values:
            return None
        ends = [row.intervals[figure] for row in rows if figure in row.intervals]
        return Measured(
            mean=fmean(values),
            least=min(values),
            most=max(values),
            seeds=len(values),
            low=min((end.low for end in ends), default=None),
            high=max((end.high for end in ends), default=None),
        )

    def scores(self, run: Run, role: str) -> Float[np.ndarray, " n"]:
        """Scores in a run of the copies that count in "all", or of the independent models."""
        counted = {"derived": "all", "independent": "independent"}[role]
        return np.array(
            [score for name, score in run.scores.items() if score is not None and self._counts(name) == counted]
        )

    @cached_property
    def _all_settings(self) -> list[Setting]:
        keys = dict.fromkeys((row.scheme, row.evasion, row.budget) for row in self.results.rows)
        return [setting for key in keys for setting in self._merged(*key)]

    @cached_property
    def _rows(self) -> dict[tuple[str, str, int, str, str], list[Row]]:
        rows: dict[tuple[str, str, int, str, str], list[Row]] = defaultdict(list)
        for row in self.results.rows:
            rows[row.scheme, row.evasion, row.budget, row.access, row.attack].append(row)
        return rows

    def _counts(self, name: str) -> str:
        model = self.models.get(name)
        return model.counts_as if model is not None else "unknown"

    def _auc(self, setting: Setting) -> float:
        area = self.measured(setting, "auc")
        return -1.0 if area is None else area.mean

    def _merged(self, scheme: str, evasion: str, budget: int) -> list[Setting]:
        """One setting per access, or one for either where all figures are the same."""
        each = [
            Setting(scheme=scheme, access=access, budget=budget, evasion=evasion)
            for access in ("labels", "scores", "weights")
        ]
        figures = [[row.model_dump(exclude={"access", "fpr_by_kind"}) for row in self.rows(one)] for one in each]
        if figures[0] and figures[0] == figures[1]:
            either = Setting(scheme=scheme, access="either", budget=budget, evasion=evasion)
            return [either, *([each[2]] if figures[2] else [])]
        return [one for one, rows in zip(each, figures, strict=True) if rows]


def rate(run: Run, name: str) -> float | None:
    """A suspect's score; where it is a share of what a scheme counts, that share, without what breaks ties."""
    details = run.details.get(name, {})
    for quantity in score_quantities():
        if details.get(quantity.total):
            return details.get(quantity.key, 0.0) / details[quantity.total]
    return run.scores.get(name)


def is_rate(runs: Sequence[Run]) -> bool:
    """Whether the scores of these runs are shares of what a scheme counts."""
    totals = [quantity.total for quantity in score_quantities()]
    return any(details.get(total) for run in runs for details in run.details.values() for total in totals)
