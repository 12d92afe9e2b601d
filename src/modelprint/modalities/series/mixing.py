"""New series from labelled ones: a stretch of the one in the other, and moved by a little.

S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe, Y. Yoo, "CutMix: Regularization Strategy to Train Strong Classifiers with
Localizable Features", ICCV 2019, section 3.2, along the one axis that series have.

Differs from the paper: the two series are of different classes, and the label is the class of the larger part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from modelprint.modalities.base import Labelled

if TYPE_CHECKING:
    import torch

NEAR = 1 / 32  # of the length, by which a neighbour is later


def stretch_mixed(data: Labelled, count: int, *, generator: torch.Generator) -> Labelled:
    """Series with a stretch of a series of another class in the same place; its length and place are uniform.

    Raises:
        ValueError: all series are of one class.
    """
    import torch

    if len(np.unique(data.labels)) < 2:
        raise ValueError("expected series of two classes or more")
    below = _drawn(len(data), count, generator)
    above = _drawn(len(data), count, generator)
    while len(same := np.flatnonzero(data.labels[below] == data.labels[above])):
        above[same] = _drawn(len(data), len(same), generator)
    length = data.stored.shape[-1]
    share = torch.rand(count, generator=generator).numpy()
    start = torch.rand(count, generator=generator).numpy() * (1 - share)
    middle = (np.arange(length)[None] + 0.5) / length
    inside = (middle >= start[:, None]) & (middle < (start + share)[:, None])
    mixed = np.where(inside[:, None], data.stored[above], data.stored[below])
    mostly_above = inside.mean(axis=1) > 0.5
    return Labelled(stored=mixed, labels=np.where(mostly_above, data.labels[above], data.labels[below]))


def later(stored: Shaped[np.ndarray, "n channels length"], samples: int) -> Shaped[np.ndarray, "n channels length"]:
    """Series that begin so many samples later (earlier, where negative); their first (last) value fills the gap.

    >>> later(np.array([[[1, 2, 3]]]), 1).tolist(), later(np.array([[[1, 2, 3]]]), -2).tolist()
    ([[[1, 1, 2]]], [[[3, 3, 3]]])
    """
    places = (np.arange(stored.shape[-1]) - samples).clip(0, stored.shape[-1] - 1)
    return np.ascontiguousarray(stored[..., places])


def moved(data: Labelled) -> Labelled:
    """Each series a little later, those left out that this does not change."""
    shifted = later(data.stored, max(1, round(NEAR * data.stored.shape[-1])))
    changed = np.flatnonzero((shifted != data.stored).reshape(len(data), -1).any(axis=1))
    return Labelled(stored=shifted[changed], labels=data.labels[changed])


def _drawn(size: int, count: int, generator: torch.Generator) -> np.ndarray:
    import torch

    numbers: np.ndarray = torch.randint(size, (count,), generator=generator).numpy()
    return numbers
