"""Lines of a benchmark's charts, with bands and rules beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from modelprint.report.drawing.figure import Key
from modelprint.report.drawing.looks import Look
from modelprint.report.drawing.svg import rows, to_svg
from modelprint.report.drawing.text import number


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point of a line, with its interval; `hollow` marks it as of another kind."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    hollow: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a chart: its points from left to right."""

    name: str
    look: Look
    points: Sequence[Point]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis: its title, scale and ends; ticks where they are not left to the chart."""

    title: str
    domain: tuple[float, float]
    scale: str = "linear"
    ticks: Sequence[float] | None = None
    format: str = ".6~g"

    def altair(self) -> dict[str, Any]:
        """Arguments of a channel."""
        import altair as alt

        axis = (
            alt.Axis(values=list(self.ticks), format=self.format)
            if self.ticks
            else alt.Axis(tickCount=5, format=self.format)
        )
        scale: Any = alt.Scale(type=self.scale, domain=list(self.domain), nice=False)  # type: ignore[arg-type]
        return {"title": self.title, "scale": scale, "axis": axis}


@dataclass(frozen=True, kw_only=True)
class Band:
    """A horizontal band: from, to, how dark."""

    low: float
    high: float
    opacity: float


@dataclass(frozen=True, kw_only=True)
class LineChart:
    """What is drawn: lines, bands across the chart, dashed rules at heights."""

    x: Axis
    y: Axis
    lines: Sequence[Line]
    bands: Sequence[Band] = ()
    rules: Sequence[float] = ()
    marks: bool = True
    steps: bool = False
    shaded: bool = True
    height: int = 260
    width: int = 360
    about: str = field(default="")


def line_keys(lines: Sequence[Line]) -> list[Key]:
    """The legend."""
    return [Key(text=line.name, role=line.look.swatch, form="line") for line in lines]


def draw(chart: LineChart) -> Markup:
    """The chart as an SVG; its label names every line and, where there are few, every point."""
    layers: list[Any] = [_band(band, chart) for band in chart.bands]
    for line in chart.lines:
        layers += _layers(line, chart)
    layers += [_rule(height, chart) for height in chart.rules]
    return to_svg(layers, label=f"{chart.about} {_spoken(chart)}".strip(), height=chart.height, width=chart.width)


def _layers(line: Line, chart: LineChart) -> list[Any]:
    import altair as alt

    points = sorted(line.points, key=lambda point: point.x)
    values = [{"x": p.x, "y": p.y, "low": p.low, "high": p.high, "n": n} for n, p in enumerate(points)]
    x, y = alt.X("x:Q", **chart.x.altair()), alt.Y("y:Q", **chart.y.altair())
    base = alt.Chart(rows(values))
    layers: list[Any] = []
    ranged = [value for value in values if value["low"] is not None and value["high"] is not None]
    if ranged and chart.shaded and len(ranged) > 1:
        band = alt.Chart(rows(ranged)).mark_area(opacity=0.14, color=line.look.colour)
        layers.append(band.encode(x, alt.Y("low:Q", **chart.y.altair()), alt.Y2("high:Q")))
    elif ranged:
        whisker = alt.Chart(rows(ranged)).mark_rule(strokeWidth=1.2, color=line.look.colour)
        layers.append(whisker.encode(x, alt.Y("low:Q", **chart.y.altair()), alt.Y2("high:Q")))
    if len(values) > 1:
        stroke = base.mark_line(
            strokeWidth=2,
            strokeDash=list(line.look.dash),
            color=line.look.colour,
            interpolate="step-after" if chart.steps else "linear",
        )
        layers.append(stroke.encode(x, y, order="n:Q"))
    for hollow in (False, True) if chart.marks else ():
        some = [value for value, point in zip(values, points, strict=True) if point.hollow == hollow]
        if some:
            mark = alt.Chart(rows(some)).mark_point(
                filled=False,
                fill="var(--page)" if hollow else line.look.colour,
                stroke=line.look.colour,
                strokeWidth=1.5,
                size=34,
                shape=line.look.shape,
                opacity=1,
            )
            layers.append(mark.encode(x, y))
    return layers


def _band(band: Band, chart: LineChart) -> Any:
    import altair as alt

    left, right = chart.x.domain
    values = [{"x": left, "right": right, "low": band.low, "high": band.high}]
    area = alt.Chart(rows(values)).mark_rect(color="var(--independent)", opacity=band.opacity)
    return area.encode(
        alt.X("x:Q", **chart.x.altair()), alt.X2("right:Q"), alt.Y("low:Q", **chart.y.altair()), alt.Y2("high:Q")
    )


def _rule(height: float, chart: LineChart) -> Any:
    import altair as alt

    rule = alt.Chart(rows([{"y": height}])).mark_rule(strokeDash=[4, 3], strokeWidth=1.5, color="var(--ink)")
    return rule.encode(alt.Y("y:Q", **chart.y.altair()))


def _spoken(chart: LineChart) -> str:
    """Every point in words, or, of long lines, their ends."""
    spoken = []
    for line in chart.lines:
        points = sorted(line.points, key=lambda point: point.x)
        some = points if len(points) <= 12 else [points[0], points[-1]]
        spoken.append(f"{line.name}: " + ", ".join(f"{point.x:g} → {number(point.y, digits=3)}" for point in some))
    return "; ".join(spoken)
