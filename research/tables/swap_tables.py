"""Tables of docs/design/0018-texts.md: what the parameters of a walk by swaps do to texts, and what they find."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.common import RESULTS
from modelprint.bench.files import find_results
from research.tables.field_tables import table

KNOBS = {"brake factor": "brake", "swaps to a border": "l", "share of words changed": "largest_step"}


def swaps() -> str:
    """A line for each setting of brake, l and the share of words, with the AUC where it was swept."""
    path = RESULTS / "text_swaps.json"
    if not path.exists():
        return "Not measured yet."
    result = json.loads(path.read_text())
    areas = _areas()
    lines = [
        [
            f"{row['brake']:g}",
            f"{row['l']}",
            f"{row['largest_step']:.0%}",
            f"{row['trajectories']} of {row['tried']}",
            f"{row['classes_per_trajectory']:.1f}",
            f"{row['share_changed']:.0%}",
            f"{row['bits_before']:.1f} to {row['bits_after']:.1f}",
            *([_area(areas, row)] if areas else []),
        ]
        for row in result["rows"]
    ]
    head = ["brake", "l", "words, at most", "walks of seeds", "classes met", "words changed", "bits a byte"]
    made = result["provenance"]
    note = (
        "Means over the sources' trajectories; bits a byte: of the first and the last texts, by trigrams of the seeds. "
        f"({made['date']}, revision {made['revision']}, torch {made['torch']}.)"
    )
    return f"{table([*head, *(['AUC'] if areas else [])], lines)}\n\n{note}"


def _areas() -> dict[tuple[str, float], str]:
    """The AUC at each value of each knob of the bench text-swaps; none where it was not run."""
    path = RESULTS / "text-swaps.json"
    if not path.exists():
        return {}
    return {
        (KNOBS[sweep.knob], point.value): f"{point.auc:.2f} ({point.interval.low:.2f}-{point.interval.high:.2f})"
        for sweep in find_results(str(path)).sweeps
        for point in sweep.points
    }


def _area(areas: Mapping[tuple[str, float], str], row: Mapping[str, Any]) -> str:
    """Of the knob that this row turns: the first that is not as usual, else any."""
    usual = {"brake": 0.9, "l": 2, "largest_step": 0.5}
    turned = next((name for name, value in usual.items() if row[name] != value), "brake")
    return areas.get((turned, float(row[turned])), "-")
