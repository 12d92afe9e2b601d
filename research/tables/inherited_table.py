"""The table of docs/adv-tra.md: trajectories that walk on other models than the source."""

from __future__ import annotations

import json
from statistics import fmean
from typing import Any

from benchmarks.common import RESULTS
from research.tables.field_tables import table

FAMILIES = ("all", "fine-tuning", "pruning", "extraction", "removal")


def inherited() -> str:
    """A line for each walk and score: the AUC by family and T1%F over all, means over the sources."""
    path = RESULTS / "inherited_trajectories_fashion.json"
    if not path.exists():
        return "Not measured yet."
    result = json.loads(path.read_text())
    sources: list[dict[str, Any]] = list(result["sources"].values())
    lines = []
    for label in sources[0]:
        walk, _, score = label.rpartition(", ")
        found = [source[label] for source in sources]
        areas = [_area([one[family] for one in found if family in one]) for family in FAMILIES]
        lines.append([walk, score, *areas, f"{fmean(one['all']['t1f'] for one in found):.2f}"])
    counts = [f"{one['all']['copies']} copies, {one['independents']} independent models" for one in found]
    how = result["provenance"]
    made_at = f"({how['date']}, revision {how['revision']}, torch {how['torch']}.)"
    note = (
        f"Means over {len(sources)} sources ({'; '.join(counts)}), in brackets the lowest and the highest source. "
        f"{result['trajectories']} trajectories, one seed. {made_at}"
    )
    return table(["walk on", "score", *(f"AUC, {family}" for family in FAMILIES), "T1%F, all"], lines) + "\n\n" + note


def _area(rows: list[dict[str, Any]]) -> str:
    values = [row["auc"] for row in rows]
    return f"{fmean(values):.2f} ({min(values):.2f}-{max(values):.2f})"
