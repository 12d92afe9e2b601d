"""The table of docs/threat-model.md: how often each scheme accuses innocents for an accuser who cheats."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.common import RESULTS

COLUMNS = {
    "honest queries": "honest",
    "forged, no guard": "forged, no guard",
    "forged, judge's models": "forged, judge's models",
    "forged at one known beforehand, judge's models": "aimed, judge's models",
    "best of 20 seeds, judge's models": "best of seeds, judge's models",
    "forged, re-derived": "forged, re-derived",
    "fresh challenge": "fresh challenge",
}


def false_claims() -> str:
    """One line per scheme, one column per guard; shares of innocents accused at alpha = .05, with exact intervals."""
    told = json.loads((RESULTS / "false_claims_fashion.json").read_text())
    lines = [["scheme, queries", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    for scheme, row in told["rows"].items():
        cells = [_cell(row[key]) for key in COLUMNS.values()]
        lines.append([f"{scheme}, {row['queries']:,}", *cells])
    made = [row["provenance"] for row in told["rows"].values()]
    dates, revisions, torches = (", ".join(sorted({how[key] for how in made})) for key in ("date", "revision", "torch"))
    note = (
        f"Accused of how many, 95 % Clopper-Pearson. {told['innocents']} innocents, {told['judges']} models of the "
        f"judge, {told['surrogates']} surrogates. ({dates}, revisions {revisions}, torch {torches}.)"
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{note}"


def _cell(found: dict[str, Any] | str) -> str:
    if isinstance(found, str):
        return found.partition(":")[0]
    low, high = found["interval"]
    return f"{found['accused']} of {found['n']} ({low:.2f}-{high:.2f})"
