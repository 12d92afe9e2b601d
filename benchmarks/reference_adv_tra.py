"""ADV-TRA as published, one image at a time: the slow loop that our batched search is timed against.

Written from the text of the paper (T. Xu et al., "United We Stand, Divided We Fall", NeurIPS 2024, section 4; equation
numbers are its own) and from the settings that the authors' code is known to use; no line of theirs. Where neither says
how, the choice that makes this loop faster was taken, so that a speed-up over it is not flattered: a walk that reaches
its target too early ends there, a leg evaluates its first point once for all its attempts, and the gradients of the two
losses over the step sizes are written out by hand.

Not said by either, chosen here: a_lc approaches 1 by 1 % an attempt, and the step sizes go down the brake and forward
losses at a rate of 0.1. Most legs that fail do so whatever these are: no two steps along the sign of the gradient end
in that class, and the step sizes run past 1 while the label stays what it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The released code's settings.

    Attributes:
        l: steps up to the boundary; a leg has 2 l.
        m: legs of a trajectory, each towards another class.
        attempts: walks of a leg before its base is dropped.
        first_step: every step size at the beginning, on the [0, 1] scale.
        length_control: a_lc, which approaches 1 by `annealing` of the distance an attempt.
        brake: a_brk of Eq. 4.
        rate: learning rate of the brake and forward losses.
    """

    l: int = 2  # noqa: E741 - the paper's symbol
    m: int = 9
    attempts: int = 300
    first_step: float = 0.05
    length_control: float = 0.9
    annealing: float = 0.01
    brake: float = 0.95
    rate: float = 0.1


@dataclass(frozen=True, kw_only=True)
class BaseRun:
    """What one base sample came to.

    Attributes:
        base: its index.
        points: float32 (1 + 2 l m, c, h, w), the base sample first; None when a leg failed.
        labels: the model's labels at the points; None likewise.
        targets: of the legs begun.
        attempts: walks of each leg begun.
        forwards, backwards: evaluations of one image each.
        seconds: wall-clock time.
    """

    base: int
    points: np.ndarray | None
    labels: np.ndarray | None
    targets: tuple[int, ...]
    attempts: tuple[int, ...]
    forwards: int
    backwards: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ReferenceRun:
    """All bases, finished or dropped."""

    bases: tuple[BaseRun, ...]

    @property
    def trajectories(self) -> list[BaseRun]:
        """The bases that ended in a whole surface trajectory."""
        return [run for run in self.bases if run.points is not None]

    @property
    def seconds(self) -> float:
        """Of all bases, dropped ones included."""
        return sum(run.seconds for run in self.bases)


def reference_trajectories(
    model: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    l: int = 2,  # noqa: E741 - the paper's symbol
    m: int = 9,
    settings: Settings | None = None,
    seed: int = 0,
) -> ReferenceRun:
    """One surface trajectory for each base, as far as its legs succeed.

    Args:
        model: in evaluation mode; takes inputs in [0, 1], returns logits.
        images: uint8 (n, c, h, w).
        labels: the classes of the bases, which are never targets.
        settings: the others; its l and m are not used.
        seed: of the order of the targets.
    """
    chosen = settings or Settings()
    chosen = Settings(**{**chosen.__dict__, "l": l, "m": m})
    generator = torch.Generator().manual_seed(seed)
    runs = []
    for base, (image, label) in enumerate(zip(images, labels, strict=True)):
        start = torch.from_numpy(image).float().div(255)[None]
        runs.append(_Walk(model, chosen).run(base, start, int(label), generator))
    return ReferenceRun(bases=tuple(runs))


@dataclass(frozen=True, kw_only=True)
class _Leg:
    """A leg that ends well: its 2 l points after the first one, and the label at each point but the last."""

    points: list[Tensor]
    labels: list[int]


