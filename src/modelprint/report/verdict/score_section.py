"""Scores beside those of independent models; where there is a population, how well they tell it apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelprint.ownership.fingerprint import Fingerprint
from modelprint.report.drawing.figure import Figure, Key, role_keys, rule_key
from modelprint.report.drawing.text import NONE, counted, number, percent
from modelprint.report.verdict.cases import Case, has_population, scores_of, shared_threshold
from modelprint.report.verdict.score_charts import roc_chart, score_boxes, score_strip
from modelprint.stats.intervals import Interval, bootstrap
from modelprint.stats.roc import auc, roc_curve, tpr_at_fpr

_RESAMPLES = 2000
_FALSE_POSITIVES = (0.01, 0.1)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A measured rate with its interval, in words."""

    name: str
    value: str
    interval: str


@dataclass(frozen=True, kw_only=True)
class ScoreSection:
    """Charts, and rates over the population where there is one."""

    figures: Sequence[Figure]
    rates: Sequence[Rate] = ()
    notes: Sequence[str] = ()


def score_section(fingerprint: Fingerprint, cases: Sequence[Case], calibration: np.ndarray) -> ScoreSection | None:
    """Box plot and ROC where there is a population, else a strip; None where nothing was scored."""
    limit = shared_threshold(cases)
    if has_population(cases):
        return _population(fingerprint, cases, calibration, limit)
    if not len(calibration) and all(case.verdict.score is None for case in cases):
        return None
    caption = (
        f"Every grey dot is one of {counted(len(calibration), 'independent model')}; dots at about the same score are "
        "stacked. The further right, the more a model is like the source."
        if len(calibration)
        else "No independent models were asked, so nothing says which scores are high."
    )
    figure = Figure(
        title="Scores",
        svg=score_strip(calibration, list(enumerate(cases, 1)), limit),
        caption=caption,
        keys=[*role_keys(case.role for case in cases), *_calibration_key(calibration), *_threshold_key(limit)],
    )
    return ScoreSection(figures=[figure])


def _population(
    fingerprint: Fingerprint, cases: Sequence[Case], calibration: np.ndarray, limit: float | None
) -> ScoreSection:
    derived, independent = scores_of(cases, "derived"), scores_of(cases, "independent")
    groups = {
        "suspect": scores_of(cases, "suspect"),
        "derived": derived,
        "independent": independent,
        "calibration": calibration,
    }
    sizes = ", ".join(f"{len(scores)} {group}" for group, scores in groups.items() if len(scores))
    boxes = Figure(
        title="Scores by group",
        svg=score_boxes(groups, limit),
        caption="Every model is a point. Boxes hold the middle half of each group, the bar is the median, whiskers "
        f"reach the extremes. Models: {sizes}.",
        keys=_threshold_key(limit),
    )
    area = auc(derived, independent)
    roc = Figure(
        title="Copies found against independent models accused (ROC)",
        svg=roc_chart(roc_curve(derived, independent), label=f"ROC curve; the area under it is {area:.3f}"),
        caption="One point per threshold. The dashed diagonal is guessing. " + _overlap(fingerprint, cases),
    )
    rates = [_area_rate(area, derived, independent)]
    rates += [_found_rate(fpr, derived, independent) for fpr in _FALSE_POSITIVES]
    return ScoreSection(figures=[boxes, roc], rates=rates, notes=_notes(rates, len(independent)))


def _overlap(fingerprint: Fingerprint, cases: Sequence[Case]) -> str:
    """Whether models that set the threshold are counted among the independent ones, which would flatter."""
    calibrating = {model.identity for model in fingerprint.manifest.calibration}
    shared = sum(case.role == "independent" and case.verdict.suspect in calibrating for case in cases)
    if shared:
        return f"Beware: {counted(shared, 'independent model')} here also set the threshold, which flatters the test."
    return "None of the independent models counted here took part in setting the threshold."


def _area_rate(area: float, derived: np.ndarray, independent: np.ndarray) -> Rate:
    interval = bootstrap(derived, independent, auc, generator=np.random.default_rng(0), resamples=_RESAMPLES)
    ends = NONE if interval.degenerate else f"{interval.low:.3f} to {interval.high:.3f}"
    return Rate(name="Area under the curve (AUC)", value=f"{area:.3f}", interval=ends)


def _found_rate(fpr: float, derived: np.ndarray, independent: np.ndarray) -> Rate:
    def statistic(some: np.ndarray, others: np.ndarray) -> float:
        return tpr_at_fpr(some, others, fpr=fpr)

    interval = bootstrap(derived, independent, statistic, generator=np.random.default_rng(0), resamples=_RESAMPLES)
    return Rate(
        name=f"Copies found with at most {percent(fpr)} of independent models accused",
        value=percent(statistic(derived, independent)),
        interval=_percent_ends(interval),
    )


def _percent_ends(interval: Interval) -> str:
    return NONE if interval.degenerate else f"{percent(interval.low)} to {percent(interval.high)}"


def _notes(rates: Sequence[Rate], independents: int) -> list[str]:
    notes = [f"Intervals are of {_RESAMPLES:,} redraws of the models (bootstrap)."]
    if any(rate.interval == NONE for rate in rates):
        notes.append(
            "A dash: every redraw gave the same figure, so that there is no interval; with so few models this does not "
            "make the figure certain."
        )
    coarse = [percent(fpr) for fpr in _FALSE_POSITIVES if independents * fpr < 1]
    if coarse:
        models = counted(independents, "independent model")
        notes.append(f"With {models}, at most {' or '.join(coarse)} accused means none accused.")
    return notes


def _calibration_key(calibration: np.ndarray) -> list[Key]:
    return [Key(text="calibration models", role="calibration")] if len(calibration) else []


def _threshold_key(limit: float | None) -> list[Key]:
    return [] if limit is None else [rule_key(f"threshold, {number(limit)}")]
