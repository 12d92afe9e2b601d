"""Schemes against evasions, as text: what is still found, the false positives, and what it costs the copies."""

from __future__ import annotations

from collections.abc import Callable

from modelprint.bench.text_table import TextTable, with_interval
from modelprint.results.records import Results
from modelprint.results.view import NOT_MEASURED, Setting, View


def evasion_tables(results: Results, *, access: str = "labels") -> list[TextTable]:
    """TPR at 1 % FPR, and the verdict's shares; one line per evasion, one column per scheme."""
    view = View(results=results)
    schemes = list(dict.fromkeys((row.scheme, row.budget) for row in results.rows if row.access == access))

    def lines(cell: Callable[[Setting], str]) -> tuple[tuple[str, ...], ...]:
        return tuple(
            (
                cost.evasion,
                f"{cost.lost:+.3f} ({cost.interval.low:+.3f} to {cost.interval.high:+.3f})",
                *(
                    cell(Setting(scheme=scheme, access=access, budget=budget, evasion=cost.evasion))
                    for scheme, budget in schemes
                ),
            )
            for cost in results.evasions
        )

    def verdict(setting: Setting) -> str:
        true_positives, false_positives = view.measured(setting, "tpr_verdict"), view.measured(setting, "fpr_verdict")
        if true_positives is None or false_positives is None:
            return NOT_MEASURED
        return f"{true_positives.mean:.2f} / {false_positives.mean:.3f}"

    columns = ("evasion", "accuracy lost", *(f"{scheme}, {budget}" for scheme, budget in schemes))
    copies = len(results.evasions[0].accuracy)
    return [
        TextTable(
            title=f"Evasion: TPR at 1 % FPR, {access}, copies and independent models behind the same evasion",
            columns=columns,
            rows=lines(lambda setting: with_interval(view.measured(setting, "tpr_at_1"))),
            note=f"accuracy lost: the mean over {copies} copies on {results.evasions[0].images} held-out images, 95 % "
            "intervals by bootstrap over them; who refuses more than half of the queries counts as not found",
        ),
        TextTable(
            title=f"Evasion: the verdict at alpha = {results.alpha:g}, share of copies found / of innocents accused",
            columns=columns,
            rows=lines(verdict),
            note="thresholds by calibration models that answer plainly, as a verifier does not know of the evasion; "
            "under permutation they are matched as the suspects are",
        ),
    ]
