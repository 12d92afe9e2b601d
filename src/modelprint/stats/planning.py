"""How many calibration models, and queries, an error rate and a power need: exact formulas, no simulation.

A suspect is called derived where at most j - 1 of n calibration models of each kind score at least as high, j =
floor(alpha (n + 1)). Let u be the chance that an independent model scores at least as high as a given derived one.
Whether one calibration model does is a coin with chance u, so that

    power = mean over derived models of P(Binomial(n, u) <= j - 1)^kinds.

An effect says how u is distributed over derived models: by a stated separation, by rates of agreement, or by what
verdicts on copies counted. docs/theory.md has the proof.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from modelprint.stats.calibration import accepted_rank, needed_models, upper_bound

MOST_RANK = 200  # of a plan: more calibration models gain next to nothing
QUERIES = (10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000)  # numbers that a plan tries
_REACH, _POINTS = 9.0, 4001  # of the trapezoid rule, in standard deviations: the error is below 1e-9


@dataclass(frozen=True, kw_only=True)
class Chances:
    """The distribution over derived models of u, the chance that an independent model scores at least as high.

    Attributes:
        u: values.
        share: of derived models that have each; they sum to 1.
    """

    u: Float[np.ndarray, " k"]
    share: Float[np.ndarray, " k"]


class Effect(ABC):
    """How far derived models lie above independent ones."""

    @abstractmethod
    def power(self, models: int, rank: int, *, kinds: int) -> float:
        """The chance that a derived model is among the highest `rank` beside so many models of each kind."""

    @abstractmethod
    def limit(self, alpha: float) -> float:
        """The power with calibration models without end: the share of derived models with u below alpha."""


class _Binomial(Effect):
    """An effect that is a distribution of u."""

    @property
    @abstractmethod
    def chances(self) -> Chances:
        """The distribution."""

    def power(self, models: int, rank: int, *, kinds: int) -> float:
        """The mean of P(Binomial(n, u) <= rank - 1)^kinds."""
        if rank < 1:
            return 0.0
        few = special.bdtr(rank - 1, models, self.chances.u)
        return float(np.clip(self.chances.share @ few**kinds, 0.0, 1.0))

    def limit(self, alpha: float) -> float:
        """The share with u below alpha."""
        return float(np.clip(self.chances.share @ (self.chances.u < alpha), 0.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class Separation(_Binomial):
    """Scores of independent models are normal (0, 1), those of derived ones normal (distance, spread).

    Attributes:
        distance: of the means, in standard deviations of independent models.
        spread: standard deviation of derived models, in the same units.
    """

    distance: float
    spread: float = 1.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.distance) or not 0 < self.spread < np.inf:
            raise ValueError(f"expected a finite distance and a spread above 0, got {self.distance}, {self.spread}")

    @classmethod
    def of_auc(cls, auc: float, *, spread: float = 1.0) -> Separation:
        """The distance that has this AUC: sqrt(1 + spread^2) Phi^-1(AUC).

        >>> round(Separation.of_auc(0.9214).distance, 3)
        2.0

        Raises:
            ValueError: not 0 < AUC < 1.
        """
        if not 0 < auc < 1:
            raise ValueError(f"AUC must lie between 0 and 1, got {auc}: of 1, no number of models can be planned")
        return cls(distance=float(np.sqrt(1 + spread**2) * special.ndtri(auc)), spread=spread)

    @cached_property
    def chances(self) -> Chances:
        """By the trapezoid rule, which converges faster than any power for such integrands."""
        z = np.linspace(-_REACH, _REACH, _POINTS)
        share = stats.norm.pdf(z) * (z[1] - z[0])
        return Chances(u=special.ndtr(-(self.distance + self.spread * z)), share=share)

    def limit(self, alpha: float) -> float:
        """Phi((distance - z) / spread), z the upper alpha quantile."""
        return float(special.ndtr((self.distance + special.ndtri(alpha)) / self.spread))


@dataclass(frozen=True, kw_only=True)
class Agreement(_Binomial):
    """A score that counts how many of some queries are answered as the source answers them.

    Counts are beta-binomial: models of one kind differ in their rate of agreement.

    Attributes:
        derived, independent: the mean rate of each.
        queries: how many are asked.
        correlation: of two answers of one model beyond its kind's mean, 0 (all models alike) to below 1.
    """

    derived: float
    independent: float
    queries: int
    correlation: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.independent < 1 or not 0 < self.derived < 1:
            raise ValueError(f"rates must lie between 0 and 1, got {self.derived} and {self.independent}")
        if self.queries < 1 or not 0 <= self.correlation < 1:
            raise ValueError(f"expected a query and a correlation in [0, 1), got {self.queries}, {self.correlation}")

    @cached_property
    def chances(self) -> Chances:
        """One value of u for each count; ties count against the suspect."""
        counts = np.arange(self.queries + 1)
        return Chances(
            u=np.clip(self._law(self.independent).sf(counts - 1), 0.0, 1.0), share=self._law(self.derived).pmf(counts)
        )

    def _law(self, rate: float) -> stats.rv_discrete:
        if self.correlation == 0:
            return stats.binom(self.queries, rate)
        size = 1 / self.correlation - 1
        return stats.betabinom(self.queries, rate * size, (1 - rate) * size)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a verdict on one copy counted in one kind: so many of the calibration models scored at least as high."""

    above: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.above <= self.of or not self.of:
            raise ValueError(f"expected 0 <= above <= of and of >= 1, got {self.above} of {self.of}")


