"""Tables of docs/siblings.md that are those of the benchmark `transfer`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from benchmarks.common import RESULTS
from modelprint.bench.evasion_tables import evasion_tables
from modelprint.bench.files import find_results
from modelprint.bench.kind_tables import truth_of
from modelprint.bench.tables import tables_of
from modelprint.results.records import Results, Run
from modelprint.stats.intervals import clopper_pearson
from modelprint.stats.roc import auc
from modelprint.zoo.plans import plan_of
from research.studies.siblings import tuning_of
from research.tables.field_tables import met, table

KINDS = {"SHARED": "siblings", "COPY": "third-party copies", "OTHER": "from another checkpoint", "DADT": "from scratch"}
AUTO = "auto"
FROM_WEIGHTS = "made from weights"
LEAST_AUC, LEAST_FOUND = 0.99, 0.9
MISSING = "Not measured yet."


def called_by_kind(name: str = "transfer") -> str:
    """How many independent models of each kind each scheme calls derived, of how many."""
    results = _results(name)
    if results is None:
        return MISSING
    found = next(one for one in tables_of(results) if one.title.endswith("by kind"))
    head = [KINDS.get(column, column) for column in found.columns]
    return table(head, [list(row) for row in found.rows])


def called_by_tuning() -> str:
    """How many siblings each scheme calls derived, by how they were tuned; both benchmarks, most queries."""
    plan = plan_of("transfer")
    tunings = {entry.id: tuning_of(entry, plan) for entry in plan.entries}
    calibrating = {name for model, name in tunings.items() if model.startswith("calibration-shared")}
    tested = list(dict.fromkeys(name for model, name in tunings.items() if model.startswith("test-shared")))
    lines = []
    for results in filter(None, map(_results, ("transfer", "transfer-field"))):
        for scheme, access, budget, *_ in next(one for one in tables_of(results) if one.title.endswith("by kind")).rows:
            read = "labels" if access == "either" else str(access)
            runs = _runs(results, str(scheme), read, int(str(budget).replace(",", "")))
            verdicts = [
                (tunings[model], derived)
                for run in runs
                for model in run.scores
                if model.startswith("test-shared") and (derived := run.derived(model)) is not None
            ]
            judged, called = Counter(name for name, _ in verdicts), Counter(name for name, yes in verdicts if yes)
            counts = [f"{called[name]} of {judged[name]}" for name in tested]
            lines.append([results.name, str(scheme), str(access), str(budget), *counts])
    lines.sort(key=lambda line: (line[0], -sum(int(cell.split()[0]) for cell in line[4:])))
    head = [f"{name} (as those that calibrate)" if name in calibrating else name for name in tested]
    return table(["benchmark", "scheme", "access", "budget", *head], lines)


def relations() -> str:
    """The relation that auto names from weights, by what suspects truly are."""
    results = _results()
    if results is None:
        return MISSING
    found = next(one for one in tables_of(results) if one.title.startswith("Relations"))
    rows = [row for row in found.rows if row[:2] == (AUTO, "weights")]
    return table(list(found.columns[3:]), [list(row[3:]) for row in rows])


def behind_evasions() -> str:
    """What auto finds behind JPEG, resizing and flipping, with 100 queries."""
    results = _results()
    if results is None or not results.evasions:
        return MISSING
    head = ["read", "evasion", "T1%F", "verdict: found / false positive rate"]
    lines = []
    for access in ("labels", "scores"):
        rates, verdicts = evasion_tables(results, access=access)
        for column, name in enumerate(rates.columns):
            if name.startswith(f"{AUTO}, 100"):
                lines += [
                    [access, rate[0], rate[column], verdict[column]]
                    for rate, verdict in zip(rates.rows, verdicts.rows, strict=True)
                ]
    return table(head, lines)


def aims() -> str:
    """The lines of the aim, met or not."""
    results = _results()
    if results is None:
        return MISSING
    weights = _runs(results, "lineage", "weights", 10)
    scores = _runs(results, "residual", "scores", 200)
    verdicts = _runs(results, AUTO, "weights", 400)
    above = _counted([_above(results, run) for run in weights])
    area = fmean(_area(results, run) for run in scores)
    lines = [
        [
            "lineage: every copy made from weights above all but 1 % of siblings",
            _share(above),
            met(above[0] == above[1]),
        ],
        ["residual, 200 queries: AUC >= .99 for these, all independent models", f"{area:.4f}", met(area >= LEAST_AUC)],
    ]
    for truth in ("made from weights", "extracted"):
        found = _counted([_called(results, run, truth) for run in verdicts])
        if truth == FROM_WEIGHTS:
            lines.append([f"auto: >= {LEAST_FOUND} called derived, {truth}", _share(found), met(_reached(found))])
        else:
            lines.append([f"auto: called derived, {truth}", _share(found), "no aim"])
    for truth in ("sibling", "third-party copy", "other checkpoint", "from scratch"):
        accused = _counted([_called(results, run, truth) for run in verdicts])
        within = met(accused[0] <= results.alpha * accused[1])
        lines.append([f"auto: at most {results.alpha:g} called derived, {truth}", _share(accused), within])
    return table(["aim", "measured: of how many, over both sources (95 % interval)", ""], lines)


def _runs(results: Results, scheme: str, access: str, budget: int) -> list[Run]:
    wanted = (scheme, access, budget, "none")
    return [run for run in results.runs if (run.scheme, run.access, run.budget, run.evasion) == wanted]


def _named(results: Results, run: Run, truth: str) -> list[str]:
    """The suspects of a run that are something to its source."""
    return [model.id for model in results.suspects if model.id in run.scores and truth_of(model) == truth]


def _values(results: Results, run: Run, *truths: str) -> np.ndarray:
    values = [run.scores[name] for truth in truths for name in _named(results, run, truth)]
    return np.array([value for value in values if value is not None])


def _above(results: Results, run: Run) -> tuple[int, int]:
    """Copies made from weights that lie above all but one in a hundred of the siblings, and all such copies."""
    siblings = np.sort(_values(results, run, "sibling"))
    limit = siblings[len(siblings) - 1 - len(siblings) // 100]
    return int((_values(results, run, FROM_WEIGHTS) > limit).sum()), len(_named(results, run, FROM_WEIGHTS))


def _area(results: Results, run: Run) -> float:
    innocents = ("sibling", "third-party copy", "other checkpoint", "from scratch")
    return auc(_values(results, run, FROM_WEIGHTS), _values(results, run, *innocents))


def _called(results: Results, run: Run, truth: str) -> tuple[int, int]:
    names = _named(results, run, truth)
    return sum(run.derived(name) is True for name in names), len(names)


def _counted(pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(count for count, _ in pairs), sum(n for _, n in pairs)


def _reached(found: tuple[int, int]) -> bool:
    return found[0] >= LEAST_FOUND * found[1]


def _share(counted: tuple[int, int]) -> str:
    count, n = counted
    interval = clopper_pearson(count, n)
    return f"{count} of {n}, {count / n:.2f} ({interval.low:.2f}-{interval.high:.2f})"


def _results(name: str = "transfer") -> Results | None:
    path = RESULTS / f"{name}.json"
    return find_results(str(path)) if path.exists() else None
