"""Views of points: the same places of logit space, seen through different inputs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from modelprint.core.errors import FingerprintError


def views_of_points(
    logits: Float[np.ndarray, "images classes"], *, points: int, views: int, seed: int
) -> Int[np.ndarray, "views points"]:
    """Numbers of images: one of each k-means cluster of the logits, and its nearest neighbours, itself the first.

    Args:
        points: clusters, n.
        views: neighbours, m.
        seed: of k-means, and of the choice within each cluster.

    Raises:
        FingerprintError: fewer distinct images than points, or fewer images than views.
    """
    from sklearn.cluster import KMeans

    distinct = len(np.unique(logits, axis=0))
    if distinct < points or len(logits) < views:
        raise FingerprintError(
            f"{len(logits)} inputs of the training data with {distinct} distinct outputs do not make {views} views of "
            f"{points} points: name more --train-data, or set points and views lower"
        )
    generator = np.random.default_rng(seed)
    clusters = KMeans(points, n_init=1, random_state=seed).fit(logits).labels_
    chosen = [int(generator.choice(np.flatnonzero(clusters == cluster))) for cluster in range(points)]
    return np.stack([_nearest(logits, point, views) for point in chosen], axis=1)


def _nearest(logits: np.ndarray, point: int, count: int) -> np.ndarray:
    squares = ((logits - logits[point]) ** 2).sum(1)
    squares[point] = -1.0  # itself first, before equals
    near = np.argpartition(squares, count - 1)[:count]
    ordered: np.ndarray = near[np.argsort(squares[near], kind="stable")]
    return ordered
