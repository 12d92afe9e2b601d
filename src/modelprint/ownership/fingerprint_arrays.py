"""Whether the tensors of a fingerprint fit its manifest and each other, which a right hash does not say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from modelprint.core.suspect import UNANSWERED
from modelprint.modalities.base import InputSpec

STATE = "state."


def check_arrays(
    arrays: Mapping[str, np.ndarray], *, spec: InputSpec, codec: np.dtype[np.generic], models: int
) -> None:
    """Nothing, if the arrays can be those of a fingerprint.

    Args:
        spec: what models of the task take.
        codec: the type of stored queries.
        models: how many calibration models there are.

    Raises:
        ValueError: the first misfit.
        KeyError: an array is missing.
    """
    queries = arrays["queries"]
    if not queries.ndim or queries.shape[1:] != spec.shape or queries.dtype != codec:
        raise ValueError(f"queries are {queries.dtype} {queries.shape}, the manifest says {codec} {spec.shape} each")
    n, classes = len(queries), spec.classes
    if not n:
        raise ValueError("it holds no queries")
    _check_labels(arrays, "true_labels", (n,), classes, least=UNANSWERED)
    _check_labels(arrays, "source.labels", (n,), classes, least=0)
    _check_scores(arrays, "source.scores", (n, classes))
    if np.isnan(arrays.get("source.scores", np.zeros(0))).any():
        raise ValueError("source.scores holds NaN")
    if models:
        _check_labels(arrays, "calibration.labels", (models, n), classes, least=UNANSWERED)
        _check_scores(arrays, "calibration.scores", (models, n, classes))
    if "plane.anchors" in arrays:
        anchors = arrays["plane.anchors"]
        _check_labels(arrays, "plane.labels", arrays["plane.labels"].shape, classes, least=0)
        sides = arrays["plane.labels"].shape
        if anchors.shape != (3, *spec.shape) or len(sides) != 2 or sides[0] != sides[1] or not sides[0]:
            raise ValueError(f"plane.anchors and plane.labels have shapes {anchors.shape} and {sides}")
        if anchors.dtype.kind not in "uif" or not np.isfinite(anchors).all():
            raise ValueError(f"plane.anchors is {anchors.dtype}, or not finite")
    elif "plane.labels" in arrays:
        raise ValueError("plane.labels stands without plane.anchors")


def _check_labels(
    arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], classes: int, *, least: int
) -> None:
    labels = arrays[name]
    if labels.shape != shape:
        raise ValueError(f"{name} has shape {labels.shape}, {shape} were expected")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{name} is {labels.dtype}, class numbers were expected")
    low, high = (int(labels.min(initial=0)), int(labels.max(initial=0)))
    if low < least or high >= classes:
        raise ValueError(f"{name} runs from {low} to {high}, there are {classes} classes")


def _check_scores(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> None:
    scores = arrays.get(name)
    if scores is None:
        return
    if scores.shape != shape:
        raise ValueError(f"{name} has shape {scores.shape}, {shape} were expected")
    if scores.dtype.kind != "f" or np.isinf(scores).any():
        raise ValueError(f"{name} is {scores.dtype}, or infinite")
