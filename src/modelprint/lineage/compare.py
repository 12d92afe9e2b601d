"""A suspect's weights compared with a source's: the way from files to a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from modelprint.lineage.alignment import descended, upward
from modelprint.lineage.figures import Products, difference, mean_likeness, own_share, products, shares_of
from modelprint.lineage.pairing import Pair, sizes_of
from modelprint.lineage.permutation import named_p_value
from modelprint.lineage.reading import Reader, named_orders
from modelprint.lineage.reference import LineageReference
from modelprint.lineage.result import How, LineageResult, WeightFigure
from modelprint.lineage.suspect_forms import SuspectForms, forms_of
from modelprint.lineage.tensors import Tensors

LEAST = 0.5  # of the source's numbers, its last layer aside, that must be compared
_SETTLED = 0.5  # likeness in the files' order from which on no other order is looked for


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Orders of channels, and what the weights are in them.

    Attributes:
        orders: by group, as of `reading.Orders`.
        products: of each pair.
    """

    orders: dict[int, Tensor]
    products: tuple[Products, ...]

    @property
    def likeness(self) -> float:
        """The mean over the pairs, each by its weight."""
        return mean_likeness(self.products)


def compare(
    reference: LineageReference,
    suspect: Tensors | SuspectForms,
    *,
    align: bool = True,
    p_value: bool = True,
    figures: bool = True,
) -> LineageResult:
    """The score of a suspect's weights, and the figure of each.

    Weights are paired by name, else by shape and position. They are compared in the order of the files, and with
    channels matched from there; where these are not alike, with channels matched from the input upward, too. The order
    in which the weights are most alike counts.

    Args:
        suspect: its tensors; as `SuspectForms` they are read once for all references that it is compared with.
        align: whether channels are matched; without, the order of the files counts.
        p_value: whether that from permuted channels is computed.
        figures: whether those of each weight are.

    Returns:
        A result whose score is None, and that says why, where less than half of the source's numbers (its last layer
        aside) have a counterpart, or the source has no part of its own.

    Raises:
        ModelError: a file that cannot be read any more.
    """
    reader = Reader(reference=reference, suspect=forms_of(suspect))
    comparable = reader.suspect.comparable(reference.layers)
    pairs = comparable.pairs
    compared = sum(pair.layer.numel for pair in pairs) / reference.numel
    if too_few(reference, pairs):
        return LineageResult(
            score=None,
            why=f"{compared:.0%} of the source's weights have a counterpart in the suspect: too few to compare",
            compared=compared,
            left_out=comparable.left_out,
            extra=comparable.extra,
        )
    named = named_p_value(reader, pairs) if p_value else None
    aligned = best_orders(reader, pairs) if align else _aligned(reader, pairs, named_orders(sizes_of(pairs)))
    reader.drop_tables()
    shares = shares_of(aligned.products)
    return LineageResult(
        score=None if shares is None else shares.source,
        why=None if shares else "the source has no part of its own: it is what the shared models make up",
        compared=compared,
        weights=tuple(
            _figure(reader, pair, product, aligned.orders)
            for pair, product in zip(pairs, aligned.products, strict=True)
        )
        if figures
        else (),
        left_out=comparable.left_out,
        extra=comparable.extra,
        shares=shares,
        named_p_value=named,
    )


def best_orders(reader: Reader, pairs: Sequence[Pair]) -> Aligned:
    """The orders of channels, of those tried, in which the weights are most alike."""
    start = named_orders(sizes_of(tuple(pairs)))
    near = _aligned(reader, pairs, descended(reader, pairs, start))
    if near.likeness >= _SETTLED:
        return near
    far = _aligned(reader, pairs, descended(reader, pairs, upward(reader, pairs, start)))
    return far if far.likeness > near.likeness else near


def _aligned(reader: Reader, pairs: Sequence[Pair], orders: dict[int, Tensor]) -> Aligned:
    return Aligned(orders=orders, products=tuple(products(reader, pair, orders) for pair in pairs))


def too_few(reference: LineageReference, pairs: Sequence[Pair]) -> bool:
    """Whether less than half of the numbers below the last layer (of all, in a net of one layer) can be compared."""
    below = [layer for layer in reference.layers if not layer.last] or list(reference.layers)
    names = {pair.layer.name for pair in pairs}
    return sum(layer.numel for layer in below if layer.name in names) < LEAST * sum(layer.numel for layer in below)


def _figure(reader: Reader, pair: Pair, product: Products, orders: dict[int, Tensor]) -> WeightFigure:
    added = difference(reader, pair, product, orders)
    return WeightFigure(
        name=pair.layer.name,
        suspect_name=pair.weight.name,
        numbers=pair.layer.numel,
        matched=product.numbers / pair.layer.numel,
        likeness=product.likeness,
        own=own_share(product),
        difference=None if added is None else added.size,
        difference_rank=None if added is None else added.rank,
        how=_how(pair, orders),
    )


def _how(pair: Pair, orders: dict[int, Tensor]) -> How:
    groups = [group for group in (pair.layer.reads, pair.layer.writes) if group is not None]
    if not groups:
        return "not aligned"
    named = named_orders({group: (len(orders[group]), len(orders[group])) for group in groups})
    return "named order" if all(bool((orders[group] == named[group]).all()) for group in groups) else "aligned"
