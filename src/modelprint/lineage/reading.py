"""A pair of weights, read and brought into one form: the source's as kept, the suspect's balanced and arranged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from modelprint.lineage.forms import Form
from modelprint.lineage.pairing import Pair
from modelprint.lineage.reference import LineageReference
from modelprint.lineage.scratch import Scratch
from modelprint.lineage.source_forms import SourceForms
from modelprint.lineage.suspect_forms import SuspectForms

Orders = Mapping[int, Int[Tensor, " channels"]]  # by group: the suspect's channel for each of the source's, -1 for none
TABLES_KEPT = 2 * 2**24  # numbers of tables of likenesses, which the p-value and the first matching share
TableKey = tuple[int, tuple[tuple[str, int], ...]]  # a group, and the weights that touch it, each with its axis


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads pairs."""

    reference: LineageReference
    suspect: SuspectForms
    _tables: dict[TableKey, Tensor] = field(default_factory=dict, repr=False)

    @cached_property
    def sources(self) -> SourceForms:
        """The source's weights."""
        return self.reference.forms()

    def plain(self, pair: Pair) -> Form:
        """The suspect's form in its own scales and order.

        Raises:
            UnreadableError: it cannot be compared.
        """
        return self.suspect.plain(pair)

    def balanced(self, pair: Pair) -> Form:
        """The suspect's form, balanced, in its own order.

        Raises:
            UnreadableError: it cannot be compared.
        """
        return self.suspect.balanced(pair)

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


def arranged(form: Form, pair: Pair, orders: Orders, *, scratch: Scratch | None = None) -> Form:
    """A suspect's form with rows and columns in the source's order; zeros for channels that it lacks.

    Args:
        scratch: where it may be written: it then holds until the next call.
    """
    if pair.layer.writes is not None:
        form = taken(form, orders[pair.layer.writes], axis=0, scratch=scratch)
    if pair.layer.reads is not None:
        form = taken(form, orders[pair.layer.reads], axis=1, scratch=scratch)
    return form


def taken(form: Form, order: Tensor, *, axis: int, scratch: Scratch | None = None) -> Form:
    """A form with the channels of one axis in an order; zeros for channels that it lacks.

    Args:
        scratch: where it may be written: it then holds until the next call for this axis.
    """
    if as_filed(order, form.shape[axis]):
        return form
    index = order.numpy()
    shape = tuple(len(index) if place == axis else size for place, size in enumerate(form.shape))
    memory = None if scratch is None else scratch.tensor(axis, shape)
    gone = index < 0
    if not gone.any():
        return torch.index_select(form, axis, order, out=memory)
    taken = torch.index_select(form, axis, order.clamp_min(0), out=memory).movedim(axis, 0)
    taken[torch.from_numpy(gone)] = 0
    return taken.movedim(0, axis)


def as_filed(order: Tensor, size: int) -> bool:
    """Whether an order is that of a file with so many channels."""
    return len(order) == size and bool((order.numpy() == _counted(size)).all())


@lru_cache(maxsize=256)
def _counted(count: int) -> Int[np.ndarray, " channels"]:
    return np.arange(count)


def named_orders(sizes: Mapping[int, tuple[int, int]]) -> dict[int, Tensor]:
    """Every group in the order of the file."""
    orders = {}
    for group, (ours, theirs) in sizes.items():
        order = torch.arange(ours)
        order[theirs:] = -1
        orders[group] = order
    return orders
