"""How many copies are found for how many queries: over all copies, and family by family."""

from __future__ import annotations

from collections.abc import Sequence

from modelprint.report.bench.looks import scheme_look
from modelprint.report.drawing.figure import Figure
from modelprint.report.drawing.line_chart import Axis, Line, LineChart, Point, draw, line_keys
from modelprint.report.drawing.text import counted, number, percent
from modelprint.results.records import ALL
from modelprint.results.view import Setting, View


def query_lines(view: View, attack: str = ALL) -> list[Line]:
    """One line per scheme and access: TPR at 1 % FPR at each budget, the mean over seeds with its interval."""
    lines = []
    for name, settings in _series(view).items():
        points = []
        for setting in settings:
            measured = view.measured(setting, "tpr_at_1", attack)
            if measured is not None:
                low, high = (measured.low, measured.high) if attack == ALL else (None, None)  # small charts: no bands
                points.append(Point(x=setting.budget, y=measured.mean, low=low, high=high))
        if points:
            lines.append(Line(name=name, look=scheme_look(settings[0], view.schemes), points=points))
    return lines


def query_figures(view: View) -> tuple[str, Figure, list[Figure]] | None:
    """What more queries give, in a sentence; the chart over all copies; one per family. None with a single budget."""
    budgets = sorted({setting.budget for setting in view.settings})
    lines = query_lines(view)
    if len(budgets) < 2 or not lines:
        return None
    independents = max((row.n_independent for setting in view.leading for row in view.rows(setting)), default=0)
    whole = Figure(
        title="All copies that keep their worth",
        svg=draw(_chart(lines, budgets, about="TPR at 1 % FPR against the cap on queries.", height=280)),
        caption=f"TPR at 1\u202f% FPR, means over sources and seeds; bands are 95\u202f% intervals over models and "
        f"sources; {_copies(view, ALL)}, {counted(independents, 'independent model')}. The axis is the cap on "
        "queries; the leaderboard says how many were asked. By family, below, without intervals: those at the largest "
        "budget stand in the table of attacks.",
        keys=line_keys(lines),
    )
    small = []
    for family in view.families:
        some = query_lines(view, family)
        if some:
            chart = _chart(some, budgets, about=f"{family}: TPR at 1 % FPR against queries.", height=200, small=True)
            small.append(Figure(title=family, svg=draw(chart), caption=_copies(view, family)))
    return _reading(view, lines), whole, small


def _chart(lines: Sequence[Line], budgets: Sequence[int], *, about: str, height: int, small: bool = False) -> LineChart:
    ends = budgets[0] * 0.85, budgets[-1] * 1.18
    return LineChart(
        x=Axis(title="queries, at most", domain=ends, scale="log", ticks=budgets, format=",.0f"),
        y=Axis(title="found at 1 % FPR", domain=(-0.02, 1.02), ticks=(0, 0.25, 0.5, 0.75, 1), format=".0%"),
        lines=lines,
        height=height,
        width=270 if small else 360,
        about=about,
    )


def _series(view: View) -> dict[str, list[Setting]]:
    """Settings that differ only in budget; a scheme whose access matters at one budget has two lines at all."""
    split = {setting.scheme for setting in view.settings if setting.access != "either"}
    series: dict[str, list[Setting]] = {}
    for setting in view.settings:
        alike = setting.access == "either" and setting.scheme in split
        for access in ("labels", "scores") if alike else (setting.access,):
            one = Setting(scheme=setting.scheme, access=access, budget=setting.budget, evasion=setting.evasion)
            series.setdefault(one.name, []).append(one)
    return series


def _copies(view: View, attack: str) -> str:
    numbers = [row.n_derived for setting in view.leading for row in view.rows(setting, attack)]
    return counted(max(numbers, default=0), "copy", "copies")


def _reading(view: View, lines: Sequence[Line]) -> str:
    """The scheme that is best at the largest budget: what it finds there and with the fewest queries."""
    schemes = {setting.name for setting in view.settings if not setting.control}
    chosen = [line for line in lines if line.name in schemes] or list(lines)
    ordered = [(line, sorted(line.points, key=lambda point: point.x)) for line in chosen]
    line, points = max(ordered, key=lambda one: one[1][-1].y)
    if len(points) < 2:
        share = percent(points[0].y)
        return f"{line.name} was measured at one budget only, and finds {share} of all copies at 1\u202f% FPR."
    first, last = points[0], points[-1]
    change = "no more than" if last.y == first.y else "more than" if last.y > first.y else "less than"
    return (
        f"With {number(int(last.x))} queries {line.name} finds {percent(last.y)} of all copies at 1\u202f% FPR, "
        f"{change} the {percent(first.y)} that it finds with {number(int(first.x))}."
    )
