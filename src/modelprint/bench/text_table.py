"""A table of text, and a figure of merit in a cell of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from modelprint.results.records import Figure, Row

NOT_MEASURED = "not measured"


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table: every cell is text, none is blank."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def with_interval(rows: Sequence[Row], figure: Figure) -> str:
    """The mean over seeds, with the widest of their intervals."""
    values = [value for row in rows if (value := getattr(row, figure)) is not None]
    if not values:
        return NOT_MEASURED
    ends = [row.intervals[figure] for row in rows if figure in row.intervals]
    span = f" ({min(end.low for end in ends):.2f}-{max(end.high for end in ends):.2f})" if ends else ""
    return f"{fmean(values):.3f}{span}"
