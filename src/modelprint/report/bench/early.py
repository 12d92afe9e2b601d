"""Contrast's error rate, drawn: p-values of independent models held out, and how many queries a verdict takes."""

from __future__ import annotations

from modelprint.report.bench.study_section import StudySection, command_of
from modelprint.report.drawing.figure import Figure
from modelprint.report.drawing.line_chart import Axis, Line, LineChart, Point, draw, line_keys
from modelprint.report.drawing.looks import Look
from modelprint.report.drawing.text import counted, plain_name
from modelprint.results.studies import Asked, EarlyStudy, EarlyVerdicts

_UNIFORM = Look(colour="var(--calibration)", dash=[2, 3], shape="diamond", swatch="calibration dotted")
_SOURCES = (
    Look(colour="var(--s1)", swatch="s1"),
    Look(colour="var(--s2)", dash=[7, 4], shape="square", swatch="s2 dashed"),
    Look(colour="var(--s3)", dash=[2, 3], shape="triangle-up", swatch="s3 dotted"),
)
_INDEPENDENT = ("SAST", "SADT", "DAST", "DADT")
_GROUPS = 4  # copies, copies of others, independent models, siblings: the places on the axis, from 0


def early_section(study: EarlyStudy) -> StudySection:
    """The reliability of p-values, and the queries that copies and independent models are asked."""
    changed = sum(one.verdicts_changed_by_stopping for one in study.early)
    judged = sum(group.models for one in study.early for group in one.groups)
    derived, independent = _verdicts(study, 2)
    others_derived, others = _verdicts(study, 1)
    reading = (
        f"Stopping as soon as the verdict at alpha = {study.early[0].alpha:g} is settled changed {changed} of {judged} "
        f"verdicts. {derived} of {independent} independent models that are no siblings were accused, and "
        f"{others_derived} of {others} copies of other sources."
    )
    return StudySection(
        title="Contrast: does its error rate hold, and how many queries does it take?",
        reading=reading,
        figures=[_reliability(study), _asked(study)],
        command=command_of(study.provenance.get("command")),
    )


def _verdicts(study: EarlyStudy, place: int) -> tuple[int, int]:
    """Verdicts "derived" on the groups of one place, and how many models these are."""
    groups = [group for one in study.early for group in one.groups if _place(group) == place]
    return sum(group.derived for group in groups), sum(group.models for group in groups)


def _reliability(study: EarlyStudy) -> Figure:
    lines = [
        Line(
            name=plain_name(held.source),
            look=_SOURCES[number % len(_SOURCES)],
            points=[
                Point(x=alpha, y=reached.share, low=reached.low, high=reached.high)
                for alpha, reached in sorted(held.at_most.items())
            ],
        )
        for number, held in enumerate(study.p_values)
    ]
    most = max(alpha for held in study.p_values for alpha in held.at_most)
    lines.append(Line(name="uniform", look=_UNIFORM, points=[Point(x=0, y=0), Point(x=most, y=most)]))
    highest = max(reached.high for held in study.p_values for reached in held.at_most.values())
    chart = LineChart(
        x=Axis(title="alpha", domain=(0, 1.05 * most)),
        y=Axis(title="share of p-values up to alpha", domain=(0, 1.05 * max(most, highest)), format=".0%"),
        lines=lines,
        height=230,
        width=300,
        about="Rank p-values of independent models that were held out, against alpha.",
    )
    held = study.p_values[0]
    return Figure(
        title="Reliability of p-values",
        svg=draw(chart),
        caption=f"Of {counted(held.models, 'independent model')} (no siblings), split {held.splits} times into those "
        "that calibrate and those held out: on or below the dotted line, p-values say what they claim. Bands: "
        "intervals of 95 % by the number of models.",
        keys=line_keys(lines),
    )


def _asked(study: EarlyStudy) -> Figure:
    lines = [
        Line(
            name=plain_name(one.source),
            look=_SOURCES[number % len(_SOURCES)],
            points=[Point(x=place, y=mean) for place, mean in enumerate(_means(one), 1) if mean is not None],
        )
        for number, one in enumerate(study.early)
    ]
    most = max(point.y for line in lines for point in line.points)
    chart = LineChart(
        x=Axis(
            title="1 copies   2 copies of others   3 independent   4 siblings", domain=(0.7, 4.3), ticks=(1, 2, 3, 4)
        ),
        y=Axis(title="queries, mean", domain=(0, 1.05 * most)),
        lines=lines,
        height=230,
        width=300,
        about="Mean number of queries until the verdict is settled.",
    )
    return Figure(
        title="Queries until the verdict is settled",
        svg=draw(chart),
        caption="Means over models: 1, copies of the source; 2, copies of other sources; 3, independent models; 4, "
        "models tuned from the same base as one source.",
        keys=line_keys(lines),
    )


def _means(one: EarlyVerdicts) -> list[float | None]:
    """Of copies, copies of others, independent models, siblings."""
    means: list[float | None] = []
    for place in range(_GROUPS):
        groups = [group for group in one.groups if _place(group) == place and group.name != "worthless"]
        total = sum(group.models for group in groups)
        means.append(sum(group.models * group.queries_mean for group in groups) / total if total else None)
    return means


def _place(group: Asked) -> int:
    if group.third_party:
        return 1
    return 2 if group.name in _INDEPENDENT else 3 if group.name == "SHARED" else 0
