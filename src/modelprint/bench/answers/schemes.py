"""Schemes on recorded labels: how each chooses its queries among the images, and scores.

Adding one is one function here: it sees the source and the selection models, never a member of the source's family.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from modelprint.core.errors import DataError
from modelprint.core.registry import Registry
from modelprint.stats.labels import entropy, hamming_distance, information_distance, rand_index

UNCERTAIN = 0.2  # FBI: the share of images, of highest entropy, that queries are drawn from


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a scheme may look at when it chooses and weighs queries.

    Attributes:
        source: the enrolled model's labels on all images.
        truth: the true labels.
        others: labels of the m selection models, of other families.
        parents: the place, among these, of the model that each one came from; its own, if from none. What a member
            keeps of its parent's answers estimates what a copy keeps of the source's.
        budget: how many images may be asked; no more than there are.
    """

    source: Int[np.ndarray, " n"]
    truth: Int[np.ndarray, " n"]
    others: Int[np.ndarray, "m n"]
    parents: Int[np.ndarray, " m"]
    budget: int


@dataclass(frozen=True, kw_only=True)
class Interview:
    """What a scheme asks, and what it makes of the answers.

    Attributes:
        queries: the images to ask, at most the budget.
        score: of the answers of k models to these queries; higher = more likely derived.
    """

    queries: Int[np.ndarray, " q"]
    score: Callable[[Int[np.ndarray, "k q"]], Float[np.ndarray, " k"]]


AnswerScheme = Callable[[Evidence, np.random.Generator], Interview]
ANSWER_SCHEMES: Registry[AnswerScheme] = Registry("scheme for answer tables")


@ANSWER_SCHEMES.register("akh")
def akh(evidence: Evidence, generator: np.random.Generator) -> Interview:
    """AKH (Godinot et al., QuRD, AAAI 2025): images that the source gets wrong; 1 - Hamming distance of the labels.

    Differs from the paper: a source with fewer mistakes than the budget is asked other images beside them, drawn at
    random, where the paper makes new images.
    """
    queries = _mistakes(evidence, generator)
    own = evidence.source[queries]
    return Interview(queries=queries, score=lambda answers: 1 - hamming_distance(own, answers))


@ANSWER_SCHEMES.register("sac")
def sac(evidence: Evidence, generator: np.random.Generator) -> Interview:
    """SAC-w with hard labels (Guan et al., NeurIPS 2022): whether pairs of the source's mistakes are answered alike.

    Differs from the paper: no surrogate says which mistakes last, so that they are drawn as AKH's are; the score is the
    Rand index, of which 1 minus the paper's distance of correlations is a linear function.

    Raises:
        DataError: one query, which makes no pair.
    """
    if evidence.budget < 2:
        raise DataError("sac asks for pairs of queries: raise the budget to 2 or more")
    queries = _mistakes(evidence, generator)
    own = evidence.source[queries]
    return Interview(queries=queries, score=lambda answers: rand_index(own, answers))


def _mistakes(evidence: Evidence, generator: np.random.Generator) -> Int[np.ndarray, " q"]:
    """Images that the source gets wrong, and others where these do not suffice, as many as may be asked."""
    order = generator.permutation(len(evidence.truth))
    wrong = (evidence.source != evidence.truth)[order]
    return np.concatenate([order[wrong], order[~wrong]])[: evidence.budget]


@ANSWER_SCHEMES.register("fbi")
def fbi(evidence: Evidence, generator: np.random.Generator) -> Interview:
    """FBI, top-1 (Maho, Furon, Le Merrer, 2023): 1 - D of right and wrong, D = 1 - I(u; v) / min(H(u), H(v)).

    Queries are drawn from the fifth of the images on which the selection models' labels have the highest entropy (from
    more of them, where the budget is larger than that).
    """
    order = generator.permutation(len(evidence.truth))
    uncertain = np.argsort(-entropy(evidence.others.T)[order], kind="stable")
    pool = order[uncertain[: max(evidence.budget, math.ceil(UNCERTAIN * len(order)))]]
    queries = generator.choice(pool, size=evidence.budget, replace=False)
    truth = evidence.truth[queries]
    own = (evidence.source[queries] != truth).astype(np.int8)  # the true label's rank in a list of one
    return Interview(
        queries=queries, score=lambda answers: 1 - information_distance(own, (answers != truth).astype(np.int8))
    )
