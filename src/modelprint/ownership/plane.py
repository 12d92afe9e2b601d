"""A planar slice of input space, to show two models' decision regions side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int

from modelprint.core.batches import images_at_once
from modelprint.core.suspect import Answers

SIDE = 41
MARGIN = 0.35
_VALUES = 2**23  # numbers of a grid that is made at once: 3 x 32 x 32 images are, 3 x 224 x 224 are not


def anchors(queries: np.ndarray, group: np.ndarray, source: Answers) -> np.ndarray:
    """Three queries of the first group to lay a plane through: its first one, and two of other classes, far apart.

    Returns:
        (3, c, h, w) in the queries' own type.
    """
    members = np.flatnonzero(group == group[0])
    flat = queries[members].reshape(len(members), -1).astype(np.float32)
    first = 0
    distance = np.linalg.norm(flat - flat[first], axis=1)
    other = source.labels[members] != source.labels[members[first]]
    second = int(np.argmax(distance * (1 + other)))
    along = (flat[second] - flat[first]) / max(float(distance[second]), 1e-9)
    offset = flat - flat[first]
    across = np.linalg.norm(offset - np.outer(offset @ along, along), axis=1)
    third = int(np.argmax(across))
    return queries[members[[first, second, third]]]


def grid(points: np.ndarray, *, side: int = SIDE) -> Float[np.ndarray, "k k c h w"]:
    """Images on a grid over the plane through three points, clipped to [0, 1].

    The axes are orthonormal (Gram-Schmidt), so that distances in the picture are distances between images.

    >>> grid(np.zeros((3, 1, 2, 2), np.uint8), side=3).shape
    (3, 3, 1, 2, 2)
    """
    unit = points.astype(np.float32) / (255.0 if points.dtype == np.uint8 else 1.0)
    return np.stack(list(_rows(unit, side)))


def labels_on(points: np.ndarray, ask: Callable[[np.ndarray], np.ndarray]) -> Int[np.ndarray, "k k"]:
    """The labels that a model gives the images of the grid; large images are made and asked a row at a time.

    Args:
        ask: from float images (n, c, h, w) to labels (n,).
    """
    unit = points.astype(np.float32) / (255.0 if points.dtype == np.uint8 else 1.0)
    if images_at_once(points.shape[1:], most=SIDE * SIDE, values=_VALUES) >= SIDE * SIDE:
        images = np.stack(list(_rows(unit, SIDE)))
        return ask(images.reshape(SIDE * SIDE, *points.shape[1:])).reshape(SIDE, SIDE)
    return np.stack([ask(row) for row in _rows(unit, SIDE)])


def _rows(unit: Float[np.ndarray, "3 c h w"], side: int) -> Iterator[Float[np.ndarray, "k c h w"]]:
    """The rows of the grid, each of `side` images."""
    origin, second, third = unit.reshape(3, -1)
    u = second - origin
    length = float(np.linalg.norm(u))
    u = u / max(length, 1e-9)
    v = third - origin
    along = float(v @ u)
    v = v - along * u
    height = float(np.linalg.norm(v))
    v = v / max(height, 1e-9)
    reach = max(length, height, 1e-3)
    left, right = min(0.0, along) - MARGIN * reach, max(length, along) + MARGIN * reach
    bottom, top = -MARGIN * reach, height + MARGIN * reach
    extent = max(right - left, top - bottom)
    xs = np.linspace(0, extent, side, dtype=np.float32) + (left + right - extent) / 2
    ys = np.linspace(0, extent, side, dtype=np.float32) + (bottom + top - extent) / 2
    for y in ys:
        images = origin + y * v + xs[:, None] * u
        yield np.clip(images, 0.0, 1.0).reshape(side, *unit.shape[1:]).astype(np.float32)
