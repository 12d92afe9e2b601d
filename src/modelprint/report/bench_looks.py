"""How the lines of a benchmark's charts look: one look per scheme, the same in every chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.results.view import CONTROLS, Setting

COLOURS = 10  # --s0 to --s9 in the style sheet
_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
_CONTROL_DASHES = ([2, 3], [7, 3, 2, 3])
_SCORES_DASH = [7, 4]


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a line is drawn: a CSS colour, dashes, the shape of its marks, and the classes of its swatch."""

    colour: str
    dash: Sequence[int] = (1, 0)
    shape: str = "circle"
    swatch: str


def scheme_look(setting: Setting, schemes: Sequence[str]) -> Look:
    """Colour by scheme, dashes where scores were used, dots where a suspect evades; controls are grey."""
    if setting.control:
        place = CONTROLS.index(setting.scheme) % len(_CONTROL_DASHES)
        dash, name = _CONTROL_DASHES[place], ("dotted", "dashed")[place]
        return Look(colour="var(--calibration)", dash=dash, shape="square", swatch=f"calibration {name}")
    place = schemes.index(setting.scheme)
    dash, name = ([2, 3], " dotted") if setting.evasion != "none" else ([1, 0], "")
    if setting.access == "scores" and not name:
        dash, name = _SCORES_DASH, " dashed"
    return Look(
        colour=f"var(--s{place % COLOURS})",
        dash=dash,
        shape=_SHAPES[place % len(_SHAPES)],
        swatch=f"s{place % COLOURS}{name}",
    )


def plain_look(place: int) -> Look:
    """The look of a line that is no scheme."""
    return Look(colour=f"var(--s{place % COLOURS})", shape=_SHAPES[place % len(_SHAPES)], swatch=f"s{place % COLOURS}")
