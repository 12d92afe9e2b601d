"""How a number grew as queries were asked: a line for each model, over those of the calibration models."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from modelprint.core.sections import Course, Path
from modelprint.report.drawing.figure import Figure, Key, role_keys, rule_key
from modelprint.report.drawing.svg import ROLE_COLOURS, ROLE_DASHES, by_role, dashed, rows, to_svg
from modelprint.report.drawing.text import counted, number
from modelprint.report.verdict.cases import Case

_MOST_ENDS = 6  # named in the text for those who cannot see the chart


def course_figure(course: Course, cases: Sequence[Case]) -> Figure:
    """The chart with its words."""
    others = len(course.calibration)
    grey = f" Grey: {counted(others, 'independent model')}, asked all that could be." if others else ""
    return Figure(
        title=course.title,
        svg=_chart(course, cases),
        caption=course.caption + grey,
        keys=[
            *role_keys((case.role for case in cases), form="line"),
            *([Key(text="calibration models", role="calibration", form="line")] if others else []),
            *([] if course.threshold is None else [rule_key(f"threshold, {number(course.threshold)}")]),
        ],
    )


def _chart(course: Course, cases: Sequence[Case]) -> Markup:
    import altair as alt

    x = alt.X("x:Q", title=course.x, axis=alt.Axis(grid=False, tickCount=5))
    y = alt.Y("y:Q", title=course.y, axis=alt.Axis(tickCount=5))
    behind = [point for model, path in enumerate(course.calibration) for point in _points(path, model)]
    points = [
        {**point, "role": case.role}
        for model, (case, path) in enumerate(zip(cases, course.models, strict=True))
        for point in _points(path, model)
    ]
    roles = list(dict.fromkeys(case.role for case in cases))
    colour = alt.Color("role:N", scale=by_role(ROLE_COLOURS, roles), legend=None)
    dash = alt.StrokeDash("role:N", scale=by_role(ROLE_DASHES, roles), legend=None)
    grey = alt.Chart(rows(behind)).mark_line(strokeWidth=1, opacity=0.45, color="var(--calibration)")
    drawn = alt.Chart(rows(points)).mark_line(strokeWidth=2, opacity=0.9, point={"size": 18})
    layers = [grey.encode(x, y, detail="model:N"), drawn.encode(x, y, colour, dash, detail="model:N")]
    if course.threshold is not None:
        layers.append(dashed("y", course.threshold, y))
    ends = ", ".join(f"{path[-1][1]:.2f} at {path[-1][0]:g}" for path in course.models[:_MOST_ENDS] if path)
    return to_svg(layers, label=f"{course.title}. At the end: {ends}", height=260)


def _points(path: Path, model: int) -> list[dict[str, float]]:
    return [{"x": x, "y": y, "model": model} for x, y in path]
