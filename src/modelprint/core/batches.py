"""How many inputs a model gets at once: many small ones, few large ones, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Sequence

FORWARD_VALUES = 2**22  # numbers of one forward pass: 27 images of 3 x 224 x 224, any batch of 3 x 32 x 32 up to 1,365
GRADIENT_VALUES = 2**20  # of one forward and backward pass, which keeps every layer's outputs: 6 such images


def images_at_once(shape: Sequence[int], *, most: int, values: int = FORWARD_VALUES) -> int:
    """The number of inputs of a shape that go through a model together, at least 1.

    >>> images_at_once((3, 32, 32), most=512), images_at_once((3, 224, 224), most=512)
    (512, 27)

    Args:
        most: never more than this.
        values: the most numbers that all of them may hold.
    """
    size = 1
    for side in shape:
        size *= max(1, side)
    return max(1, min(most, values // size))
