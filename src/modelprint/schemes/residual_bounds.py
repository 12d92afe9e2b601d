"""How far partial correlations can move with answers that are missing: bounds over everything they could have been.

Notation of `residual.partial_correlations`: rows z of standardised tables, the source's o, ridge r; P_j is what a ridge
regression on all rows but j leaves. Every product under P_j is a difference of smallest values of a square,

    F_j(a, b) = min_w |a z_j + b o - sum_l w_l z_l|^2 + r |w|^2,
    z_j' P_j z_j = F_j(1, 0),   o' P_j o = F_j(0, 1),   z_j' P_j o = (F_j(1, t) - F_j(1, -t)) / 4t,

and the square is a sum over inputs. Without the hidden inputs (those that the suspect did not answer) a smallest value
is no larger; with them it is no larger than at the weights w that are best without them. What these leave of a hidden
input depends on the suspect's row there: the mean and the spread over the models do, too. The largest value over all
rows of length 1 at most is bounded by Lagrange's dual, on cells of a grid in which numerator and spread are bounded by
their ends. So each bound holds for every answer that the suspect could have given, whoever chose which to leave out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from modelprint.schemes.bounds import ScoreBounds

CELLS = 32  # of the grid over a number of the suspect's row, which lies in [-1, 1]
PRICES = np.concatenate([[0.0], np.geomspace(0.03, 300.0, 13)])  # of Lagrange's dual: any of them gives a bound
AT_ONCE = 2**22  # numbers in memory
NOTHING = 1e-12


def partial_correlation_bounds(
    tables: Float[np.ndarray, "m n c"],
    own: Float[np.ndarray, "n c"],
    hidden: Bool[np.ndarray, " n"],
    *,
    suspect: int,
    ridge: float,
    floor: float,
) -> ScoreBounds:
    """Bounds of `partial_correlations`, where the suspect's rows of some inputs are not known.

    Args:
        tables: of all models; the suspect's rows of hidden inputs are not read.
        hidden: mask of these; one input or more is known.
        suspect: the place of its table.
        ridge, floor: as of `partial_correlations`.
    """
    seen = tables[:, ~hidden]
    mean, scale = seen.mean(axis=0), seen.std(axis=0) + floor
    standard = ((seen - mean) / scale).reshape(len(tables), -1)
    source = ((own[~hidden] - mean) / scale).ravel()
    gram = standard @ standard.T
    missing = _Hidden.of(tables[:, hidden], own[hidden], suspect=suspect, floor=floor)
    low_trace, high_trace = (float(np.trace(gram)) + share for share in missing.trace)
    r, most = (ridge * max(trace / len(gram), NOTHING) for trace in (low_trace, high_trace))
    inverse = np.linalg.inv(gram + r * np.eye(len(gram)))
    products = standard @ source
    fitted, diagonal = inverse @ products, np.diag(inverse)
    low, high = np.empty(len(tables)), np.empty(len(tables))
    for j in range(len(tables)):
        # weights of all rows but j, for z_j and for o; what they leave
        of_row = -inverse[:, j] / diagonal[j]
        of_row[j] = 0.0
        of_source = fitted - inverse[:, j] * (fitted[j] / diagonal[j])
        of_source[j] = 0.0
        theirs = max(1 / diagonal[j] - r, 0.0)
        ours = max(float(source @ source - products @ fitted) + fitted[j] ** 2 / diagonal[j], 0.0)
        shared = fitted[j] / diagonal[j]
        t = float(np.sqrt(max(theirs, NOTHING) / max(ours, NOTHING)))
        pairs = np.array([(1.0, 0.0), (0.0, 1.0), (1.0, t), (1.0, -t)])
        weights = pairs[:, :1] * of_row + pairs[:, 1:] * of_source
        more = (most - r) * (weights**2).sum(axis=1) + missing.largest(j, pairs, weights)
        below, above = shared - more[3] / (4 * t), shared + more[2] / (4 * t)
        least, greatest = theirs * ours, (theirs + more[0]) * (ours + more[1])
        low[j] = _ratio(below, greatest if below > 0 else least)
        high[j] = _ratio(above, least if above > 0 else greatest)
    return ScoreBounds(low=low, high=high)


def _ratio(product: float, squares: float) -> float:
    """A product over the root of the product of two squares, between -1 and 1."""
    length = float(np.sqrt(max(squares, 0.0)))
    if length <= NOTHING:
        return float(np.sign(product))
    return float(np.clip(product / length, -1.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class _Hidden:
    """The hidden inputs, with their numbers in rows of h = k * classes.

    Attributes:
        others: of all models; 0 in the suspect's row.
        total: the sum over the other models.
        ends: of the cells, (cells + 1,).
        spread: the least of each cell, floor included, (cells, h).
        trace: the least and the most that these inputs add to the trace of Z Z'.
    """

    others: Float[np.ndarray, "m h"]
    own: Float[np.ndarray, " h"]
    inputs: int
    suspect: int
    total: Float[np.ndarray, " h"]
    ends: Float[np.ndarray, " e"]
    spread: Float[np.ndarray, "e h"]
    trace: tuple[float, float]

    @classmethod
    def of(
        cls, tables: Float[np.ndarray, "m k c"], own: Float[np.ndarray, "k c"], *, suspect: int, floor: float
    ) -> _Hidden:
        others = tables.reshape(len(tables), -1).astype(np.float64)
        others[suspect] = 0.0
        m, total, squares = len(others), others.sum(axis=0), (others**2).sum(axis=0)
        ends = np.linspace(-1.0, 1.0, CELLS + 1)
        lowest = np.clip(total / (m - 1), -1.0, 1.0)  # where the spread is least

        def spread(x: np.ndarray) -> np.ndarray:
            variance = (squares + x**2) / m - ((total + x) / m) ** 2
            root: np.ndarray = np.sqrt(np.maximum(variance, 0.0))
            return root

        at_ends = spread(ends[:, None])
        inside = (ends[:-1, None] <= lowest) & (lowest <= ends[1:, None])
        least = np.where(inside, spread(lowest[None]), np.minimum(at_ends[:-1], at_ends[1:]))
        narrowest, widest = spread(lowest), at_ends[[0, -1]].max(axis=0)
        return cls(
            others=others,
            own=own.ravel(),
            inputs=len(own),
            suspect=suspect,
            total=total,
            ends=ends,
            spread=least + floor,
            trace=tuple(m * float(((each / (each + floor)) ** 2).sum()) for each in (narrowest, widest)),  # type: ignore[arg-type]
        )

    def largest(
        self, j: int, pairs: Float[np.ndarray, "p 2"], weights: Float[np.ndarray, "p m"]
    ) -> Float[np.ndarray, " p"]:
        """The most that weights can leave of these inputs, for each pair (a, b), whatever the suspect's rows are."""
        if not self.inputs:
            return np.zeros(len(pairs))
        rows = -weights
        rows[:, j] += pairs[:, 0]
        of_mean = rows.sum(axis=1) + pairs[:, 1]  # what the mean counts
        m = len(self.others)
        constant = rows @ self.others + pairs[:, 1:] * self.own - of_mean[:, None] * self.total / m  # (p, h)
        slope = rows[:, self.suspect] - of_mean / m
        ends = np.abs(constant[:, None] + slope[:, None, None] * self.ends[None, :, None])  # (p, e, h)
        cells = (np.maximum(ends[:, :-1], ends[:, 1:]) / self.spread) ** 2
        length = np.minimum(np.abs(self.ends[:-1]), np.abs(self.ends[1:])) ** 2  # the least square in it
        length[(self.ends[:-1] <= 0) & (self.ends[1:] >= 0)] = 0.0
        by_input = cells.reshape(len(pairs), len(length), self.inputs, -1)
        step = max(1, AT_ONCE // (len(PRICES) * by_input[:, :, 0].size))
        best = np.zeros(len(pairs))
        for start in range(0, self.inputs, step):
            part = by_input[:, :, start : start + step]
            priced = part - PRICES[:, None, None, None, None] * length[:, None, None]  # (prices, p, e, k, c)
            bound = PRICES[:, None, None] + priced.max(axis=2).sum(axis=-1)
            best += bound.min(axis=0).sum(axis=1)  # of each input the price that bounds it best
        return best
