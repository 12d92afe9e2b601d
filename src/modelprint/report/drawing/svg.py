"""How every chart looks, and how it becomes an SVG inside the page: no script, no fonts, nothing to fetch.

Colours are the page's CSS variables, so that charts follow it into the dark and onto paper. Charts are drawn 360 wide,
for a phone, and scaled up.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    import altair as alt

WIDTH = 360
ROLE_COLOURS = {
    "suspect": "var(--suspect)",
    "derived": "var(--derived)",
    "independent": "var(--independent)",
    "source": "var(--suspect)",
    "calibration": "var(--calibration)",
}
ROLE_SHAPES = {
    "suspect": "diamond",
    "derived": "circle",
    "independent": "square",
    "source": "triangle-up",
    "calibration": "circle",
}
ROLE_DASHES = {"suspect": [1, 0], "derived": [1, 0], "independent": [5, 3], "source": [1, 2]}
_CONFIG = {
    "background": "transparent",
    "font": "system-ui, -apple-system, Roboto, Arial, sans-serif",
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--quiet)",
        "titleColor": "var(--quiet)",
        "titleFontWeight": "normal",
        "titleFontSize": 11,
        "labelFontSize": 10.5,
        "domainColor": "var(--rule)",
        "tickColor": "var(--rule)",
        "gridColor": "var(--grid)",
        "titlePadding": 6,
        "labelFlush": False,
        "labelPadding": 4,
    },
}
Rows = Sequence[dict[str, Any]]


def rows(values: Rows) -> alt.InlineData:
    """Inline data."""
    import altair as alt

    return alt.InlineData(values=list(values))


def by_role(table: dict[str, Any], roles: Sequence[str]) -> alt.Scale:
    """A scale from roles to colours, shapes or dashes."""
    import altair as alt

    return alt.Scale(domain=list(roles), range=[table[role] for role in roles])


def dashed(field: str, value: float, channel: Any) -> alt.Chart:
    """A dashed line across the chart at one value of the x or y channel given."""
    import altair as alt

    rule = alt.Chart(rows([{field: value}])).mark_rule(strokeDash=[4, 3], strokeWidth=1.5, color="var(--ink)")
    drawn: alt.Chart = rule.encode(channel)
    return drawn


def to_svg(layers: Sequence[Any], *, label: str, height: int, width: int = WIDTH) -> Markup:
    """Charts on top of each other, as an SVG element that scales with the page.

    Args:
        label: what the chart shows, for those who cannot see it.
        width: smaller where several charts stand side by side, so that their text stays readable.
    """
    import altair as alt
    import vl_convert

    layered: dict[str, Any] = alt.layer(*layers).to_dict(validate=False)  # checked part by part as it was made
    size = {"width": width, "height": height, "autosize": {"type": "fit", "contains": "padding"}, "padding": 6}
    svg = vl_convert.vegalite_to_svg(layered | size | {"config": _CONFIG})
    return Markup(_embeddable(svg, label))  # noqa: S704 - the converter escapes text, and the label is escaped below


def _embeddable(svg: str, label: str) -> str:
    """Without what only a file of its own needs; named and scalable."""
    opening = re.match(r"<svg[^>]*?viewBox=\"([^\"]*)\"[^>]*>", svg)
    assert opening is not None
    body = re.sub(r" (?:aria-[a-z]+|role|class)=\"[^\"]*\"", "", svg[opening.end() :])
    return f'<svg viewBox="{opening[1]}" role="img" aria-label="{html.escape(label)}">{body}'
