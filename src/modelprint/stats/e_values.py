"""Evidence against independence as a ratio: the suspect's share of what exchangeable models show together.

An e-value is a number of at least 0 whose mean is at most 1 where the null hypothesis is true, so that it reaches
1 / alpha with a chance of at most alpha (V. Vovk, R. Wang, "E-values: calibration, combination and applications",
Annals of Statistics 49, 2021). Here the null hypothesis is that suspect and calibration models of a kind are
exchangeable, and

    E = (n + 1) M_0 / (M_0 + ... + M_n),    M_i = f(everything that model i answered),

for one function f >= 0, chosen without looking at who is the suspect. E is at most n + 1. Values of several looks at
one path do not multiply: the same calibration models stand in all of them. docs/theory.md has the proofs.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from modelprint.stats.calibration import family_counts, needed_models


def e_value(own: float, others: Float[np.ndarray, " n"]) -> float:
    """(n + 1) times the suspect's share of the sum over all models; 1 where all are 0.

    >>> e_value(2.0, np.array([1.0, 0.0, 0.0, 1.0]))
    2.5

    Raises:
        ValueError: a value is negative, infinite or NaN.
    """
    others = np.asarray(others, dtype=np.float64)
    values = np.append(others, own)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"expected finite values of at least 0, got {values[~(np.isfinite(values) & (values >= 0))]}")
    largest = float(values.max())
    if largest == 0:
        return 1.0
    shares = values / largest  # the ratio stays, and the sum cannot overflow
    return float(len(values) * shares[-1] / shares.sum())


def tempered(scores: Float[np.ndarray, ...], *, rate: float) -> Float[np.ndarray, ...]:
    """exp(rate x score) for scores in nats, relative to the largest of them, so that nothing overflows.

    Dividing all values by one number leaves every e-value as it is.

    >>> tempered(np.array([0.0, 2.0]), rate=0.5).round(4).tolist()
    [0.3679, 1.0]

    Raises:
        ValueError: the rate is not above 0.
    """
    if not rate > 0:
        raise ValueError(f"rate must be above 0, got {rate}")
    scores = np.asarray(scores, dtype=np.float64)
    values: np.ndarray = np.exp(rate * (scores - scores.max()))
    return values


def e_value_by_kind(
    own: float,
    others: Float[np.ndarray, " n"],
    kinds: Sequence[Hashable],
    *,
    families: Sequence[str] = (),
    alpha: float,
) -> float | None:
    """The smallest e-value over the kinds of calibration model that have families enough for alpha; None without one.

    Of each family the largest value counts. The result is an e-value for a suspect of any such kind, as it is no
    larger than that of its own kind.

    >>> e_value_by_kind(9.0, np.array([0.5, 0.5, 4.5, 0.0]), ["a", "a", "b", "b"], alpha=0.4)
    2.0

    Args:
        families: of each model; none: each is its own.

    Raises:
        ValueError: as `e_value`; or alpha is not between 0 and 1.
    """
    names = list(families) or [str(place) for place in range(len(others))]
    need = needed_models(alpha)
    values = []
    for kind, count in family_counts(kinds, names).items():
        if count >= need:
            largest: dict[str, float] = {}
            for value, one, family in zip(np.asarray(others).tolist(), kinds, names, strict=True):
                if one == kind:
                    largest[family] = max(value, largest.get(family, 0.0))
            values.append(e_value(own, np.array(list(largest.values()))))
    return min(values) if values else None


def bounds_on_the_way(
    path: Float[np.ndarray, " looks"], others: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " looks"]:
    """What the e-value of a path's highest point is at least, known after each look.

    The highest point so far only rises, and E rises with it while the calibration models' values, of their whole
    paths, stay: asking may end as soon as a bound reaches 1 / alpha, and nothing is lost or gained by that.

    >>> bounds_on_the_way(np.array([1.0, 0.5, 3.0]), np.array([1.0, 0.0])).tolist()
    [1.5, 1.5, 2.25]

    Args:
        path: values of at least 0 of the suspect, one for each look.
        others: the highest point of each calibration model's whole path.
    """
    highest = np.maximum.accumulate(np.asarray(path, dtype=np.float64))
    return np.array([e_value(float(value), others) for value in highest])


def average(e_values: Sequence[float] | Float[Any, " k"]) -> float:
    """The mean of e-values of one null hypothesis, an e-value however they depend on each other.

    >>> average([1.0, 4.0])
    2.5

    Raises:
        ValueError: none is given, or one is negative or no number.
    """
    values = np.asarray(e_values, dtype=np.float64)
    if not len(values) or not (values >= 0).all():
        raise ValueError(f"expected one e-value or more, each at least 0, got {values.tolist()}")
    return float(values.mean())
