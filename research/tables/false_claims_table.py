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
    study = json.loads((RESULTS / "false_claims_fashion.json").read_text())
    lines = [["scheme, queries", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    for scheme, row in study["rows"].items():
        cells = [_cell(row[key]) for key in COLUMNS.values()]
        lines.append([f"{scheme}, {row['queries']:,}", *cells])
    keys = ("date", "revision", "torch")
    origins = [row["provenance"] for row in study["rows"].values()]
    dates, revisions, torches = (", ".join(sorted({how[key] for how in origins})) for key in keys)
    note = (
        f"Called derived, of how many; 95 % Clopper-Pearson. {study['innocents']} independent models, "
        f"{study['judges']} models of the judge, {study['surrogates']} reference models of the owner. "
        f"({dates}, revisions {revisions}, torch {torches}.)"
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{note}"


def _cell(accusations: dict[str, Any] | str) -> str:
    if isinstance(accusations, str):
        return accusations.partition(":")[0]
    low, high = accusations["interval"]
    return f"{accusations['accused']} of {accusations['n']} ({low:.2f}-{high:.2f})"
