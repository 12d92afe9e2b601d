"""Power by formula, against what exchangeability gives in closed form, all subsets, and other libraries' integrals."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import integrate, stats

from modelprint.stats.calibration import accepted_rank, needed_models, rank_p_value
from modelprint.stats.planning import (
    Agreement,
    Counts,
    Measured,
    Separation,
    candidate_models,
    least_models,
    row,
)


@pytest.mark.parametrize("models", [19, 38, 39, 99, 400])
def test_a_copy_like_all_others_has_the_power_of_the_rate(models: int) -> None:
    """Suspect and calibration models of one law: each rank is as likely, whatever the law is."""
    rank = accepted_rank(models, 0.05)
    assert Separation(distance=0.0).power(models, rank, kinds=1) == pytest.approx(rank / (models + 1), abs=1e-9)


@pytest.mark.parametrize("kinds", [1, 2, 3])
def test_the_highest_of_all_kinds_is_one_of_all(kinds: int) -> None:
    """Rank 1 in each kind, of one law: the suspect is the highest of K n + 1."""
    assert Separation(distance=0.0).power(19, 1, kinds=kinds) == pytest.approx(1 / (19 * kinds + 1), abs=1e-9)


@pytest.mark.parametrize(("distance", "spread", "models", "rank"), [(2.0, 1.0, 39, 2), (3.5, 0.4, 99, 1)])
def test_a_separation_is_the_integral_over_the_thresholds(
    distance: float, spread: float, models: int, rank: int
) -> None:
    """The other way round: over the law of the threshold, the rank-th largest of n normal scores."""

    def share_above(share: float) -> float:
        threshold = stats.norm.isf(share)
        return float(stats.norm.sf(threshold, distance, spread) * stats.beta.pdf(share, rank, models - rank + 1))

    expected, _ = integrate.quad(share_above, 0.0, 1.0, points=[0.001, 0.01, 0.1], limit=500)
    power = Separation(distance=distance, spread=spread).power(models, rank, kinds=1)
    assert power == pytest.approx(expected, abs=1e-6)


def test_an_auc_is_that_of_its_separation() -> None:
    effect = Separation.of_auc(0.97, spread=2.0)
    assert stats.norm.cdf(effect.distance / np.sqrt(5.0)) == pytest.approx(0.97)
    with pytest.raises(ValueError, match="AUC"):
        Separation.of_auc(1.0)


def test_more_models_come_near_to_the_limit() -> None:
    effect = Separation(distance=3.0)
    powers = [effect.power(models, accepted_rank(models, 0.05), kinds=1) for models in (19, 99, 999, 9999)]
    assert powers == sorted(powers)
    assert powers[-1] < effect.limit(0.05)
    assert powers[-1] == pytest.approx(effect.limit(0.05), abs=1e-3)


@pytest.mark.parametrize("correlation", [0.0, 0.1])
def test_agreement_counts_every_pair_of_counts(correlation: float) -> None:
    """Three calibration models and a copy, 4 queries, ties against the suspect: all outcomes, one by one."""
    effect = Agreement(derived=0.8, independent=0.4, queries=4, correlation=correlation)
    size = np.inf if correlation == 0 else 1 / correlation - 1
    counts = np.arange(5)
    copy, other = (
        stats.binom.pmf(counts, 4, rate)
        if correlation == 0
        else stats.betabinom.pmf(counts, 4, rate * size, (1 - rate) * size)
        for rate in (0.8, 0.4)
    )
    expected = 0.0
    for own in counts:
        for one in np.ndindex(5, 5, 5):
            if rank_p_value(float(own), np.array(one, dtype=float)) <= 0.25:
                expected += copy[own] * np.prod(other[list(one)])
    assert effect.power(3, accepted_rank(3, 0.25), kinds=1) == pytest.approx(expected)


def test_verdicts_are_counted_as_all_subsets_count() -> None:
    """A copy that 2 of 8 models reach: of all choices of 5, those with at most one of the two."""
    effect = Measured(copies=[[Counts(above=2, of=8)]])
    chosen = list(combinations(range(8), 5))
    expected = np.mean([sum(place < 2 for place in one) <= 1 for one in chosen])
    assert effect.power(5, 2, kinds=1) == pytest.approx(expected)


def test_verdicts_promise_nothing_beyond_what_they_counted() -> None:
    effect = Measured(copies=[[Counts(above=0, of=20)]])
    assert effect.power(19, 1, kinds=1) == 1.0
    assert effect.power(99, 1, kinds=1) < 0.01
    assert effect.limit(0.01) == 1.0


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.03, 0.001])
def test_candidates_are_the_fewest_of_their_rank(alpha: float) -> None:
    for rank in (1, 2, 7):
        models = candidate_models(alpha, rank)
        assert accepted_rank(models, alpha) == rank
        assert accepted_rank(models - 1, alpha) == rank - 1
    assert candidate_models(alpha, 1) == needed_models(alpha)


def test_least_models_is_the_first_that_reaches_the_power() -> None:
    effect = Separation(distance=3.0)
    models = least_models(0.05, 0.9, effect)
    assert models is not None
    reached = [n for n in range(1, models + 1) if (row(n, 0.05, effect).power or 0) >= 0.9]
    assert reached == [models]
    assert least_models(0.05, 0.99, effect) is None
    with pytest.raises(ValueError, match="power"):
        least_models(0.05, 1.0, effect)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Separation(distance=np.nan),
        lambda: Separation(distance=1.0, spread=0.0),
        lambda: Agreement(derived=1.0, independent=0.5, queries=10),
        lambda: Agreement(derived=0.9, independent=0.5, queries=0),
        lambda: Counts(above=3, of=2),
        lambda: Measured(copies=[]),
    ],
)
def test_senseless_effects_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"expected|must"):
        wrong()  # type: ignore[operator]
