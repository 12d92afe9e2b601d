"""How a line of a chart looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = 10  # --s0 to --s9 in the style sheet
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a line is drawn: a CSS colour, dashes, the shape of its marks, and the classes of its swatch."""

    colour: str
    dash: Sequence[int] = (1, 0)
    shape: str = "circle"
    swatch: str


def plain_look(place: int) -> Look:
    """The look of a line that is no scheme."""
    return Look(colour=f"var(--s{place % COLOURS})", shape=SHAPES[place % len(SHAPES)], swatch=f"s{place % COLOURS}")
