"""Boundary probing for ADV-TRA: step sizes s with f(x_i) != target for i < l and f(x_l) = target (Eq. 3).

Two ways to find them, for all legs at once: the published one adjusts every step (length control, brake and forward
losses); the default one imposes s_{i+1} = a_brk s_i, so that one scale is left, found by doubling and bisection.
"""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Probe(Protocol):
    """Step sizes of many legs, adjusted after each attempt. Rows are legs under way."""

    def steps(self, rows: Int[Tensor, " k"]) -> Float[Tensor, "k l"]:
        """The step sizes to try next."""

    def accepts(self, rows: Int[Tensor, " k"]) -> Bool[Tensor, " k"]:
        """Whether these step sizes may stand, once they satisfy Eq. 3."""

    def adjust(self, rows: Int[Tensor, " k"], early: Bool[Tensor, " k"], late: Bool[Tensor, " k"]) -> None:
        """Learn from an attempt: the target was reached before x_l (early), not by x_l (late), or neither."""

    def exhausted(self, rows: Int[Tensor, " k"]) -> Bool[Tensor, " k"]:
        """Whether there is nothing left to try for this target."""

    def restart(self, rows: Int[Tensor, " k"], *, forget: bool) -> None:
        """Begin another leg: from the last one's step sizes, or from the first ones (forget)."""


class Bisection:
    """s_i = scale * a_brk^i; the scale is doubled (halved) until it is too long (short), then bisected.

    Args:
        count: rows.
        first: the scale to begin with, in [0, 1] pixel units.
        smallest: no step of a leg may be smaller (8-bit points would coincide).
        largest: the first step may not be larger.
        attempts: walks for one target before it is given up.
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
        device: torch.device,
    ) -> None:
        self.shape = brake ** torch.arange(length, device=device, dtype=torch.float32)
        self.first = first
        self.smallest = smallest / float(self.shape[-1])
        self.largest = largest
        self.attempts = attempts
        self.scale = torch.full((count,), max(first, self.smallest), device=device)
        self.low = torch.zeros(count, device=device)
        self.high = torch.full((count,), torch.inf, device=device)
        self.tried = torch.zeros(count, device=device, dtype=torch.int64)

    def steps(self, rows: Int[Tensor, " k"]) -> Float[Tensor, "k l"]:
        """Geometric step sizes."""
        return self.scale[rows, None] * self.shape

    def accepts(self, rows: Int[Tensor, " k"]) -> Bool[Tensor, " k"]:
        """Always: a_brk < 1 makes every step smaller than the one before."""
        return torch.ones_like(rows, dtype=torch.bool)

    def adjust(self, rows: Int[Tensor, " k"], early: Bool[Tensor, " k"], late: Bool[Tensor, " k"]) -> None:
        """Narrow the bracket [low, high] of the scale."""
        self.tried[rows] += 1
        scale = self.scale[rows]
        low = torch.where(late, scale, self.low[rows])
        high = torch.where(early, scale, self.high[rows])
        middle = torch.where(low > 0, (low * high).sqrt(), high / 2)
        following = torch.where(torch.isinf(high), 2 * low, middle)
        self.low[rows], self.high[rows] = low, high
        self.scale[rows] = torch.where(early | late, following.clamp(self.smallest, self.largest), scale)

    def exhausted(self, rows: Int[Tensor, " k"]) -> Bool[Tensor, " k"]:
        """Too many attempts, or the bracket closed without a hit."""
        closed = self.high[rows] / self.low[rows].clamp(min=1e-12) < 1.01
        too_short = self.high[rows] <= self.smallest * 1.0001
        too_long = self.low[rows] >= self.largest * 0.9999
        return (self.tried[rows] >= self.attempts) | closed | too_short | too_long

    def restart(self, rows: Int[Tensor, " k"], *, forget: bool) -> None:
        """A fresh bracket; the scale stays where the last leg ended unless it is to be forgotten."""
        self.low[rows] = 0.0
        self.high[rows] = torch.inf
        self.tried[rows] = 0
        if forget:
            self.scale[rows] = max(self.first, self.smallest)


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
        device: torch.device,
    ) -> None:
        self.brake = brake
        self.first = first
        self.length_control = length_control
        self.rate = rate
        self.attempts = attempts
        self.sizes = torch.full((count, length), first, device=device)
        self.tried = torch.zeros(count, device=device, dtype=torch.int64)

    def steps(self, rows: Int[Tensor, " k"]) -> Float[Tensor, "k l"]:
        """The current step sizes."""
        return self.sizes[rows]

    def accepts(self, rows: Int[Tensor, " k"]) -> Bool[Tensor, " k"]:
        """The steps must shrink (s_{i+1} < s_i) and stay positive."""
        sizes = self.sizes[rows]
        return (sizes[:, 1:] < sizes[:, :-1]).all(1) & (sizes > 0).all(1)

    def adjust(self, rows: Int[Tensor, " k"], early: Bool[Tensor, " k"], late: Bool[Tensor, " k"]) -> None:
        """Length control, then gradient descent on the two losses."""
        annealed = 1 - (1 - self.length_control) * 0.99 ** self.tried[rows].float()
        self.tried[rows] += 1
        factor = torch.where(early, annealed, torch.where(late, 1 / annealed, torch.ones_like(annealed)))
        sizes = self.sizes[rows] * factor[:, None]
        residual = self.brake * sizes[:, :-1] - sizes[:, 1:]  # Eq. 4: sum (a_brk s_i - s_{i+1})^2
        gradient = torch.zeros_like(sizes)
        gradient[:, :-1] += 2 * self.brake * residual
        gradient[:, 1:] -= 2 * residual
        gradient -= (sizes < 0).float()  # Eq. 5: sum max(0, -s_i)
        self.sizes[rows] = sizes - self.rate * gradient

    def exhausted(self, rows: Int[Tensor, " k"]) -> Bool[Tensor, " k"]:
        """Too many attempts."""
        return self.tried[rows] >= self.attempts

    def restart(self, rows: Int[Tensor, " k"], *, forget: bool) -> None:
        """The published code begins every leg from the first step size."""
        self.sizes[rows] = self.first
        self.tried[rows] = 0
