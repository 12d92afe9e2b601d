"""From a score to a p-value: the rank of a suspect among independent models that took no part in the fingerprint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import stats as scipy_stats


def rank_p_value(score: float, calibration: Float[np.ndarray, " n"]) -> float:
    """How often an innocent model scores this high: (1 + #{calibration >= score}) / (n + 1), never 0.

    Valid if the calibration models are exchangeable with an accused innocent model.

    >>> rank_p_value(0.9, np.array([0.1, 0.2, 0.9]))
    0.5

    Raises:
        ValueError: a score is NaN, which compares as lower than everything and would accuse.
    """
    calibration = _checked(calibration)
    if np.isnan(score):
        raise ValueError("the score is NaN: a suspect that could not be scored has no p-value")
    return float((1 + np.count_nonzero(calibration >= score)) / (len(calibration) + 1))


def threshold(calibration: Float[np.ndarray, " n"], alpha: float) -> float | None:
    """The score to exceed: the j-th largest calibration score, j = floor(alpha (n + 1)); None when j is 0.

    A score above it is the same as a rank p-value of at most alpha: j is the largest rank whose p-value j / (n + 1),
    as a float, is at most alpha.

    >>> threshold(np.linspace(0, 1, 19), 0.05)
    1.0
    >>> threshold(np.linspace(0, 1, 18), 0.05) is None
    True

    Raises:
        ValueError: a score is NaN, or alpha is not between 0 and 1.
    """
    _check_alpha(alpha)
    ordered = np.sort(_checked(calibration))
    p_values = np.arange(1, len(ordered) + 1) / (len(ordered) + 1)
    rank = int(np.searchsorted(p_values, alpha, side="right"))
    return float(ordered[-rank]) if rank else None


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """A score's rank within each kind of calibration model.

    Attributes:
        p_value: the largest over the kinds; None where no score was ranked.
        threshold: the highest over the kinds, so that a score above it is the same as a p-value of at most alpha; None
            where a kind has too few families for any p-value to be so small.
        count, n: how many families of the kind that sets the threshold (or is too small) are above it, of how many.
        sizes: families of each kind that is ranked for itself.
    """

    p_value: float | None
    threshold: float | None
    count: int
    n: int
    sizes: Mapping[str, int]


def ranked_by_kind(
    calibration: Float[np.ndarray, " n"],
    kinds: Sequence[str],
    alpha: float,
    *,
    families: Sequence[str] = (),
    score: float | None = None,
) -> Ranking:
    """Rank a score within every kind of innocent model, and let the worst rank count.

    A rank among all would hold on average over kinds in the proportions of the calibration models; within each kind,
    alpha bounds the rate of false accusations of every kind (Mondrian conformal prediction: V. Vovk, D. Lindsay,
    I. Nouretdinov, A. Gammerman, "Mondrian Confidence Machine", 2003). Scores of one family (a model, what was made
    from it, and either behind a transform) depend on each other: within a kind the highest of them stands for all.

    >>> ranked_by_kind(np.array([0.1, 0.2, 0.9]), ["a", "a", "b"], 0.5, score=0.5).p_value
    1.0
    >>> ranked_by_kind(np.array([0.1, 0.2]), ["a", "a"], 0.5, score=0.5).threshold
    0.2

    Args:
        kinds: of each calibration model.
        families: of each; none: each is its own.
        score: of the suspect; None where the threshold alone is wanted.

    Raises:
        ValueError: a score is NaN, not as many kinds as scores, or alpha is not between 0 and 1.
    """
    calibration = _checked(calibration)
    families = families or [str(place) for place in range(len(calibration))]
    if not len(kinds) == len(families) == len(calibration):
        raise ValueError(f"{len(calibration)} scores, but {len(kinds)} kinds and {len(families)} families")
    scores = {
        kind: _highest(calibration[index], [families[place] for place in index])
        for kind, index in kinds_apart(kinds, alpha, families).items()
    }
    limits = {kind: threshold(members, alpha) for kind, members in scores.items()}
    decisive = max(limits, key=lambda kind: np.inf if (limit := limits[kind]) is None else limit)
    limit = limits[decisive]
    return Ranking(
        p_value=None if score is None else max(rank_p_value(score, members) for members in scores.values()),
        threshold=limit,
        count=0 if limit is None else int((scores[decisive] > limit).sum()),
        n=len(scores[decisive]),
        sizes={kind: len(members) for kind, members in scores.items()},
    )


def _highest(scores: Float[np.ndarray, " n"], families: Sequence[str]) -> Float[np.ndarray, " f"]:
    """The highest score of each family."""
    found: dict[str, float] = {}
    for family, score in zip(families, scores.tolist(), strict=True):
        found[family] = max(score, found.get(family, -math.inf))
    return np.array(list(found.values()))


def kinds_apart(kinds: Sequence[str], alpha: float, families: Sequence[str] = ()) -> dict[str, Int[np.ndarray, " k"]]:
    """The places of each kind's models; a kind of too few families for this alpha stands with the most frequent one.

    >>> {kind: len(index) for kind, index in kinds_apart(["a"] * 30 + ["b"] * 19 + ["c"], 0.05).items()}
    {'a': 31, 'b': 19}
    """
    names, own = np.array(kinds, dtype=object), families or [str(place) for place in range(len(kinds))]
    sizes = {kind: len({own[place] for place in np.flatnonzero(names == kind).tolist()}) for kind in sorted(set(kinds))}
    most = max(sizes, key=lambda kind: sizes[kind], default="none")
    for kind, size in sizes.items():
        if size < needed_models(alpha):
            names[names == kind] = most
    return {kind: np.flatnonzero(names == kind) for kind in dict.fromkeys([most, *names.tolist()])}


def needed_models(alpha: float) -> int:
    """The fewest calibration models with which a p-value can be as small as alpha: 1/alpha - 1, rounded up.

    >>> needed_models(0.05), needed_models(0.01)
    (19, 99)

    Raises:
        ValueError: alpha is not between 0 and 1.
    """
    _check_alpha(alpha)
    count = max(0, math.floor(1 / alpha) - 2)
    while 1 / (count + 1) > alpha:
        count += 1
    return count


def upper_bound(count: int, n: int, *, level: float = 0.95) -> float:
    """The one-sided Clopper-Pearson bound: the largest rate under which so few events still happen with 1 - level.

    It holds for `count` calibration models above a threshold that these same models set, too: the rate of innocent
    models above the j-th largest of n scores is Beta(j, n - j + 1), whose quantile this is (Wilks, Ann. Math. Stat.
    1941); ties make it smaller.

    >>> round(upper_bound(0, 100), 4), round(upper_bound(0, 20), 3)
    (0.0295, 0.139)

    Raises:
        ValueError: not 0 <= count <= n with n >= 1.
    """
    if not (n >= 1 and 0 <= count <= n):
        raise ValueError(f"expected 0 <= count <= n and n >= 1, got {count} of {n}")
    if count == n:
        return 1.0
    return float(scipy_stats.beta.ppf(level, count + 1, n - count))


def _checked(calibration: np.ndarray) -> np.ndarray:
    calibration = np.asarray(calibration, dtype=np.float64)
    if np.isnan(calibration).any():
        raise ValueError(
            f"{np.isnan(calibration).sum()} of {len(calibration)} calibration scores are NaN: leave them out"
        )
    return calibration


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
