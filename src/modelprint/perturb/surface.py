"""The walk of ADV-TRA: bilateral legs joined into surface trajectories, for many bases in one batch.

Every base is a row that stands at some point x_i of its current leg. A round asks the source for the labels and
gradients of all rows at once, wherever they stand: at x_0, where a leg gets its target; on the way to the boundary,
which x_l must be the first to cross (Eq. 3), or other step sizes are tried; or on the far side (Eq. 7). Then every row
takes its step (Eq. 2). The last point of a leg is x_0 of the next (Eq. 8).

Targets are drawn at random, among all other classes or among those nearest to x_0. Of a thousand classes few can be
reached in some steps from a point: the nearest in most cases, one drawn among all in one of four.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.perturb.evaluate import Evaluator
from modelprint.perturb.precision import DTYPES, Precision
from modelprint.perturb.probing import Probe, Rows

Border = Literal["clip", "stay"]


@dataclass(frozen=True, kw_only=True)
class Trajectories:
    """Finished surface trajectories of p = 2 l m + 1 points.

    Attributes:
        images: (t, p, ...), as the modality stores them, or float32.
        labels: the source's labels while probing, int64 (t, p).
        targets: the leg's target class at each point, -1 at x_0, int64 (t, p).
        base: which base each began at, int64 (t,).
    """

    images: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    base: np.ndarray

    def __len__(self) -> int:
        return len(self.base)

    def numbered_from(self, start: int) -> Trajectories:
        """The same, their bases counted from another start."""
        return replace(self, base=self.base + start)

    @staticmethod
    def joined(parts: Sequence[Trajectories]) -> Trajectories:
        """Trajectories of several batches."""
        return Trajectories(
            images=np.concatenate([part.images for part in parts]),
            labels=np.concatenate([part.labels for part in parts]),
            targets=np.concatenate([part.targets for part in parts]),
            base=np.concatenate([part.base for part in parts]),
        )

    def path_lengths(self, modality: Modality = IMAGE) -> Float[np.ndarray, " t"]:
        """L-infinity length of each path: the largest change of a coordinate in each step, summed."""
        lengths = np.zeros(len(self))
        for before, after in zip(range(self.images.shape[1] - 1), range(1, self.images.shape[1]), strict=True):
            lengths += modality.largest_change(self.images[:, before], self.images[:, after])
        return lengths


class SurfaceWalk:
    """Walks one batch of bases.

    Args:
        evaluator: the source.
        probe: finds the step sizes of every row.
        bases: stored inputs, rightly classified.
        labels: their classes, int64 (n,).
        length: l, steps up to the boundary.
        legs: m, at most one less than there are classes.
        retries: other targets that a failed leg may try.
        near: targets are drawn among so many classes, those whose logits are highest at x_0.
        sparing: no gradient is asked for where an attempt ends.
        border: coordinates that would leave their range are clipped, or stay where they are for that step.
        eight_bit: whether points are rounded to what is stored (images: 8 bits) before the source sees them, else to
            single precision; the path itself goes on unrounded.
        precision: of the path, and of the source.
        modality: of the inputs.
    """

    def __init__(
        self,
        *,
        evaluator: Evaluator,
        probe: Probe,
        bases: Shaped[Tensor, "n ..."],
        labels: np.ndarray,
        classes: int,
        length: int,
        legs: int,
        retries: int,
        near: int,
        sparing: bool,
        border: Border,
        eight_bit: bool,
        precision: Precision,
        generator: torch.Generator,
        modality: Modality = IMAGE,
    ) -> None:
        self.evaluator = evaluator
        self.modality = modality
        self.probe = probe
        self.classes = classes
        self.length = length
        self.legs = legs
        self.retries = retries
        self.near = near
        self.sparing = sparing
        self.border = border
        self.eight_bit = eight_bit
        count = len(bases)
        # Laid out so that a row is one stretch of memory.
        self.start = modality.rows(modality.to_model(bases, dtype=DTYPES[precision]))  # x_0 of the leg
        self.point = self.start.clone()  # x_i
        self.sign = torch.zeros_like(self.start)  # of the gradient at x_0, kept over the attempts of a leg
        self.at = np.zeros(count, dtype=np.int64)  # i, 0 .. 2l - 1
        self.steps = np.zeros((count, length))  # s_0 .. s_{l-1} of the attempt
        self.target = np.zeros(count, dtype=np.int64)
        self.closest = np.zeros(count)  # by how much the target's logit was behind at x_0, or at an x_l tried since
        self.leg = np.zeros(count, dtype=np.int64)
        # Targets are drawn at random among the other classes, without replacement.
        self.remaining: list[list[int]] = [
            [t for t in torch.randperm(classes, generator=generator).tolist() if t != label] for label in labels
        ]
        self.failed: list[set[int]] = [set() for _ in range(count)]
        self.alive = np.ones(count, dtype=bool)
        points = 2 * length * legs + 1
        self.stored = modality.to_stored(self.start[:1]).dtype if eight_bit else torch.float32
        self.images = torch.zeros((count, points, *self.start.shape[1:]), dtype=self.stored)
        self.labels = np.full((count, points), -1, dtype=np.int64)
        self.targets = np.full((count, points), -1, dtype=np.int64)

    def run(self, after_round: Callable[[], None] = lambda: None) -> Trajectories:
        """Trajectories of the bases that got through all legs, in the order of the bases.

        Args:
            after_round: called between two rounds, when `state` and `done` may be read.
        """
        while len(rows := np.flatnonzero(self.alive & (self.leg < self.legs))):
            self._round(rows)
            after_round()
        finished = np.flatnonzero(self.leg == self.legs)
        if len(finished):
            self.labels[finished, -1] = self.evaluator.labels(self._shown(finished))
        return Trajectories(
            images=self._laid_out(self.images[torch.from_numpy(finished)]),
            labels=self.labels[finished],
            targets=self.targets[finished],
            base=finished,
        )

    @property
    def done(self) -> int:
        """How many trajectories all legs so far would make."""
        return int(self.leg[self.alive].sum()) // self.legs

    def state(self) -> dict[str, np.ndarray]:
        """Everything that a round changes, copied: a walk of the same bases can go on from it."""
        state = {name: getattr(self, name).copy() for name in _NUMBERS}
        state |= {name: getattr(self, name).cpu().numpy().copy() for name in _TENSORS}
        state |= {f"probe.{name}": value for name, value in self.probe.state().items()}
        state["remaining"] = _padded(self.remaining, self.classes)
        state["failed"] = _padded([sorted(one) for one in self.failed], self.classes)
        state["evaluations"] = np.array([self.evaluator.forwards, self.evaluator.backwards])
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state."""
        for name in _NUMBERS:
            getattr(self, name)[:] = state[name]
        for name in _TENSORS:
            getattr(self, name).copy_(torch.from_numpy(state[name].copy()))
        self.probe.restore(
            {name.removeprefix("probe."): value for name, value in state.items() if name.startswith("probe.")}
        )
        self.remaining = [row[row >= 0].tolist() for row in state["remaining"]]
        self.failed = [set(row[row >= 0].tolist()) for row in state["failed"]]
        self.evaluator.forwards, self.evaluator.backwards = (int(value) for value in state["evaluations"])

    def _round(self, rows: Rows) -> None:
        """One gradient for every row that steps on, and one step."""
        at, column = self.at[rows], self._column(rows)
        begins, decides = at == 0, at == self.length
        aim = self.evaluator.aim(self._shown(rows), lambda part, logits: self._choose(rows[part], logits))
        self.labels[rows, column] = aim.labels
        sign = self.modality.rows(aim.sign)
        reached = aim.labels == self.target[rows]
        early = reached & (at > 0) & (at < self.length)
        hit = reached & decides & self.probe.accepts(rows)  # Eq. 3
        missed = early | (decides & ~hit)
        onward = ~(begins | missed)
        behind = _behind(aim.logits, self.target[rows])
        self.closest[rows[begins]] = behind[begins]
        self.probe.restart(rows[hit], forget=False)
        self._step_on(rows[onward], _take(sign, np.flatnonzero(onward)))
        _put(self.sign, rows[begins], _take(sign, np.flatnonzero(begins)))
        again = self._adjusted(rows[missed], early[missed], late=~reached[missed], behind=behind[missed])
        self._set_off(np.concatenate([rows[begins & self.alive[rows]], again]))

    def _laid_out(self, trajectories: Shaped[Tensor, "t p ..."]) -> Shaped[np.ndarray, "t p ..."]:
        """Rows as inputs again."""
        count, points = trajectories.shape[:2]
        inputs = self.modality.from_rows(trajectories.flatten(0, 1))
        return inputs.contiguous().numpy().reshape(count, points, *inputs.shape[1:])

    def _shown(self, rows: Rows) -> Float[Tensor, "k ..."]:
        """x_i as the source sees it, which is kept; a later attempt writes over it."""
        points = self.modality.from_rows(_take(self.point, rows))
        stored = self.modality.to_stored(points) if self.eight_bit else points.to(self.stored)
        places = rows * self.images.shape[1] + self._column(rows)
        _put(self.images.flatten(0, 1), places, self.modality.rows(stored).cpu())
        return self.modality.to_model(stored, dtype=points.dtype)

    def _choose(self, rows: Rows, logits: Float[np.ndarray, "k classes"]) -> Int[np.ndarray, " k"]:
        """The targets of all rows, -1 where no gradient is needed.

        Those that begin a leg choose one, or are given up.
        """
        begins, labels = self.at[rows] == 0, logits.argmax(1)
        for row, outputs in zip(rows[begins].tolist(), logits[begins], strict=True):
            chosen = self._next_target(row, outputs)
            self.alive[row] = chosen >= 0
            self.target[row] = max(chosen, 0)
        targets: np.ndarray = self.target[rows]
        if not self.sparing:
            return targets
        reached, at = labels == targets, self.at[rows]
        ends = ((at > 0) & (at < self.length) & reached) | ((at == self.length) & ~reached) | ~self.alive[rows]
        wanted: np.ndarray = np.where(ends, -1, targets)
        return wanted

    def _next_target(self, row: int, logits: Float[np.ndarray, " classes"]) -> int:
        """The next class of the row's draw; after failures, a class visited before; -1 when the base is given up."""
        if len(self.failed[row]) > self.retries:
            return -1
        barred: set[int] = self.failed[row] | {int(logits.argmax())}
        untried = [target for target in self.remaining[row] if target not in barred]
        if untried:
            return self._first_near(untried, logits)
        if not self.retries:
            return -1
        return next((target for target in range(self.classes) if target not in barred), -1)

    def _first_near(self, targets: list[int], logits: Float[np.ndarray, " classes"]) -> int:
        """The first of some targets that is among their `near` nearest."""
        if len(targets) <= self.near:
            return targets[0]
        farthest = np.sort(logits[targets])[-self.near]
        return next(target for target in targets if logits[target] >= farthest)

    def _set_off(self, rows: Rows) -> None:
        """The first step of an attempt, by the gradient that was kept."""
        self.steps[rows] = self.probe.steps(rows)
        _put(self.point, rows, self._stepped(_take(self.start, rows), _take(self.sign, rows), self.steps[rows, 0]))
        self.at[rows] = 1

    def _step_on(self, rows: Rows, sign: Float[Tensor, "k ..."]) -> None:
        """The next step: s_0 .. s_{l-1} up to the boundary, s_{l-1} .. s_0 beyond it (Eq. 7)."""
        at = self.at[rows]
        size = self.steps[rows, np.minimum(at, 2 * self.length - 1 - at)]
        _put(self.point, rows, self._stepped(_take(self.point, rows), sign, size))
        self.at[rows] += 1
        self._end_leg(rows[at + 1 == 2 * self.length])

    def _adjusted(
        self,
        rows: Rows,
        early: Bool[np.ndarray, " k"],
        *,
        late: Bool[np.ndarray, " k"],
        behind: Float[np.ndarray, " k"],
    ) -> Rows:
        """The rows that have other step sizes to try; the rest go back to x_0 for another target."""
        closer = late & (behind < self.closest[rows])
        self.closest[rows[closer]] = behind[closer]
        self.probe.adjust(rows, early=early, late=late, closer=closer)
        spent = self.probe.exhausted(rows)
        given_up = rows[spent]
        self.probe.restart(given_up, forget=True)
        for row, target in zip(given_up.tolist(), self.target[given_up].tolist(), strict=True):
            self.failed[row].add(target)
        _put(self.point, given_up, _take(self.start, given_up))
        self.at[given_up] = 0
        left: np.ndarray = rows[~spent]
        return left

    def _end_leg(self, rows: Rows) -> None:
        """The last point of a leg is the first of the next (Eq. 8)."""
        for row, target in zip(rows.tolist(), self.target[rows].tolist(), strict=True):
            begun = 2 * self.length * self.leg[row]
            self.targets[row, begun + 1 : begun + 2 * self.length + 1] = target
            self.failed[row] = set()
            if target in self.remaining[row]:
                self.remaining[row].remove(target)
        _put(self.start, rows, _take(self.point, rows))
        self.at[rows] = 0
        self.leg[rows] += 1

    def _stepped(
        self, point: Float[Tensor, "k ..."], sign: Float[Tensor, "k ..."], size: Float[np.ndarray, " k"]
    ) -> Float[Tensor, "k ..."]:
        """Eq. 2: x_{i+1} = x_i - s_i sign(grad), inside the space."""
        sizes = torch.from_numpy(size).to(point)
        moved = torch.addcmul(point, sign, sizes.reshape(-1, *[1] * (point.ndim - 1)), value=-1)
        box = self.modality.box
        if self.border == "clip":
            return box.clip(moved)
        return torch.where((moved < box.low) | (moved > box.high), point, moved)

    def _column(self, rows: Rows) -> Int[np.ndarray, " k"]:
        """Where x_i stands in the trajectory."""
        column: np.ndarray = 2 * self.length * self.leg[rows] + self.at[rows]
        return column


_NUMBERS = ("at", "steps", "target", "closest", "leg", "alive", "labels", "targets")
_TENSORS = ("start", "point", "sign", "images")


def _padded(rows: Sequence[Sequence[int]], width: int) -> Int[np.ndarray, "n w"]:
    """Rows of numbers as one array, -1 where a row has no more."""
    array = np.full((len(rows), width), -1, dtype=np.int64)
    for place, row in enumerate(rows):
        array[place, : len(row)] = row
    return array


def _behind(logits: Float[np.ndarray, "k classes"], targets: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """By how much the target's logit is less than the highest other one."""
    each = np.arange(len(logits))
    others = logits.copy()
    others[each, targets] = -np.inf
    behind: np.ndarray = others.max(1) - logits[each, targets]
    return behind


def _take(tensor: Tensor, rows: Rows) -> Tensor:
    """Some rows of a tensor, copied."""
    return tensor.index_select(0, torch.from_numpy(rows).to(tensor.device))


def _put(tensor: Tensor, rows: Rows, values: Tensor) -> None:
    """Write over some rows of a tensor."""
    tensor.index_copy_(0, torch.from_numpy(rows).to(tensor.device), values)
