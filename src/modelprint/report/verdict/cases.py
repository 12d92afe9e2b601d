"""What a report is made of: the models that were checked, and what their answers say along the trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from modelprint.core.suspect import Answers
from modelprint.core.verdict import Verdict

Role = Literal["suspect", "derived", "independent", "source"]
MOST_IN_FOCUS = 3


@dataclass(frozen=True, kw_only=True)
class Case:
    """One model that was checked.

    Attributes:
        name: what the user calls it; may come from a stranger, so it is never trusted.
        role: "suspect" where nothing is known; the others are controls whose making is known.
        kind: how it was made, where known: "FTAL", "prune 40 %", "SAST".
        answers: to all queries of the fingerprint.
        plane_labels: int (k, k), its labels on the fingerprint's planar slice, where it was free to ask.
        accuracy: on images that it was not trained on, 0 to 1.
        cap: the most queries that could have been asked of it; all of the fingerprint when None.
    """

    name: str
    role: Role
    kind: str = ""
    verdict: Verdict
    answers: Answers
    plane_labels: np.ndarray | None = None
    accuracy: float | None = None
    cap: int | None = None


@dataclass(frozen=True, kw_only=True)
class Trajectories:
    """Where each query stands, for schemes whose queries form trajectories.

    Attributes:
        group: the trajectory of each query.
        position: 0 for the base image, then 1, 2, ... along the trajectory.
        target: the class that the leg is heading for, -1 for the base image.
    """

    group: Int[np.ndarray, " n"]
    position: Int[np.ndarray, " n"]
    target: Int[np.ndarray, " n"]

    @classmethod
    def of(cls, state: Mapping[str, np.ndarray]) -> Trajectories | None:
        """The trajectories in a scheme's state, or None where it has none."""
        if not {"group", "position", "target"} <= set(state):
            return None
        return cls(group=state["group"], position=state["position"], target=state["target"])

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.group.max(initial=-1)) + 1

    @property
    def length(self) -> int:
        """Points after the base image, of the longest."""
        return int(self.position.max(initial=0))

    def leg(self, parameters: Mapping[str, Any]) -> int:
        """Points per leg: 2 l where the parameters say so, else the first run of one target."""
        steps = parameters.get("l")
        if isinstance(steps, int) and steps > 0:
            return 2 * steps
        targets = self.target[self.members(0)][1:]
        changes = np.flatnonzero(np.diff(targets))
        return int(changes[0]) + 1 if len(changes) else max(1, len(targets))

    def members(self, number: int) -> Int[np.ndarray, " p"]:
        """The queries of one trajectory, in order."""
        index = np.flatnonzero(self.group == number)
        return index[np.argsort(self.position[index], kind="stable")]

    def rates(self, source: Answers, answers: Answers) -> Float[np.ndarray, " t"]:
        """The mutation rate of each trajectory: the share of answered points after the base image whose label differs.

        NaN where nothing was answered. (Xu et al., NeurIPS 2024, Eq. 9.)
        """
        return self._shares(self.group, self.count, source, answers)

    def rates_by_position(self, source: Answers, answers: Answers) -> Float[np.ndarray, " p"]:
        """The share of trajectories whose label differs at position 1, 2, ...; NaN where nothing was answered."""
        return self._shares(self.position, self.length + 1, source, answers)[1:]

    def _shares(self, bins: np.ndarray, count: int, source: Answers, answers: Answers) -> np.ndarray:
        counted = (self.position > 0) & answers.answered
        total = np.bincount(bins[counted], minlength=count)
        changed = np.bincount(bins[counted & (answers.labels != source.labels)], minlength=count)
        return np.where(total > 0, changed / np.maximum(total, 1), np.nan)


def scores_of(cases: Sequence[Case], role: Role) -> Float[np.ndarray, " n"]:
    """The scores of the models of one role; those that could not be scored are left out."""
    return np.array([case.verdict.score for case in cases if case.role == role and case.verdict.score is not None])


def has_population(cases: Sequence[Case]) -> bool:
    """Whether derived and independent models can be compared: at least one scored model of each."""
    return bool(len(scores_of(cases, "derived")) and len(scores_of(cases, "independent")))


def shared_threshold(cases: Sequence[Case]) -> float | None:
    """The threshold that all verdicts used; None where there is none, or more than one."""
    thresholds = {case.verdict.threshold for case in cases}
    return thresholds.pop() if len(thresholds) == 1 else None


def in_focus(cases: Sequence[Case]) -> list[int]:
    """Which cases are shown picture by picture: the first suspects; without any, the typical model of each role.

    Typical is the model whose score is the (lower) median of its role's.
    """
    suspects = [i for i, case in enumerate(cases) if case.role == "suspect"]
    if suspects:
        return suspects[:MOST_IN_FOCUS]
    chosen = []
    for role in ("derived", "independent", "source"):
        members = [i for i, case in enumerate(cases) if case.role == role and case.verdict.score is not None]
        members.sort(key=lambda i: cases[i].verdict.score or 0.0)
        if members:
            chosen.append(members[(len(members) - 1) // 2])
    return chosen[:2] or list(range(len(cases)))[:1]
