"""Rows of one table as another has them: columns by name, in its order, its steps and its categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32

from modelprint.core.errors import DataError
from modelprint.modalities.vector.spec import Column
from modelprint.modalities.vector.storage import STORED

_SHOWN = 6  # names in a message


def brought(
    levels: Int32[np.ndarray, "n columns"], own: Sequence[Column], wanted: Sequence[Column], *, who: str
) -> Int32[np.ndarray, "n wanted"]:
    """Rows as the wanted columns have them; values beyond the ends of a column take the ends.

    Raises:
        DataError: a column that is missing, one of numbers where categories are wanted or the other way round, or a
            category that the wanted column does not list.
    """
    places = {column.name: place for place, column in enumerate(own)}
    missing = [column.name for column in wanted if column.name not in places]
    if missing:
        raise DataError(
            f"{who}: {'column' if len(missing) == 1 else 'columns'} {_some(missing)} missing: the table has "
            f"{_some([column.name for column in own])}; columns are found by their names"
        )
    return np.stack(
        [_cells(levels[:, places[one.name]], own[places[one.name]], one, who=who) for one in wanted], axis=1
    ).astype(STORED)


def _cells(levels: np.ndarray, own: Column, wanted: Column, *, who: str) -> np.ndarray:
    if own == wanted:
        return levels
    if wanted.categories is None:
        if own.categories is not None:
            raise DataError(f"{who}: column {own.name} holds names ({_some(own.categories)}), where numbers are wanted")
        return wanted.levels_of(own.values(levels))
    called = own.categories or [f"{value:.{own.decimals}f}" for value in own.values(np.arange(own.levels))]
    known = {name: level for level, name in enumerate(wanted.categories)}
    used = np.unique(levels)
    unseen = [called[level] for level in used if called[level] not in known]
    if unseen:
        raise DataError(
            f"{who}: column {own.name} has the unseen {'category' if len(unseen) == 1 else 'categories'} "
            f"{_some(unseen)}: the model knows {_some(wanted.categories)}; leave such rows out"
        )
    table = np.zeros(len(called), STORED)
    for level in used:
        table[level] = known[called[level]]
    renumbered: np.ndarray = table[levels]
    return renumbered


def _some(names: Sequence[str]) -> str:
    """The first few of some names.

    >>> _some(["a", "b"])
    "'a', 'b'"
    """
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
