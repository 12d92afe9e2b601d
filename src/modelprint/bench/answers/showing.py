"""Results on an answer table, as text."""

from __future__ import annotations

from modelprint.bench.text_table import TextTable
from modelprint.results.records import ALL, Figure, Results, Row
from modelprint.results.view import NOT_MEASURED

_COLUMNS: dict[Figure, str] = {
    "auc": "AUC",
    "tpr_at_1": "T1%F",
    "tpr_at_10": "T10%F",
    "tpr_verdict": "TPR verdict",
    "fpr_verdict": "FPR verdict",
}


def leaderboard(results: Results) -> TextTable:
    """The mean over sources of each scheme, with its worst source."""
    whole = [row for row in results.rows if row.source == ALL]
    counts = results.provenance
    return TextTable(
        title=f"{results.name}: {counts['models']} models, {counts['images']} images, {len(results.sources)} sources",
        columns=("scheme", "queries", *_COLUMNS.values(), "worst source, T1%F", "n"),
        rows=tuple(
            (
                row.scheme,
                f"{row.queries:.0f}",
                *(_with_interval(row, figure) for figure in _COLUMNS),
                _worst([other for other in results.rows if other.scheme == row.scheme and other.source != ALL]),
                f"{row.n_derived} / {row.n_independent}",
            )
            for row in sorted(whole, key=lambda row: -(row.auc or 0.0))
        ),
        note="means over sources, 95 % intervals by bootstrap over sources and models; n derived / independent; "
        f"verdict at alpha = {results.alpha:g}; half of each source's other families, drawn by seed {counts['seed']}, "
        "chose its queries and set its threshold, the others are its independents",
    )


def _with_interval(row: Row, figure: Figure) -> str:
    value, ends = getattr(row, figure), row.intervals.get(figure)
    if value is None:
        return NOT_MEASURED
    return f"{value:.4f}" + (f" ({ends.low:.3f}-{ends.high:.3f})" if ends is not None else "")


def _worst(rows: list[Row]) -> str:
    row = min(rows, key=lambda row: row.tpr_at_1 or 0.0)
    return f"{row.source}, {row.tpr_at_1:.3f}"
