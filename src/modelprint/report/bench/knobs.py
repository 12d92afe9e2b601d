"""A scheme's own knobs: AUC against classes spanned, total length, brake factor."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from modelprint.report.drawing.figure import Figure, Key
from modelprint.report.drawing.line_chart import Axis, Line, LineChart, Point, draw, line_keys
from modelprint.report.drawing.looks import plain_look
from modelprint.report.drawing.text import counted, number, percent, plain_name
from modelprint.results.records import Results, Sweep, SweepPoint

_LOGARITHMIC = ("total length",)


def knob_figures(results: Results) -> list[tuple[str, Figure]]:
    """Each sweep that has points: what it shows in a sentence, and its chart."""
    return [(_reading(sweep), _figure(sweep)) for sweep in results.sweeps if sweep.points]


def _figure(sweep: Sweep) -> Figure:
    by_line: dict[str, list[SweepPoint]] = {}
    for point in sweep.points:
        by_line.setdefault(point.line, []).append(point)
    lines = [
        Line(name=plain_name(name or sweep.knob), look=plain_look(place), points=[_point(one) for one in points])
        for place, (name, points) in enumerate(by_line.items())
    ]
    values = sorted({point.value for point in sweep.points})
    log = sweep.knob in _LOGARITHMIC
    room = 0.06 * (values[-1] - values[0]) or 0.5
    low = min(point.interval.low for point in sweep.points)
    floor = min(0.5, int(low * 10) / 10)
    chart = LineChart(
        x=Axis(
            title=sweep.knob,
            domain=(values[0] / 1.2, values[-1] * 1.2) if log else (values[0] - room, values[-1] + room),
            scale="log" if log else "linear",
            ticks=values if len(values) <= 10 else None,
        ),
        y=Axis(title="AUC", domain=(floor, 1.0)),
        lines=lines,
        width=320,
        height=230,
        about=f"AUC against {sweep.knob}.",
    )
    merged = _merged(sweep)
    keys = line_keys(lines)
    if merged:
        keys.append(Key(text="some points coincide when rounded to 8 bits", role="hollow", form="mark"))
    return Figure(title=f"AUC against {sweep.knob}", svg=draw(chart), caption=_caption(sweep, merged), keys=keys)


def _point(point: SweepPoint) -> Point:
    hollow = point.distinct is not None and point.distinct < 1
    return Point(x=point.value, y=point.auc, low=point.interval.low, high=point.interval.high, hollow=hollow)


def _merged(sweep: Sweep) -> list[SweepPoint]:
    """Settings at which neighbouring points of a trajectory fall together once rounded to 8 bits."""
    return [point for point in sweep.points if point.distinct is not None and point.distinct < 1]


def _caption(sweep: Sweep, merged: Sequence[SweepPoint]) -> str:
    derived, independent = ({getattr(p, f) for p in sweep.points} for f in ("n_derived", "n_independent"))
    shares = [point.distinct for point in sweep.points if point.distinct is not None]
    text = (
        f"{_range(derived)} copies, {_range(independent)} independent models; bands are 95\u202f% intervals over "
        "models. One source, one seed; points not rounded to 8 bits."
    )
    if not shares:
        return f"{text} How many points would fall together if rounded was not measured."
    if not merged:
        return f"{text} Rounded, all neighbouring points would stay distinct at every setting."
    worst = min(merged, key=lambda point: point.distinct or 0.0)
    return (
        f"{text} Hollow: rounded, some neighbouring points would coincide, at {len(merged)} of {len(shares)} settings; "
        f"most at {sweep.knob} {worst.value:g} ({_line(worst)}), {percent(1 - (worst.distinct or 0.0))} of them."
    )


def _line(point: SweepPoint) -> str:
    return plain_name(point.line) if point.line else f"AUC {point.auc:.2f}"


def _range(numbers: set[int]) -> str:
    return f"{min(numbers):,}" if len(numbers) == 1 else f"{min(numbers):,} to {max(numbers):,}"


def _reading(sweep: Sweep) -> str:
    best, worst = (choose(sweep.points, key=lambda point: point.auc) for choose in (max, min))
    settings = counted(len(sweep.points), "setting")
    mean = number(fmean(point.auc for point in sweep.points), digits=3)
    if best.auc == worst.auc:
        return f"The AUC is {number(best.auc, digits=3)} at all of {settings}."
    apart = best.interval.low > worst.interval.high
    return (
        f"The AUC goes from {number(worst.auc, digits=3)} ({sweep.knob} {worst.value:g}, {_line(worst)}) to "
        f"{number(best.auc, digits=3)} ({best.value:g}, {_line(best)}), {mean} on average of {settings}; the "
        f"intervals of these two {'do not overlap' if apart else 'overlap'}."
    )
