"""P-values from permuted channels: no calibration model is needed.

S. Zhu, A. Ahmed, R. Kuditipudi, P. Liang, "Independence Tests for Language Models", ICML 2025.

Differs from the paper: convolutional nets, whose channels are those of `wiring`; the statistic is the sum of products
of balanced weights; the robust test matches on the weights below and above one weight and tests on that one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from modelprint.lineage.alignment import downward, likeness, upward
from modelprint.lineage.pairing import Pair, sizes_of
from modelprint.lineage.reading import Reader, named_orders

DRAWS = 999


def named_p_value(reader: Reader, pairs: Sequence[Pair]) -> float | None:
    """The p-value that the order of channels in the file tells nothing of the source's; None without hidden channels.

    Null hypothesis: the suspect was trained from an initialisation that is independent of the source, does not favour
    any order of the hidden channels, and by an algorithm that treats them alike. Its law then is unchanged when the
    channels of a group are permuted in all weights that touch it. Groups are taken so that no weight touches two; the
    statistic is the sum over them of products in the order of the files, ranked among 999 draws of permutations. Under
    this hypothesis the p-value is exact. Siblings are not independent of the source: they are found, too. Whoever
    permutes the channels of a copy makes it uniform.
    """
    sizes = {group: size for group, size in sizes_of(tuple(pairs)).items() if size[0] == size[1] > 1}
    orders = named_orders(sizes_of(tuple(pairs)))
    tables = []
    used: set[str] = set()
    for group in sorted(sizes):
        touching = {pair.layer.name for pair in pairs if group in (pair.layer.writes, pair.layer.reads)}
        if used & touching:
            continue
        used |= touching
        tables.append(likeness(reader, pairs, orders, group).numpy())
    return permuted_rank(tables) if tables else None


def matched_p_value(reader: Reader, pairs: Sequence[Pair]) -> float | None:
    """The p-value that orders found on some weights tell nothing of another weight; None without such a weight.

    The largest weight with hidden channels on both sides is held out. Its inputs are ordered by the weights below it,
    from the images upward, its outputs by those above it, from the classes downward; neither has seen it. The
    statistic is the sum of its products with the source's in that order, ranked among 999 permutations of its outputs.

    Null hypothesis: given both orders, the channels of the held-out weight are exchangeable. That is stronger than an
    independent initialisation, and false for small nets: channels that do the same for one task are matched by their
    readers, and are alike in what they read. On Fashion-MNIST every independent model gets the smallest p-value
    (docs/design/0013). It is therefore no part of a result; measure it on independent models before use.
    """
    hidden = [pair for pair in pairs if pair.layer.writes is not None and pair.layer.reads is not None]
    sizes = sizes_of(tuple(pairs))
    whole = [pair for pair in hidden if all(sizes[group][0] == sizes[group][1] for group in _groups(pair))]
    if not whole:
        return None
    held = max(whole, key=lambda pair: pair.layer.numel)
    place = list(pairs).index(held)
    _, writes = _groups(held)
    start = named_orders(sizes)
    orders = {
        **downward(reader, pairs[place + 1 :], {group: start[group] for group in start if group >= writes}),
        **upward(reader, pairs[:place], {group: start[group] for group in start if group < writes}),
    }
    table = likeness(reader, [held], orders, writes).numpy()
    return permuted_rank([table[:, orders[writes].numpy()]])


def permuted_rank(tables: Sequence[Float[np.ndarray, "n n"]], *, draws: int = DRAWS, seed: int = 0) -> float:
    """The rank of the sum of diagonals among those of tables whose columns are permuted, as a p-value.

    >>> permuted_rank([np.eye(20)])
    0.001
    """
    generator = np.random.default_rng(seed)
    observed = sum(float(np.trace(table, dtype=np.float64)) for table in tables)
    rows = [np.arange(len(table)) for table in tables]
    above = 0
    for _ in range(draws):
        drawn = sum(
            float(table[row, generator.permutation(len(table))].sum(dtype=np.float64))
            for table, row in zip(tables, rows, strict=True)
        )
        above += drawn >= observed - 1e-12 * max(1.0, abs(observed))
    return (1 + above) / (1 + draws)


def _groups(pair: Pair) -> tuple[int, int]:
    assert pair.layer.reads is not None
    assert pair.layer.writes is not None
    return pair.layer.reads, pair.layer.writes
