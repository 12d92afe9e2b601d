"""How the lines of a benchmark's charts look: one look per scheme, the same in every chart."""

from __future__ import annotations

from collections.abc import Sequence

from modelprint.report.drawing.looks import COLOURS, SHAPES, Look
from modelprint.results.view import Setting, controls

_CONTROL_DASHES = ([2, 3], [7, 3, 2, 3])
_SCORES_DASH = [7, 4]


def scheme_look(setting: Setting, schemes: Sequence[str]) -> Look:
    """Colour by scheme, dashes where scores were used, dots where a suspect evades; controls are grey."""
    if setting.control is not None:
        place = list(controls()).index(setting.scheme) % len(_CONTROL_DASHES)
        dash, name = _CONTROL_DASHES[place], ("dotted", "dashed")[place]
        return Look(colour="var(--calibration)", dash=dash, shape="square", swatch=f"calibration {name}")
    place = schemes.index(setting.scheme)
    dash, name = ([2, 3], " dotted") if setting.evasion != "none" else ([1, 0], "")
    if setting.access == "scores" and not name:
        dash, name = _SCORES_DASH, " dashed"
    return Look(
        colour=f"var(--s{place % COLOURS})",
        dash=dash,
        shape=SHAPES[place % len(SHAPES)],
        swatch=f"s{place % COLOURS}{name}",
    )
