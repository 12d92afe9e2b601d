"""Schemes against evasions, as text: what is still found, who is accused, and what it costs the thief."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modelprint.bench.text_table import NOT_MEASURED, TextTable, with_interval
from modelprint.results.records import ALL, Results, Row


def evasion_tables(results: Results, *, access: str = "labels") -> list[TextTable]:
    """TPR at 1 % FPR, and the verdict's shares; one line per evasion, one column per scheme."""
    schemes = list(dict.fromkeys((row.scheme, row.budget) for row in results.rows if row.access == access))
    found = {
        (row.scheme, row.budget, row.evasion): row
        for row in results.rows
        if row.attack == ALL and row.access == access and (row.source == ALL or len(results.sources) == 1)
    }

    def lines(cell: Callable[[Sequence[Row]], str]) -> tuple[tuple[str, ...], ...]:
        told = []
        for cost in results.evasions:
            rows = [found.get((scheme, budget, cost.evasion)) for scheme, budget in schemes]
            cells = [cell([row]) if row is not None else NOT_MEASURED for row in rows]
            told.append(
                (cost.evasion, f"{cost.lost:+.3f} ({cost.interval.low:+.3f} to {cost.interval.high:+.3f})", *cells)
            )
        return tuple(told)

    columns = ("evasion", "accuracy lost", *(f"{scheme}, {budget}" for scheme, budget in schemes))
    copies = len(results.evasions[0].accuracy)
    return [
        TextTable(
            title=f"Evasion: TPR at 1 % FPR, {access}, copies and independent models behind the same evasion",
            columns=columns,
            rows=lines(lambda rows: with_interval(rows, "tpr_at_1")),
            note=f"accuracy lost: the mean over {copies} copies on {results.evasions[0].images} held-out images, 95 % "
            "intervals by bootstrap over them; who refuses more than half of the queries counts as not found",
        ),
        TextTable(
            title=f"Evasion: the verdict at alpha = {results.alpha:g}, share of copies found / of innocents accused",
            columns=columns,
            rows=lines(_verdict),
            note="thresholds by calibration models that answer plainly, as a verifier does not know of the evasion; "
            "under permutation they are matched as the suspects are",
        ),
    ]


def _verdict(rows: Sequence[Row]) -> str:
    (row,) = rows
    if row.tpr_verdict is None or row.fpr_verdict is None:
        return NOT_MEASURED
    return f"{row.tpr_verdict:.2f} / {row.fpr_verdict:.3f}"
