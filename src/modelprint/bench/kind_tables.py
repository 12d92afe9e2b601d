"""What verdicts say of each kind of independent model, and which story they tell of whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from modelprint.bench.text_table import TextTable
from modelprint.core.verdict import Relation
from modelprint.results.records import INDEPENDENT_KINDS, FalsePositives, JudgedModel, Run
from modelprint.results.view import NOT_MEASURED, View

_STORIES: tuple[Relation, ...] = ("from-weights", "extracted", "homologous", "none", "unknown")
_TRUTHS = {"SHARED": "sibling", "COPY": "third-party copy", "OTHER": "other checkpoint"}


def by_kind(view: View) -> TextTable:
    """How many independent models of each kind are called derived, of how many, at the largest budget."""
    settings = [one for one in view.settings_by_auc if one.budget == view.largest_budget[one.scheme]]
    kinds = [
        kind for kind in INDEPENDENT_KINDS if any(row.fpr_by_kind.get(kind) is not None for row in view.results.rows)
    ]
    lines = []
    for setting in settings:
        rows = view.rows(setting)
        cells = [_counted([row.fpr_by_kind.get(kind) for row in rows]) for kind in kinds]
        lines.append((setting.scheme, setting.access, str(setting.budget), *cells))
    return TextTable(
        title='Verdicts "derived" on independent models, by kind',
        columns=("scheme", "access", "budget", *kinds),
        rows=tuple(lines),
        note="count of n over sources and seeds; SHARED: siblings, COPY: third-party copies, OTHER: from another "
        "checkpoint, the others from scratch",
    )


def _counted(rates: Sequence[FalsePositives | None]) -> str:
    known = [rate for rate in rates if rate is not None]
    if not known:
        return NOT_MEASURED
    return f"{sum(rate.count for rate in known)} of {sum(rate.n for rate in known)}"


def stories(view: View) -> TextTable:
    """Which relation each verdict names, by what the suspect truly is to the source."""
    known = {model.id: model for model in view.results.suspects}
    told: dict[tuple[str, str, int, str], Counter[str]] = defaultdict(Counter)
    for run in view.results.runs:
        for truth, relation in _of(run, known):
            told[run.scheme, run.access, run.budget, truth][relation] += 1
    lines = [
        (scheme, access, str(budget), truth, *(str(counts[story]) for story in _STORIES), str(counts.total()))
        for (scheme, access, budget, truth), counts in told.items()
    ]
    return TextTable(
        title="Relations that verdicts name, by what suspects truly are",
        columns=("scheme", "access", "budget", "truly", *_STORIES, "n"),
        rows=tuple(lines),
        note="copies that lost their worth or their classes are left out",
    )


def _of(run: Run, known: Mapping[str, JudgedModel]) -> list[tuple[str, Relation]]:
    """What each suspect truly is, and the relation that its verdict names."""
    return [
        (truth, relation)
        for name, relation in run.relations.items()
        if name in known and (truth := truth_of(known[name])) is not None
    ]


def truth_of(model: JudgedModel) -> str | None:
    """What a suspect truly is to the source that it meets; None of copies that count in no row but their own."""
    if model.role == "derived":
        truth = "extracted" if model.from_answers else "made from weights"
        return truth if model.counts_as == "all" else None
    return _TRUTHS.get(model.independent_kind or "", "from scratch")
