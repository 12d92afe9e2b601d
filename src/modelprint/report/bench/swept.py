"""Detection against how hard a copy was attacked: fine-tuning epochs, pruning rate, adversarial budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from modelprint.report.drawing.domains import close_domain
from modelprint.report.drawing.figure import Figure
from modelprint.report.drawing.line_chart import Axis, Band, Line, LineChart, Point, draw, line_keys
from modelprint.report.drawing.looks import plain_look
from modelprint.report.drawing.text import counted, number, percent
from modelprint.results.knobs import Knob
from modelprint.results.records import JudgedModel, Run
from modelprint.results.view import Setting, View, is_rate, rate

WORTH = 0.85  # of the source's accuracy: a copy that keeps less is worthless (results.records.JudgedModel)
_TITLES: Mapping[Knob, tuple[str, str, str, str]] = {  # of the section, of the axis, its scale, a value in words
    "epochs": ("Epochs of fine-tuning", "epochs", "log", "epochs: {:g}"),
    "pruned": ("Pruning rate", "weights pruned (%)", "linear", "{:g}\u202f% pruned"),
    "budget": ("Adversarial training budget", "L-infinity budget", "log", "budget {:g}"),
}


@dataclass(frozen=True, kw_only=True)
class SweptSection:
    """One knob: what it shows in words, the copies' accuracy, and each scheme's scores."""

    title: str
    reading: str
    accuracy: Figure
    schemes: Sequence[Figure]


Models = Mapping[str, Mapping[float, Sequence[JudgedModel]]]


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """Copies by line and value of the knob, whose they are, the axis, and how a value is put in words."""

    models: Models
    sources: set[str]
    x: Axis
    words: str


def swept_sections(view: View) -> list[SweptSection]:
    """One section per knob that was turned to two values or more; none where nothing was swept."""
    sources = {model.source for model in view.results.swept} or set(view.results.sources)
    turned_models: dict[Knob, dict[str, dict[float, list[JudgedModel]]]] = defaultdict(lambda: defaultdict(dict))
    for model in view.models.values():
        point = model.turned if model.role == "derived" and model.source in sources else None
        if point is not None:
            turned_models[point.knob][point.line].setdefault(point.value, []).append(model)
    return [
        _section(view, knob, turned_models[knob], {str(source) for source in sources})
        for knob in _TITLES
        if any(len(values) > 1 for values in turned_models[knob].values())
    ]


def _section(view: View, knob: Knob, models: Models, sources: set[str]) -> SweptSection:
    title, axis_title, scale, words = _TITLES[knob]
    values = sorted({value for line in models.values() for value in line})
    low, high = values[0], values[-1]
    room = (low / 1.25, high * 1.25) if scale == "log" else (low - 4, high + 4)
    x = Axis(title=axis_title, domain=room, scale=scale, ticks=values if len(values) <= 10 else None)
    turn = _Turn(models=models, sources=sources, x=x, words=words)
    drawn = {setting: _scheme(view, setting, turn) for setting in view.leading if setting.control != "accuracy"}
    figures = {setting: one for setting, one in drawn.items() if one is not None}
    return SweptSection(
        title=title,
        reading=view.reading({setting: one[0] for setting, one in figures.items()})
        if figures
        else "No scheme\u2019s score of these copies was measured.",
        accuracy=_accuracy(view, turn),
        schemes=[figure for _, figure in figures.values()],
    )


def _accuracy(view: View, turn: _Turn) -> Figure:
    lines = [
        Line(
            name=name,
            look=plain_look(place),
            points=[_summed(value, [m.accuracy for m in some]) for value, some in line.items()],
        )
        for place, (name, line) in enumerate(turn.models.items())
    ]
    known = [accuracy for name, accuracy in view.results.sources.items() if name in turn.sources]
    source = fmean(known) if known else None
    count = sum(len(some) for line in turn.models.values() for some in line.values())
    chart = LineChart(
        x=turn.x,
        y=Axis(title="accuracy", domain=(0, 1), ticks=(0, 0.25, 0.5, 0.75, 1), format=".0%"),
        lines=lines,
        rules=[] if source is None else [WORTH * source],
        height=230,
        width=320,
        shaded=False,
        about="Accuracy of the copies.",
    )
    caption = f"{counted(count, 'copy', 'copies')} of {counted(len(turn.sources), 'source')}."
    if source is not None:
        caption += (
            f" Below the dashed line, {percent(WORTH)} of the source\u2019s accuracy ({percent(source)}), a copy is "
            "worthless, and a low score no loss."
        )
    return Figure(title="What the copies are worth", svg=draw(chart), caption=caption, keys=line_keys(lines))


def _scheme(view: View, setting: Setting, turn: _Turn) -> tuple[str, Figure] | None:
    runs = [run for run in view.runs(setting) if run.source in turn.sources]
    both = [*runs, *(run for run in view.runs(setting, swept=True) if run.source in turn.sources)]
    lines = []
    for place, (name, values) in enumerate(turn.models.items()):
        scores = {value: [s for model in some for s in _scores(both, model.id)] for value, some in values.items()}
        points = [_summed(value, copies) for value, copies in scores.items() if copies]
        if points:
            lines.append(Line(name=name, look=plain_look(place), points=points))
    independent = np.array([s for run in runs for name in run.scores if _independent(view, name)
                         if (s := rate(run, name)) is not None])  # fmt: skip
    if not lines or not len(independent):
        return None
    every = np.concatenate([[point.y for line in lines for point in line.points], independent])
    ends, inner = (independent.min(), independent.max()), np.quantile(independent, [0.05, 0.95])
    limits = [run.threshold for run in runs if run.threshold is not None]
    what = "detection rate" if is_rate(both) else "score"
    low, high = close_domain(every)
    chart = LineChart(
        x=turn.x,
        y=Axis(title=what, domain=(low - 0.02 * (high - low), high + 0.02 * (high - low))),
        lines=lines,
        bands=[Band(low=float(low), high=float(high), opacity=0.13) for low, high in (ends, inner)],
        rules=[fmean(limits)] if limits and low <= fmean(limits) <= high else [],
        height=230,
        width=320,
        shaded=False,
        about=f"{setting.name}: {what} of copies. Independent models from {ends[0]:.3f} to {ends[1]:.3f}.",
    )
    count = len({name for run in runs for name in run.scores if _independent(view, name)})
    several = any(point.low is not None for line in lines for point in line.points)
    upright = ", upright lines from the least to the most" if several else ""
    caption = (
        f"Means over {counted(len(runs), 'fingerprint')}{upright}. Shaded: {count:,} "
        f"independent models, all ({ends[0]:.2f} to {ends[1]:.2f}) and the middle 90\u202f% ({inner[0]:.2f} to "
        f"{inner[1]:.2f}).{' Dashed: the mean threshold of the verdict.' if chart.rules else ''}"
    )
    reading = _reading(setting, lines, what, float(ends[1]), turn.words)
    return reading, Figure(title=setting.name, svg=draw(chart), caption=caption, keys=line_keys(lines))


def _reading(setting: Setting, lines: Sequence[Line], what: str, most: float, words: str) -> str:
    points = [(point, line.name) for line in lines for point in line.points]
    above = sum(point.y > most for point, _ in points)
    least, name = min(points, key=lambda one: one[0].y)
    where = f"{name}, {words.format(least.x)}"
    return (
        f"{setting.name} scores {above} of {counted(len(points), 'setting')} above every independent model "
        f"({number(most, digits=2)}); its lowest mean {what} is {number(least.y, digits=2)} ({where})."
    )


def _independent(view: View, name: str) -> bool:
    model = view.models.get(name)
    return model is not None and model.role == "independent"


def _scores(runs: Sequence[Run], name: str) -> list[float]:
    return [score for run in runs if name in run.scores if (score := rate(run, name)) is not None]


def _summed(value: float, scores: Sequence[float]) -> Point:
    wide = len(scores) > 1
    return Point(x=value, y=fmean(scores), low=min(scores) if wide else None, high=max(scores) if wide else None)
