"""What each scheme finds of each family of attacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.report.bench.leaderboard import Cell, cell
from modelprint.report.drawing.text import plain_name
from modelprint.results.view import View


@dataclass(frozen=True, kw_only=True)
class FamilyRow:
    """A family of attacks: how many copies, and one cell per setting."""

    name: str
    n: str
    cells: Sequence[Cell]


@dataclass(frozen=True, kw_only=True)
class FamilyTable:
    """Families against schemes."""

    reading: str
    columns: Sequence[str]
    rows: Sequence[FamilyRow]


def family_table(view: View) -> FamilyTable:
    """TPR at 1 % FPR of each family, at each scheme's largest budget."""
    settings, families = view.leading, view.families
    rows = []
    for family in families:
        measured_rows = [row for setting in settings for row in view.rows(setting, family)]
        n = max((row.n_derived for row in measured_rows), default=0)
        cells = [cell(view.measured(setting, "tpr_at_1", family)) for setting in settings]
        rows.append(FamilyRow(name=plain_name(family), n=f"{n:,}", cells=cells))
    return FamilyTable(
        reading=_found_and_missed(view), columns=[plain_name(setting.name) for setting in settings], rows=rows
    )


def _found_and_missed(view: View) -> str:
    """Families that the best scheme mostly finds, and those that it mostly misses."""
    best = view.best
    if best is None or not view.families:
        return "No family of attacks was measured."
    measured = {name: view.measured(best, "tpr_at_1", name) for name in view.families}
    shares = {name: one.mean for name, one in measured.items() if one is not None}
    caught = [name for name, share in shares.items() if share >= 0.9]
    missed = [name for name, share in shares.items() if share < 0.5]
    return (
        f"At 1\u202f% FPR {best.name} finds nine in ten copies or more of {len(caught)} of {len(shares)} families"
        f"{_listed(caught)}, and fewer than half of {len(missed)}{_listed(missed)}."
    )


def _listed(names: Sequence[str]) -> str:
    return f" ({', '.join(plain_name(name) for name in names)})" if names else ""
