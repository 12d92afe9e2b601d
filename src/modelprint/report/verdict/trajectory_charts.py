"""Charts of mutation rates: trajectory by trajectory, model by model, and point by point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from modelprint.report.drawing.svg import ROLE_COLOURS, ROLE_DASHES, ROLE_SHAPES, by_role, dashed, rows, to_svg
from modelprint.report.drawing.text import percent, plain_name
from modelprint.report.verdict.cases import Case

_MOST_TICKS = 10
_MOST_LARGE_MARKS = 40
MOST_NAMED_LINES = 4
_NUMBER_HEIGHT = 0.07  # of a number, on the axis of rates


def sorted_rates(
    rates: Float[np.ndarray, " t"], calibration: Sequence[np.ndarray], match: float, *, role: str
) -> Markup:
    """The mutation rate of each trajectory, lowest first, over the range that the calibration models span.

    Args:
        rates: of one model; NaN where nothing was answered.
        calibration: the same of each calibration model.
        match: the rate below which a trajectory matches.
        role: of the model.
    """
    import altair as alt

    known = np.sort(rates[~np.isnan(rates)])
    points = [{"place": rank + 1, "rate": float(rate)} for rank, rate in enumerate(known)]
    scale = alt.Scale(domain=[0.5, max(len(rates), 1) + 0.5], nice=False)
    x = alt.X(
        "place:Q", title="trajectories, sorted", scale=scale, axis=alt.Axis(grid=False, tickCount=5, tickMinStep=1)
    )
    y = _rate_axis("mutation rate")
    marks = alt.Chart(rows(points)).mark_point(
        filled=True,
        size=30 if len(known) <= _MOST_LARGE_MARKS else 14,
        opacity=0.9,
        color=ROLE_COLOURS[role],
        shape=ROLE_SHAPES[role],
    )
    layers = [*_band([np.sort(values) for values in calibration], x, y), marks.encode(x, y), dashed("rate", match, y)]
    below = np.count_nonzero(known < match)
    label = f"Mutation rate of each trajectory, sorted: {below} of {len(known)} lie below {match:g}"
    return to_svg(layers, label=label, height=250)


def rates_by_case(
    cases: Sequence[tuple[int, Case]], rates: Mapping[int, Float[np.ndarray, " t"]], match: float
) -> Markup:
    """One row per model, one tick per trajectory at its mutation rate, the mean marked.

    Args:
        rates: of each model, by its number in the report.
    """
    import altair as alt

    names = {index: f"{index} · {plain_name(case.kind or case.name, longest=17)}" for index, case in cases}
    ticks: list[dict[str, Any]] = []
    means: list[dict[str, Any]] = []
    told: list[str] = []
    for index, case in cases:
        values = rates[index][~np.isnan(rates[index])]
        ticks += [{"row": names[index], "rate": float(rate), "role": case.role} for rate in values]
        if len(values):
            means.append({"row": names[index], "rate": float(values.mean()), "role": case.role})
            told.append(f"{names[index]} {percent(float(values.mean()))}")
    roles = list(dict.fromkeys(case.role for _, case in cases))
    x = alt.X("rate:Q", title="mutation rate", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5))
    axis = alt.Axis(domain=False, ticks=False, labelColor="var(--ink)", labelLimit=130, labelPadding=8)
    y = alt.Y("row:N", title=None, sort=list(names.values()), axis=axis)
    colour = alt.Color("role:N", scale=by_role(ROLE_COLOURS, roles), legend=None)
    shape = alt.Shape("role:N", scale=by_role(ROLE_SHAPES, roles), legend=None)
    tick = alt.Chart(rows(ticks)).mark_tick(thickness=1.5, opacity=0.35, height=13)
    mean = alt.Chart(rows(means)).mark_point(filled=True, size=60, opacity=1, stroke="var(--page)", strokeWidth=1)
    layers = [tick.encode(x, y, colour), mean.encode(x, y, colour, shape), dashed("rate", match, x)]
    label = "Mutation rate of each trajectory, by model. Means: " + ", ".join(told)
    return to_svg(layers, label=label, height=60 + 21 * len(names))


def along(
    lines: Sequence[tuple[int, Case, Float[np.ndarray, " p"]]], calibration: Sequence[np.ndarray], leg: int
) -> Markup:
    """The share of trajectories whose answer differs at each point, over the range of the calibration models.

    Of many models each line is faint, and the median of each role is drawn over them.

    Args:
        lines: number, model, and its shares from position 1 on; NaN where nothing was answered.
        calibration: the same shares of each calibration model.
        leg: points per leg; ticks stand at the ends of legs.
    """
    import altair as alt

    length = max(len(values) for *_, values in lines)
    every = leg * max(1, -(-length // (leg * _MOST_TICKS)))
    axis = alt.Axis(values=list(range(0, length + 1, every)), gridDash=[1, 2])
    x = alt.X("place:Q", title="point along the trajectory", scale=alt.Scale(domain=[0, length], nice=False), axis=axis)
    y = _rate_axis("answers that differ")
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
    layers = [*_band(calibration, x, y), line.encode(x, y, colour, dash, detail="number:N")]
    if many:
        middle = alt.Chart(rows(_medians(lines))).mark_line(strokeWidth=2.5)
        layers.append(middle.encode(x, y, colour, dash))
    elif len(lines) > 1:
        names = alt.Chart(rows(_line_ends(points))).mark_text(dx=4, align="left", fontSize=11)
        layers.append(names.encode(x, y, colour, text="number:N"))
    label = "Share of trajectories whose answer differs, point by point. Means: " + ", ".join(
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
