"""From a score to a p-value: the rank of a suspect among independent models that took no part in the fingerprint."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import special


def rank_p_value(score: float, calibration: Float[np.ndarray, " n"]) -> float:
    """How often an independent model scores this high: (1 + #{calibration >= score}) / (n + 1), never 0.

    Valid if the calibration models are exchangeable with an independent suspect.

    >>> rank_p_value(0.9, np.array([0.1, 0.2, 0.9]))
    0.5

    Raises:
        ValueError: a score is NaN, which compares as lower than everything and would say "derived".
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
    ordered = np.sort(_checked(calibration))
    rank = accepted_rank(len(ordered), alpha)
    return float(ordered[-rank]) if rank else None


def accepted_rank(count: int, alpha: float) -> int:
    """The largest rank j whose p-value j / (n + 1), as a float, is at most alpha; 0 where there is none.

    >>> accepted_rank(19, 0.05), accepted_rank(18, 0.05), accepted_rank(199, 0.05)
    (1, 0, 10)

    Raises:
        ValueError: alpha is not between 0 and 1.
    """
    _check_alpha(alpha)
    p_values = np.arange(1, count + 1) / (count + 1)
    return int(np.searchsorted(p_values, alpha, side="right"))


@dataclass(frozen=True, kw_only=True)
class KindRank:
    """A score's rank within one kind of calibration model.

    Attributes:
        n: families of the kind.
        p_value: None where no score was ranked.
        covered: whether the families are enough for a p-value of alpha.
        pooled_with: the kind that it was pooled with, where it was.
    """

    kind: Hashable
    n: int
    p_value: float | None
    covered: bool
    pooled_with: Hashable | None = None


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """A score's rank within each kind of calibration model.

    Attributes:
        p_value: the largest over the covered kinds (over all, where none is covered); None where no score was ranked.
        threshold: the highest over the covered kinds, so that a score above it is the same as a p-value of at most
            alpha; None where no kind is covered.
        count, n: how many families of the kind that sets the threshold are above it, of how many; where no kind is
            covered, n is the size of the largest.
        sizes: families of each kind that the p-value rests on, what was pooled with it included.
        kinds: the rank within every kind, in the order of their names.
    """

    p_value: float | None
    threshold: float | None
    count: int
    n: int
    sizes: Mapping[Hashable, int]
    kinds: tuple[KindRank, ...]


def ranked_by_kind(
    calibration: Float[np.ndarray, " n"],
    kinds: Sequence[Hashable],
    alpha: float,
    *,
    families: Sequence[str] = (),
    score: float | None = None,
    pool: bool = False,
) -> Ranking:
    """Rank a score within every kind of independent model, and let the worst rank count.

    A rank among all would hold on average over kinds in the proportions of the calibration models; within each kind,
    alpha bounds the false positive rate of that kind (Mondrian conformal prediction: V. Vovk, D. Lindsay,
    I. Nouretdinov, A. Gammerman, "Mondrian Confidence Machine", 2003). Scores of one family (a model, what was made
    from it, and either behind a transform) depend on each other: within a kind the highest of them stands for all.
    A kind of too few families for this alpha is not covered: the result says nothing about it.

    >>> ranked_by_kind(np.array([0.1, 0.2, 0.9]), ["a", "a", "b"], 0.5, score=0.5).p_value
    1.0
    >>> ranked_by_kind(np.array([0.1, 0.2]), ["a", "a"], 0.5, score=0.5).threshold
    0.2

    Args:
        kinds: of each calibration model; their text orders them.
        families: of each; none: each is its own.
        score: of the suspect; None where the threshold alone is wanted.
        pool: a kind that is not covered stands with the most frequent one.

    Raises:
        ValueError: a score is NaN, not as many kinds as scores, or alpha is not between 0 and 1.
    """
    calibration = _checked(calibration)
    families = families or [str(place) for place in range(len(calibration))]
    if not len(kinds) == len(families) == len(calibration):
        raise ValueError(f"{len(calibration)} scores, but {len(kinds)} kinds and {len(families)} families")
    own = family_counts(kinds, families)
    need = needed_models(alpha)
    together = _together(own, need, pool=pool)
    places = kinds_apart([together[kind] for kind in kinds], first=max(own, key=own.__getitem__, default=None))
    scores = {
        kind: _highest(calibration[index], [families[place] for place in index]) for kind, index in places.items()
    }
    covered = {kind: members for kind, members in scores.items() if len(members) >= need}
    limits = {kind: threshold(members, alpha) for kind, members in covered.items()}
    decisive = max(limits, key=lambda kind: -np.inf if (limit := limits[kind]) is None else limit, default=None)
    limit = None if decisive is None else limits[decisive]
    p_values = {kind: None if score is None else rank_p_value(score, members) for kind, members in scores.items()}
    resting = covered or scores
    ranks = [value for kind in resting if (value := p_values[kind]) is not None]
    return Ranking(
        p_value=max(ranks) if ranks else (None if score is None else 1.0),
        threshold=limit,
        count=0 if limit is None else int((scores[decisive] > limit).sum()),
        n=max(map(len, scores.values()), default=0) if decisive is None else len(scores[decisive]),
        sizes={kind: len(members) for kind, members in resting.items()},
        kinds=tuple(
            KindRank(
                kind=kind,
                n=own[kind],
                p_value=p_values[together[kind]],
                covered=together[kind] in covered,
                pooled_with=None if together[kind] == kind else together[kind],
            )
            for kind in own
        ),
    )


def family_counts(kinds: Sequence[Hashable], families: Sequence[str]) -> dict[Hashable, int]:
    """How many families each kind has, in the order of the kinds' names.

    >>> family_counts(["b", "a", "b"], ["x", "y", "x"])
    {'a': 1, 'b': 1}
    """
    members: dict[Hashable, set[str]] = {kind: set() for kind in sorted(set(kinds), key=str)}
    for kind, family in zip(kinds, families, strict=True):
        members[kind].add(family)
    return {kind: len(names) for kind, names in members.items()}


def _together(counts: Mapping[Hashable, int], need: int, *, pool: bool) -> dict[Hashable, Hashable]:
    """The kind that each kind stands with: itself, or where it is pooled the most frequent one."""
    most = max(counts, key=counts.__getitem__, default=None)
    return {kind: most if pool and count < need else kind for kind, count in counts.items()}


def kinds_apart(kinds: Sequence[Hashable], *, first: Hashable | None) -> dict[Hashable, Int[np.ndarray, " k"]]:
    """The places of each kind's models: `first`, then the other kinds as they come.

    >>> {kind: index.tolist() for kind, index in kinds_apart(["a", "b", "b"], first="b").items()}
    {'b': [1, 2], 'a': [0]}
    """
    places: dict[Hashable, list[int]] = {kind: [] for kind in dict.fromkeys([first, *kinds] if kinds else [])}
    for place, kind in enumerate(kinds):
        places[kind].append(place)
    return {kind: np.array(index, dtype=np.int64) for kind, index in places.items()}


def _highest(scores: Float[np.ndarray, " n"], families: Sequence[str]) -> Float[np.ndarray, " f"]:
    """The highest score of each family."""
    highest: dict[str, float] = {}
    for family, score in zip(families, scores.tolist(), strict=True):
        highest[family] = max(score, highest.get(family, -math.inf))
    return np.array(list(highest.values()))


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

    It holds for `count` calibration models above a threshold that these same models set, too: the rate of independent
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
    return float(special.betaincinv(count + 1, n - count, level))


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
