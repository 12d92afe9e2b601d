"""What schemes that ask all queries at once have in common: how many, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

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


def disagreeing(source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> Answers:
    """The answers, where each missing one is another class than the source's; of the missing no scores are given.

    >>> source, heard = Answers(labels=np.array([0, 3, 1])), Answers(labels=np.array([-1, -1, 1]))
    >>> disagreeing(source, heard, np.array([True, False, False])).labels.tolist()
    [1, -1, 1]
    """
    other = np.where(source.labels == 0, 1, 0)
    return Answers(labels=np.where(missing, other, answers.labels), scores=answers.scores)


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
