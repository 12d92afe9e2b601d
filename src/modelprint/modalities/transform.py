"""What may happen to an input between the one who asks and the model."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "n ..."]


@dataclass(frozen=True, kw_only=True)
class Transform(ABC):
    """Inputs as models take them to such inputs of the same shape; the fields of a subclass are its strength.

    Points and gradients are float32, or float64 on the way of a walk in double precision.
    """

    @abstractmethod
    def __call__(self, points: Points, /, *, seed: int = 0) -> Points:
        """The inputs as the model sees them."""

    def back(self, gradient: Points, /) -> Points:
        """The gradient by the inputs, from that by the transformed ones; where there is none, the same (BPDA)."""
        return gradient


def generators(points: Points, seed: int) -> Iterator[np.random.Generator]:
    """A source of random numbers for each input, which depends on the input (in float32) and the seed alone.

    The same input meets the same fate whenever it is sent, and asking twice tells nothing.
    """
    for point in points:
        state = hashlib.sha256(seed.to_bytes(8, "big", signed=True))
        state.update(np.ascontiguousarray(point, dtype=np.float32).tobytes())
        yield np.random.default_rng(int.from_bytes(state.digest()[:16], "big"))
