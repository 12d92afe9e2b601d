"""FBI: the information that two models' answers to benign images share.

T. Maho, T. Furon, E. Le Merrer, "FBI: Fingerprinting models with Benign Inputs", IEEE Transactions on Information
Forensics and Security, 2023.

Differs from the paper:
- Entropies that choose images are those of reference models' labels; where there are none, images are drawn at random.
- The score is 1 - D, so that higher = more likely derived.
- Top-k ranks are read from scores; with labels only, k = 1.

Detection is `verify`; identification among several owners is `identify`, with a fingerprint of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import special

from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Enrollment, Needs, Queries, Scheme, ShadowAnswers, State
from modelprint.stats.labels import entropy, information_distance

ROUNDING = 1e-12  # by which two ways of adding up entropies may differ


@SCHEMES.register("fbi")
@dataclass(frozen=True, kw_only=True)
class Fbi(Scheme):
    """1 - D of the true label's ranks in both models' top-k lists; D = 1 - I(u; v) / min(H(u), H(v)).

    Attributes:
        queries: how many, where no budget says otherwise.
        k: how long the list is; a label that does not stand in it has the rank k.
        uncertain: queries are drawn from this share of the images, of highest label entropy over reference models.
    """

    name: ClassVar[str] = "fbi"
    title: ClassVar[str] = "FBI: fingerprinting with benign inputs"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are inputs as they are, drawn from those on which models made without the source disagree most, where "
        "there are such models.",
        "The score is the information that the suspect's and the source's answers share about the true class, as a "
        "share of what they could.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction are missed, and most copies by adversarial training.",
        "Queries are ordinary inputs: models that learned from the same data answer many of them alike.",
    )
    lost_with_labels: ClassVar[str | None] = "the rank of the true class is lost, only whether it comes first is seen"

    queries: int = 100
    k: int = 3
    uncertain: float = 0.2

    def __post_init__(self) -> None:
        if min(self.queries, self.k) < 1 or not 0 < self.uncertain <= 1:
            raise ValueError("queries and k must be at least 1, uncertain in (0, 1]")

    @property
    def needs(self) -> Needs:
        """Reference models, where there are any."""
        return Needs(shadows_welcome=True)

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Images as they are."""
        wanted = wanted_queries(context.budget, self.queries)
        order = torch.randperm(len(context.seeds), generator=generator).numpy()
        if context.references:
            stored = context.seeds.stored[order]
            labels = np.stack([context.labels_by(model, stored) for model in context.references])
            pool = max(min(wanted, len(order)), math.ceil(self.uncertain * len(order)))
            unsure = np.round(entropy(labels.T), 9)  # rounded, or the last bits would break ties
            order = order[np.argsort(-unsure, kind="stable")[:pool]]
            order = order[torch.randperm(pool, generator=generator).numpy()]
        index = order[:wanted]
        return Queries(
            stored=context.seeds.stored[index],
            labels=context.seeds.labels[index],
            group=np.zeros(len(index), dtype=np.int64),
            report=crafting_report(len(index), wanted, strangers=len(context.references)),
        )

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """The true labels."""
        if len(np.unique(source.labels == queries.labels)) < 2:
            raise FingerprintError(
                f"the source gets all of {len(queries)} inputs right, or all wrong, which tells nothing: raise the "
                "budget, or give more or harder inputs"
            )
        return {"group": queries.group, "truth": queries.labels}

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The shared information, as a share of what the less varied of both says; 0 where either is constant."""
        index = answered_queries(source, answers)
        k = 1 if answers.scores is None else self.k
        own, theirs = (ranks(model.take(index), state["truth"][index], k) for model in (source, answers))
        return float(1 - information_distance(own, theirs[None])[0])

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """The lowest score over all ways in which the missing answers might be right or wrong; with k > 1, or less.

        What matters of the missing answers is how many are right where the source is, and where it is not: few enough
        numbers to try all. With k > 1 both series are first reduced to right and wrong, which only lowers what they
        share (data-processing inequality; T. M. Cover, J. A. Thomas, "Elements of Information Theory", 2006, theorem
        2.8.1), and the source's own entropy is what it is divided by, no smaller than the lesser of both.
        """
        if not missing.any():
            return self.score(state, source, answers)
        asked = np.flatnonzero((answers.answered | missing) & source.answered)
        truth, k = state["truth"][asked], 1 if answers.scores is None else self.k
        own = ranks(source.take(asked), truth, 1)
        theirs = ranks(Answers(labels=answers.labels[asked]), truth, 1)
        silent = missing[asked]
        counts = np.array([[np.sum(~silent & (own == one) & (theirs == other)) for other in (0, 1)] for one in (0, 1)])
        free = [int(np.sum(silent & (own == one))) for one in (0, 1)]
        first, second = (grid.ravel() for grid in np.meshgrid(*(np.arange(number + 1) for number in free)))
        tables = np.stack(
            [
                counts[0, 0] + first,
                counts[0, 1] + free[0] - first,
                counts[1, 0] + second,
                counts[1, 1] + free[1] - second,
            ],
            axis=1,
        ).reshape(-1, 2, 2)
        if k == 1:
            return max(float(shared_share(tables).min()) - ROUNDING, 0.0)
        whole = entropy(ranks(source.take(asked), truth, k)[None])[0]
        return 0.0 if whole == 0 else max(float(shared_information(tables).min() / whole) - ROUNDING, 0.0)


def shared_information(tables: Int[np.ndarray, "m 2 2"]) -> Float[np.ndarray, " m"]:
    """I(u; v) = H(u) + H(v) - H(u, v), in bits, of two series by how often each pair of their values occurs.

    >>> shared_information(np.array([[[2, 0], [0, 2]], [[1, 1], [1, 1]]])).tolist()
    [1.0, 0.0]
    """
    marginal = _bits(tables.sum(2)) + _bits(tables.sum(1))
    shared: Float[np.ndarray, " m"] = np.maximum(marginal - _bits(tables.reshape(len(tables), 4)), 0.0)
    return shared


def shared_share(tables: Int[np.ndarray, "m 2 2"]) -> Float[np.ndarray, " m"]:
    """I(u; v) / min(H(u), H(v)), 0 where either is constant.

    >>> shared_share(np.array([[[2, 0], [0, 2]], [[4, 0], [0, 0]]])).tolist()
    [1.0, 0.0]
    """
    least = np.minimum(_bits(tables.sum(2)), _bits(tables.sum(1)))
    share = np.divide(shared_information(tables), least, out=np.zeros_like(least), where=least > 0)
    clipped: Float[np.ndarray, " m"] = share.clip(0.0, 1.0)
    return clipped


def _bits(counts: Int[np.ndarray, "m v"]) -> Float[np.ndarray, " m"]:
    """The entropy of each row of counts."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    bits: Float[np.ndarray, " m"] = (special.entr(shares) / np.log(2)).sum(axis=1)
    return bits


def ranks(answers: Answers, truth: Int[np.ndarray, " n"], k: int) -> Int[np.ndarray, " n"]:
    """The place, from 0, of the true label in each top-k list; k where it does not stand in it.

    Labels that tie share the best place of them, but for the first place, which the answer's label takes.

    >>> answers = Answers(labels=np.array([1, 1]), scores=np.array([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]], np.float32))
    >>> ranks(answers, np.array([2, 0]), 2).tolist(), ranks(answers, np.array([1, 2]), 1).tolist()
    ([1, 2], [0, 1])
    """
    right = answers.labels == truth
    if k == 1 or answers.scores is None:
        return np.where(right, 0, 1)
    above = (answers.scores > np.take_along_axis(answers.scores, truth[:, None], axis=1)).sum(axis=1)
    return np.where(right, 0, np.clip(above, 1, k))
