"""The space that inputs lie in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Box:
    """Every coordinate between two numbers, the same for all coordinates; gradients lead from one input to another.

    A modality whose coordinates have ranges of their own scales them to one box before a model sees them.

    Attributes:
        low, high: the least and the largest value of a coordinate, as models take it.
        step: between neighbouring values that can be stored.
    """

    low: float
    high: float
    step: float

    @property
    def span(self) -> float:
        """From the least value to the largest; sizes of changes are shares of it.

        >>> Box(low=-1.0, high=1.0, step=0.25).span
        2.0
        """
        return self.high - self.low

    def clip(self, points: Tensor) -> Tensor:
        """The points with every coordinate inside, in place.

        >>> import torch
        >>> Box(low=-1.0, high=1.0, step=0.25).clip(torch.tensor([-2.0, 0.5]))
        tensor([-1.0000,  0.5000])
        """
        return points.clamp_(self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Sequences of tokens; no gradient leads from one to another.

    Attributes:
        vocabulary: how many tokens there are.
        length: of a sequence, at most.
    """

    vocabulary: int
    length: int


Space = Box | Tokens
