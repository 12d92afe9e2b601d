"""The claim as the paper of the UAP fingerprints states it: a two-sample test over the views of one suspect.

B. L. Welch, "The generalization of 'Student's' problem when several different population variances are involved",
Biometrika 1947. Views of one model are not independent draws: they share the model, and so does what makes an innocent
model more alike than others. This test therefore overstates its confidence; the verdict uses the rank of a suspect
among independent models (`calibration`), which does not.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import special


def welch_p_value(suspect: Float[np.ndarray, " m"], independent: Float[np.ndarray, " k"]) -> float:
    """The one-sided p-value that the mean of one sample is above that of another, whatever their variances.

    Samples without any variance differ surely (0), or do not (1 when below or equal).

    >>> round(welch_p_value(np.array([0.9, 0.8, 0.95]), np.array([0.1, 0.3, 0.2, 0.4])), 5)
    0.00026

    Raises:
        ValueError: fewer than two values on a side, or NaN.
    """
    for who, values in (("suspect", suspect), ("independent", independent)):
        if len(values) < 2 or np.isnan(values).any():
            raise ValueError(f"expected two {who} similarities or more, and no NaN, got {len(values)}")
    above = float(np.mean(suspect) - np.mean(independent))
    shares = np.var(suspect, ddof=1) / len(suspect), np.var(independent, ddof=1) / len(independent)
    variance = float(sum(shares))
    if variance == 0:
        return 0.0 if above > 0 else 1.0
    freedom = variance**2 / (shares[0] ** 2 / (len(suspect) - 1) + shares[1] ** 2 / (len(independent) - 1))
    return float(special.stdtr(freedom, -above / variance**0.5))


def claimed_confidence(suspect: Float[np.ndarray, " m"], independent: Float[np.ndarray, " k"]) -> float:
    """1 minus the p-value of Welch's test over views: what the paper calls the confidence; not a rate of errors.

    >>> round(claimed_confidence(np.array([0.9, 0.8, 0.95]), np.array([0.1, 0.3, 0.2, 0.4])), 4)
    0.9997
    """
    return 1 - welch_p_value(suspect, independent)


def confidence_by_count(
    suspect: Float[np.ndarray, " m"], independent: Float[np.ndarray, "models m"], counts: tuple[int, ...]
) -> Float[np.ndarray, " counts"]:
    """The claimed confidence with the first so many views, against those views of all calibration models pooled.

    With one view the suspect has no variance of its own, and takes that of the calibration models: Welch's statistic
    becomes the distance from their mean in their standard deviations.

    Raises:
        ValueError: a count outside 1 .. m, fewer than two calibration models, or NaN.
    """
    views = independent.shape[1]
    if len(independent) < 2 or not all(1 <= count <= views for count in counts):
        raise ValueError(f"expected two models or more and counts from 1 to {views}, got {len(independent)}, {counts}")
    return np.array(
        [
            _one_view(suspect[0], independent[:, 0])
            if count == 1
            else claimed_confidence(suspect[:count], independent[:, :count].reshape(-1))
            for count in counts
        ]
    )


def _one_view(value: float, independent: np.ndarray) -> float:
    spread, n = np.std(independent, ddof=1), len(independent)
    if spread == 0:
        return 1.0 if value > np.mean(independent) else 0.0
    return float(special.stdtr(n - 1, (value - np.mean(independent)) / (spread * (1 + 1 / n) ** 0.5)))
