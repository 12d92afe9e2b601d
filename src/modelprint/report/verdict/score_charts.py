"""Charts of scores: calibration and suspects on one axis, groups side by side, ROC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from modelprint.report.drawing.domains import score_domain
from modelprint.report.drawing.svg import ROLE_COLOURS, ROLE_SHAPES, by_role, dashed, rows, to_svg
from modelprint.report.drawing.text import number
from modelprint.report.verdict.cases import Case
from modelprint.stats.roc import RocCurve

_BINS = 48


def stacked(scores: Float[np.ndarray, " n"], domain: tuple[float, float]) -> list[int]:
    """How high to stack each score so that those at about the same place do not cover each other.

    >>> stacked(np.array([0.1, 0.1, 0.9]), (0.0, 1.0))
    [0, 1, 0]
    """
    heights: dict[int, int] = {}
    for_each = []
    for score in scores:
        place = int((score - domain[0]) / (domain[1] - domain[0]) * _BINS)
        heights[place] = heights.get(place, -1) + 1
        for_each.append(heights[place])
    return for_each


def score_strip(calibration: Float[np.ndarray, " n"], cases: Sequence[tuple[int, Case]], limit: float | None) -> Markup:
    """Every calibration model a dot, stacked where they crowd; the models checked above, by number; the threshold.

    Args:
        cases: the models checked, with their numbers in the report.
        limit: the threshold, if all were judged by one.
    """
    import altair as alt

    shown = [(index, case, case.verdict.score) for index, case in cases if case.verdict.score is not None]
    scores = np.array([score for *_, score in shown])
    domain = score_domain(np.concatenate([calibration, scores, [] if limit is None else [limit]]))
    heights = stacked(calibration, domain)
    floor = max(heights, default=-2) + 2.5
    levels = [floor + 2.2 * height for height in stacked(scores, domain)]
    marks = [
        {"score": score, "height": level, "role": case.role, "text": str(index) if len(cases) > 1 else case.role}
        for (index, case, score), level in zip(shown, levels, strict=True)
    ]
    dots = [{"score": float(score), "height": height} for score, height in zip(calibration, heights, strict=True)]
    top = max([floor, *levels]) + 1.5
    axis = alt.Axis(tickCount=6, grid=False)
    x = alt.X("score:Q", title="score", scale=alt.Scale(domain=domain, nice=False), axis=axis)
    y = alt.Y("height:Q", axis=None, scale=alt.Scale(domain=[-0.8, top]))
    roles = list(dict.fromkeys(case.role for _, case in cases))
    colour = alt.Color("role:N", scale=by_role(ROLE_COLOURS, roles), legend=None)
    shape = alt.Shape("role:N", scale=by_role(ROLE_SHAPES, roles), legend=None)
    checked = alt.Chart(rows(marks))
    right = float(np.mean(scores)) > (domain[0] + domain[1]) / 2 if len(scores) else False
    names = checked.mark_text(
        dx=-9 if right else 9, align="right" if right else "left", fontSize=11, fontWeight="bold", color="var(--ink)"
    )
    layers = [
        alt.Chart(rows(dots)).mark_circle(size=34, opacity=0.85, color=ROLE_COLOURS["calibration"]).encode(x, y),
        checked.mark_point(filled=True, size=95, opacity=1).encode(x, y, colour, shape),
        names.encode(x, y, text="text:N"),
    ]
    layers += [] if limit is None else [dashed("score", limit, x)]
    label = f"Scores of {len(calibration)} calibration models, {_spread(calibration)}; of the models checked: " + (
        ", ".join(f"number {index} {number(score)}" for index, _, score in shown) or "none"
    )
    return to_svg(layers, label=label, height=int(min(260, 80 + 9 * top)))


def score_boxes(groups: Mapping[str, Float[np.ndarray, " n"]], limit: float | None) -> Markup:
    """One box per group that is not empty (quartiles, whiskers to the extremes), with every model as a point.

    Args:
        groups: scores by role.
        limit: the threshold, if all were judged by one.
    """
    import altair as alt

    groups = {role: scores for role, scores in groups.items() if len(scores)}
    roles = list(groups)
    points: list[dict[str, Any]] = [
        {"role": role, "score": float(score), "shift": _shift(index, len(scores))}
        for role, scores in groups.items()
        for index, score in enumerate(scores)
    ]
    domain = score_domain(np.concatenate([*groups.values(), [] if limit is None else [limit]]))
    x = alt.X("score:Q", title="score", scale=alt.Scale(domain=domain, nice=False), axis=alt.Axis(tickCount=6))
    axis = alt.Axis(domain=False, ticks=False, labelColor="var(--ink)", labelPadding=10)
    y = alt.Y("role:N", title=None, sort=roles, axis=axis)
    colour = alt.Color("role:N", scale=by_role(ROLE_COLOURS, roles), legend=None)
    shape = alt.Shape("role:N", scale=by_role(ROLE_SHAPES, roles), legend=None)
    shift = alt.YOffset("shift:Q", scale=alt.Scale(domain=[-1, 1]))
    base = alt.Chart(rows(points))
    box = base.mark_boxplot(
        extent="min-max",
        size=28,
        median={"color": "var(--ink)", "thickness": 2},
        box={"opacity": 0.25},
        rule={"color": "var(--quiet)"},
    )
    layers = [
        box.encode(x, y, colour),
        base.mark_point(filled=True, size=22, opacity=0.9).encode(x, y, colour, shape, yOffset=shift),
    ]
    layers += [] if limit is None else [dashed("score", limit, x)]
    label = "Scores by group: " + "; ".join(f"{role}, n = {len(s)}, {_spread(s)}" for role, s in groups.items())
    return to_svg(layers, label=label, height=300)


def roc_chart(curve: RocCurve, *, label: str) -> Markup:
    """The ROC curve as the staircase that it is, with the diagonal of guessing."""
    import altair as alt

    axis = alt.Axis(format="%", tickCount=5)
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("fpr:Q", title="independent models accused", scale=scale, axis=axis)
    y = alt.Y("tpr:Q", title="derived models found", scale=scale, axis=axis)
    steps = [
        {"fpr": float(fpr), "tpr": float(tpr), "order": place}
        for place, (fpr, tpr) in enumerate(zip(curve.fpr, curve.tpr, strict=True))
    ]
    guess = alt.Chart(rows([{"fpr": 0, "tpr": 0}, {"fpr": 1, "tpr": 1}]))
    diagonal = guess.mark_line(strokeDash=[3, 3], strokeWidth=1, color=ROLE_COLOURS["calibration"])
    line = alt.Chart(rows(steps)).mark_line(strokeWidth=2.5, color="var(--ink)", strokeJoin="round")
    return to_svg([diagonal.encode(x, y), line.encode(x, y, order="order:Q")], label=label, height=300)


def _shift(index: int, count: int) -> float:
    """Points of a group alternate above and below its middle, further out as they come: no two cover each other."""
    return (1 if index % 2 else -1) * ((index + 1) // 2) * min(0.2, 1 / (count // 2 + 1))


def _spread(scores: np.ndarray) -> str:
    return f"from {scores.min():.3f} to {scores.max():.3f}" if len(scores) else "none"
