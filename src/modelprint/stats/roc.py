"""How well scores tell derived models from independent ones; higher scores mean more likely derived, everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, kw_only=True)
class RocCurve:
    """One point per threshold, from none accused to all accused.

    Attributes:
        fpr: share of independent models with a score of at least the threshold, rising from 0 to 1.
        tpr: share of derived models with a score of at least the threshold.
        thresholds: falling, the first infinite.
    """

    fpr: Float[np.ndarray, " t"]
    tpr: Float[np.ndarray, " t"]
    thresholds: Float[np.ndarray, " t"]


def auc(derived: Float[np.ndarray, " d"], independent: Float[np.ndarray, " i"]) -> float:
    """The chance that a derived model scores above an independent one; ties count half.

    >>> auc(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
    0.875

    Raises:
        ValueError: no models on one side, or NaN scores.
    """
    derived, independent = _checked(derived, independent)
    ordered = np.sort(independent)
    below = np.searchsorted(ordered, derived, side="left")
    not_above = np.searchsorted(ordered, derived, side="right")
    return float((below + not_above).sum() / (2 * len(derived) * len(independent)))


def roc_curve(derived: Float[np.ndarray, " d"], independent: Float[np.ndarray, " i"]) -> RocCurve:
    """Both rates at every score that occurs.

    >>> curve = roc_curve(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
    >>> curve.fpr.tolist(), curve.tpr.tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0])

    Raises:
        ValueError: no models on one side, or NaN scores.
    """
    derived, independent = _checked(derived, independent)
    thresholds = np.concatenate([[np.inf], np.unique(np.concatenate([derived, independent]))[::-1]])
    return RocCurve(
        fpr=_share_from(independent, thresholds), tpr=_share_from(derived, thresholds), thresholds=thresholds
    )


def tpr_at_fpr(derived: Float[np.ndarray, " d"], independent: Float[np.ndarray, " i"], *, fpr: float) -> float:
    """The largest share of derived models found while at most `fpr` of the independent ones are accused.

    With fewer than 1 / fpr independent models this is the share found at no false positive.

    >>> tpr_at_fpr(np.array([0.9, 0.5]), np.array([0.5, 0.1]), fpr=0.1)
    0.5

    Raises:
        ValueError: no models on one side, NaN scores, or a rate outside [0, 1].
    """
    if not 0 <= fpr <= 1:
        raise ValueError(f"fpr must lie in [0, 1], got {fpr}")
    curve = roc_curve(derived, independent)
    return float(curve.tpr[curve.fpr <= fpr].max())


def f1_at(derived: Float[np.ndarray, " d"], independent: Float[np.ndarray, " i"], *, threshold: float) -> float:
    """F1 of "derived if the score is above the threshold", as a verdict decides.

    >>> round(f1_at(np.array([0.9, 0.5]), np.array([0.5, 0.1]), threshold=0.4), 3)
    0.8

    Raises:
        ValueError: no models on one side, or NaN scores.
    """
    derived, independent = _checked(derived, independent)
    hits, false = np.count_nonzero(derived > threshold), np.count_nonzero(independent > threshold)
    return float(2 * hits / (hits + false + len(derived)))


def best_f1(derived: Float[np.ndarray, " d"], independent: Float[np.ndarray, " i"]) -> float:
    """The largest F1 over all thresholds: chosen on the scores it is measured on, so flattering.

    >>> best_f1(np.array([0.9, 0.5]), np.array([0.4, 0.1]))
    1.0

    Raises:
        ValueError: no models on one side, or NaN scores.
    """
    curve = roc_curve(derived, independent)
    hits, false = curve.tpr * len(derived), curve.fpr * len(independent)
    return float((2 * hits / (hits + false + len(derived))).max())


def _share_from(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The share of scores that reach each threshold."""
    reach = len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")
    share: np.ndarray = reach / len(scores)  # one division: 1 of 100 is the same float as 0.01
    return share


def _checked(derived: np.ndarray, independent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for who, scores in (("derived", derived), ("independent", independent)):
        if np.ndim(scores) != 1 or not np.size(scores):
            raise ValueError(f"expected the scores of one {who} model or more, got shape {np.shape(scores)}")
        if np.isnan(scores).any():
            raise ValueError(
                f"{np.isnan(scores).sum()} of {len(scores)} {who} scores are NaN: leave unscored models out"
            )
    return np.asarray(derived, dtype=np.float64), np.asarray(independent, dtype=np.float64)
