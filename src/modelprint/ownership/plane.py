"""A planar slice of input space, to show two models' decision regions side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int

from modelprint.core.batches import images_at_once
from modelprint.core.suspect import Answers
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.space import Box

SIDE = 41
MARGIN = 0.35
_VALUES = 2**23  # numbers of a grid that is made at once: images of 3 x 32 x 32 are, of 3 x 224 x 224 not


def anchors(queries: np.ndarray, group: np.ndarray, source: Answers) -> np.ndarray:
    """Three queries of the first group to lay a plane through: its first one, and two of other classes, far apart.

    Returns:
        (3, ...) in the queries' own type.
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


def grid(points: np.ndarray, *, side: int = SIDE, modality: Modality = IMAGE) -> Float[np.ndarray, "k k ..."]:
    """Inputs on a grid over the plane through three, kept in their space.

    The axes are orthonormal (Gram-Schmidt), so that distances in the picture are distances between inputs.

    >>> grid(np.zeros((3, 1, 2, 2), np.float32), side=3).shape
    (3, 3, 1, 2, 2)
    """
    return np.stack(list(_rows(modality.as_points(points), side, modality.box)))


def labels_on(
    points: np.ndarray, ask: Callable[[np.ndarray], np.ndarray], *, modality: Modality
) -> Int[np.ndarray, "k k"]:
    """The labels that a model gives the inputs of the grid; large inputs are made and asked a row at a time.

    Args:
        ask: from points (n, ...) to labels (n,).
    """
    start, box = modality.as_points(points), modality.box
    if images_at_once(points.shape[1:], most=SIDE * SIDE, values=_VALUES) >= SIDE * SIDE:
        inputs = np.stack(list(_rows(start, SIDE, box)))
        return ask(inputs.reshape(SIDE * SIDE, *points.shape[1:])).reshape(SIDE, SIDE)
    return np.stack([ask(row) for row in _rows(start, SIDE, box)])


def _rows(start: Float[np.ndarray, "3 ..."], side: int, box: Box) -> Iterator[Float[np.ndarray, "k ..."]]:
    """The rows of the grid, each of `side` inputs."""
    origin, second, third = start.reshape(3, -1)
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
        inputs = origin + y * v + xs[:, None] * u
        yield np.clip(inputs, box.low, box.high).reshape(side, *start.shape[1:]).astype(np.float32)
