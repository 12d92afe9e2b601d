"""Tables of docs/siblings.md: lineage scores on the zoo `transfer`, beside several shared parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from benchmarks.common import RESULTS

CHEAP = "all layers, 750 images, 2 epochs"  # the tuning of shadow siblings that serve as cheap calibration models


def shared_part() -> str:
    """One line for each shared part: copies against siblings, source by source."""
    rows = _rows()
    if not rows:
        return "Not measured yet."
    head = (
        "| shared part | copies: n / lowest score | siblings: n / highest score | third-party copies: n / highest | "
        "extracted: n / highest | from Lite1: n / highest |\n|---|---|---|---|---|---|"
    )
    lines = [
        f"| {_part(siblings)} | {_each(group, _copies)} | {_each(group, _siblings)} | "
        f"{_each(group, lambda row: _highest(row['third-party copies']))} | "
        f"{_each(group, lambda row: _highest(row['extracted']))} | "
        f"{_each(group, lambda row: _highest(row['from another checkpoint']))} |"
        for siblings, group in _by_part(rows).items()
    ]
    return "\n".join([head, *lines]) + f"\n\n{_made_on()}"


def by_tuning() -> str:
    """One line for each way in which siblings were tuned: the spread of their scores."""
    rows = _rows()
    if not rows:
        return "Not measured yet."
    parts = _by_part(rows)
    names = list(dict.fromkeys(name for row in rows for name in row["siblings by tuning"]))
    head = "| siblings tuned on | " + " | ".join(map(_part, parts)) + " |"
    lines = [head, "|" + "---|" * (len(parts) + 1)]
    lines += [f"| {name} | {_spreads(parts, 'siblings by tuning', name)} |" for name in names]
    lines.append(f"| answers of another source | {_spreads(parts, 'extracted from another source')} |")
    return "\n".join(lines) + f"\n\n{_made_on()}"


def ranking() -> str:
    """One line for each shared part: siblings in test above the threshold of so many calibration siblings."""
    rows = _rows()
    if not rows:
        return "Not measured yet."
    counts = list(rows[0]["called_derived"])
    head = "| shared part | " + " | ".join(f"from {count}" for count in counts) + " | from 20 cheap ones |"
    lines = [head, "|" + "---|" * (len(counts) + 2)]
    for siblings, group in _by_part(rows).items():
        drawn = [_each(group, lambda row, count=count: _called(row["called_derived"][count])) for count in counts]
        cheap = _each(group, lambda row: _called(row["by_cheap_siblings"].get(CHEAP)))
        lines.append(f"| {_part(siblings)} | {' | '.join([*drawn, cheap])} |")
    return "\n".join(lines) + f"\n\n{_made_on()}"


def _called(share: dict[str, Any] | None) -> str:
    if share is None:
        return "-"
    low, high = share["interval"]
    return f"{share['mean']:.3f} ({low:.2f}-{high:.2f}), worst {share['highest']:.2f}"


def _rows() -> list[dict[str, Any]]:
    path = RESULTS / "siblings_transfer.json"
    return json.loads(path.read_text())["rows"] if path.is_file() else []


def _by_part(rows: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """The rows of each shared part, the fewest siblings first."""
    return {
        size: [row for row in rows if row["siblings"] == size] for size in sorted({row["siblings"] for row in rows})
    }


def _part(siblings: int) -> str:
    return f"parent and {siblings} siblings" if siblings else "parent alone"


def _each(group: list[dict[str, Any]], cell: Callable[[dict[str, Any]], str]) -> str:
    return "; ".join(cell(row) for row in group)


def _spreads(parts: dict[int, list[dict[str, Any]]], key: str, name: str | None = None) -> str:
    """The cells of one line: a spread for each shared part and source, under the key, or a name beneath it."""
    return " | ".join(
        _each(group, lambda row: _spread(row[key] if name is None else row[key].get(name))) for group in parts.values()
    )


def _separated(row: dict[str, Any]) -> dict[str, Any] | None:
    return row["copies"]["test"] or row["copies"]["development"]


def _copies(row: dict[str, Any]) -> str:
    one = _separated(row)
    return "-" if one is None else f"{one['n']} / {one['lowest'][1]:.2f}"


def _siblings(row: dict[str, Any]) -> str:
    one = _separated(row)
    return "-" if one is None else f"{one['independents']} / {one['highest_independent']:.3f}"


def _highest(spread: dict[str, Any] | None) -> str:
    return "-" if spread is None else f"{spread['n']} / {spread['highest']:.3f}"


def _spread(spread: dict[str, Any] | None) -> str:
    if spread is None:
        return "-"
    if spread["n"] == 1:
        return f"{spread['median']:.3f} (n = 1)"
    return f"{spread['median']:.3f} ({spread['lowest']:.3f}-{spread['highest']:.3f}, n = {spread['n']})"


def _made_on() -> str:
    how = json.loads((RESULTS / "siblings_transfer.json").read_text())["provenance"]
    return f"Source 1; source 2. ({how['date']}, revision {how['revision']}, torch {how['torch']}.)"
