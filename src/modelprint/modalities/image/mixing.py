"""New images from labelled ones: mirrored, and cut out of two.

S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe, Y. Yoo, "CutMix: Regularization Strategy to Train Strong Classifiers with
Localizable Features", ICCV 2019, section 3.2.

Differs from the paper: the two images are of different classes, and the label is the class of the larger part, where
the paper trains on both in proportion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from modelprint.core.batches import images_at_once
from modelprint.modalities.base import Labelled

if TYPE_CHECKING:
    import torch

BLOCK = 2**22  # numbers of the images that are mixed at once


def mirrored(data: Labelled) -> Labelled:
    """The images, left and right swapped."""
    return Labelled(stored=np.ascontiguousarray(data.stored[..., ::-1]), labels=data.labels)


def cutmix(data: Labelled, count: int, *, generator: torch.Generator, block: int | None = None) -> Labelled:
    """Images with a box of another image of another class pasted in; the share outside it is uniform, its place, too.

    Args:
        block: the most numbers that are mixed at once; it bounds the memory, and changes no image.

    Raises:
        ValueError: all images are of one class.
    """
    import torch

    if len(np.unique(data.labels)) < 2:
        raise ValueError("expected images of two classes or more")
    below = _drawn(len(data), count, generator)
    above = _drawn(len(data), count, generator)
    while len(same := np.flatnonzero(data.labels[below] == data.labels[above])):
        above[same] = _drawn(len(data), len(same), generator)
    height, width = data.stored.shape[-2:]
    share = torch.rand(count, generator=generator).numpy()  # lambda, by Beta(1, 1)
    side = np.sqrt(1 - share)
    centre = torch.rand(2, count, generator=generator).numpy()
    mixed = np.empty((count, *data.stored.shape[1:]), dtype=data.stored.dtype)
    mostly_above = np.zeros(count, dtype=bool)
    together = images_at_once(data.stored.shape[1:], most=max(1, count), values=block or BLOCK)
    for start in range(0, count, together):
        part = slice(start, start + together)
        inside = (
            _within(height, centre[0, part] * height, side[part] * height)[:, :, None]
            & _within(width, centre[1, part] * width, side[part] * width)[:, None]
        )
        mixed[part] = np.where(inside[:, None], data.stored[above[part]], data.stored[below[part]])
        mostly_above[part] = inside.reshape(len(inside), -1).mean(axis=1) > 0.5
    return Labelled(stored=mixed, labels=np.where(mostly_above, data.labels[above], data.labels[below]))


def _within(size: int, centre: np.ndarray, side: np.ndarray) -> Bool[np.ndarray, "n size"]:
    """Which pixels of a row lie in a stretch of that length around a centre; what sticks out is cut off."""
    middle = np.arange(size)[None] + 0.5
    within: np.ndarray = np.abs(middle - centre[:, None]) <= side[:, None] / 2
    return within


def _drawn(size: int, count: int, generator: torch.Generator) -> np.ndarray:
    import torch

    numbers: np.ndarray = torch.randint(size, (count,), generator=generator).numpy()
    return numbers
