"""What the answers along the trajectories show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelprint.ownership.fingerprint import Fingerprint
from modelprint.report.drawing.figure import ClassKey, Figure, Key, class_keys, role_keys, rule_key
from modelprint.report.drawing.text import counted, plain_name
from modelprint.report.verdict.cases import Case, Trajectories, in_focus
from modelprint.report.verdict.embedding import embedding
from modelprint.report.verdict.strip import KEYS, Leg, strip
from modelprint.report.verdict.trajectory_charts import MOST_NAMED_LINES, along, rates_by_case, sorted_rates

_SHOWN = 0  # the first trajectory, so that nobody can have picked it
Numbered = tuple[int, Case]


@dataclass(frozen=True, kw_only=True)
class TrajectorySection:
    """Mutation rates, one trajectory in pictures, and the same one in the plane.

    Attributes:
        who: the key under the pictures and the name that it stands for.
    """

    figures: list[Figure]
    legs: list[Leg]
    who: list[tuple[str, str]]
    strip_note: str
    embeddings: list[Figure]
    classes: list[ClassKey]


def trajectory_section(fingerprint: Fingerprint, cases: Sequence[Case], match: float) -> TrajectorySection | None:
    """The section; None for schemes without trajectories, and where nothing was answered.

    Args:
        match: the mutation rate below which a trajectory matches.
    """
    trajectories = Trajectories.of(fingerprint.state)
    answered = [(i, case) for i, case in enumerate(cases, 1) if case.answers.answered.any()]
    if trajectories is None or not answered:
        return None
    leg = trajectories.leg(fingerprint.manifest.parameters)
    focus = [answered[i] for i in in_focus([case for _, case in answered])]
    return TrajectorySection(
        figures=[
            _rates_figure(fingerprint, trajectories, answered, match),
            _along_figure(fingerprint, trajectories, answered, leg),
        ],
        legs=strip(fingerprint, trajectories, _SHOWN, leg, [case for _, case in focus]),
        who=[("S", "the source"), *_who(focus, len(cases))],
        strip_note=_strip_note(trajectories, focus, answered),
        embeddings=[_embedding_figure(fingerprint, trajectories, leg, index, case) for index, case in focus],
        classes=class_keys(
            fingerprint.source.labels[trajectories.members(_SHOWN)], fingerprint.manifest.input.class_names
        ),
    )


def _rates_figure(
    fingerprint: Fingerprint, trajectories: Trajectories, answered: Sequence[Numbered], match: float
) -> Figure:
    rates = {i: trajectories.rates(fingerprint.source, case.answers) for i, case in answered}
    matches = rule_key(f"a trajectory matches below {match:g}")
    title = "Mutation rate of each trajectory"
    if len(answered) > 1:
        return Figure(
            title=title,
            svg=rates_by_case(answered, rates, match),
            caption="One tick per trajectory; the larger mark is the mean.",
            keys=[*role_keys(case.role for _, case in answered), matches],
        )
    others = [trajectories.rates(fingerprint.source, answers) for answers in fingerprint.calibration]
    (index, case), *_ = answered
    return Figure(
        title=title,
        svg=sorted_rates(rates[index], others, match, role=case.role),
        caption="One point per trajectory, the lowest first.",
        keys=[*role_keys([case.role]), *_band_key(fingerprint), matches],
    )


def _along_figure(
    fingerprint: Fingerprint, trajectories: Trajectories, answered: Sequence[Numbered], leg: int
) -> Figure:
    source = fingerprint.source
    return Figure(
        title="Mutation along the trajectory",
        svg=along(
            [(i, case, trajectories.rates_by_position(source, case.answers)) for i, case in answered],
            [trajectories.rates_by_position(source, answers) for answers in fingerprint.calibration],
            leg,
        ),
        caption="The share of trajectories whose answer differs from that of the source, at each point. "
        f"{counted(leg, 'point makes', 'points make')} one leg, which crosses one boundary."
        + (" Thick lines are the medians of the groups." if len(answered) > MOST_NAMED_LINES else ""),
        keys=[*role_keys((case.role for _, case in answered), form="line"), *_band_key(fingerprint)],
    )


def _band_key(fingerprint: Fingerprint) -> list[Key]:
    if not fingerprint.calibration:
        return []
    return [Key(text="calibration models: range and median", role="calibration", form="band")]


def _who(focus: Sequence[Numbered], count: int) -> list[tuple[str, str]]:
    names = [f"{f'number {i}, ' if count > 1 else ''}{plain_name(case.name, longest=60)}" for i, case in focus]
    return list(zip(KEYS, names, strict=False))


def _strip_note(trajectories: Trajectories, focus: Sequence[Numbered], answered: Sequence[Numbered]) -> str:
    total = counted(trajectories.count, "trajectory", "trajectories")
    note = f"This is the first of {total}, whatever it shows."
    if len(focus) < len(answered):
        note += (
            f" Of the suspects, the first {len(focus)} are shown."
            if focus[0][1].role == "suspect"
            else " Of the models, the one with the median score of each group is shown."
        )
    return note


def _embedding_figure(fingerprint: Fingerprint, trajectories: Trajectories, leg: int, index: int, case: Case) -> Figure:
    members = trajectories.members(_SHOWN)
    labels, answers = fingerprint.source.labels[members], case.answers.labels[members]
    changed = (answers != labels) & (answers >= 0)
    name = plain_name(case.name, longest=40)
    svg = embedding(
        fingerprint.queries[members].reshape(len(members), -1).astype(np.float64),
        labels,
        changed,
        leg,
        label=f"The {len(members)} points of the first trajectory in the plane; {name} differs at {changed.sum()}",
    )
    answer = f"{changed.sum()} of {len(members)} points are hollow: there, its answer differs from that of the source."
    return Figure(title=f"Answers of {name}", svg=svg, caption=answer)
