"""The walk of ADV-TRA: bilateral legs joined into surface trajectories, for many bases in one batch.

Every base is a row that stands at some point x_i of its current leg. A round looks at the rows that stand at x_l, where
Eq. 3 decides, and then moves every row by one step (Eq. 2), whether it is on its way to the boundary, on the far side
(Eq. 7) or at the joint of two legs (Eq. 8): one batch of gradients for all of them, so that batches stay full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from modelprint.perturb.evaluate import Evaluator
from modelprint.perturb.probing import Probe

Border = Literal["clip", "stay"]
Rows: TypeAlias = np.ndarray  # which rows, int64 (k,)


@dataclass(frozen=True, kw_only=True)
class Trajectories:
    """Finished surface trajectories of p = 2 l m + 1 points.

    Attributes:
        images: (t, p, c, h, w), uint8 or float32.
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

    def path_lengths(self) -> Float[np.ndarray, " t"]:
        """L-infinity length of each path: the largest pixel change of each step, summed; on the [0, 1] scale."""
        unit = 255.0 if self.images.dtype == np.uint8 else 1.0
        lengths = np.zeros(len(self))
        for before, after in zip(range(self.images.shape[1] - 1), range(1, self.images.shape[1]), strict=True):
            change = np.abs(self.images[:, after].astype(np.float32) - self.images[:, before].astype(np.float32))
            lengths += change.reshape(len(self), -1).max(1) / unit
        return lengths


