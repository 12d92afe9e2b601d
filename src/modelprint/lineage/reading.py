"""A pair of weights, read and brought into one form: the source's as kept, the suspect's balanced and arranged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from torch import Tensor

from modelprint.lineage.forms import Form, balanced
from modelprint.lineage.pairing import Pair
from modelprint.lineage.reference import LineageReference
from modelprint.lineage.tensors import Tensors
from modelprint.lineage.weights import read_form

Orders = Mapping[int, Int[Tensor, " channels"]]  # by group: the suspect's channel for each of the source's, -1 for none
KEPT = 2**27  # numbers of a suspect that stay in memory, balanced, in single precision
SOURCE_KEPT = 2**22  # numbers of a source, likewise: of a small one all, which is read often
TABLES_KEPT = 3 * 2**24  # numbers of tables of likenesses, which the p-value and the first matching share
TableKey = tuple[int, tuple[tuple[str, int], ...]]  # a group, and the weights that touch it, each with its axis


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads pairs. The first weights stay in memory: half a gibibyte of the suspect's, 16 mebibytes of the source's."""

    reference: LineageReference
    suspect: Tensors
    _kept: dict[str, Form] = field(default_factory=dict, repr=False)
    _source: dict[str, Form] = field(default_factory=dict, repr=False)
    _tables: dict[TableKey, Tensor] = field(default_factory=dict, repr=False)

    def stored(self, pair: Pair) -> Form:
        """The source's form, balanced, as it is kept: in half or in single precision."""
        kept = self._source.get(pair.layer.name)
        return self.reference.stored(pair.layer) if kept is None else kept

    def source(self, pair: Pair) -> Form:
        """The source's form, balanced."""
        kept = self._source.get(pair.layer.name)
        if kept is not None:
            return kept
        form = self.reference.form(pair.layer)
        if sum(each.numel() for each in self._source.values()) + form.numel() <= SOURCE_KEPT:
            self._source[pair.layer.name] = form
        return form

    def plain(self, pair: Pair) -> Form:
        """The suspect's form in its own scales and order.

        Raises:
            UnreadableError: it cannot be compared.
        """
        return read_form(self.suspect, pair.weight, run=pair.layer.run)

    def balanced(self, pair: Pair) -> Form:
        """The suspect's form, balanced, in its own order.

        Raises:
            UnreadableError: it cannot be compared.
        """
        kept = self._kept.get(pair.layer.name)
        if kept is not None:
            return kept
        form = balanced(self.plain(pair)).form
        if sum(each.numel() for each in self._kept.values()) + form.numel() <= KEPT:
            self._kept[pair.layer.name] = form
        return form

    def kept_table(self, key: TableKey) -> Tensor | None:
        """A table of likenesses in the order of the files, where it was kept."""
        return self._tables.get(key)

    def keep_table(self, key: TableKey, table: Tensor) -> None:
        """Keep such a table, if there is room."""
        if sum(each.numel() for each in self._tables.values()) + table.numel() <= TABLES_KEPT:
            self._tables[key] = table

    def drop_tables(self) -> None:
        """Free what such tables take."""
        self._tables.clear()


def arranged(form: Form, pair: Pair, orders: Orders) -> Form:
    """A suspect's form with rows and columns in the source's order; zeros for channels that it lacks."""
    if pair.layer.writes is not None:
        form = taken(form, orders[pair.layer.writes], axis=0)
    if pair.layer.reads is not None:
        form = taken(form, orders[pair.layer.reads], axis=1)
    return form


def taken(form: Form, order: Tensor, *, axis: int) -> Form:
    """A form with the channels of one axis in an order; zeros for channels that it lacks."""
    if len(order) == form.shape[axis] and bool((order == torch.arange(len(order))).all()):
        return form
    taken = form.index_select(axis, order.clamp_min(0))
    gone = order < 0
    if bool(gone.any()):
        taken = taken.movedim(axis, 0)
        taken[gone] = 0
        taken = taken.movedim(0, axis)
    return taken


def sizes_of(pairs: tuple[Pair, ...]) -> dict[int, tuple[int, int]]:
    """Channels of each group, of source and suspect, by the first weight that tells them."""
    sizes: dict[int, tuple[int, int]] = {}
    for pair in pairs:
        if pair.layer.writes is not None:
            sizes.setdefault(pair.layer.writes, (pair.layer.rows, pair.rows))
        if pair.layer.reads is not None:
            sizes.setdefault(pair.layer.reads, (pair.layer.columns, pair.columns))
    return sizes


def agreeing(pairs: tuple[Pair, ...]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """The pairs whose numbers of channels agree with those before them, and the others."""
    sizes = sizes_of(pairs)
    fits = [
        all(
            group is None or sizes[group][1] == own
            for group, own in ((pair.layer.writes, pair.rows), (pair.layer.reads, pair.columns))
        )
        for pair in pairs
    ]
    kept = tuple(pair for pair, fit in zip(pairs, fits, strict=True) if fit)
    return kept, tuple(pair for pair, fit in zip(pairs, fits, strict=True) if not fit)


def named_orders(sizes: Mapping[int, tuple[int, int]]) -> dict[int, Tensor]:
    """Every group in the order of the file."""
    orders = {}
    for group, (ours, theirs) in sizes.items():
        order = torch.arange(ours)
        order[theirs:] = -1
        orders[group] = order
    return orders
