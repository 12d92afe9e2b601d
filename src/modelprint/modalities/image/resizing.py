"""Images of another size, for models that take one: bilinear, antialiased, the same for every model."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from modelprint.core.batches import images_at_once
from modelprint.core.errors import DataError
from modelprint.modalities.image.storage import LEVELS, STORED

BLOCK = 2**22  # numbers of the larger images that are made at once


def resized(images: Shaped[np.ndarray, "n c h1 w1"], size: tuple[int, int]) -> Shaped[np.ndarray, "n c h2 w2"]:
    """Images of (height, width), in the type that they had; 8-bit ones are rounded again.

    Images of that size already stay as they are.

    >>> resized(np.full((1, 1, 4, 4), 7, np.uint8), (2, 3)).tolist()
    [[[[7, 7, 7], [7, 7, 7]]]]

    Raises:
        DataError: not images, or a side below one pixel.
    """
    import torch
    from torch.nn import functional

    if images.ndim != 4 or min(size) < 1:
        raise DataError(
            f"expected images (n, channels, height, width) and sides of at least 1, got {images.shape}, {size}"
        )
    if images.shape[2:] == tuple(size):
        return images
    result = np.empty((*images.shape[:2], *size), dtype=images.dtype)
    together = images_at_once(
        (images.shape[1], *np.maximum(images.shape[2:], size)), most=max(1, len(images)), values=BLOCK
    )
    for start in range(0, len(images), together):
        part = slice(start, start + together)
        block = torch.from_numpy(np.ascontiguousarray(images[part])).float()
        block = functional.interpolate(block, tuple(size), mode="bilinear", antialias=True)
        if images.dtype == STORED:
            block = block.round_().clamp_(0, LEVELS)
        result[part] = block.numpy()
    return result
