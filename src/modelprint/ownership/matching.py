"""A suspect whose classes have other numbers: which of its classes is which of the source's, solved from the answers.

The matching with the most agreement is an assignment problem (H. W. Kuhn, "The Hungarian method for the assignment
problem", Naval Research Logistics Quarterly 2, 1955) on counts of how often the source gives one class where the
suspect gives another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from modelprint.core.suspect import Answers


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Which class of the source each class of a suspect is.

    Attributes:
        classes: the source's class of each of the suspect's.
        as_named, matched: on how many queries both agree, by the suspect's own numbers and by the source's.
        answered: of how many.
    """

    classes: Int[np.ndarray, " classes"]
    as_named: int
    matched: int
    answered: int

    @property
    def moved(self) -> int:
        """How many classes have another number."""
        return int((self.classes != np.arange(len(self.classes))).sum())


def matching(source: Answers, answers: Answers) -> Matching:
    """The matching under which the suspect agrees with the source on most of the queries that it answered.

    >>> pairing = matching(Answers(labels=np.array([0, 1, 2, 2])), Answers(labels=np.array([1, 2, 0, -1])))
    >>> pairing.classes.tolist(), pairing.as_named, pairing.matched, pairing.answered
    ([2, 0, 1], 0, 3, 3)
    """
    heard = answers.answered & source.answered
    classes = _classes(source, answers)
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (answers.labels[heard], source.labels[heard]), 1)
    best = counts * (classes + 1) + np.eye(classes, dtype=np.int64)  # of equal matchings, the one that moves least
    order = _assigned(best)
    return Matching(
        classes=order.astype(np.int64),
        as_named=int(np.trace(counts)),
        matched=int(counts[np.arange(classes), order].sum()),
        answered=int(heard.sum()),
    )


def renamed(answers: Answers, pairing: Matching) -> Answers:
    """The answers by the source's numbers."""
    scores = None
    if answers.scores is not None:
        scores = np.empty_like(answers.scores)
        scores[:, pairing.classes] = answers.scores
    heard = answers.answered
    labels = np.where(heard, pairing.classes[np.where(heard, answers.labels, 0)], answers.labels)
    return Answers(labels=labels, scores=scores)


def rematched(source: Answers, answers: Answers) -> Answers:
    """The answers by the numbers under which they agree with the source most."""
    return renamed(answers, matching(source, answers))


def _assigned(worth: Int[np.ndarray, "n n"]) -> Int[np.ndarray, " n"]:
    """The column for each row under which the sum is highest; nothing to solve where the diagonal leads in each row.

    >>> _assigned(np.array([[3, 1], [1, 2]])).tolist(), _assigned(np.array([[3, 4], [4, 2]])).tolist()
    ([0, 1], [1, 0])
    """
    others = worth - np.diag(np.diag(worth) + 1)  # values are not negative
    if (np.diag(worth) > others.max(axis=1)).all():
        return np.arange(len(worth))
    from scipy.optimize import linear_sum_assignment  # loads for a third of a second

    _, order = linear_sum_assignment(worth, maximize=True)
    return np.asarray(order)


def looks_renamed(
    source: Answers, answers: Answers, calibration: Sequence[Answers], asked: Bool[np.ndarray, " n"] | None = None
) -> Matching | None:
    """The matching, where the suspect's numbers cannot be the source's; None where they can.

    They cannot where it agrees with the source less than every calibration model does, and, once they are matched, more
    than twice as often as before and as one class alone could give. An innocent suspect with the source's numbers is so
    with a chance of 1 / (n + 1) at most. Queries that it left unanswered count as agreements by its own numbers, so
    that nobody brings this about by leaving answers out: if it is so with some missing, it is so with all of them.

    Args:
        calibration: the answers of n independent models, at least one, to the same queries.
        asked: mask of the queries that were put to the suspect; those that it answered unless given.
    """
    pairing = matching(source, answers)
    put = (answers.answered if asked is None else asked) & source.answered
    if not pairing.answered:
        return None
    as_named = pairing.as_named + int((put & ~answers.answered).sum())
    if pairing.matched <= 2 * max(as_named, np.bincount(source.labels[put]).max()):
        return None
    fewest = min(int((other.labels[put] == source.labels[put]).sum()) for other in calibration)
    return pairing if as_named < fewest else None


def _classes(source: Answers, answers: Answers) -> int:
    if source.scores is not None:
        return int(source.scores.shape[1])
    return int(max(source.labels.max(), answers.labels.max())) + 1
