"""Vectors as what a report shows: a small table of names and values, in which changed cells are marked."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

LINES = 12
WIDTH, HEIGHT, LONGEST = 190, 15, 14  # pixels; characters of a name or value
MARK, INK, PAPER, FAINT = "#ffd479", "#1b1b1b", "#ffffff", "#6b6b6b"


def svg_uri(names: Sequence[str], values: Sequence[str], *, before: Sequence[str] | None = None) -> str:
    """A row as a data URI of an SVG drawing.

    Args:
        before: the values of the row that it was made from: cells that differ stand first, on yellow.
    """
    return "data:image/svg+xml;base64," + base64.b64encode(svg(names, values, before=before).encode()).decode()


def svg(names: Sequence[str], values: Sequence[str], *, before: Sequence[str] | None = None) -> str:
    """The drawing; of many columns, those that changed, then the first."""
    old = values if before is None else before
    changed = [one != other for one, other in zip(values, old, strict=True)]
    order = sorted(range(len(names)), key=lambda place: (not changed[place], place))
    more = len(order) > LINES
    shown = order[: LINES - 1] if more else order
    high = (len(shown) + more) * HEIGHT + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{high}" viewBox="0 0 {WIDTH} {high}">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    ]
    for number, place in enumerate(shown):
        top = 4 + number * HEIGHT
        if changed[place]:
            parts.append(f'<rect x="0" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="{MARK}"/>')
        cell = _short(values[place]) if not changed[place] else f"{_short(old[place], 9)} → {_short(values[place], 9)}"
        parts.append(_text(4, top, _short(names[place]), "start", FAINT) + _text(WIDTH - 4, top, cell, "end", INK))
    if more:
        hidden = order[len(shown) :]
        rest = f"and {len(hidden)} more columns, {sum(changed[place] for place in hidden)} changed"
        parts.append(_text(4, 4 + len(shown) * HEIGHT, rest, "start", FAINT))
    return "".join((*parts, "</svg>"))


def _text(x: int, top: int, words: str, anchor: str, colour: str) -> str:
    return (
        f'<text x="{x}" y="{top + 11}" font-family="sans-serif" font-size="11" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(words)}</text>'
    )


def _short(text: str, most: int = LONGEST) -> str:
    """A text of at most so many characters.

    >>> _short("petal width of the flower", 10)
    'petal wid…'
    """
    plain = "".join(one if one.isprintable() else " " for one in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"
