"""Schemes against evasions: a heat map of what is still found, with what each evasion costs the thief."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.report.bench.leaderboard import Cell, cell
from modelprint.report.drawing.text import NONE, counted, percent, plain_name
from modelprint.results.records import EvasionCost
from modelprint.results.view import Setting, View


@dataclass(frozen=True, kw_only=True)
class EvasionRow:
    """An evasion: its name, what it costs, and one cell per scheme with the share of innocents accused below."""

    name: str
    cost: str
    interval: str
    cells: Sequence[Cell]


@dataclass(frozen=True, kw_only=True)
class EvasionMap:
    """Evasions against schemes, with labels."""

    reading: str
    columns: Sequence[str]
    rows: Sequence[EvasionRow]
    note: str


def evasion_map(view: View) -> EvasionMap | None:
    """TPR at 1 % FPR behind each evasion; None where suspects answered plainly only."""
    costs = view.results.evasions
    if not costs:
        return None
    schemes = list(dict.fromkeys((run.scheme, run.budget) for run in view.results.runs))
    rows = [
        EvasionRow(
            name=plain_name(cost.evasion),
            cost=f"{100 * cost.lost:.1f}",
            interval=f"{100 * cost.interval.low:.1f}{NONE}{100 * cost.interval.high:.1f}",
            cells=[_cell(view, _setting(scheme, budget, cost)) for scheme, budget in schemes],
        )
        for cost in costs
    ]
    return EvasionMap(
        reading=_reading(view, schemes, costs),
        columns=[f"{plain_name(scheme)}, {budget:,}" for scheme, budget in schemes],
        rows=rows,
        note=_note(view, costs),
    )


def _setting(scheme: str, budget: int, cost: EvasionCost) -> Setting:
    return Setting(scheme=scheme, access="labels", budget=budget, evasion=cost.evasion)


def _cell(view: View, setting: Setting) -> Cell:
    """TPR at 1 % FPR; in the place of seeds, the verdict's share of innocents accused."""
    shown = cell(view.measured(setting, "tpr_at_1"))
    false_positives = view.measured(setting, "fpr_verdict")
    return Cell(
        value=shown.value,
        interval=shown.interval,
        seeds="" if false_positives is None else f"accused {percent(false_positives.mean)}",
        heat=shown.heat,
    )


def _reading(view: View, schemes: Sequence[tuple[str, int]], costs: Sequence[EvasionCost]) -> str:
    """Of each scheme, the evasion that hides most copies."""
    parts = []
    for scheme, budget in schemes:
        measured = {cost.evasion: view.measured(_setting(scheme, budget, cost), "tpr_at_1") for cost in costs}
        shares = {name: share.mean for name, share in measured.items() if share is not None}
        plain = shares.pop("none", None)
        if plain is not None and shares:
            worst = min(shares, key=lambda name: shares[name])
            parts.append(f"{scheme} falls from {percent(plain)} to {percent(shares[worst])} ({worst})")
    return f"At 1\u202f% FPR, behind the evasion that hides most: {'; '.join(parts)}." if parts else "Not measured."


def _note(view: View, costs: Sequence[EvasionCost]) -> str:
    copies = counted(len(costs[0].accuracy), "copy", "copies")
    return (
        "TPR at 1\u202f% FPR with labels only, copies and independent models behind the same evasion, with its "
        "interval of 95\u202f%; below it the share of independent models that the verdict "
        f"(alpha = {view.results.alpha:g}) accuses, its threshold set by models that answer plainly. Points lost: of "
        f"the accuracy on {costs[0].images:,} held-out images, mean over {copies}. Who refuses more than half of the "
        "queries counts as not found, and is not accused."
    )
