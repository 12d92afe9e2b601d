"""Charts of rates: of each part of a fingerprint, model by model, and place by place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from modelprint.core.sections import Profile, Rates
from modelprint.report.drawing.svg import ROLE_COLOURS, ROLE_DASHES, ROLE_SHAPES, by_role, dashed, rows, to_svg
from modelprint.report.drawing.text import percent, plain_name
from modelprint.report.verdict.cases import Case
from modelprint.report.verdict.strip import Numbered

_MOST_TICKS = 10
_MOST_LARGE_MARKS = 40
MOST_NAMED_LINES = 4
_NUMBER_HEIGHT = 0.07  # of a number, on the axis of rates


def sorted_rates(block: Rates, rates: Float[np.ndarray, " parts"], *, role: str) -> Markup:
    """The rate of each part, lowest first, over the range that the calibration models span.

    Args:
        rates: of one model; NaN where nothing was answered.
        role: of the model.
    """
    import altair as alt

    known = np.sort(rates[~np.isnan(rates)])
    points = [{"place": rank + 1, "rate": float(rate)} for rank, rate in enumerate(known)]
    scale = alt.Scale(domain=[0.5, max(len(rates), 1) + 0.5], nice=False)
    x = alt.X(
        "place:Q", title=f"{block.units[1]}, sorted", scale=scale, axis=alt.Axis(grid=False, tickCount=5, tickMinStep=1)
    )
    y = _rate_axis(block.axis)
    marks = alt.Chart(rows(points)).mark_point(
        filled=True,
        size=30 if len(known) <= _MOST_LARGE_MARKS else 14,
        opacity=0.9,
        color=ROLE_COLOURS[role],
        shape=ROLE_SHAPES[role],
    )
    behind = _band([np.sort(values) for values in block.calibration], x, y)
    layers = [*behind, marks.encode(x, y), dashed("rate", block.limit, y)]
    below = np.count_nonzero(known < block.limit)
    label = f"{block.title}, sorted: {below} of {len(known)} lie below {block.limit:g}"
    return to_svg(layers, label=label, height=250)


def rates_by_case(block: Rates, cases: Sequence[Numbered]) -> Markup:
    """One row per model, one tick per part at its rate, the mean marked.

    Args:
        cases: those that answered something, with their numbers in the report.
    """
    import altair as alt

    names = {index: f"{index} · {plain_name(case.kind or case.name, longest=17)}" for index, case in cases}
    ticks: list[dict[str, Any]] = []
    means: list[dict[str, Any]] = []
    shown: list[str] = []
    for index, case in cases:
        values = block.models[index - 1]
        values = values[~np.isnan(values)]
        ticks += [{"row": names[index], "rate": float(rate), "role": case.role} for rate in values]
        if len(values):
            means.append({"row": names[index], "rate": float(values.mean()), "role": case.role})
            shown.append(f"{names[index]} {percent(float(values.mean()))}")
    roles = list(dict.fromkeys(case.role for _, case in cases))
    x = alt.X("rate:Q", title=block.axis, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5))
    axis = alt.Axis(domain=False, ticks=False, labelColor="var(--ink)", labelLimit=130, labelPadding=8)
    y = alt.Y("row:N", title=None, sort=list(names.values()), axis=axis)
    colour = alt.Color("role:N", scale=by_role(ROLE_COLOURS, roles), legend=None)
    shape = alt.Shape("role:N", scale=by_role(ROLE_SHAPES, roles), legend=None)
    tick = alt.Chart(rows(ticks)).mark_tick(thickness=1.5, opacity=0.35, height=13)
    mean = alt.Chart(rows(means)).mark_point(filled=True, size=60, opacity=1, stroke="var(--page)", strokeWidth=1)
    layers = [tick.encode(x, y, colour), mean.encode(x, y, colour, shape), dashed("rate", block.limit, x)]
    label = f"{block.title}, by model. Means: " + ", ".join(shown)
    return to_svg(layers, label=label, height=60 + 21 * len(names))


def profile_chart(block: Profile, cases: Sequence[Numbered]) -> Markup:
    """The share at each place, over the range of the calibration models.

    Of many models each line is faint, and the median of each role is drawn over them.

    Args:
        cases: those that answered something, with their numbers in the report.
    """
    import altair as alt

    lines = [(index, case, block.models[index - 1]) for index, case in cases]
    length = max(len(values) for *_, values in lines)
    every = block.every * max(1, -(-length // (block.every * _MOST_TICKS)))
    axis = alt.Axis(values=list(range(0, length + 1, every)), gridDash=[1, 2])
    x = alt.X("place:Q", title=block.x, scale=alt.Scale(domain=[0, length], nice=False), axis=axis)
    y = _rate_axis(block.y)
    points = [
        {"place": i + 1, "rate": float(rate), "role": case.role, "number": str(index)}
        for index, case, values in lines
        for i, rate in enumerate(values)
        if not np.isnan(rate)
    ]
    roles = list(dict.fromkeys(case.role for _, case, _ in lines))
    colour = alt.Color("role:N", scale=by_role(ROLE_COLOURS, roles), legend=None)
    dash = alt.StrokeDash("role:N", scale=by_role(ROLE_DASHES, roles), legend=None)
    many = len(lines) > MOST_NAMED_LINES
    line = alt.Chart(rows(points)).mark_line(strokeWidth=1 if many else 2, opacity=0.3 if many else 0.9)
    layers = [*_band(block.calibration, x, y), line.encode(x, y, colour, dash, detail="number:N")]
    if many:
        middle = alt.Chart(rows(_medians(lines))).mark_line(strokeWidth=2.5)
        layers.append(middle.encode(x, y, colour, dash))
    elif len(lines) > 1:
        names = alt.Chart(rows(_line_ends(points))).mark_text(dx=4, align="left", fontSize=11)
        layers.append(names.encode(x, y, colour, text="number:N"))
    label = f"{block.label}. Means: " + ", ".join(
        f"number {index} {percent(float(np.nanmean(values)))}"
        for index, _, values in lines
        if not np.isnan(values).all()
    )
    return to_svg(layers, label=label, height=250)


def _medians(lines: Sequence[tuple[int, Case, np.ndarray]]) -> list[dict[str, Any]]:
    """The median line of each role's models."""
    rates_of: dict[str, list[np.ndarray]] = {}
    for _, case, values in lines:
        rates_of.setdefault(case.role, []).append(values)
    middle = {role: np.median(values, axis=0) for role, values in rates_of.items()}  # NaN where a model has none
    return [
        {"place": i + 1, "rate": float(rate), "role": role}
        for role, rates in middle.items()
        for i, rate in enumerate(rates)
        if not np.isnan(rate)
    ]


