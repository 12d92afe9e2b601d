"""One table of a whole zoo, for docs/modalities.md, siblings.md and reach.md: what each scheme finds there."""

from __future__ import annotations

from benchmarks.common import RESULTS
from modelprint.bench.files import find_results
from modelprint.results.records import ALL
from research.tables.field_tables import cell, group_of, origin, table


def of_zoo(name: str) -> str:
    """A line for each scheme, budget and level of access."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return "Not measured yet."
    results = find_results(str(path))
    settings = dict.fromkeys((row.scheme, row.budget, row.access) for row in results.rows if row.attack == ALL)
    lines: list[list[str]] = []
    for scheme, budget, access in settings:
        every = group_of(results, scheme, access, budget, ALL)
        extracted = group_of(results, scheme, access, budget, "extraction")
        shown = [
            *(cell(every, figure, None) for figure in ("auc", "tpr_at_1", "tpr_verdict", "fpr_verdict")),
            cell(extracted, "tpr_at_1", None),
        ]
        if access == "scores" and lines and lines[-1] == [scheme, f"{budget:,}", "labels", *shown]:
            continue  # it reads labels alone
        lines.append([scheme, f"{budget:,}", access, *shown])
    rows = [row for row in results.rows if row.attack == ALL and row.source != ALL]
    derived, independent = (max(getattr(row, count) for row in rows) for count in ("n_derived", "n_independent"))
    head = ["scheme", "queries, at most", "read", "AUC", "T1%F", "found", "false positive rate", "T1%F, extracted"]
    sources = "1 source" if len(results.sources) == 1 else f"{len(results.sources)} sources"
    note = (
        f"{sources}, up to {derived} copies of each that keep their accuracy and classes, and {independent} "
        f"independent models; *found* and *false positive rate* are of the verdict at alpha = "
        f"{results.alpha:g}. 95 % intervals by bootstrap over sources and models. {origin(results)}"
    )
    return f"{table(head, lines)}\n\n{note}"
