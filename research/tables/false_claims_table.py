"""The table of docs/threat-model.md: how often each scheme calls independent models derived for an owner who cheats."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.common import RESULTS

COLUMNS = {
    "queries as crafted": "honest",
    "forged, no guard": "forged, no guard",
    "forged, judge's models": "forged, judge's models",
    "forged against one known model, judge's models": "aimed, judge's models",
    "best of 20 seeds, judge's models": "best of seeds, judge's models",
    "forged, re-derived": "forged, re-derived",
    "fresh challenge": "fresh challenge",
}


def false_claims() -> str:
    """One line per scheme, one column per guard; independent models called derived at alpha = .05, exact intervals."""
    told = json.loads((RESULTS / "false_claims_fashion.json").read_text())
    lines = [["scheme, queries", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    for scheme, row in told["rows"].items():
        cells = [_cell(row[key]) for key in COLUMNS.values()]
        lines.append([f"{scheme}, {row['queries']:,}", *cells])
    made = [row["provenance"] for row in told["rows"].values()]
    dates, revisions, torches = (", ".join(sorted({how[key] for how in made})) for key in ("date", "revision", "torch"))
    note = (
        f"Called derived, of how many; 95 % Clopper-Pearson. {told['innocents']} independent models, {told['judges']} "
        f"models of the judge, {told['surrogates']} reference models of the owner. "
        f"({dates}, revisions {revisions}, torch {torches}.)"
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{note}"


def _cell(found: dict[str, Any] | str) -> str:
    if isinstance(found, str):
        return found.partition(":")[0]
    low, high = found["interval"]
    return f"{found['accused']} of {found['n']} ({low:.2f}-{high:.2f})"
