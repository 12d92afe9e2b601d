"""How alike the answers of models are, each pair of many.

What is compared are log-odds, relative to their size: whatever the queries, models that were trained apart differ by
more than a tenth, models saved again in another number format by less than a thirtieth
(`research/studies/likeness.py`). Probabilities would not do: on queries at which all are sure, the probabilities of
siblings are the same to a thousandth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from modelprint.core.suspect import Answers

ROUNDED = 1e-4  # probabilities that are given are taken for no less: what APIs round away counts in no model
UNROUNDED = 1e-12  # those that logits stand for
BLOCK = 2**22  # numbers that are compared at a time


def log_odds(answers: Answers, classes: int, *, smallest: float = ROUNDED) -> Float[np.ndarray, "n classes"]:
    """Logarithms of the probabilities of answers with scores, those of each query around 0.

    >>> log_odds(Answers(labels=np.array([0]), scores=np.array([[0.5, 0.5]])), 2).tolist()
    [[0.0, 0.0]]
    """
    logs = np.log(np.maximum(answers.probabilities(classes), smallest))
    centred: np.ndarray = logs - logs.mean(axis=1, keepdims=True)
    return centred


def score_distances(answers: Sequence[Answers], classes: int, *, smallest: float = ROUNDED) -> Float[np.ndarray, "k k"]:
    """The relative distance of the log-odds of each two models, all of which answered all queries with scores.

    Args:
        smallest: the probability that smaller ones are taken for.
    """
    count, queries = len(answers), len(answers[0]) if answers else 0
    products = np.zeros((count, count))
    step = max(1, BLOCK // max(1, count * classes))
    for start in range(0, queries, step):
        index = np.arange(start, min(start + step, queries))
        block = np.stack([log_odds(one.take(index), classes, smallest=smallest).ravel() for one in answers])
        products += block @ block.T
    squares = np.diag(products)
    sizes = np.sqrt(np.outer(squares, squares))
    apart = np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0.0)
    return np.sqrt(np.divide(apart, sizes, out=np.full_like(apart, np.inf), where=sizes > 0))


def graded(answers: Answers, classes: int, *, smallest: float = ROUNDED) -> int:
    """To how many queries the scores say more than the label: the second class has a probability that counts."""
    if answers.scores is None:
        return 0
    second = np.sort(answers.probabilities(classes), axis=1)[:, -2]
    return int((second > smallest).sum())


def label_differences(labels: Int[np.ndarray, "k n"]) -> Int[np.ndarray, "k k"]:
    """To how many queries each two models give different labels.

    >>> label_differences(np.array([[0, 1], [0, 2]])).tolist()
    [[0, 1], [1, 0]]
    """
    return np.array([(labels != one).sum(axis=1) for one in labels], dtype=np.int64).reshape(len(labels), -1)


def kappas(labels: Int[np.ndarray, "k n"], classes: int) -> Float[np.ndarray, "k k"]:
    """Cohen's kappa of each two models: their agreement beyond what their label frequencies give by chance.

    J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20, 1960.

    >>> kappas(np.array([[0, 0, 1, 1], [0, 1, 0, 1]]), 2).round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    agreement = 1 - label_differences(labels) / max(1, labels.shape[1])
    shares = np.stack([np.bincount(one, minlength=classes) for one in labels]) / max(1, labels.shape[1])
    chance = shares @ shares.T
    beyond: np.ndarray = np.divide(agreement - chance, 1 - chance, out=np.zeros_like(chance), where=chance < 1)
    return beyond
