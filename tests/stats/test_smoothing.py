"""The certificate by noise on weights, against closed forms: half-spaces, where Neyman and Pearson's bound is exact."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from modelprint.stats.intervals import clopper_pearson
from modelprint.stats.smoothing import Certificate, certificate, detection_bound, most_certifiable, vote_bound


@pytest.mark.parametrize(("above", "draws"), [(0, 10), (7, 10), (10, 10), (993, 1000)])
def test_the_bound_on_p_is_that_of_clopper_and_pearson(above: int, draws: int) -> None:
    """The lower end of a two-sided interval of level .98 is the one-sided bound of confidence .99."""
    certified = certificate(above, draws, sigma=1.0)
    assert certified.p_low == pytest.approx(clopper_pearson(above, draws, level=0.98).low)
    assert (certified.radius > 0) == (certified.p_low > 0.5)


def test_half_spaces_meet_the_bound() -> None:
    """The score is one coordinate: moving straight to the threshold lowers the chance as the lemma says, not more."""
    sigma, margin = 0.3, 0.6
    p = float(stats.norm.cdf(margin / sigma))
    certified = Certificate(above=0, draws=1, confidence=0.99, p_low=p, sigma=sigma, radius=sigma * stats.norm.ppf(p))
    assert certified.radius == pytest.approx(margin)
    for distance in (0.0, 0.2, 0.6, 1.0):
        truly = float(stats.norm.cdf((margin - distance) / sigma))
        assert vote_bound(certified, distance=distance) == pytest.approx(truly)


def test_no_direction_and_no_region_breaks_the_bound() -> None:
    """A ball in place of a half-space, moved in any direction: the chance stays above what is certified."""
    draw = np.random.default_rng(0)
    sigma, dimension, inside = 0.5, 6, 2.0
    noise = sigma * draw.standard_normal((40_000, dimension))
    certified = certificate(int((np.linalg.norm(noise[:20_000], axis=1) < inside).sum()), 20_000, sigma=sigma)
    for distance in (0.2, 0.5, certified.radius):
        move = draw.standard_normal(dimension)
        moved = noise[20_000:] + distance * move / np.linalg.norm(move)
        truly = float((np.linalg.norm(moved, axis=1) < inside).mean())
        assert truly >= vote_bound(certified, distance=distance) - 3 * np.sqrt(0.25 / 20_000)


def test_a_majority_of_votes_is_binomial() -> None:
    certified = certificate(1000, 1000, sigma=0.1)
    chance = vote_bound(certified, distance=0.2)
    assert detection_bound(certified, distance=0.2, votes=3) == pytest.approx(chance**3 + 3 * chance**2 * (1 - chance))
    assert detection_bound(certified, distance=certified.radius, votes=1) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="odd"):
        detection_bound(certified, distance=0.1, votes=4)


def test_all_draws_above_certify_the_most() -> None:
    assert certificate(500, 500, sigma=0.2).radius == pytest.approx(most_certifiable(500, sigma=0.2))
    assert most_certifiable(3, sigma=1.0) == 0.0


@pytest.mark.parametrize(("above", "draws", "sigma"), [(2, 1, 1.0), (0, 0, 1.0), (1, 2, 0.0)])
def test_senseless_counts_are_refused(above: int, draws: int, sigma: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        certificate(above, draws, sigma=sigma)
    with pytest.raises(ValueError, match="at least 0"):
        vote_bound(certificate(1, 1, sigma=1.0), distance=-1.0)
