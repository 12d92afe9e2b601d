"""What schemes that ask all queries at once have in common: how many, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelprint.core.errors import UnscorableError
from modelprint.core.suspect import Answers


def wanted_queries(budget: int | None, default: int) -> int:
    """How many queries to make: as many as the budget holds; the scheme's own number without one.

    >>> wanted_queries(None, 100), wanted_queries(50, 100), wanted_queries(400, 100)
    (100, 50, 400)
    """
    return default if budget is None else budget


def crafting_report(count: int, wanted: int, **more: Any) -> Mapping[str, Any]:
    """The report of crafting: how many queries were wanted, and how many could be made."""
    return {"wanted": wanted, "made": count, **more}


def answered_queries(source: Answers, answers: Answers, *, least: int = 1) -> np.ndarray:
    """The numbers of the queries that the suspect answered.

    Args:
        least: the fewest that a score can be made of.

    Raises:
        UnscorableError: there are fewer.
    """
    index: np.ndarray = np.flatnonzero(answers.answered & source.answered)
    if len(index) < least:
        raise UnscorableError(f"{len(index)} of {len(answers)} queries were answered, {least} are needed: ask again")
    return index
