"""SAC: how a model's outputs on many inputs are correlated with each other.

J. Guan, J. Liang, R. He, "Are You Stealing My Model? Sample Correlation for Fingerprinting Deep Neural Networks",
NeurIPS 2022.

Differs from the paper:
- SAC-w takes the inputs that most surrogates get wrong with the source, those that all get wrong first; where there are
  fewer than wanted, fewer are asked. The mistakes may be of any label.
- The score is 1 minus the mean distance of the correlation matrices, so that higher = more likely derived.
- Hard labels are one-hot vectors plus .01 after softmax, in which the .01 cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import special

from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Enrollment, Needs, Queries, Scheme, State

ROWS = 512  # of the correlation matrices at a time


@SCHEMES.register("sac")
@dataclass(frozen=True, kw_only=True)
class Sac(Scheme):
    """The distance of two matrices: the correlations of a suspect's, and of the source's, outputs.

    Attributes:
        queries: how many, where no budget says otherwise.
        inputs: "cutmix" (SAC-m), or "mistakes" of the source and its surrogates (SAC-w), which need shadow models.
        correlation: "cosine", (1 - cos) / 2 of two outputs, or "rbf", exp(-|u - v|^2) of normalised ones.
    """

    name: ClassVar[str] = "sac"
    title: ClassVar[str] = "SAC: correlations between answers"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are mixes of two inputs, or inputs that the source and most models made from it at enrollment get "
        "wrong.",
        "The score says how alike two tables are: how strongly the answers to any two queries are correlated, in the "
        "suspect and in the source.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction are mostly missed at a low rate of false accusations, and so are copies by adversarial "
        "training.",
        "With labels alone, two answers are either the same class or not, and the tables say less.",
    )
    lost_with_labels: ClassVar[str | None] = (
        "how alike two answers are is lost, only whether they are the same class is seen"
    )

    queries: int = 100
    inputs: Literal["cutmix", "mistakes"] = "cutmix"
    correlation: Literal["cosine", "rbf"] = "cosine"

    def __post_init__(self) -> None:
        if self.queries < 2:
            raise ValueError("queries must be at least 2: one has no correlation")

    @property
    def needs(self) -> Needs:
        """Scores; mixed inputs, or surrogates for their mistakes."""
        return Needs(source="scores", mixes=self.inputs == "cutmix", shadows=self.inputs == "mistakes")

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """CutMix images, or shared mistakes."""
        wanted = wanted_queries(context.budget, self.queries)
        right = context.right
        data = context.seeds.pairs
        chosen = (
            context.seeds.modality.mix(data, wanted, generator=generator)
            if self.inputs == "cutmix"
            else data.take(_shared_mistakes(context, right, generator)[:wanted])
        )
        if len(chosen) < 2:
            raise FingerprintError(
                f"a budget of {wanted} and {len(chosen)} {context.seeds.modality.plural} that the source and most "
                "surrogates get wrong: "
                "two queries or more have a correlation; raise the budget, or set inputs=cutmix"
            )
        return Queries(
            stored=chosen.stored,
            labels=chosen.labels,
            group=np.zeros(len(chosen), dtype=np.int64),
            report=crafting_report(len(chosen), wanted),
        )

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """1 minus the mean absolute difference of the correlation matrices, over the answered queries."""
        assert source.scores is not None
        index, classes = answered_queries(source, answers, least=2), source.scores.shape[1]
        own, theirs = (
            self._outputs(model.take(index), classes, labels_only=answers.scores is None) for model in (source, answers)
        )
        return 1.0 - correlation_distance(own, theirs, kind=self.correlation)

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """Every correlation of a missing answer with another takes the end of its range that is off the most."""
        if not missing.any():
            return self.score(state, source, answers)
        assert source.scores is not None
        answered_queries(source, answers, least=2)
        index, classes = np.flatnonzero((answers.answered | missing) & source.answered), source.scores.shape[1]
        labels_only = answers.scores is None
        own = self._outputs(source.take(index), classes, labels_only=labels_only)
        theirs = np.zeros_like(own)
        heard = ~missing[index]
        theirs[heard] = self._outputs(answers.take(index[heard]), classes, labels_only=labels_only)
        least = 0.0  # the cosine of two series of probabilities
        if labels_only:
            two = self._outputs(Answers(labels=np.arange(2)), classes, labels_only=True)
            least = float(two[0] @ two[1])
        return 1.0 - correlation_distance(own, theirs, kind=self.correlation, unknown=~heard, least=least)

    def _outputs(self, answers: Answers, classes: int, *, labels_only: bool) -> Float[np.ndarray, "n classes"]:
        shown = Answers(labels=answers.labels) if labels_only else answers
        outputs = shown.probabilities(classes)
        if labels_only:
            outputs = special.softmax(outputs + 0.01, axis=1)
        unit: np.ndarray = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
        return unit


def correlation_distance(
    own: Float[np.ndarray, "n c"],
    theirs: Float[np.ndarray, "n c"],
    *,
    kind: Literal["cosine", "rbf"],
    unknown: Bool[np.ndarray, " n"] | None = None,
    least: float = 0.0,
) -> float:
    """The mean of |C - C'| over all pairs of n outputs of norm 1, in [0, 1].

    Args:
        unknown: of which of theirs nothing is known but that its cosines with others lie between `least` and 1; the
            mean is then the largest that there can be.

    >>> correlation_distance(np.eye(2), np.eye(2)[[0, 0]], kind="cosine")
    0.25
    """
    total = 0.0
    for begin in range(0, len(own), ROWS):
        rows = slice(begin, begin + ROWS)
        cosines = [part[rows] @ part.T for part in (own, theirs)]
        correlations = [_correlation(cos, kind) for cos in cosines]
        off = np.abs(correlations[0] - correlations[1])
        if unknown is not None and unknown.any():
            ends = _correlation(np.array([least, 1.0]), kind)
            most = np.maximum(np.abs(correlations[0] - ends[0]), np.abs(correlations[0] - ends[1]))
            off = np.where(unknown[rows, None] | unknown, most, off)
            off[np.arange(len(off)), np.arange(begin, begin + len(off))] = 0.0  # of each with itself
        total += float(off.sum())
    return total / len(own) ** 2


def _correlation(cosines: np.ndarray, kind: Literal["cosine", "rbf"]) -> np.ndarray:
    return (1 - cosines) / 2 if kind == "cosine" else np.exp(2 * cosines - 2)


def _shared_mistakes(context: Enrollment, right: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """What the source and most surrogates get wrong: by how many of these do, then at random."""
    wrong: np.ndarray = np.flatnonzero(~right)
    wrong = wrong[torch.randperm(len(wrong), generator=generator).numpy()]
    stored, labels = context.seeds.stored[wrong], context.seeds.labels[wrong]
    if not len(wrong):
        return wrong
    shares = np.mean([context.labels_by(model, stored) != labels for model in context.surrogates], axis=0)
    order = np.argsort(-shares, kind="stable")
    shared: np.ndarray = wrong[order[shares[order] > 0.5]]
    return shared
