"""The table of docs/uap.md: what the perturbed half of UAP's queries carries on `transfer`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.common import RESULTS
from research.tables.field_tables import table

ENCODERS = {"contrastive": "trained", "none": "none: cosine of the answers"}


def halves() -> str:
    """A line for each half, reading and encoder; a column for each source and budget."""
    path = RESULTS / "uap_halves_transfer.json"
    if not path.exists():
        return "Not measured yet."
    result = json.loads(path.read_text())
    sources: Mapping[str, Mapping[str, Any]] = result["sources"]
    lines = []
    for name in next(iter(sources.values()))["rows"]:
        half, reading, encoder = name.split(", ")
        cells = [_cell(found["rows"][name]) for found in sources.values()]
        lines.append([half, reading, ENCODERS[encoder], *cells])
    counts = "; ".join(
        f"{name}: {found['copies']} copies, {found['independents']} independent models"
        for name, found in sources.items()
    )
    how = result["provenance"]
    note = (
        f"AUC with its interval / T1%F. {counts}. The halves have half of the queries. "
        f"({how['date']}, revision {how['revision']}, torch {how['torch']}.)"
    )
    return table(["points", "answers", "encoder", *sources], lines) + "\n\n" + note


def _cell(row: Mapping[str, float]) -> str:
    return f"{row['auc']:.2f} ({row['low']:.2f}-{row['high']:.2f}) / {row['t1f']:.2f}"
