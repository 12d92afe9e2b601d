"""What may happen to vectors on the way to a model: coarser cells, and noise in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from modelprint.core.registry import Registry
from modelprint.modalities.transform import Transform, generators

Vectors = Float[np.ndarray, "n columns"]

TRANSFORMS: Registry[type[Transform]] = Registry("transform of vectors")


@TRANSFORMS.register("coarse-cells")
@dataclass(frozen=True, kw_only=True)
class CoarseCells(Transform):
    """Every cell rounded to some even steps of its column's range.

    Attributes:
        steps: from the least value of a column to the largest.
    """

    steps: int = 50

    def __call__(self, vectors: Vectors, *, seed: int = 0) -> Vectors:
        """The nearest of these values."""
        return (np.rint(vectors * np.float32(self.steps)) / np.float32(self.steps)).astype(vectors.dtype)


@TRANSFORMS.register("cell-noise")
@dataclass(frozen=True, kw_only=True)
class CellNoise(Transform):
    """Gaussian noise in every cell.

    Attributes:
        scale: its standard deviation, as a share of the column's range.
    """

    scale: float = 0.01

    def __call__(self, vectors: Vectors, *, seed: int = 0) -> Vectors:
        """Noisy vectors, no farther than the ends of the columns."""
        noise = [draw.standard_normal(vectors.shape[1:], np.float32) for draw in generators(vectors, seed)]
        noisy: Vectors = vectors + np.float32(self.scale) * np.reshape(noise, vectors.shape)
        return noisy.clip(0.0, 1.0)
