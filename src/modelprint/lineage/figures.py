"""The figures of pairs, and of all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modelprint.lineage.low_rank import Difference, difference_of
from modelprint.lineage.pairing import Pair
from modelprint.lineage.reading import Orders, Reader, arranged
from modelprint.lineage.result import Shares
from modelprint.lineage.weights import UnreadableError

ALIKE = 0.5  # likeness from which on the difference is looked at
_NOTHING = 1e-4  # of a weight's square: an own part below it is none


@dataclass(frozen=True, kw_only=True)
class Products:
    """Inner products of one pair, over the numbers that have a counterpart, both weights brought to length 1.

    Attributes:
        numbers: that have a counterpart.
        likeness: of the source and the suspect.
        own: of the source's own part and the suspect; `own_size` of that part with itself.
        shared: of the rest of the source and the suspect; `shared_size` of that rest with itself.
        difference: None unless it was looked at.
    """

    numbers: int
    likeness: float
    own: float
    own_size: float
    shared: float
    shared_size: float
    difference: Difference | None = None

    @property
    def weight(self) -> float:
        """What the pair counts for: the square root of its numbers, so that no large layer settles it alone."""
        return float(self.numbers**0.5)


def products(reader: Reader, pair: Pair, orders: Orders, *, differences: bool = False) -> Products:
    """The products of one pair.

    Raises:
        UnreadableError: the suspect's weight cannot be compared.
    """
    theirs = arranged(reader.balanced(pair), pair, orders)
    ours, own = reader.source(pair), reader.reference.own(pair.layer)
    rows, columns = theirs.abs().amax((1, 2)) > 0, theirs.abs().amax((0, 2)) > 0
    numbers = int(rows.sum()) * int(columns.sum()) * theirs.shape[2]
    if numbers < theirs.numel() or theirs.shape != ours.shape:
        present = rows[:, None, None] & columns[None, :, None]
        ours, own = ours * present, own * present
    size, their_size = float(ours.norm()), float(theirs.norm())
    if size == 0 or their_size == 0:
        raise UnreadableError("no channel of it has a counterpart")
    ours, own, theirs = ours / size, own / size, theirs / their_size
    rest = ours - own
    likeness = float((ours * theirs).sum())
    difference = None
    if differences and likeness >= ALIKE:
        added = difference_of(*_in_own_scales(reader, pair, orders))
        apart = difference_of(ours.flatten(1), theirs.flatten(1))
        difference = min(added, apart, key=lambda each: each.size)  # the second where channels were rescaled
    return Products(
        numbers=numbers,
        likeness=likeness,
        own=float((own * theirs).sum()),
        own_size=float(own.square().sum()),
        shared=float((rest * theirs).sum()),
        shared_size=float(rest.square().sum()),
        difference=difference,
    )


def own_share(product: Products) -> float | None:
    """The coefficient of the source's own part in one weight; None where there is none."""
    return product.own / product.own_size if product.own_size > _NOTHING else None


def mean_likeness(every: Sequence[Products]) -> float:
    """The mean likeness, each pair by its weight; 0 without pairs."""
    total = sum(product.weight for product in every)
    return sum(product.weight * product.likeness for product in every) / total if total else 0.0


def shares_of(every: Sequence[Products]) -> Shares | None:
    """The least-squares coefficients over all weights; None where the source has no own part in them.

    The source's own part and the rest of it are orthogonal, so that each coefficient is a ratio of two sums.
    """
    total = sum(product.weight for product in every)
    own_size = sum(product.weight * product.own_size for product in every)
    shared_size = sum(product.weight * product.shared_size for product in every)
    if not total or own_size < _NOTHING * total:
        return None
    source = sum(product.weight * product.own for product in every) / own_size
    shared = None
    explained = source**2 * own_size
    if shared_size > _NOTHING * total:
        shared = sum(product.weight * product.shared for product in every) / shared_size
        explained += shared**2 * shared_size
    return Shares(source=source, shared=shared, rest=min(1.0, max(0.0, 1 - explained / total)))


def _in_own_scales(reader: Reader, pair: Pair, orders: Orders) -> tuple[torch.Tensor, torch.Tensor]:
    """Source and suspect, balanced by the factors of the source alone: what was added keeps its rank."""
    rows, columns = reader.reference.factors(pair.layer)
    plain = arranged(reader.plain(pair), pair, orders)
    return reader.source(pair).flatten(1), (plain * rows[:, None, None] * columns[None, :, None]).flatten(1)
