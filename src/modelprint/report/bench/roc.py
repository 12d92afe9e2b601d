"""ROC curves of all schemes, averaged over seeds and sources, on an axis that shows the first percent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from modelprint.report.bench.looks import scheme_look
from modelprint.report.drawing.figure import Figure
from modelprint.report.drawing.line_chart import Axis, Line, LineChart, Point, draw, line_keys
from modelprint.report.drawing.text import counted, number, percent
from modelprint.results.records import Run
from modelprint.results.view import Setting, View
from modelprint.stats.roc import RocCurve, roc_curve

_X_TITLE = "independent models accused (square-root axis)"
_TICKS = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1)


def mean_tpr(curves: Sequence[RocCurve], fpr: Float[np.ndarray, " f"]) -> Float[np.ndarray, " f"]:
    """The mean over curves of the largest share of copies found at a rate of false accusations of at most `fpr`.

    >>> curve = RocCurve(fpr=np.array([0.0, 0.5, 1.0]), tpr=np.array([0.2, 0.8, 1.0]), thresholds=np.array([3, 2, 1]))
    >>> mean_tpr([curve], np.array([0.0, 0.4, 0.5])).tolist()
    [0.2, 0.2, 0.8]
    """
    shares = [curve.tpr[np.searchsorted(curve.fpr, fpr, side="right") - 1] for curve in curves]
    mean: np.ndarray = np.mean(shares, axis=0)
    return mean


def scheme_curve(view: View, setting: Setting) -> tuple[Float[np.ndarray, " f"], Float[np.ndarray, " f"]] | None:
    """FPR and mean TPR of a setting: over the seeds of each source, then over sources; None without scores."""
    by_source: dict[str, list[RocCurve]] = defaultdict(list)
    for run in view.runs(setting):
        curve = _curve(view, run)
        if curve is not None:
            by_source[run.source].append(curve)
    if not by_source:
        return None
    grid = np.unique(np.concatenate([curve.fpr for curves in by_source.values() for curve in curves]))
    tpr = np.mean([mean_tpr(curves, grid) for curves in by_source.values()], axis=0)
    changes = np.concatenate([[True], np.diff(tpr) > 0])
    changes[-1] = True
    return grid[changes], tpr[changes]


def roc_figure(view: View) -> tuple[str, Figure] | None:
    """What the curves show, in a sentence, and the curves; None where nothing has scores."""
    lines, at_one = [], {}
    for setting in view.leading:
        curve = scheme_curve(view, setting)
        if curve is None:
            continue
        fpr, tpr = curve
        points = [Point(x=float(x), y=float(y)) for x, y in zip(fpr, tpr, strict=True)]
        lines.append(Line(name=setting.name, look=scheme_look(setting, view.schemes), points=points))
        at_one[setting.name] = float(tpr[fpr <= 0.01 + 1e-12].max(initial=0.0))
    if not lines:
        return None
    about = "ROC curves; at 1 % of independent models accused, copies found: " + ", ".join(
        f"{name} {number(share, digits=3)}" for name, share in at_one.items()
    )
    chart = LineChart(
        x=Axis(title=_X_TITLE, domain=(0, 1), scale="sqrt", ticks=_TICKS, format=".0%"),
        y=Axis(title="copies found", domain=(0, 1), ticks=(0, 0.25, 0.5, 0.75, 1), format=".0%"),
        lines=lines,
        marks=False,
        steps=True,
        height=330,
        about=f"{about}. Ends of the lines:",
    )
    runs = [view.runs(setting) for setting in view.leading]
    sources = len({run.source for some in runs for run in some})
    most = max(len(some) for some in runs)
    copies = sum(model.counts_as == "all" for model in view.results.suspects)
    caption = (
        f"Each of up to {counted(most, 'fingerprint')} of a scheme ({counted(sources, 'source')}, with every seed) "
        "gives one curve: the copies of its source against all models independent of it. At each rate of false "
        "accusations the shares found are averaged over the seeds of a source, then over sources; scores of different "
        f"fingerprints are never compared. {counted(copies, 'copy', 'copies')} in all; the largest budget "
        "of each scheme. Dashed in colour: the scheme was given scores; grey: controls."
    )
    best = max(at_one, key=lambda name: at_one[name])
    return _reading(at_one, best), Figure(
        title="Copies found against independent models accused", svg=draw(chart), caption=caption, keys=line_keys(lines)
    )


def _reading(at_one: dict[str, float], best: str) -> str:
    sentence = (
        f"While at most 1\u202f% of independent models are accused, {best} finds {percent(at_one[best])} of the copies"
    )
    others = {name: share for name, share in at_one.items() if name != best}
    if not others:
        return f"{sentence}."
    second = max(others, key=lambda name: others[name])
    also = "as does" if others[second] == at_one[best] else "next comes"
    return f"{sentence}; {also} {second}" + ("." if also == "as does" else f" with {percent(others[second])}.")


def _curve(view: View, run: Run) -> RocCurve | None:
    derived, independent = view.scores(run, "derived"), view.scores(run, "independent")
    return roc_curve(derived, independent) if len(derived) and len(independent) else None
