"""What a vote over noisy weights certifies: a radius within which every copy is found, and with which chance.

Let a model's weights w get noise from N(0, sigma^2 I), and let p(w) be the chance that the noisy model's score lies
above a threshold. For every w' with |w' - w| <= R,

    p(w') >= Phi(Phi^-1(p(w)) - R / sigma),

by the lemma of J. Neyman and E. S. Pearson (1933), as J. Cohen, E. Rosenfeld, J. Z. Kolter, "Certified Adversarial
Robustness via Randomized Smoothing", ICML 2019, use it for inputs. p(w) is not known: from N draws it is at least the
one-sided bound of Clopper and Pearson.

Differs from the paper: the noise is on weights, and what is bounded is one vote, "the score lies above the threshold",
in place of a class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special, stats

MAJORITY = 0.5


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What N draws round the source's weights show.

    Attributes:
        above, draws: how many noisy models score above the threshold, of how many.
        confidence: that the bound on p holds, over the draws.
        p_low: the chance of a vote above the threshold at the source, at least.
        sigma: standard deviation of the noise, in the units in which distances are measured.
        radius: within it more than half of the votes are expected to lie above the threshold; 0: nothing is certified.
    """

    above: int
    draws: int
    confidence: float
    p_low: float
    sigma: float
    radius: float


def certificate(above: int, draws: int, *, sigma: float, confidence: float = 0.99) -> Certificate:
    """The radius that a count of votes certifies: sigma Phi^-1(p_low), 0 where p_low is at most a half.

    >>> certified = certificate(1000, 1000, sigma=0.1)
    >>> round(certified.p_low, 4), round(certified.radius, 4)
    (0.9954, 0.2605)

    Raises:
        ValueError: not 0 <= above <= draws with a draw or more, sigma not above 0, or confidence outside (0, 1).
    """
    if not (draws >= 1 and 0 <= above <= draws):
        raise ValueError(f"expected 0 <= above <= draws and draws >= 1, got {above} of {draws}")
    if not sigma > 0 or not 0 < confidence < 1:
        raise ValueError(f"expected sigma above 0 and confidence in (0, 1), got {sigma} and {confidence}")
    low = 0.0 if above == 0 else float(special.betaincinv(above, draws - above + 1, 1 - confidence))
    radius = sigma * float(special.ndtri(low)) if low > MAJORITY else 0.0
    return Certificate(above=above, draws=draws, confidence=confidence, p_low=low, sigma=sigma, radius=radius)


def vote_bound(certified: Certificate, *, distance: float) -> float:
    """The least chance of a vote above the threshold for weights at a distance from the source's.

    >>> certified = certificate(1000, 1000, sigma=0.1)
    >>> round(vote_bound(certified, distance=0.0), 4), round(vote_bound(certified, distance=certified.radius), 4)
    (0.9954, 0.5)

    Raises:
        ValueError: the distance is negative.
    """
    if not distance >= 0:
        raise ValueError(f"a distance is at least 0, got {distance}")
    return float(special.ndtr(special.ndtri(certified.p_low) - distance / certified.sigma))


def detection_bound(certified: Certificate, *, distance: float, votes: int) -> float:
    """The least chance that the median score of so many noisy copies lies above the threshold.

    With an odd number of votes the median lies above it where more than half of them do.

    >>> certified = certificate(1000, 1000, sigma=0.1)
    >>> round(detection_bound(certified, distance=0.1, votes=25), 4)
    1.0

    Raises:
        ValueError: the number of votes is not odd, or the distance is negative.
    """
    if votes < 1 or votes % 2 == 0:
        raise ValueError(f"expected an odd number of votes, got {votes}")
    chance = vote_bound(certified, distance=distance)
    return float(stats.binom.sf(votes // 2, votes, chance))


def most_certifiable(draws: int, *, sigma: float, confidence: float = 0.99) -> float:
    """The radius where every draw is above the threshold: no experiment with so many draws certifies more.

    >>> round(most_certifiable(100_000, sigma=1.0), 3)
    3.911
    """
    if draws < 1:
        raise ValueError(f"expected a draw or more, got {draws}")
    low = math.exp(math.log1p(-confidence) / draws)
    return sigma * max(0.0, float(special.ndtri(low)))
