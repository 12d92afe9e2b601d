"""The table of docs/evidence.md: how far fingerprints are apart that were made with other threads and instructions."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.common import RESULTS


def rederived() -> str:
    """One line per scheme over all sources: queries that changed, and how much numbers did, under each condition."""
    study = json.loads((RESULTS / "rederive_machines.json").read_text())
    conditions = list(dict.fromkeys(row["against"] for row in study["rows"]))
    heads = ["scheme", "queries"]
    for condition in conditions:
        heads += [f"{condition}: changed, refused", "largest difference of a score, of the state"]
    lines = [heads, ["---"] * len(heads)]
    for scheme in dict.fromkeys(row["scheme"] for row in study["rows"]):
        lines.append([scheme])
        for number, condition in enumerate(conditions):
            rows = [row for row in study["rows"] if (row["scheme"], row["against"]) == (scheme, condition)]
            lines[-1] += [] if number else [f"{sum(row['queries'] for row in rows):,}"]
            lines[-1] += [_changed(rows), f"{_most(rows, 'scores_off')}, {_most(rows, 'state_off')}"]
    rounding = ", ".join(
        f"{condition} {max(row['rounding'] for row in study['rows'] if row['against'] == condition):.1g}"
        for condition in conditions
    )
    how = study["provenance"]
    note = (
        f"Sources: {len({row['source'] for row in study['rows']})}; refused: whole fingerprints, of as many. Largest "
        f"difference of a source's logits, on 1,000 images: {rounding}. (`{how['command']}`, {how['date']}, revision "
        f"{how['revision']}, {how['cpu']}, torch {how['torch']}.)"
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{note}"


def _changed(rows: list[dict[str, Any]]) -> str:
    refused = sum(row["verdict"] != "accepted" for row in rows)
    changed = [row["changed"] if "changed" in row else row["queries"] for row in rows]
    return f"{sum(changed)}, {refused} of {len(rows)}"


def _most(rows: list[dict[str, Any]], name: str) -> str:
    value = max(row.get(name, float("inf")) for row in rows)
    return "0" if value == 0 else f"{value:.0e}"