class _Walk:
    """One base sample's way, counting evaluations."""

    def __init__(self, model: nn.Module, settings: Settings) -> None:
        self.model = model
        self.settings = settings
        self.forwards = 0
        self.backwards = 0

    def run(self, base: int, start: Tensor, label: int, generator: torch.Generator) -> BaseRun:
        """Legs without replacement of classes; the first leg that fails drops the base."""
        started = time.perf_counter()
        classes = self._logits(start).shape[1]
        others = [target for target in range(classes) if target != label]
        order = [others[i] for i in torch.randperm(len(others), generator=generator)][: self.settings.m]
        points, labels, attempts = [start], [], []
        for target in order:
            leg, tried = self._leg(points[-1], target)
            attempts.append(tried)
            if leg is None:
                break
            points += leg.points
            labels += leg.labels
        whole = len(points) == 1 + 2 * self.settings.l * len(order)
        if whole:
            labels.append(int(self._logits(points[-1]).argmax()))
        return BaseRun(
            base=base,
            points=torch.cat(points).numpy() if whole else None,
            labels=np.array(labels) if whole else None,
            targets=tuple(order[: len(attempts)]),
            attempts=tuple(attempts),
            forwards=self.forwards,
            backwards=self.backwards,
            seconds=time.perf_counter() - started,
        )

    def _leg(self, start: Tensor, target: int) -> tuple[_Leg | None, int]:
        """Boundary probing, then the way beyond; and how many walks it took."""
        settings = self.settings
        steps = torch.full((settings.l,), settings.first_step)
        control = settings.length_control
        label, sign = self._aim(start, target)
        if label == target:
            return None, 0  # Eq. 3 asks for another class at the first point, which no step size changes
        for attempt in range(1, settings.attempts + 1):
            points, labels, signs = [start], [label], [sign]
            for i, size in enumerate(steps.tolist()):
                points.append(_step(points[-1], signs[-1], size))
                if i < settings.l - 1:
                    reached, direction = self._aim(points[-1], target)
                    labels.append(reached)
                    signs.append(direction)
                else:
                    labels.append(int(self._logits(points[-1]).argmax()))
                if labels[-1] == target:
                    break
            early = labels[-1] == target and len(points) <= settings.l
            late = labels[-1] != target
            if not (early or late) and bool((steps[1:] < steps[:-1]).all()) and bool((steps > 0).all()):
                return self._beyond(points, labels, steps, target), attempt
            if early:
                steps = steps * control
            elif late:
                steps = steps / control
            control = 1 - (1 - control) * (1 - settings.annealing)
            steps = steps - settings.rate * _slope(steps, settings.brake)
        return None, settings.attempts

    def _beyond(self, points: list[Tensor], labels: list[int], steps: Tensor, target: int) -> _Leg:
        """Eq. 7: from x_l on towards the same target with the steps reversed."""
        points, labels = list(points), labels[:-1]
        for size in steps.flip(0).tolist():
            label, sign = self._aim(points[-1], target)
            labels.append(label)
            points.append(_step(points[-1], sign, size))
        return _Leg(points=points[1:], labels=labels)

    def _aim(self, point: Tensor, target: int) -> tuple[int, Tensor]:
        """Label, and the sign of the gradient of L = minus the target's logit."""
        self.forwards += 1
        self.backwards += 1
        inputs = point.detach().requires_grad_()
        logits = self.model(inputs)
        (gradient,) = torch.autograd.grad(-logits[0, target], inputs)
        return int(logits.detach().argmax()), gradient.sign()

    def _logits(self, point: Tensor) -> Tensor:
        self.forwards += 1
        with torch.no_grad():
            logits: Tensor = self.model(point)
        return logits


def _step(point: Tensor, sign: Tensor, size: float) -> Tensor:
    """Eq. 2: x - s sign(grad); pixels that would leave [0, 1] stay where they are."""
    moved = point - size * sign
    return torch.where((moved < 0) | (moved > 1), point, moved)


def _slope(steps: Tensor, brake: float) -> Tensor:
    """Gradient of Eq. 4, sum (a_brk s_i - s_{i+1})^2, plus Eq. 5, sum max(0, -s_i)."""
    residual = brake * steps[:-1] - steps[1:]
    slope = -(steps < 0).float()
    slope[:-1] += 2 * brake * residual
    slope[1:] -= 2 * residual
    return slope
