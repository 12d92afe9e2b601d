"""The walk of ADV-TRA: bilateral legs joined into surface trajectories, for many bases in one batch.

Every base is a row with a state of its own (leg, target, step sizes). A round is one walk of l steps (Eq. 2) for every
row under way, wherever it stands; rows whose walk satisfies Eq. 3 go on to the far side (Eq. 7) and to their next leg
(Eq. 8), so that the batch stays full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from modelprint.perturb.evaluate import Evaluator
from modelprint.perturb.probing import Probe

Border = Literal["clip", "stay"]


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


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One walk of k rows.

    Attributes:
        hit: which rows satisfy Eq. 3.
        walked: the points x_1..x_l.
        sizes: the steps s_0..s_{l-1} they were reached by.
    """

    hit: Bool[Tensor, " k"]
    walked: Float[Tensor, "k l c h w"]
    sizes: Float[Tensor, "k l"]


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
        self.position = bases.float().div(255.0).contiguous(memory_format=torch.channels_last)  # where the leg begins
        self.sign = torch.zeros_like(self.position)  # sign of the gradient there, kept over the attempts of a leg
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
        rows = torch.arange(len(self.position), device=self.position.device)
        self._begin_leg(rows)
        while len(rows := self._under_way()):
            attempt = self._attempt(rows)
            hit = attempt.hit
            if hit.any():
                self._finish_leg(rows[hit], attempt.walked[hit], attempt.sizes[hit])
            missed = rows[~hit]
            spent = missed[self.probe.exhausted(missed)]
            for row in spent.tolist():
                self.failed[row].add(int(self.target[row]))
            self.probe.restart(rows[hit], forget=False)
            self.probe.restart(spent, forget=True)
            done = [row for row in rows[hit].tolist() if self.leg[row] == self.legs]
            onward = torch.tensor(
                [row for row in rows[hit].tolist() if self.leg[row] < self.legs] + spent.tolist(),
                dtype=torch.int64,
                device=rows.device,
            )
            if len(onward):
                self._begin_leg(onward)
            if done:
                last = torch.tensor(done, device=rows.device)
                self.labels[done, -1] = self.evaluator.labels(self.position[last]).cpu().numpy()
        finished = np.flatnonzero(self.leg == self.legs)
        return Trajectories(
            images=self.images[finished].numpy(),
            labels=self.labels[finished],
            targets=self.targets[finished],
            base=finished,
        )

    def _under_way(self) -> Int[Tensor, " k"]:
        rows = np.flatnonzero(self.alive & (self.leg < self.legs))
        return torch.from_numpy(rows).to(self.position.device)

    def _begin_leg(self, rows: Int[Tensor, " k"]) -> None:
        """Look at the leg's first point, choose a target, keep the sign of the gradient towards it."""
        chosen: list[int] = []

        def choose(labels: Int[Tensor, " k"]) -> Int[Tensor, " k"]:
            for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
                chosen.append(self._next_target(row, label))
            return torch.tensor([max(target, 0) for target in chosen], device=rows.device)

        aim = self.evaluator.aim(self.position[rows], choose)
        self.sign[rows] = aim.sign
        self.target[rows] = aim.targets
        column = 2 * self.length * self.leg[rows.cpu().numpy()]
        self.labels[rows.cpu().numpy(), column] = aim.labels.cpu().numpy()
        self._store(rows, column, self.position[rows])
        for row, target in zip(rows.tolist(), chosen, strict=True):
            if target < 0:
                self.alive[row] = False

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

    def _attempt(self, rows: Int[Tensor, " k"]) -> Attempt:
        """Walk l steps (Eq. 2) with the probe's step sizes; rows that reach their target early stop there."""
        length = self.length
        sizes = self.probe.steps(rows)
        target = self.target[rows]
        point, sign = self.position[rows], self.sign[rows]
        walked = torch.empty((len(rows), length, *point.shape[1:]), device=point.device)
        early = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        late = torch.zeros_like(early)
        going = torch.arange(len(rows), device=rows.device)
        for i in range(length):
            point = self._step(point, sign, sizes[going, i])
            walked[going, i] = point
            if i == length - 1:
                labels = self.evaluator.labels(point)
                late[going[labels != target[going]]] = True
                self.labels[rows[going].cpu().numpy(), self._column(rows[going], i + 1)] = labels.cpu().numpy()
                break
            aim = self.evaluator.aim(point, target[going])
            reached = aim.labels == aim.targets
            early[going[reached]] = True
            self.labels[rows[going].cpu().numpy(), self._column(rows[going], i + 1)] = aim.labels.cpu().numpy()
            going, point, sign = going[~reached], point[~reached], aim.sign[~reached]
            if not len(going):
                break
        hit = ~early & ~late & self.probe.accepts(rows)
        self.probe.adjust(rows[~hit], early[~hit], late[~hit])
        return Attempt(hit=hit, walked=walked, sizes=sizes)

    def _finish_leg(
        self, rows: Int[Tensor, " k"], walked: Float[Tensor, "k l c h w"], sizes: Float[Tensor, "k l"]
    ) -> None:
        """Bilateralise (Eq. 7): from x_l on with the steps reversed; its last point begins the next leg (Eq. 8)."""
        length, target = self.length, self.target[rows]
        numbers = rows.cpu().numpy()
        for i in range(length):
            self._store(rows, self._column(rows, i + 1), walked[:, i])
        point = walked[:, -1]
        for i, size in enumerate(sizes.flip(1).unbind(1)):
            aim = self.evaluator.aim(point, target)
            point = self._step(point, aim.sign, size)
            column = self._column(rows, length + i + 1)
            self._store(rows, column, point)
            if i:
                self.labels[numbers, column - 1] = aim.labels.cpu().numpy()
        self.position[rows] = point
        first = self._column(rows, 1)
        for i in range(2 * length):
            self.targets[numbers, first + i] = target.cpu().numpy()
        self.leg[numbers] += 1
        for row, visited in zip(numbers, target.tolist(), strict=True):
            self.failed[row] = set()
            if visited in self.remaining[row]:
                self.remaining[row].remove(visited)

    def _step(
        self, point: Float[Tensor, "k c h w"], sign: Float[Tensor, "k c h w"], size: Float[Tensor, " k"]
    ) -> Float[Tensor, "k c h w"]:
        """Eq. 2: x_{i+1} = x_i - s_i sign(grad), inside [0, 1]."""
        moved = torch.addcmul(point, sign, size[:, None, None, None], value=-1)
        if self.border == "clip":
            return moved.clamp_(0.0, 1.0)
        return torch.where((moved < 0) | (moved > 1), point, moved)

    def _column(self, rows: Int[Tensor, " k"], offset: int) -> np.ndarray:
        """Where the offset-th point of each row's leg stands in its trajectory."""
        column: np.ndarray = 2 * self.length * self.leg[rows.cpu().numpy()] + offset
        return column

    def _store(self, rows: Int[Tensor, " k"], column: np.ndarray, points: Float[Tensor, "k c h w"]) -> None:
        numbers = rows.cpu()
        if self.evaluator.eight_bit:
            self.images[numbers, torch.from_numpy(column)] = points.mul(255.0).round_().to(torch.uint8).cpu()
        else:
            self.images[numbers, torch.from_numpy(column)] = points.cpu()
