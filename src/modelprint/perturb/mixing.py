"""New images from labelled ones: mirrored, and cut out of two.

S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe, Y. Yoo, "CutMix: Regularization Strategy to Train Strong Classifiers with
Localizable Features", ICCV 2019, section 3.2.

Differs from the paper: the two images are of different classes, and the label is the class of the larger part, where
the paper trains on both in proportion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8

ROUNDS = 20  # of making candidates, before less than was wanted must do


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """8-bit images, and their labels."""

    images: UInt8[np.ndarray, "n c h w"]
    labels: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> Labelled:
        """Some of them."""
        return Labelled(images=self.images[index], labels=self.labels[index])

    def joined(self, other: Labelled) -> Labelled:
        """These, then those."""
        return Labelled(
            images=np.concatenate([self.images, other.images]), labels=np.concatenate([self.labels, other.labels])
        )


def mirrored(data: Labelled) -> Labelled:
    """The images, left and right swapped."""
    return Labelled(images=np.ascontiguousarray(data.images[..., ::-1]), labels=data.labels)


def cutmix(data: Labelled, count: int, *, generator: torch.Generator) -> Labelled:
    """Images with a box of another image of another class pasted in; the share outside it is uniform, its place, too.

    Raises:
        ValueError: all images are of one class.
    """
    if len(np.unique(data.labels)) < 2:
        raise ValueError("expected images of two classes or more")
    below = _drawn(len(data), count, generator)
    above = _drawn(len(data), count, generator)
    while len(same := np.flatnonzero(data.labels[below] == data.labels[above])):
        above[same] = _drawn(len(data), len(same), generator)
    height, width = data.images.shape[-2:]
    share = torch.rand(count, generator=generator).numpy()  # lambda, by Beta(1, 1)
    side = np.sqrt(1 - share)
    centre = torch.rand(2, count, generator=generator).numpy()
    inside = (
        _within(height, centre[0] * height, side * height)[:, :, None]
        & _within(width, centre[1] * width, side * width)[:, None]
    )
    images = np.where(inside[:, None], data.images[above], data.images[below])
    mostly_above = inside.reshape(count, -1).mean(axis=1) > 0.5
    return Labelled(images=images, labels=np.where(mostly_above, data.labels[above], data.labels[below]))


def topped_up(
    found: Labelled,
    wanted: int,
    data: Labelled,
    *,
    accepts: Callable[[Labelled], Bool[np.ndarray, " n"]],
    generator: torch.Generator,
) -> Labelled:
    """At most `wanted` images: those found, their mirror images, then CutMix of the data, if they are accepted."""
    if len(found) >= wanted:
        return found.take(np.arange(wanted))
    if len(found):
        turned = mirrored(found)
        new = (turned.images != found.images).reshape(len(found), -1).any(axis=1)
        turned = turned.take(np.flatnonzero(new & accepts(turned)))
        found = found.joined(turned.take(np.arange(min(len(turned), wanted - len(found)))))
    for _ in range(ROUNDS):
        missing = wanted - len(found)
        if not missing:
            break
        mixed = cutmix(data, max(64, 2 * missing), generator=generator)
        found = found.joined(mixed.take(np.flatnonzero(accepts(mixed))[:missing]))
    return found


def _within(size: int, centre: np.ndarray, side: np.ndarray) -> Bool[np.ndarray, "n size"]:
    """Which pixels of a row lie in a stretch of that length around a centre; what sticks out is cut off."""
    middle = np.arange(size)[None] + 0.5
    within: np.ndarray = np.abs(middle - centre[:, None]) <= side[:, None] / 2
    return within


def _drawn(size: int, count: int, generator: torch.Generator) -> np.ndarray:
    numbers: np.ndarray = torch.randint(size, (count,), generator=generator).numpy()
    return numbers
