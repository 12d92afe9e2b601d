"""LIME: how much each part of an input speaks for an answer, by a linear model of the answers with parts hidden.

M. T. Ribeiro, S. Singh, C. Guestrin, "'Why Should I Trust You?': Explaining the Predictions of Any Classifier", KDD
2016. The weights are those of LIME's program: ridge regression (alpha = 1) with an intercept, on samples that count by
exp(-d^2 / .25^2)^(1/2), d the cosine distance from the whole input.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from modelprint.modalities.base import Modality

KERNEL_WIDTH = 0.25
RIDGE = 1.0


def lime_smoother(kept: Int[np.ndarray, "s k"]) -> Float[np.ndarray, "k s"]:
    """What LIME multiplies the outputs of s samples with to get the weights of k segments.

    (X'DX + alpha I)^-1 X'D, X the samples less their weighted mean, D their weights.

    Args:
        kept: 1 where a sample shows a segment.
    """
    return _smoother(kept.astype(np.uint8).tobytes(), len(kept))


@lru_cache(maxsize=512)  # all models are asked the same
def _smoother(kept: bytes, samples: int) -> Float[np.ndarray, "k s"]:
    shown = np.frombuffer(kept, dtype=np.uint8).reshape(samples, -1).astype(np.float64)
    distances = 1 - np.sqrt(shown.mean(axis=1))  # 1 - cos(z, 1) of vectors of 0 and 1; 1 where all is hidden
    weights = np.sqrt(np.exp(-((distances / KERNEL_WIDTH) ** 2)))  # LIME's pi_x(z)
    centred = shown - np.average(shown, axis=0, weights=weights)
    gram = (centred * weights[:, None]).T @ centred + RIDGE * np.eye(shown.shape[1])
    smoother: Float[np.ndarray, "k s"] = np.linalg.solve(gram, (centred * weights[:, None]).T)
    smoother.flags.writeable = False
    return smoother


def grid(shape: tuple[int, ...], cells: int) -> Int[np.ndarray, ...]:
    """The segment of each place of an input: cells of a grid over all axes but the first, the channels.

    >>> grid((1, 4, 4), 4).tolist()
    [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    >>> grid((5,), 2).tolist()
    [0, 0, 0, 1, 1]
    """
    axes = shape[1:] if len(shape) > 1 else shape
    along = max(1, round(cells ** (1 / len(axes))))
    numbers = np.zeros(axes, dtype=np.int64)
    for axis, length in enumerate(axes):
        count = min(along, length)
        place = np.arange(length) * count // length
        numbers = numbers * count + place.reshape([-1 if one == axis else 1 for one in range(len(axes))])
    return numbers


def hidden(
    stored: Shaped[np.ndarray, "r ..."],
    kept: Bool[np.ndarray, "r s k"],
    segments: Int[np.ndarray, ...],
    *,
    data: Shaped[np.ndarray, "n ..."],
    modality: Modality,
) -> Shaped[np.ndarray, "r s ..."]:
    """Each input s times, with the segments that are not kept at their mean.

    Args:
        data: whose columns have the means that hidden columns of rows take.
    """
    points = modality.as_points(stored).astype(np.float64)
    means = np.empty_like(points)
    if points.ndim == 2:
        means[:] = modality.as_points(data).astype(np.float64).mean(axis=0)
    else:
        for number in range(kept.shape[2]):
            place = (..., segments == number)
            means[place] = points[place].mean(axis=-1, keepdims=True)
    shown = kept[:, :, segments]  # (r, s, axes)
    if points.ndim > 2:
        shown = shown[:, :, None]
    mixed = np.where(shown, points[:, None], means[:, None]).reshape(-1, *stored.shape[1:])
    fresh = modality.to_stored(torch.from_numpy(mixed)).contiguous().numpy()
    whole: np.ndarray = fresh.reshape(*kept.shape[:2], *stored.shape[1:])
    whole[:, 0] = stored  # as it is, where a point does not say all of a stored input
    return whole


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """What `hidden` does, on points, so that a gradient passes.

    Attributes:
        kept: which cells each sample of each input shows, (b, s, k).
        segments: the cell of each place.
        means: of each column over the data, which hidden columns of rows take; None of other inputs.
    """

    kept: Bool[Tensor, "b s k"]
    segments: Int[np.ndarray, ...]
    means: Float[Tensor, " columns"] | None

    def __call__(self, points: Float[Tensor, "r ..."], rows: Int[Tensor, " r"]) -> Float[Tensor, "r s ..."]:
        """Each input with each of its samples' cells; the others at their mean."""
        kept = self.kept[rows]
        if self.means is not None:
            return torch.where(kept[:, :, self.segments], points[:, None], self.means)
        means = torch.zeros_like(points)
        for number in range(kept.shape[2]):
            place = torch.from_numpy(self.segments == number).to(points.device)
            mean = (points * place).sum(dim=tuple(range(2, points.ndim)), keepdim=True) / place.sum()
            means = means + mean * place
        shown = kept[:, :, self.segments][:, :, None]
        return torch.where(shown, points[:, None], means[:, None])
