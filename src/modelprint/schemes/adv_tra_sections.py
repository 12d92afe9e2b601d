"""What a report shows of ADV-TRA: mutation rates by trajectory and by point, and the first trajectory in pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from modelprint.core.sections import Exhibit, Plane, Profile, Rates, Section, Stretch, Strip
from modelprint.core.suspect import Answers
from modelprint.schemes.base import State

if TYPE_CHECKING:
    from modelprint.schemes.adv_tra import AdvTra

_SHOWN = 0  # the first trajectory, so that nobody can have picked it


def trajectory_sections(scheme: AdvTra, exhibit: Exhibit) -> tuple[Section, ...]:
    """Two sections; none where no model answered anything."""
    if not any(answers.answered.any() for answers in exhibit.models):
        return ()
    state, source, leg = exhibit.state, exhibit.source, 2 * scheme.l
    rates = Rates(
        title="Mutation rate of each trajectory",
        axis="mutation rate",
        units=("trajectory", "trajectories"),
        models=[scheme.mutation_rates(state, source, answers) for answers in exhibit.models],
        calibration=[scheme.mutation_rates(state, source, answers) for answers in exhibit.calibration],
        limit=scheme.match,
        limit_text=f"a trajectory matches below {scheme.match:g}",
    )
    profile = Profile(
        title="Mutation along the trajectory",
        caption="The share of trajectories whose answer differs from that of the source, at each point. "
        f"{leg} points make one leg, which crosses one boundary.",
        x="point along the trajectory",
        y="answers that differ",
        label="Share of trajectories whose answer differs, point by point",
        models=[rates_by_position(state, source, answers) for answers in exhibit.models],
        calibration=[rates_by_position(state, source, answers) for answers in exhibit.calibration],
        every=leg,
    )
    first = members(state, _SHOWN)
    count = int(state["group"].max()) + 1
    strip = Strip(
        note=f"This is the first of {count:,} {'trajectory' if count == 1 else 'trajectories'}, whatever it shows.",
        label="Point {place} of the trajectory",
        stretches=_legs(state, first, leg),
    )
    plane = Plane(
        title="The same trajectory in two dimensions",
        text="Its points, joined in order, on the two directions in which their pixels vary most. Colours and numbers "
        "are the classes that the source answers; the base image and the end of each leg are numbered.",
        label=f"The {len(first)} points of the first trajectory in the plane",
        queries=first.tolist(),
        every=leg,
    )
    return (
        Section(title="Where the answers differ", blocks=(rates, profile)),
        Section(title="One trajectory, picture by picture", blocks=(strip, plane)),
    )


def members(state: State, number: int) -> Int[np.ndarray, " p"]:
    """The queries of one trajectory, in order."""
    index = np.flatnonzero(state["group"] == number)
    return index[np.argsort(state["position"][index], kind="stable")]


def rates_by_position(state: State, source: Answers, answers: Answers) -> Float[np.ndarray, " p"]:
    """The share of trajectories whose label differs at position 1, 2, ...; NaN where nothing was answered."""
    position = state["position"]
    places = int(position.max(initial=0)) + 1
    total = np.bincount(position[answers.answered], minlength=places)
    changed = np.bincount(position[answers.answered & (answers.labels != source.labels)], minlength=places)
    shares: Float[np.ndarray, " p"] = np.where(total > 0, changed / np.maximum(total, 1), np.nan)[1:]
    return shares


def _legs(state: State, queries: np.ndarray, leg: int) -> list[Stretch]:
    """The base image, then each leg."""
    leg_of = -(-state["position"][queries] // leg)  # 0 for the base image, then 1 for positions 1 to leg ...
    stretches = []
    for number in np.unique(leg_of):
        part = queries[leg_of == number]
        target = None if number == 0 else int(state["target"][part[0]])
        title = "Start" if number == 0 else f"Leg {number}"
        stretches.append(Stretch(title=title, queries=part.tolist(), to_class=target))
    return stretches
