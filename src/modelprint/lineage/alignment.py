"""Which channel of the suspect stands for which of the source: assignments group by group, repeated until they stay.

S. Ainsworth, J. Hayase, S. Srinivasa, "Git Re-Basin: Merging Models modulo Permutation Symmetries", ICLR 2023, section
3.2: the order of one group, given those of the others, is a linear assignment.

Differs from the paper: weights are balanced, so that rescaled channels are found, too; the first pass goes from the
input upward and uses the rows alone, which is exact for copies; of large layers a sample of the coordinates is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from modelprint.lineage.assignment import EXACT_UP_TO, best_match
from modelprint.lineage.forms import Form, by_channel
from modelprint.lineage.pairing import Pair
from modelprint.lineage.reading import Reader, as_filed, taken
from modelprint.lineage.scratch import NUMBERS

COORDINATES, SAMPLED = 1024, 512  # of a channel: compared whole up to so many, else so many are drawn
SWEEPS, LARGE_SWEEPS = 4, 1  # the second where a group is too large for exact assignments
Axis = Literal[0, 1]  # of a weight: outputs, inputs


def descended(reader: Reader, pairs: Sequence[Pair], orders: dict[int, Tensor]) -> dict[int, Tensor]:
    """Orders from which no single group can be improved, or those after the last sweep.

    Args:
        orders: where to start.
    """
    orders = dict(orders)
    large = any(len(order) > EXACT_UP_TO for order in orders.values())
    for _ in range(LARGE_SWEEPS if large else SWEEPS):
        changed = False
        for group in sorted(orders):
            order = _matched(reader, pairs, orders, group)
            changed |= not torch.equal(order, orders[group])
            orders[group] = order
        if not changed:
            break
    return orders


def upward(reader: Reader, pairs: Sequence[Pair], start: dict[int, Tensor]) -> dict[int, Tensor]:
    """Orders found from the inputs up: of each group by the rows of what writes it, given the groups below.

    Args:
        start: orders of the groups that no pair writes.
    """
    orders = dict(start)
    for group in sorted(start):
        writers = [pair for pair in pairs if pair.layer.writes == group]
        if writers:
            orders[group] = _matched(reader, writers, orders, group)
    return orders


def downward(reader: Reader, pairs: Sequence[Pair], start: dict[int, Tensor]) -> dict[int, Tensor]:
    """Orders found from the outputs down: of each group by the columns of what reads it, given the groups above."""
    orders = dict(start)
    for group in sorted(start, reverse=True):
        readers = [pair for pair in pairs if pair.layer.reads == group]
        if readers:
            orders[group] = _matched(reader, readers, orders, group)
    return orders


def likeness(reader: Reader, pairs: Sequence[Pair], orders: dict[int, Tensor], group: int) -> Tensor:
    """How alike each channel of the source and each of the suspect is, over all weights that touch the group.

    Returns:
        (channels of the source, of the suspect): sums of products, each weight with its figure's weight. Not to be
        changed: tables in the order of the files are kept.
    """
    touching = [(pair, axis, _across(pair, axis, orders)) for pair in pairs for axis in _axes(pair, group)]
    named = all(order is None for _, _, order in touching)
    key = (group, tuple((pair.layer.name, axis) for pair, axis, _ in touching))
    kept = reader.kept_table(key) if named else None
    if kept is not None:
        return kept
    table: Tensor | None = None
    for pair, axis, order in touching:
        ours, theirs = _channels(reader, pair, axis, order)
        part = ours @ theirs.T
        table = part if table is None else table.add_(part)
    assert table is not None
    if named:
        reader.keep_table(key, table)
    return table


def _axes(pair: Pair, group: int) -> Iterator[Axis]:
    """The axes of a weight along which the channels of a group lie."""
    if pair.layer.writes == group:
        yield 0
    if pair.layer.reads == group:
        yield 1


def _across(pair: Pair, axis: Axis, orders: dict[int, Tensor]) -> Tensor | None:
    """The order in which a weight is taken along the other axis; None for that of the file."""
    along, across = (pair.layer.writes, pair.layer.reads)[:: 1 if axis == 0 else -1]
    if across is None or across == along:
        return None
    order = orders[across]
    return None if as_filed(order, pair.columns if axis == 0 else pair.rows) else order


def _channels(reader: Reader, pair: Pair, axis: Axis, order: Tensor | None) -> tuple[Tensor, Tensor]:
    """The channels along an axis of the source's weight, times what it counts for, and those of the suspect's.

    Args:
        order: in which the suspect's coordinates are taken, all or those drawn; as they stand where none is given. Its
            channels stand in their own order.
    """
    layer = pair.layer
    count = layer.numel // (layer.rows if axis == 0 else layer.columns)
    if count <= COORDINATES:
        return reader.sources.channels(layer, axis), _whole(reader, pair, axis, order)
    drawn = torch.randperm(count, generator=torch.Generator().manual_seed(count))[:SAMPLED]
    places, spots = drawn // layer.kernel, drawn % layer.kernel
    ours = _drawn(reader.sources.stored(layer), axis, places, spots).float()
    ours = ours * (layer.numel**0.5 / ours.numel())
    if order is None:
        return ours, _drawn(reader.balanced(pair), axis, places, spots)
    there = order[places]
    theirs = _drawn(reader.balanced(pair), axis, there.clamp_min(0), spots)
    return ours, theirs.masked_fill_((there < 0)[None], 0)


def _whole(reader: Reader, pair: Pair, axis: Axis, order: Tensor | None) -> Tensor:
    """The suspect's channels with all their coordinates; they hold until the next call."""
    if order is None:
        return reader.suspect.channels(pair, axis)
    form, scratch = reader.balanced(pair), reader.suspect.scratch
    if axis == 1 and form.shape[2] > 1 and form.numel() <= NUMBERS:  # laid out by inputs: nothing is left to copy then
        columns = reader.suspect.channels(pair, axis).view(form.shape[1], form.shape[0], form.shape[2])
        return taken(columns, order, axis=1, scratch=scratch).reshape(form.shape[1], -1)
    return by_channel(taken(form, order, axis=1 - axis, scratch=scratch), axis)


def _drawn(form: Form, axis: int, places: Tensor, spots: Tensor) -> Tensor:
    """Some coordinates of each channel: (channels, as many as places)."""
    return form[:, places, spots] if axis == 0 else form[places, :, spots].T


def _matched(reader: Reader, pairs: Sequence[Pair], orders: dict[int, Tensor], group: int) -> Tensor:
    touching = [pair for pair in pairs if group in (pair.layer.writes, pair.layer.reads)]
    if not touching:
        return orders[group]
    table = likeness(reader, touching, orders, group).numpy()
    return torch.from_numpy(best_match(table))
