"""The leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from modelprint.report.drawing.text import NONE, counted, number, percent, plain_name
from modelprint.results.records import Figure, Row
from modelprint.results.view import ENOUGH_INDEPENDENTS, NOT_MEASURED, Measured, Setting, View

COLUMNS: tuple[tuple[Figure, str, str], ...] = (  # what is shown, its title, and a shorter one for a small screen
    ("auc", "AUC", "AUC"),
    ("tpr_at_1", "TPR at 1\u202f% FPR", "TPR at 1\u202f%"),
    ("tpr_at_10", "TPR at 10\u202f% FPR", "TPR at 10\u202f%"),
    ("tpr_verdict", "Verdict: copies found", "Copies found"),
    ("fpr_verdict", "Verdict: accused wrongly", "Accused"),
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A figure as text: the mean, its interval, the range over seeds where there are several; `heat` in percent."""

    value: str
    interval: str = ""
    seeds: str = ""
    heat: int | None = None


@dataclass(frozen=True, kw_only=True)
class LeaderRow:
    """One setting on the leaderboard."""

    name: str
    control: bool
    access: str
    budget: str
    queries: str
    cells: Sequence[Cell]
    craft: str
    n: str


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """Settings at each scheme's largest budget, then the others; what they show, and what to bear in mind."""

    reading: str
    first: Sequence[LeaderRow]
    others: Sequence[LeaderRow]
    note: str


def cell(measured: Measured | None) -> Cell:
    r"""A figure of merit as text.

    >>> cell(None).value
    'not measured'
    >>> print(ascii(cell(Measured(mean=0.5, least=0.4, most=0.6, seeds=2, low=0.3, high=0.7))))
    Cell(value='0.500', interval='0.30\u20130.70', seeds='0.40\u20130.60', heat=50)
    """
    if measured is None:
        return Cell(value=NOT_MEASURED)
    return Cell(
        value=number(measured.mean, digits=3),
        interval=""
        if measured.low is None or measured.high is None
        else f"{measured.low:.2f}{NONE}{measured.high:.2f}",
        seeds=f"{measured.least:.2f}{NONE}{measured.most:.2f}" if measured.seeds > 1 else "",
        heat=round(100 * min(1.0, max(0.0, measured.mean))),
    )


def leaderboard(view: View) -> Leaderboard:
    """One row per setting: the largest budget of each scheme first."""
    rows = [_leader_row(view, setting) for setting in view.settings]
    cut = len(view.leading)
    return Leaderboard(reading=_best(view), first=rows[:cut], others=rows[cut:], note=_note(view))


def fewest_independents(view: View) -> int:
    """The fewest independent models that any setting was judged on; 0 without rows."""
    return min((row.n_independent for setting in view.settings for row in view.rows(setting)), default=0)


def _leader_row(view: View, setting: Setting) -> LeaderRow:
    rows, runs = view.rows(setting), view.runs(setting)
    return LeaderRow(
        name=plain_name(setting.scheme if setting.evasion == "none" else f"{setting.scheme}, {setting.evasion}"),
        control=setting.control is not None,
        access=setting.access_text,
        budget=f"{setting.budget:,}",
        queries=number(fmean(row.queries for row in rows), digits=0) if rows else NOT_MEASURED,
        cells=[cell(view.measured(setting, figure)) for figure, *_ in COLUMNS],
        craft=number(fmean(run.craft_seconds for run in runs), digits=1) if runs else NOT_MEASURED,
        n=_numbers(rows),
    )


def _numbers(rows: Sequence[Row]) -> str:
    if not rows:
        return NOT_MEASURED
    return f"{max(row.n_derived for row in rows):,} / {max(row.n_independent for row in rows):,}"


def _note(view: View) -> str:
    seeds = max((len(view.rows(setting)) for setting in view.settings), default=0)
    sources = len(view.results.sources)
    text = (
        f"Means over {counted(sources, 'source')} and up to {counted(seeds, 'seed')}; below each figure its interval "
        "of 95\u202f%, by bootstrap over models and sources (the widest of any seed)"
    )
    text += ", and after “seeds” the range over seeds" if seeds > 1 else ""
    text += (
        f". n: copies that keep their worth and their classes / independent models, over all sources. Verdicts at "
        f"alpha = {view.results.alpha:g}. Seconds: of processor time, to make one fingerprint. Controls are no "
        "schemes: a scheme that does no better shows nothing."
    )
    fewest = fewest_independents(view)
    if fewest < ENOUGH_INDEPENDENTS:
        who = counted(fewest, "independent model")
        text += f" With {who}, TPR at 1\u202f% FPR is the share found at no false positive."
    return text


def _best(view: View) -> str:
    """The best scheme and the best control by TPR at 1 % FPR, at the largest budgets."""
    shares = [(setting, view.measured(setting, "tpr_at_1")) for setting in view.leading]
    controls = [(setting, measured) for setting, measured in shares if measured is not None and setting.control]
    parts = []
    if view.best is not None:
        rows = view.rows(view.best)
        copies = counted(max(row.n_derived for row in rows), "copy", "copies")
        independents = counted(max(row.n_independent for row in rows), "independent model")
        share = _share(dict(shares)[view.best])
        parts.append(f"{view.best.name} finds {share} of {copies} at 1\u202f% FPR, judged beside {independents}")
    if controls:
        control, measured = max(controls, key=lambda one: one[1].mean)
        parts.append(f"the best control, {control.name}, finds {_share(measured)}")
    return ("; ".join(parts) or "no scheme\u2019s figures were measured") + "."


def _share(measured: Measured | None) -> str:
    if measured is None:
        return NOT_MEASURED
    ends = (
        ""
        if measured.low is None or measured.high is None
        else f" ({percent(measured.low)} to {percent(measured.high)})"
    )
    return f"{percent(measured.mean)}{ends}"
