"""One trajectory in the plane of its two principal components."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from markupsafe import Markup

from modelprint.report.drawing.pictures import colour
from modelprint.report.drawing.svg import rows, to_svg


def plane_of(points: Float[np.ndarray, "p d"]) -> Float[np.ndarray, "p 2"]:
    """Coordinates on the first two principal components, each signed so that its largest loading is positive.

    >>> plane_of(np.array([[0.0, 0.0], [0.0, 2.0]])).round(6).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    centred = points - points.mean(axis=0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    components = components[:2]
    largest = components[np.arange(len(components)), np.abs(components).argmax(axis=1)]
    projected = centred @ (components * np.where(largest < 0, -1, 1)[:, None]).T
    return np.pad(projected, ((0, 0), (0, 2 - projected.shape[1])))


def embedding(
    points: Float[np.ndarray, "p d"],
    labels: Int[np.ndarray, " p"],
    changed: Bool[np.ndarray, " p"],
    leg: int,
    *,
    label: str,
    parts: str,
) -> Markup:
    """The points, joined in order, coloured by the source's class.

    Args:
        points: the numbers of each point, in order.
        changed: where the other model's answer differs; drawn hollow.
        leg: points per leg; the base and the ends of legs carry the class's number.
        label: what the chart shows, in words.
        parts: what the numbers of a point are called.
    """
    import altair as alt

    places = _places(plane_of(points), labels, changed, leg)
    present = sorted({int(value) for value in labels})
    axis = alt.Axis(labels=False, ticks=False, grid=False)
    scale = alt.Scale(zero=False, padding=16)
    x = alt.X("x:Q", title=f"first principal component of the {parts}", axis=axis, scale=scale)
    y = alt.Y("y:Q", title="second principal component", axis=axis, scale=scale)
    colours = alt.Scale(domain=[str(v) for v in present], range=[colour(v) for v in present])
    filled = alt.Color("label:N", scale=colours, legend=None)
    fill = alt.condition("datum.state == 'same'", filled, alt.value("var(--page)"))
    stroke = alt.Stroke("label:N", scale=colours, legend=None)
    base = alt.Chart(rows(places))
    line = base.mark_line(color="var(--calibration)", strokeWidth=1, opacity=0.7)
    circles = base.mark_point(size=110, opacity=1, strokeWidth=2.5, filled=False)
    numbers = base.mark_text(dy=-13, fontSize=11, fontWeight="bold", color="var(--ink)")
    layers = [
        line.encode(x, y, order="order:Q"),
        circles.encode(x, y, stroke=stroke, fill=fill),
        numbers.encode(x, y, text="text:N"),
    ]
    return to_svg(layers, label=label, height=300)


def _places(where: np.ndarray, labels: np.ndarray, changed: np.ndarray, leg: int) -> list[dict[str, Any]]:
    return [
        {
            "x": float(x),
            "y": float(y),
            "order": i,
            "label": str(labels[i]),
            "state": "changed" if changed[i] else "same",
            "text": str(labels[i]) if i % leg == 0 else "",
        }
        for i, (x, y) in enumerate(where)
    ]
