"""New vectors from labelled ones: some cells of another row, and a cell moved by a step.

S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe, Y. Yoo, "CutMix: Regularization Strategy to Train Strong Classifiers with
Localizable Features", ICCV 2019, section 3.2; for columns, which lie beside each other in no order, the cells are any.

Differs from the paper: the two rows are of different classes, and the label is the class of the larger part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from modelprint.modalities.base import Labelled

if TYPE_CHECKING:
    import torch

FINE = 20  # levels of a column from which on one step is a small change


def cells_mixed(data: Labelled, count: int, *, generator: torch.Generator) -> Labelled:
    """Rows with some cells of a row of another class; how many is uniform.

    Raises:
        ValueError: all rows are of one class.
    """
    import torch

    if len(np.unique(data.labels)) < 2:
        raise ValueError("expected rows of two classes or more")
    below = _drawn(len(data), count, generator)
    above = _drawn(len(data), count, generator)
    while len(same := np.flatnonzero(data.labels[below] == data.labels[above])):
        above[same] = _drawn(len(data), len(same), generator)
    share = torch.rand(count, generator=generator).numpy()
    taken = torch.rand((count, data.stored.shape[1]), generator=generator).numpy() < share[:, None]
    mixed = np.where(taken, data.stored[above], data.stored[below])
    mostly_above = taken.mean(axis=1) > 0.5
    return Labelled(stored=mixed, labels=np.where(mostly_above, data.labels[above], data.labels[below]))


def moved(data: Labelled, span: Float[np.ndarray, " columns"]) -> Labelled:
    """Each row with one cell a step nearer to the middle of its column; none where no column has fine steps."""
    fine = np.flatnonzero(span >= FINE)
    if not len(fine):
        return data.take(np.arange(0))
    place = fine[data.stored.sum(axis=1) % len(fine)]
    rows = np.arange(len(data))
    stored = data.stored.copy()
    stored[rows, place] += np.where(stored[rows, place] > span[place] / 2, -1, 1).astype(stored.dtype)
    return Labelled(stored=stored, labels=data.labels)


def _drawn(size: int, count: int, generator: torch.Generator) -> np.ndarray:
    import torch

    numbers: np.ndarray = torch.randint(size, (count,), generator=generator).numpy()
    return numbers
