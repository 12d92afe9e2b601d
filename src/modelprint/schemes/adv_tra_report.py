"""What tables and reports show of ADV-TRA: its figures in words, as published, and in charts and query by query."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from modelprint.core.quantities import Quantity
from modelprint.core.sections import Exhibit, Plane, Profile, Rates, Section, Stretch, Strip
from modelprint.core.suspect import Answers
from modelprint.schemes.base import State
from modelprint.schemes.published import Overall, Published

if TYPE_CHECKING:
    from modelprint.schemes.adv_tra import AdvTra

PUBLISHED = Published(
    name="ADV-TRA",
    overall={
        "CIFAR-10": Overall(tpr_at_1=1.0, tpr_at_10=1.0, auc=1.0),
        "CIFAR-100": Overall(tpr_at_1=1.0, tpr_at_10=1.0, auc=1.0),
        "ImageNet": Overall(tpr_at_1=0.88, tpr_at_10=0.9, auc=0.96),
    },
    detection={
        "FTLL": 0.952,
        "FTAL": 0.95,
        "RTLL": 0.947,
        "RTAL": 0.763,
        "prune 20 %": 0.955,
        "prune 40 %": 0.945,
        "prune 80 %": 0.678,
        "adversarial .001": 0.758,
        "adversarial .01": 0.612,
        "adversarial .1": 0.628,
        "independent SAST": 0.143,
        "independent SADT": 0.126,
        "independent DAST": 0.124,
        "independent DADT": 0.116,
    },
    mutation={
        "FTLL": 0.043,
        "FTAL": 0.058,
        "RTLL": 0.03,
        "RTAL": 0.143,
        "prune 20 %": 0.035,
        "prune 40 %": 0.064,
        "prune 80 %": 0.257,
        "adversarial .001": 0.238,
        "adversarial .01": 0.394,
        "adversarial .1": 0.205,
        "independent SAST": 0.714,
        "independent SADT": 0.722,
        "independent DAST": 0.762,
        "independent DADT": 0.787,
    },
    f1={
        "PRADA": {"CIFAR-100": 0.9, "ImageNet": 0.83},
        "Knockoff": {"CIFAR-100": 0.93, "ImageNet": 0.86},
        "HL": {"CIFAR-100": 0.67, "ImageNet": 0.58},
    },
    seconds={
        "training the source": 5820.0,
        "400 adversarial points (PGD)": 49.0,
        "10 trajectories of 40 points": 342.0,
    },
)

QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        key="matched",
        title="matched",
        total="trajectories",
        units=("trajectory", "trajectories"),
        sentence="It matches the source on {value}.",
        headline="Trajectories that match",
        is_score=True,
    ),
    Quantity(
        key="mean_mutation_rate",
        title="mutation rate",
        form="share",
        sentence="On average, {value} of the points got another answer.",
    ),
)

CRAFTING: tuple[Quantity, ...] = (
    Quantity(key="trajectories", title="Trajectories"),
    Quantity(key="bases_tried", title="Base {input_names} tried"),
    Quantity(
        key="success_rate",
        title="Base {input_names} that ended in a trajectory",
        form="share",
        counts=("trajectories", "bases_tried"),
        printed="{value:.1%} of bases succeeded",
    ),
    Quantity(key="path_length_linf", title="Mean path length, L-infinity, of {input_parts} as models take them"),
    Quantity(key="share_changed", title="Words changed at the end of a trajectory", form="share"),
    Quantity(key="bits_before", title="Surprise of the base {input_names}, in bits a byte (trigrams of the seeds)"),
    Quantity(key="bits_after", title="Surprise of the last {input_names} of the trajectories, in bits a byte"),
    Quantity(key="flips_per_trajectory", title="Mean changes of the answer along a trajectory"),
    Quantity(key="classes_per_trajectory", title="Mean number of classes on a trajectory"),
    Quantity(key="forward_evaluations", title="Forward evaluations"),
    Quantity(key="backward_evaluations", title="Backward evaluations"),
    Quantity(key="steps", title="Steps that the trajectories contain"),
)
_SHOWN = 0  # the first trajectory, so that nobody can have picked it


def trajectory_sections(scheme: AdvTra, exhibit: Exhibit) -> tuple[Section, ...]:
    """Two sections; none where no model answered anything."""
    if not any(answers.answered.any() for answers in exhibit.models):
        return ()
    state, source, leg, said = exhibit.state, exhibit.source, 2 * scheme.l, exhibit.words
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
        text=f"Its points, joined in order, on the two directions in which their {said.parts} vary most. Colours and "
        f"numbers are the classes that the source answers; the base {said.name} and the end of each leg are numbered.",
        label=f"The {len(first)} points of the first trajectory in the plane",
        queries=first.tolist(),
        every=leg,
    )
    return (
        Section(title="Where the answers differ", blocks=(rates, profile)),
        Section(title=f"One trajectory, {said.name} by {said.name}", blocks=(strip, plane)),
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
    """The base, then each leg."""
    leg_of = -(-state["position"][queries] // leg)  # 0 for the base, then 1 for positions 1 to leg ...
    stretches = []
    for number in np.unique(leg_of):
        part = queries[leg_of == number]
        target = None if number == 0 else int(state["target"][part[0]])
        title = "Start" if number == 0 else f"Leg {number}"
        stretches.append(Stretch(title=title, queries=part.tolist(), to_class=target))
    return stretches