class SurfaceWalk:
    """Walks one batch of bases.

    Args:
        evaluator: the source; it also says whether points are rounded to 8 bits.
        probe: finds the step sizes of every row.
        bases: uint8 (n, c, h, w), rightly classified.
        labels: their classes, int64 (n,).
        length: l, steps up to the boundary.
        legs: m, at most one less than there are classes.
        retries: other targets that a failed leg may try.
        border: pixels that would leave [0, 1] are clipped, or stay where they are for that step.
    """

    def __init__(
        self,
        *,
        evaluator: Evaluator,
        probe: Probe,
        bases: UInt8[Tensor, "n c h w"],
        labels: np.ndarray,
        classes: int,
        length: int,
        legs: int,
        retries: int,
        border: Border,
        generator: torch.Generator,
    ) -> None:
        self.evaluator = evaluator
        self.probe = probe
        self.classes = classes
        self.length = length
        self.legs = legs
        self.retries = retries
        self.border = border
        count, device = len(bases), bases.device
        self.start = bases.float().div(255.0).contiguous(memory_format=torch.channels_last)  # x_0 of the leg
        self.sign = torch.zeros_like(self.start)  # of the gradient at x_0, kept over the attempts of a leg
        self.point = self.start.clone()  # x_i
        self.at = np.zeros(count, dtype=np.int64)  # i, 0 .. 2l - 1
        self.across = np.zeros(count, dtype=bool)  # whether Eq. 3 holds for the steps taken: the far side
        self.steps = torch.zeros((count, length), device=device)  # s_0 .. s_{l-1} of the attempt
        self.target = torch.zeros(count, dtype=torch.int64, device=device)
        self.leg = np.zeros(count, dtype=np.int64)
        # Targets are drawn at random among the other classes, without replacement.
        self.remaining: list[list[int]] = [
            [t for t in torch.randperm(classes, generator=generator).tolist() if t != label] for label in labels
        ]
        self.failed: list[set[int]] = [set() for _ in range(count)]
        self.alive = np.ones(count, dtype=bool)
        points = 2 * length * legs + 1
        dtype = torch.uint8 if evaluator.eight_bit else torch.float32
        self.images = torch.zeros((count, points, *bases.shape[1:]), dtype=dtype)
        self.labels = np.full((count, points), -1, dtype=np.int64)
        self.targets = np.full((count, points), -1, dtype=np.int64)

    def run(self) -> Trajectories:
        """Trajectories of the bases that got through all legs, in the order of the bases."""
        self._store(self._under_way())
        while len(rows := self._under_way()):
            if len(arrived := rows[self._arrived(rows)]):
                self._judge(arrived)
            self._move(rows[~self._arrived(rows)])
        finished = np.flatnonzero(self.leg == self.legs)
        if len(finished):
            self.labels[finished, -1] = self.evaluator.labels(self.start[self._index(finished)]).cpu().numpy()
        return Trajectories(
            images=self.images[torch.from_numpy(finished)].numpy(),
            labels=self.labels[finished],
            targets=self.targets[finished],
            base=finished,
        )

    def _under_way(self) -> Rows:
        return np.flatnonzero(self.alive & (self.leg < self.legs))

    def _arrived(self, rows: Rows) -> np.ndarray:
        """Which rows stand at x_l and were not looked at."""
        arrived: np.ndarray = (self.at[rows] == self.length) & ~self.across[rows]
        return arrived

    def _judge(self, rows: Rows) -> None:
        """At x_l: rows that reached their target (Eq. 3) go across, the others try other steps."""
        index = self._index(rows)
        labels = self.evaluator.labels(self.point[index])
        self._note(rows, labels)
        reached = labels == self.target[index]
        hit = reached & self.probe.accepts(index)
        self.across[rows] = hit.cpu().numpy()
        self.probe.restart(index[hit], forget=False)
        missed = ~hit
        self._try_again(rows[missed.cpu().numpy()], early=False, late=~reached[missed])

    def _move(self, rows: Rows) -> None:
        """One gradient for every row, and one step (Eq. 2); x_{2l} is the x_0 of the next leg (Eq. 8)."""
        if not len(rows):
            return
        index, at = self._index(rows), self.at[rows]
        first = at == 0
        aim = self.evaluator.aim(self.point[index], lambda labels: self._choose(rows, first, labels))
        self._note(rows, aim.labels)
        self.target[index] = aim.targets
        self.sign[index[first]] = aim.sign[first]
        early = (at > 0) & (at < self.length) & (aim.labels == aim.targets).cpu().numpy()
        going = ~(first | early)
        onward = rows[going]
        # s_0 .. s_{l-1} to the boundary, s_{l-1} .. s_0 beyond it (Eq. 7)
        step = np.where(at < self.length, at, 2 * self.length - 1 - at)[going]
        size = self.steps[index[going], torch.from_numpy(step).to(index.device)]
        self.point[index[going]] = self._step(self.point[index[going]], aim.sign[going], size)
        self.at[onward] += 1
        self._store(onward)
        self._end_leg(onward[self.at[onward] == 2 * self.length])
        self._set_off(rows[first & self.alive[rows]])
        self._try_again(rows[early], early=True, late=torch.zeros(early.sum(), dtype=torch.bool, device=index.device))

    def _choose(self, rows: Rows, first: np.ndarray, labels: Int[Tensor, " k"]) -> Int[Tensor, " k"]:
        """The targets of all rows; those at x_0 choose one, or are given up."""
        targets = self.target[self._index(rows)]
        for place in np.flatnonzero(first):
            chosen = self._next_target(int(rows[place]), int(labels[place]))
            self.alive[rows[place]] = chosen >= 0
            targets[place] = max(chosen, 0)
        return targets

    def _next_target(self, row: int, label: int) -> int:
        """The next class of the row's draw; after failures, a class visited before; -1 when the base is given up."""
        if len(self.failed[row]) > self.retries:
            return -1
        barred: set[int] = self.failed[row] | {label}
        for target in self.remaining[row]:
            if target not in barred:
                return target
        if not self.retries:
            return -1
        return next((target for target in range(self.classes) if target not in barred), -1)

    def _try_again(self, rows: Rows, *, early: bool, late: Bool[Tensor, " k"]) -> None:
        """Other step sizes for the same target; another target when they are exhausted."""
        if not len(rows):
            return
        index = self._index(rows)
        self.probe.adjust(index, torch.full_like(late, early), late)
        spent = self.probe.exhausted(index)
        self.probe.restart(index[spent], forget=True)
        given_up = rows[spent.cpu().numpy()]
        for row, target in zip(given_up, self.target[index[spent]].tolist(), strict=True):
            self.failed[row].add(target)
        self.at[given_up] = 0
        self.point[index[spent]] = self.start[index[spent]]
        self._set_off(rows[~spent.cpu().numpy()])

    def _set_off(self, rows: Rows) -> None:
        """The first step of an attempt, by the gradient that was kept."""
        if not len(rows):
            return
        index = self._index(rows)
        self.steps[index] = self.probe.steps(index)
        self.point[index] = self._step(self.start[index], self.sign[index], self.steps[index, 0])
        self.at[rows] = 1
        self._store(rows)

    def _end_leg(self, rows: Rows) -> None:
        """The last point of a leg is the first of the next (Eq. 8)."""
        index = self._index(rows)
        self.start[index] = self.point[index]
        for row, target in zip(rows, self.target[index].tolist(), strict=True):
            begun = 2 * self.length * self.leg[row]
            self.targets[row, begun + 1 : begun + 2 * self.length + 1] = target
            self.failed[row] = set()
            if target in self.remaining[row]:
                self.remaining[row].remove(target)
        self.leg[rows] += 1
        self.at[rows] = 0
        self.across[rows] = False

    def _step(
        self, point: Float[Tensor, "k c h w"], sign: Float[Tensor, "k c h w"], size: Float[Tensor, " k"]
    ) -> Float[Tensor, "k c h w"]:
        """Eq. 2: x_{i+1} = x_i - s_i sign(grad), inside [0, 1]."""
        moved = torch.addcmul(point, sign, size[:, None, None, None], value=-1)
        if self.border == "clip":
            return moved.clamp_(0.0, 1.0)
        return torch.where((moved < 0) | (moved > 1), point, moved)

    def _index(self, rows: Rows) -> Int[Tensor, " k"]:
        return torch.from_numpy(rows).to(self.point.device)

    def _column(self, rows: Rows) -> np.ndarray:
        """Where x_i stands in the trajectory."""
        column: np.ndarray = 2 * self.length * self.leg[rows] + self.at[rows]
        return column

    def _note(self, rows: Rows, labels: Int[Tensor, " k"]) -> None:
        self.labels[rows, self._column(rows)] = labels.cpu().numpy()

    def _store(self, rows: Rows) -> None:
        """Keep x_i; a later attempt writes over it."""
        points = self.point[self._index(rows)]
        if self.evaluator.eight_bit:
            points = points.mul_(255.0).round_().to(torch.uint8)
        self.images[torch.from_numpy(rows), torch.from_numpy(self._column(rows))] = points.cpu()