@dataclass(frozen=True, kw_only=True)
class Measured(Effect):
    """What verdicts on copies counted, kind by kind.

    Up to as many calibration models as there are, the power is that of drawing so many of them without replacement
    (hypergeometric): its mean over draws is the power that others of the same kind would have. Beyond, the chance u of
    each copy is not known; it counts with its upper 95 % bound, so that the power is a cautious one.

    Attributes:
        copies: of each copy, the counts in each kind.
    """

    copies: Sequence[Sequence[Counts]]

    def __post_init__(self) -> None:
        if not self.copies or not all(self.copies):
            raise ValueError("expected one copy or more, each ranked in one kind or more")

    @property
    def least(self) -> int:
        """Families of the smallest kind."""
        return min(one.of for kinds in self.copies for one in kinds)

    def power(self, models: int, rank: int, *, kinds: int) -> float:
        """The mean over copies of the product over their kinds; `kinds` has no part in it."""
        if rank < 1:
            return 0.0
        return float(np.mean([np.prod([_few(one, models, rank) for one in ranked]) for ranked in self.copies]))

    def limit(self, alpha: float) -> float:
        """The share of copies that less than a share alpha of the models of each kind reach, as they were counted."""
        return float(np.mean([all(one.above < alpha * one.of for one in ranked) for ranked in self.copies]))


def _few(counts: Counts, models: int, rank: int) -> float:
    """The chance that fewer than `rank` of so many models score at least as high as the copy."""
    if models <= counts.of:
        return float(stats.hypergeom.cdf(rank - 1, counts.of, counts.above, models))
    return float(special.bdtr(rank - 1, models, upper_bound(counts.above, counts.of)))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number of calibration models of each kind, and what it gives.

    Attributes:
        models: of each kind.
        rank: j: a suspect must be among the j highest.
        rate: of false positives, j / (n + 1), without ties.
        rate_upper: what that rate is at most for given calibration models, in 95 % of their draws.
        power: None where no effect was stated.
    """

    models: int
    rank: int
    rate: float
    rate_upper: float
    power: float | None


def row(models: int, alpha: float, effect: Effect | None, *, kinds: int = 1) -> Row:
    """What so many calibration models of each kind give.

    >>> one = row(99, 0.05, Separation(distance=3.0))
    >>> one.rank, one.rate, round(one.power, 3)
    (5, 0.05, 0.901)
    """
    rank = accepted_rank(models, alpha)
    return Row(
        models=models,
        rank=rank,
        rate=rank / (models + 1),
        rate_upper=upper_bound(rank - 1, models) if rank else 0.0,
        power=None if effect is None else effect.power(models, rank, kinds=kinds),
    )


def candidate_models(alpha: float, rank: int) -> int:
    """The fewest models whose accepted rank is this one: ceil(rank / alpha) - 1, corrected for floats.

    Between two of these the threshold's rank stays and power only falls.

    >>> [candidate_models(0.05, rank) for rank in (1, 2, 3)]
    [19, 39, 59]
    """
    count = max(needed_models(alpha), int(rank / alpha) - 2)
    while accepted_rank(count, alpha) < rank:
        count += 1
    return count


def least_models(alpha: float, power: float, effect: Effect, *, kinds: int = 1) -> int | None:
    """The fewest calibration models of each kind with this power; None where up to `MOST_RANK` ranks do not reach it.

    >>> least_models(0.05, 0.9, Separation(distance=3.0))
    99

    Raises:
        ValueError: alpha or power is not between 0 and 1, or no kind.
    """
    if not 0 < power < 1 or kinds < 1:
        raise ValueError(f"expected power between 0 and 1 and a kind or more, got {power} and {kinds}")
    for rank in range(1, MOST_RANK + 1):
        models = candidate_models(alpha, rank)
        if effect.power(models, accepted_rank(models, alpha), kinds=kinds) >= power:
            return models
    return None
