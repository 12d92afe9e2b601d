"""The figures of pairs, and of all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.lineage.forms import dot, largest
from modelprint.lineage.low_rank import Difference, difference_of
from modelprint.lineage.pairing import Pair
from modelprint.lineage.reading import Orders, Reader, arranged
from modelprint.lineage.result import Shares

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
    """

    numbers: int
    likeness: float
    own: float
    own_size: float
    shared: float
    shared_size: float

    @property
    def weight(self) -> float:
        """What the pair counts for: the square root of its numbers, so that no large layer settles it alone."""
        return float(self.numbers**0.5)


def products(reader: Reader, pair: Pair, orders: Orders) -> Products:
    """The products of one pair; all 0 where no channel has a counterpart.

    Raises:
        UnreadableError: the suspect's weight cannot be compared.
    """
    filed = reader.balanced(pair)
    theirs = arranged(filed, pair, orders, scratch=reader.suspect.scratch)
    ours = reader.sources.form(pair.layer)
    own = reader.sources.own(pair.layer) if reader.reference.manifest.shared else ours
    if filed.shape == ours.shape and reader.suspect.is_full(pair):  # each channel has a counterpart that is not zero
        numbers, size = theirs.numel(), reader.sources.size(pair.layer)
    else:
        rows, columns = (largest(theirs, axis=axis) > 0 for axis in (0, 1))
        numbers = int(rows.sum()) * int(columns.sum()) * theirs.shape[2]
        if numbers < theirs.numel():
            present = rows[:, None, None] & columns[None, :, None]
            ours, own = ours * present, own * present
        size = dot(ours, ours) ** 0.5
    their_size = dot(theirs, theirs) ** 0.5
    if size == 0 or their_size == 0:
        return Products(numbers=0, likeness=0.0, own=0.0, own_size=0.0, shared=0.0, shared_size=0.0)
    likeness = dot(ours, theirs) / (size * their_size)
    if own is ours:
        return Products(numbers=numbers, likeness=likeness, own=likeness, own_size=1.0, shared=0.0, shared_size=0.0)
    rest = ours - own
    return Products(
        numbers=numbers,
        likeness=likeness,
        own=dot(own, theirs) / (size * their_size),
        own_size=dot(own, own) / size**2,
        shared=dot(rest, theirs) / (size * their_size),
        shared_size=dot(rest, rest) / size**2,
    )


def difference(reader: Reader, pair: Pair, product: Products, orders: Orders) -> Difference | None:
    """What was added to the source's weight; None unless both are alike.

    In the source's own scales what was added keeps its rank; where channels were rescaled, balanced weights are closer.
    """
    if product.likeness < ALIKE:
        return None
    ours = reader.sources.form(pair.layer)
    rows, columns = reader.reference.factors(pair.layer)
    plain = arranged(reader.plain(pair), pair, orders)
    scaled = (plain * rows[:, None, None]).mul_(columns[None, :, None]).sub_(ours)
    even = arranged(reader.balanced(pair), pair, orders) - ours
    return difference_of(ours.flatten(1), min(scaled, even, key=lambda added: float(added.norm())).flatten(1))


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
