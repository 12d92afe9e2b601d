"""Which channel of the suspect stands for which of the source: assignments group by group, repeated until they stay.

S. Ainsworth, J. Hayase, S. Srinivasa, "Git Re-Basin: Merging Models modulo Permutation Symmetries", ICLR 2023, section
3.2: the order of one group, given those of the others, is a linear assignment.

Differs from the paper: weights are balanced, so that rescaled channels are found, too; the first pass goes from the
input upward and uses the rows alone, which is exact for copies; of large layers a sample of the coordinates is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from modelprint.lineage.assignment import EXACT_UP_TO, best_match
from modelprint.lineage.forms import Form
from modelprint.lineage.pairing import Pair
from modelprint.lineage.reading import Reader, arranged

COORDINATES, SAMPLED = 1024, 512  # of a channel: compared whole up to so many, else so many are drawn
SWEEPS, LARGE_SWEEPS = 4, 1  # the second where a group is too large for exact assignments


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
        (channels of the source, of the suspect): sums of products, each weight with its figure's weight.
    """
    table: Tensor | None = None
    for pair in pairs:
        for axis, own in ((0, pair.layer.writes), (1, pair.layer.reads)):
            if own != group:
                continue
            ours = reader.source(pair)
            loose = {**orders, group: torch.arange(pair.rows if axis == 0 else pair.columns)}
            theirs = arranged(reader.balanced(pair), pair, loose)
            drawn = _drawn(ours.numel() // ours.shape[axis])
            ours, theirs = _channels(ours, axis, drawn), _channels(theirs, axis, drawn)
            part = (ours * (pair.layer.numel**0.5 / ours.numel())) @ theirs.T
            table = part if table is None else table.add_(part)
    assert table is not None
    return table


def _matched(reader: Reader, pairs: Sequence[Pair], orders: dict[int, Tensor], group: int) -> Tensor:
    touching = [pair for pair in pairs if group in (pair.layer.writes, pair.layer.reads)]
    if not touching:
        return orders[group]
    table = likeness(reader, touching, orders, group).numpy()
    return torch.from_numpy(best_match(table))


def _drawn(count: int) -> Tensor | None:
    """Which coordinates of a channel are compared: enough to tell channels apart; None for all."""
    if count <= COORDINATES:
        return None
    return torch.randperm(count, generator=torch.Generator().manual_seed(count))[:SAMPLED]


def _channels(form: Form, axis: int, drawn: Tensor | None) -> Tensor:
    """One row for each channel, of all its coordinates or those drawn."""
    if drawn is None:
        return form.movedim(axis, 0).reshape(form.shape[axis], -1)
    places, kernel = drawn // form.shape[2], drawn % form.shape[2]
    return form[:, places, kernel] if axis == 0 else form[places, :, kernel].T
