"""The table of docs/evasion.md: what an attacker who knows the scheme pays."""

from __future__ import annotations

import json
from statistics import fmean

from benchmarks.common import RESULTS
from research.tables.field_tables import table


def paid() -> str:
    """A line for each attack: how many copies each scheme calls derived, and the points of accuracy that they lost."""
    path = RESULTS / "adaptive_thief_fashion.json"
    if not path.exists():
        return "Not measured yet."
    result = json.loads(path.read_text())
    schemes = result["schemes"]
    cells: dict[str, dict[str, str]] = {}
    for name, measured in schemes.items():
        for row in measured["rows"]:
            lost = fmean(row["points_lost"])
            cells.setdefault(row["attack"], {})[name] = f"{row['derived']} of {row['n']} ({lost:.1f})"
    lines = [[attack, *(row.get(name, "-") for name in schemes)] for attack, row in cells.items()]
    made = [measured["provenance"] for measured in schemes.values()]
    revisions = ", ".join(sorted({one["revision"] for one in made}))
    called = f"Called derived at alpha = {result['alpha']}, of how many; in brackets the points of accuracy lost, mean."
    where = f"({made[0]['date']}, revision {revisions}, torch {made[0]['torch']}.)"
    note = f"{called} {result['judges']} independent models. {where}"
    return table(["attack", *schemes], lines) + "\n\n" + note
