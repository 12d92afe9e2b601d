"""One trajectory, picture by picture, with the answers of the source and of the models in focus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelprint.ownership.fingerprint import Fingerprint
from modelprint.report.drawing.pictures import class_name, png_uri
from modelprint.report.verdict.cases import Case, Trajectories

_LONGEST_LABEL = 16
KEYS = "ABC"  # of the models in focus; numbers would be taken for classes


@dataclass(frozen=True, kw_only=True)
class Label:
    """An answer under a picture; `changed` where it differs from the source's."""

    who: str
    text: str
    changed: bool


@dataclass(frozen=True, kw_only=True)
class Point:
    """One picture."""

    position: int
    uri: str
    labels: list[Label]


@dataclass(frozen=True, kw_only=True)
class Leg:
    """The points on the way to one class; the first leg is the base image alone."""

    title: str
    points: list[Point]


def strip(
    fingerprint: Fingerprint, trajectories: Trajectories, number: int, leg: int, cases: Sequence[Case]
) -> list[Leg]:
    """The legs of one trajectory.

    Args:
        number: of the trajectory.
        leg: points per leg.
        cases: the models in focus.
    """
    names = fingerprint.manifest.input.class_names
    members = trajectories.members(number)
    leg_of = -(-trajectories.position[members] // leg)  # 0 for the base image, then 1 for positions 1 to leg ...
    legs: list[Leg] = []
    for i in np.unique(leg_of):
        queries = members[leg_of == i]
        target = int(trajectories.target[queries[0]])
        points = [
            Point(
                position=int(trajectories.position[query]),
                uri=png_uri(fingerprint.queries[query]),
                labels=_labels(fingerprint, int(query), cases),
            )
            for query in queries
        ]
        title = "Start" if i == 0 else f"Leg {i}, to {class_name(target, names, longest=_LONGEST_LABEL)}"
        legs.append(Leg(title=title, points=points))
    return legs


def _labels(fingerprint: Fingerprint, query: int, cases: Sequence[Case]) -> list[Label]:
    names = fingerprint.manifest.input.class_names
    truth = int(fingerprint.source.labels[query])
    labels = [Label(who="S", text=class_name(truth, names, longest=_LONGEST_LABEL), changed=False)]
    for key, case in zip(KEYS, cases, strict=False):
        answer = int(case.answers.labels[query])
        labels.append(
            Label(
                who=key,
                text=class_name(answer, names, longest=_LONGEST_LABEL),
                changed=answer not in (truth, -1),
            )
        )
    return labels
