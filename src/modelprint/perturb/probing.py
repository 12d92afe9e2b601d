"""Boundary probing for ADV-TRA: step sizes s with f(x_i) != target for i < l and f(x_l) = target (Eq. 3).

Two ways to find them, for all legs at once: the published one adjusts every step (length control, brake and forward
losses); the default one imposes s_{i+1} = a_brk s_i, so that one scale is left, found by doubling and bisection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from modelprint.perturb.precision import Precision

Rows = Int[np.ndarray, " k"]
NUMBERS: dict[Precision, type[np.floating[Any]]] = {"double": np.float64, "single": np.float32}


class Probe(Protocol):
    """Step sizes of many legs, adjusted after each attempt that failed. Rows are legs under way."""

    def steps(self, rows: Rows) -> Float[np.ndarray, "k l"]:
        """The step sizes to try next."""

    def accepts(self, rows: Rows) -> Bool[np.ndarray, " k"]:
        """Whether these step sizes may stand, once they satisfy Eq. 3."""

    def adjust(
        self, rows: Rows, *, early: Bool[np.ndarray, " k"], late: Bool[np.ndarray, " k"], closer: Bool[np.ndarray, " k"]
    ) -> None:
        """Learn from an attempt.

        Args:
            early, late: the target was reached before x_l, not by x_l, or neither.
            closer: late, but x_l is closer to the target than x_0 and than what was tried before, by the logits.
        """

    def exhausted(self, rows: Rows) -> Bool[np.ndarray, " k"]:
        """Whether there is nothing left to try for this target."""

    def restart(self, rows: Rows, *, forget: bool) -> None:
        """Begin another leg: from the last one's step sizes, or from the first ones (forget)."""

    def state(self) -> dict[str, np.ndarray]:
        """All that it has learned, copied."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state."""