def _line_ends(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where to write each line's number: at its last point, moved up from the one below where they would touch."""
    ends = sorted({point["number"]: point for point in points}.values(), key=lambda point: point["rate"])
    placed: list[dict[str, Any]] = []
    for end in ends:
        lowest = placed[-1]["rate"] + _NUMBER_HEIGHT if placed else 0.0
        placed.append({**end, "rate": max(end["rate"], lowest)})
    return placed


def _rate_axis(title: str) -> Any:
    import altair as alt

    return alt.Y("rate:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5))


def _band(models: Sequence[np.ndarray], x: Any, y: Any) -> list[Any]:
    """The range of models at each place, and their median; nothing without models."""
    import altair as alt

    if not models:
        return []
    values = np.array(models)
    data = [
        {
            "place": i + 1,
            "rate": float(np.median(values[:, i])),
            "low": float(values[:, i].min()),
            "high": float(values[:, i].max()),
        }
        for i in np.flatnonzero(~np.isnan(values).any(axis=0)).tolist()
    ]
    base = alt.Chart(rows(data))
    area = base.mark_area(opacity=0.22, color=ROLE_COLOURS["calibration"])
    median = base.mark_line(color=ROLE_COLOURS["calibration"], strokeWidth=1.5)
    return [area.encode(x, alt.Y("low:Q"), alt.Y2("high:Q")), median.encode(x, y)]
