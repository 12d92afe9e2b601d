"""The table of docs/evasion.md: what an attacker who knows the scheme pays."""

from __future__ import annotations

import json
from statistics import fmean

from benchmarks.common import RESULTS
from modelprint.stats.intervals import clopper_pearson
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
    provenances = [measured["provenance"] for measured in schemes.values()]
    revisions = ", ".join(sorted({one["revision"] for one in provenances}))
    none, all_ = clopper_pearson(0, 3).high, clopper_pearson(3, 3).low
    called = (
        f"Called derived at alpha = {result['alpha']}, of how many; in brackets the points of accuracy lost, mean. "
        f"95 % interval of 0 of 3: 0-{none:.2f}, of 3 of 3: {all_:.2f}-1."
    )
    made_at = f"({provenances[0]['date']}, revision {revisions}, torch {provenances[0]['torch']}.)"
    note = f"{called} {result['judges']} independent models. {made_at}"
    return table(["attack", *schemes], lines) + "\n\n" + note
