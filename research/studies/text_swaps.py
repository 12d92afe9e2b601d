"""How unusual the texts become that ADV-TRA walks through, from the fingerprints that a bench of texts made.

    python -m research.studies.text_swaps FOLDER ...

A FOLDER is one that `modelprint bench run text --folder FOLDER` or `bench run text-swaps` wrote. Writes
benchmarks/results/text_swaps.json: for each setting, over its sources, how many seeds a walk began at, how many
trajectories came of them, the share of words that differ at their ends, and the surprise of the first and last texts.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.common import provenance, write_result

SETTINGS = ("brake", "l", "largest_step")
MEANS = ("share_changed", "bits_before", "bits_after", "classes_per_trajectory")


def rows_of(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each setting; means over the trajectories of all its sources.

    >>> report = {"trajectories": 2, "bases_tried": 4, "share_changed": 0.5, "bits_before": 3.0, "bits_after": 5.0,
    ...           "classes_per_trajectory": 8.0}
    >>> made = {"parameters": {"brake": 0.9, "l": 2, "largest_step": 0.5}, "source": "sha256:1", "report": report}
    >>> [(row["brake"], row["tried"], row["bits_after"]) for row in rows_of([made, made])]
    [(0.9, 4, 5.0)]
    """
    groups: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = defaultdict(dict)
    for one in sorted(manifests, key=lambda one: one["report"]["trajectories"]):  # the longest of a source stays
        groups[tuple(one["parameters"][name] for name in SETTINGS)][one["source"]] = one
    rows: list[dict[str, Any]] = []
    for setting, members in sorted(groups.items()):
        reports = [one["report"] for one in members.values()]
        count = sum(report["trajectories"] for report in reports)
        means = {
            name: round(sum(report[name] * report["trajectories"] for report in reports) / count, 4) for name in MEANS
        }
        tried = sum(report["bases_tried"] for report in reports)
        counts = {"sources": len(members), "tried": tried, "trajectories": count}
        rows.append({**dict(zip(SETTINGS, setting, strict=True)), **counts, **means})
    return rows


def main() -> None:
    """Read the fingerprints, write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    folders: list[Path] = parser.parse_args().folders
    read = [
        json.loads(path.read_text()) for one in folders for path in sorted(one.glob("fingerprints/*/manifest.json"))
    ]
    walked = [one for one in read if one["scheme"] == "adv-tra" and "share_changed" in one["report"]]
    if not walked:
        parser.error(f"no fingerprint of adv-tra on texts in {', '.join(map(str, folders))}")
    write_result("text_swaps.json", {"rows": rows_of(walked), "provenance": provenance()})


if __name__ == "__main__":
    main()
