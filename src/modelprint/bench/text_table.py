"""A table of text, and a figure of merit in a cell of it."""

from __future__ import annotations

from dataclasses import dataclass

from modelprint.results.view import NOT_MEASURED, Measured


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table: every cell is text, none is blank."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def with_interval(measured: Measured | None) -> str:
    """The mean over seeds, with the widest of their intervals.

    >>> with_interval(Measured(mean=0.5, least=0.4, most=0.6, seeds=2, low=0.3, high=0.7)), with_interval(None)
    ('0.500 (0.30-0.70)', 'not measured')
    """
    if measured is None:
        return NOT_MEASURED
    if measured.low is None or measured.high is None:
        return f"{measured.mean:.3f}"
    return f"{measured.mean:.3f} ({measured.low:.2f}-{measured.high:.2f})"
