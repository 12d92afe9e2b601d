"""Texts as what a report shows: a small drawing of the lines, with what was changed marked."""

from __future__ import annotations

import base64
from difflib import SequenceMatcher
from html import escape

COLUMNS = 28  # characters of a line
LINES = 8
ADVANCE, HEIGHT = 7.25, 16  # pixels of a character of a fixed font at 12 pixels, and of a line
MARK, INK, PAPER = "#ffd479", "#1b1b1b", "#ffffff"


def svg_uri(text: str, *, before: str | None = None) -> str:
    """A text as a data URI of an SVG drawing; words that another text writes otherwise stand on yellow.

    Args:
        before: the text that it was made from.
    """
    drawing = svg(text, before=before)
    return "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode()


def svg(text: str, *, before: str | None = None) -> str:
    """The drawing; control characters and line breaks are spaces, what is too long ends in an ellipsis."""
    shown = "".join(one if one.isprintable() else " " for one in text)
    marked = [False] * len(text) if before is None else changed_words(before, text)
    lines = _lines(shown)
    cut = len(lines) > LINES
    lines = lines[:LINES]
    wide, high = COLUMNS * ADVANCE + 8, len(lines) * HEIGHT + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}" height="{high}" viewBox="0 0 {wide:g} {high}">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    ]
    for number, (start, stop) in enumerate(lines):
        top = 4 + number * HEIGHT
        for place in range(start, stop):
            if marked[place]:
                left = 4 + (place - start) * ADVANCE
                parts.append(f'<rect x="{left:g}" y="{top}" width="{ADVANCE:g}" height="{HEIGHT}" fill="{MARK}"/>')
        words = shown[start:stop] + (" …" if cut and number == len(lines) - 1 else "")
        parts.append(
            f'<text x="4" y="{top + 12}" font-family="monospace" font-size="12" fill="{INK}" xml:space="preserve" '
            f'textLength="{len(words) * ADVANCE:g}">{escape(words)}</text>'
        )
    return "".join((*parts, "</svg>"))


def changed_words(before: str, after: str) -> list[bool]:
    """For each character of a text whether its word stands otherwise in the text before.

    >>> "".join("x" if one else "." for one in changed_words("the old man", "teh old man"))
    'xxx........'
    """
    spans = _spans(after)
    words = [after[start:stop] for start, stop in spans]
    marked = [False] * len(after)
    matcher = SequenceMatcher(a=before.split(), b=words, autojunk=False)
    for kind, _, _, first, last in matcher.get_opcodes():
        if kind != "equal":
            for start, stop in spans[first:last]:
                marked[start:stop] = [True] * (stop - start)
    return marked


def _spans(text: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    start: int | None = None
    for place, one in enumerate(f"{text} "):
        if one.isspace() and start is not None:
            spans.append((start, place))
            start = None
        elif not one.isspace() and start is None:
            start = place
    return spans


def _lines(text: str) -> list[tuple[int, int]]:
    """The characters of each line; words are kept whole where they are no longer than a line."""
    lines: list[tuple[int, int]] = []
    start = 0
    while len(text) - start > COLUMNS:
        space = text.rfind(" ", start, start + COLUMNS + 1)
        stop = space if space > start else start + COLUMNS
        lines.append((start, stop))
        start = stop + (1 if space > start else 0)
    return [*lines, (start, len(text))]
