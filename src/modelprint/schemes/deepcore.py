"""DeepCore: points deep inside the classes.

H. Sun, L. Zhang, X.-Y. Li, "DeepCore: Simple Fingerprint Construction for Differentiating Homologous and Piracy
Models", ECML PKDD 2025 (arXiv 2411.00380).

Only the abstract of the paper could be read. From it: core points are made from a few inputs by raising the confidence
of the source's prediction, which takes them far from its boundaries; derived models answer core points more like the
source than homologous models do; two similarities, and a clustering, compare the answers.

Differs from the paper: what the abstract does not say was filled in.
- Inputs that the source classifies rightly, of all classes in turn; Adam on the cross-entropy of their class, in double
  precision, with no bound on the change; the points that the source is most sure of are asked.
- The similarities: 1 less the mean Euclidean distance of two answers over its largest value, and the mean cosine.
- The verdict is a rank among independent models, not a threshold and not a clustering of suspects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from modelprint.core.access import Access
from modelprint.core.devices import device_of
from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.perturb.descent import descend
from modelprint.perturb.evaluate import frozen
from modelprint.perturb.precision import DTYPES, Precision, in_precision
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Effort, Enrollment, Needs, Queries, Scheme, State

BATCH = 256
DECIMALS = 9  # of the losses that points are sorted by


@SCHEMES.register("deepcore")
@dataclass(frozen=True, kw_only=True)
class DeepCore(Scheme):
    """How alike the probabilities of suspect and source are, at points that the source is very sure of.

    Attributes:
        queries: how many, where no budget says otherwise.
        steps: of Adam.
        rate: of Adam, as a share of a coordinate's range.
        similarity: "euclidean" or "cosine".
        tries: points made for each one wanted, at most.
        precision: of the descent; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "deepcore"
    title: ClassVar[str] = "DeepCore: points deep inside the classes"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are inputs that were changed until the source is as sure of their class as it can be.",
        "The score says how alike the probabilities are that suspect and source give there.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Any good model is sure of most of these points: what tells models apart is how sure. Labels alone tell "
        "nothing.",
        "A more confident independent model looks more like the source.",
    )
    lost_with_labels: ClassVar[str | None] = "nothing can be compared, scores are needed"
    reads_alike: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity(key="same", title="same class", total="answered", units=("query", "queries")),
    )

    queries: int = 100
    steps: int = 40
    rate: float = 0.01
    similarity: Literal["euclidean", "cosine"] = "euclidean"
    tries: float = 1.5
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if min(self.queries, self.steps) < 1 or self.tries < 1 or self.rate <= 0:
            raise ValueError("queries, steps and tries must be at least 1, rate above 0")

    @property
    def needs(self) -> Needs:
        """Gradients; scores of the suspect, as every good model gives core points the same class."""
        return Needs(source="gradients", space="continuous", suspect=Access.SCORES)

    def effort(self, context: Enrollment) -> Effort:
        """All tries, every step."""
        wanted = wanted_queries(context.budget, self.queries)
        tried = min(len(context.seeds), int(self.tries * wanted))
        return Effort(
            queries=wanted,
            answers=float(len(context.seeds)),
            gradients=float(tried * (self.steps + 1)),
            together=min(BATCH, tried),
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Core points, the surest first."""
        wanted = wanted_queries(context.budget, self.queries)
        right = np.flatnonzero(context.right)
        right = right[torch.randperm(len(right), generator=generator).numpy()]
        if not len(right):
            raise FingerprintError(f"the source classifies none of {len(context.seeds)} inputs rightly: give more")
        index = right[in_turn(context.seeds.labels[right])][: int(self.tries * wanted)]
        points, losses = [], []
        for begin in range(0, len(index), BATCH):
            context.progress("core points", begin, len(index))
            core = self._core(context, index[begin : begin + BATCH], f"core points from {begin}")
            points.append(core["stored"])
            losses.append(core["losses"])
        context.progress("core points", len(index), len(index))
        loss = np.concatenate(losses)
        best = np.argsort(np.round(loss, DECIMALS), kind="stable")[:wanted]
        return Queries(
            stored=np.concatenate(points)[best],
            labels=context.seeds.labels[index[best]],
            group=np.zeros(len(best), dtype=np.int64),
            report=crafting_report(len(best), wanted, tried=len(index), confidence=float(np.exp(-loss[best]).mean())),
        )

    def _core(self, context: Enrollment, index: np.ndarray, name: str) -> dict[str, np.ndarray]:
        """Points at which the source is sure of the class of some inputs, or what is kept of them."""

        def compute() -> dict[str, np.ndarray]:
            modality, device = context.seeds.modality, device_of(context.source)
            start = modality.to_model(context.seeds.stored[index], device=device, dtype=DTYPES[self.precision])
            labels = torch.from_numpy(context.seeds.labels[index]).to(device)
            with frozen(in_precision(context.source, self.precision, shape=context.seeds.shape)) as source:

                def loss(points: Tensor, rows: Tensor) -> Tensor:
                    return functional.cross_entropy(source(points), labels[rows], reduction="none")

                ended = descend(start, loss, steps=self.steps, rate=self.rate * modality.box.span, modality=modality)
            return {"stored": ended.stored.cpu().contiguous().numpy(), "losses": ended.losses.cpu().double().numpy()}

        return context.unfinished.piece(name, compute)

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The mean similarity of the answers to a core point, in [0, 1]."""
        return float(self._similarities(source, answers, answered_queries(source, answers)).mean())

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """A missing answer has no similarity at all."""
        if not missing.any():
            return self.score(state, source, answers)
        similarities = self._similarities(source, answers, answered_queries(source, answers))
        return float(similarities.sum() / (len(similarities) + missing.sum()))

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """To how many core points it gives the source's class."""
        index = answered_queries(source, answers)
        return {"same": int((source.labels[index] == answers.labels[index]).sum()), "answered": len(index)}

    def _similarities(self, source: Answers, answers: Answers, index: np.ndarray) -> Float[np.ndarray, " n"]:
        if answers.scores is None:
            raise UnscorableError("deepcore compares scores, and the suspect gave labels alone: ask it for scores")
        assert source.scores is not None
        classes = source.scores.shape[1]
        own, theirs = (model.take(index).probabilities(classes) for model in (source, answers))
        if self.similarity == "cosine":
            lengths = np.linalg.norm(own, axis=1) * np.linalg.norm(theirs, axis=1)
            cosines: np.ndarray = ((own * theirs).sum(axis=1) / lengths).clip(0.0, 1.0)
            return cosines
        near: np.ndarray = 1 - np.linalg.norm(own - theirs, axis=1) / np.sqrt(2)
        return near


def in_turn(labels: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """An order in which the classes take turns; within each class as given.

    >>> in_turn(np.array([7, 7, 7, 3])).tolist()
    [3, 0, 1, 2]
    """
    turn = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        turn[of_class] = np.arange(len(of_class))
    order: Int[np.ndarray, " n"] = np.lexsort((labels, turn))
    return order
