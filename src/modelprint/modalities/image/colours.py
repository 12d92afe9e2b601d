"""Grey images for models that take colours, and the other way round."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from modelprint.core.errors import MisfitError

OTHER_CHANNELS = {1: 3, 3: 1}
_LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue: ITU-R BT.601, as image libraries have it


def recoloured(images: Shaped[np.ndarray, "n c h w"], channels: int) -> Shaped[np.ndarray, "n c2 h w"]:
    """Images of 1 or 3 channels, in the type that they had; 8-bit ones are rounded again.

    Grey is repeated; of colours the luma is taken.

    >>> recoloured(np.array([[[[10]], [[20]], [[30]]]], np.uint8), 1).tolist()
    [[[[18]]]]
    >>> recoloured(np.array([[[[7]]]], np.uint8), 3).ravel().tolist()
    [7, 7, 7]

    Raises:
        MisfitError: images that are neither grey nor red, green and blue.
    """
    if images.shape[1] == channels:
        return images
    if OTHER_CHANNELS.get(images.shape[1]) != channels:
        raise MisfitError(f"images of {images.shape[1]} channels cannot be given {channels}: expected 1 or 3")
    if channels == 3:
        return np.repeat(images, 3, axis=1)
    grey = np.tensordot(images.astype(np.float64), _LUMA, axes=(1, 0))[:, None]
    return (np.rint(grey) if images.dtype.kind == "u" else grey).astype(images.dtype)