class Bisection:
    """s_i = scale * a_brk^i; the scale is doubled (halved) until it is too long (short), then bisected.

    Args:
        count: rows.
        first: the scale to begin with, in [0, 1] pixel units.
        smallest: no step of a leg may be smaller (8-bit points would coincide).
        largest: the first step may not be larger.
        attempts: walks for one target before it is given up.
        hasty: a target is given up as soon as longer steps end no closer to it, and when low and high are within a
            fifth of each other: a straight boundary is hit by scales of a wider range, up to 1 + a_brk times the least.
        precision: of the step sizes.
    """

    def __init__(
        self,
        *,
        count: int,
        length: int,
        brake: float,
        first: float,
        smallest: float,
        largest: float,
        attempts: int,
        hasty: bool = False,
        precision: Precision = "double",
    ) -> None:
        number = NUMBERS[precision]
        self.shape = np.power(number(brake), np.arange(length, dtype=number))
        self.first = first
        self.smallest = smallest / float(self.shape[-1])
        self.largest = largest
        self.attempts = attempts
        self.scale = np.full(count, max(first, self.smallest), dtype=number)
        self.low = np.zeros(count, dtype=number)
        self.high = np.full(count, np.inf, dtype=number)
        self.tried = np.zeros(count, dtype=np.int64)
        self.hasty = hasty
        self.narrowest = 1.2 if hasty else 1.01
        self.hopeless = np.zeros(count, dtype=bool)

    def steps(self, rows: Rows) -> Float[np.ndarray, "k l"]:
        """Geometric step sizes."""
        sizes: np.ndarray = self.scale[rows, None] * self.shape
        return sizes

    def accepts(self, rows: Rows) -> Bool[np.ndarray, " k"]:
        """Always: a_brk < 1 makes every step smaller than the one before."""
        return np.ones(len(rows), dtype=bool)

    def adjust(
        self, rows: Rows, *, early: Bool[np.ndarray, " k"], late: Bool[np.ndarray, " k"], closer: Bool[np.ndarray, " k"]
    ) -> None:
        """Narrow the bracket [low, high] of the scale; as all step sizes are accepted, each row is early or late."""
        self.tried[rows] += 1
        self.low[rows[late]] = self.scale[rows[late]]
        self.high[rows[early]] = self.scale[rows[early]]
        low, high = self.low[rows], self.high[rows]
        self.hopeless[rows] = late & ~closer & np.isinf(high)
        middle = np.where(low > 0, np.sqrt(low * high), high / 2)
        self.scale[rows] = np.where(np.isinf(high), 2 * low, middle).clip(self.smallest, self.largest)

    def exhausted(self, rows: Rows) -> Bool[np.ndarray, " k"]:
        """Too many attempts, the bracket closed without a hit, or longer steps lead away from the target."""
        low, high = self.low[rows], self.high[rows]
        spent: np.ndarray = (
            (self.tried[rows] >= self.attempts)
            | (high < self.narrowest * low)
            | (high <= self.smallest * 1.0001)
            | (low >= self.largest * 0.9999)
            | (self.hopeless[rows] & self.hasty)
        )
        return spent

    def restart(self, rows: Rows, *, forget: bool) -> None:
        """A fresh bracket; the scale stays where the last leg ended unless it is to be forgotten."""
        self.low[rows] = 0.0
        self.high[rows] = np.inf
        self.tried[rows] = 0
        if forget:
            self.scale[rows] = max(self.first, self.smallest)

    def state(self) -> dict[str, np.ndarray]:
        """Scales, brackets and attempts."""
        return {name: getattr(self, name).copy() for name in ("scale", "low", "high", "tried", "hopeless")}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state."""
        for name, value in state.items():
            getattr(self, name)[:] = value


class LengthControl:
    """The published probing: all steps times a_lc (early) or 1/a_lc (late), then down the brake and forward losses.

    a_lc approaches 1 as attempts go by, so that the length settles.
    """

    def __init__(
        self,
        *,
        count: int,
        length: int,
        brake: float,
        first: float,
        length_control: float,
        rate: float,
        attempts: int,
        precision: Precision = "double",
    ) -> None:
        self.brake = brake
        self.first = first
        self.length_control = length_control
        self.rate = rate
        self.attempts = attempts
        self.sizes = np.full((count, length), first, dtype=NUMBERS[precision])
        self.tried = np.zeros(count, dtype=np.int64)

    def steps(self, rows: Rows) -> Float[np.ndarray, "k l"]:
        """The current step sizes."""
        sizes: np.ndarray = self.sizes[rows]
        return sizes

    def accepts(self, rows: Rows) -> Bool[np.ndarray, " k"]:
        """The steps must shrink (s_{i+1} < s_i) and stay positive."""
        sizes = self.sizes[rows]
        accepted: np.ndarray = (sizes[:, 1:] < sizes[:, :-1]).all(1) & (sizes > 0).all(1)
        return accepted

    def adjust(
        self, rows: Rows, *, early: Bool[np.ndarray, " k"], late: Bool[np.ndarray, " k"], closer: Bool[np.ndarray, " k"]
    ) -> None:
        """Length control, then gradient descent on the two losses."""
        annealed = 1 - (1 - self.length_control) * 0.99 ** self.tried[rows]
        self.tried[rows] += 1
        factor = np.where(early, annealed, np.where(late, 1 / annealed, 1.0))
        sizes = self.sizes[rows] * factor[:, None]
        residual = self.brake * sizes[:, :-1] - sizes[:, 1:]  # Eq. 4: sum (a_brk s_i - s_{i+1})^2
        gradient = np.zeros_like(sizes)
        gradient[:, :-1] += 2 * self.brake * residual
        gradient[:, 1:] -= 2 * residual
        gradient -= sizes < 0  # Eq. 5: sum max(0, -s_i)
        self.sizes[rows] = sizes - self.rate * gradient

    def exhausted(self, rows: Rows) -> Bool[np.ndarray, " k"]:
        """Too many attempts."""
        spent: np.ndarray = self.tried[rows] >= self.attempts
        return spent

    def restart(self, rows: Rows, *, forget: bool) -> None:
        """The published code begins every leg from the first step size."""
        self.sizes[rows] = self.first
        self.tried[rows] = 0

    def state(self) -> dict[str, np.ndarray]:
        """Step sizes and attempts."""
        return {"sizes": self.sizes.copy(), "tried": self.tried.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state."""
        self.sizes[:] = state["sizes"]
        self.tried[:] = state["tried"]
