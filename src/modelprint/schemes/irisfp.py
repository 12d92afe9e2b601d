"""IrisFP: groups of points near the place where all boundaries meet.

Z. Geng, G. Yang, Y. Chen, C. Luo, "IrisFP: Adversarial-Example-based Model Fingerprinting with Enhanced Uniqueness and
Robustness", CVPR 2026 (arXiv 2603.24996).

Differs from the paper:
- The abstract and a summary with the equations of the three phases were at hand, not the paper. Filled in: tau, both
  weights, the size of a group, how many groups are made for each one kept, steps and rate of Adam.
- The L1 term is the mean change of a coordinate, as a share of its range, so that its weight does not depend on size.
- The loss is that of the point as it is stored; the descent is in double precision.
- The label of a point is the source's, whether or not it is the target.
- Standard deviations have a floor of .05: with few shadow models many are 0.
- Groups count as matched by their own thresholds, as published. The share of matched groups is a score, ranked among
  independent models; a thousandth of the mean match rate breaks ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.perturb.descent import descend
from modelprint.perturb.evaluate import frozen
from modelprint.perturb.precision import DTYPES, Precision, in_precision
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Asker, Effort, Enrollment, Needs, Queries, Scheme, State
from modelprint.schemes.pools import agreements
from modelprint.training.labels import labels_of

FLOOR = 0.05  # of a standard deviation of match rates
TIES = 0.001
BATCH = 256


@SCHEMES.register("irisfp")
@dataclass(frozen=True, kw_only=True)
class IrisFP(Scheme):
    """The share of groups whose match rate reaches the group's own threshold.

    Attributes:
        queries: how many, where no budget says otherwise.
        variants: T, points beside the first of each group.
        tau: how far the probability of the target lies above that of chance.
        weight: of the mean change of a coordinate, in both losses.
        tries: groups made for each one kept.
        steps: of Adam, in each phase.
        rate: of Adam, as a share of the range of a coordinate.
        precision: of the descent; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "irisfp"
    title: ClassVar[str] = "IrisFP: points near all boundaries"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are groups of points at which the source finds all classes nearly alike, each point a little more of "
        "one class. Groups are kept that models made from the source answer as it does, and independent models do not.",
        "The score is the share of groups of which the suspect gives enough of the source's classes; how many are "
        "enough is set for each group, on models that were made at enrollment.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction put their boundaries elsewhere, and are mostly missed.",
        "Groups are chosen on the models that were made at enrollment: a copy made in a way that none of them shows "
        "may answer otherwise.",
    )
    counts_agreements: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity(
            key="matched",
            title="matched groups",
            total="groups",
            units=("group", "groups"),
            sentence="It answers {value} as the source does.",
            headline="Groups that match",
        ),
    )

    queries: int = 100
    variants: int = 4
    tau: float = 0.2
    weight: float = 0.1
    tries: float = 2.0
    steps: int = 60
    rate: float = 0.01
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if min(self.queries, self.steps) < 1 or self.variants < 0 or self.tries < 1 or self.rate <= 0:
            raise ValueError("queries, steps and tries must be at least 1, variants at least 0, rate above 0")
        if not 0 < self.tau < 1 or self.weight < 0:
            raise ValueError("tau must lie between 0 and 1, weight must be at least 0")

    @property
    def needs(self) -> Needs:
        """Gradients of the source; labels of shadow models."""
        return Needs(source="gradients", space="continuous", shadows=True)

    def effort(self, context: Enrollment) -> Effort:
        """Two descents of every group that is tried."""
        groups, size = self.layout(context.budget)
        tried = min(len(context.seeds), int(self.tries * groups))
        shadows = len(context.surrogates) + len(context.references)
        return Effort(
            queries=groups * size,
            answers=len(context.seeds) + tried * size * (1.0 + shadows),
            gradients=float(tried * size * (self.steps + 1)),
            together=min(BATCH, tried * size),
        )

    def layout(self, budget: int | None) -> tuple[int, int]:
        """Groups, and points in each: T + 1, or fewer where the budget holds no more."""
        wanted = wanted_queries(budget, self.queries)
        size = min(self.variants + 1, wanted)
        return wanted // size, size

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """The groups that tell the two pools apart best, the best first."""
        groups, size = self.layout(context.budget)
        data = context.seeds
        index = torch.randperm(len(data), generator=generator)[: int(self.tries * groups)].numpy()
        targets = torch.randint(data.classes, (len(index), size), generator=generator)
        stored = np.concatenate(
            [self._group(context, index[part], targets[part]) for part in _parts(len(index), BATCH // size + 1)]
        )  # (tried, size, ...)
        flat = stored.reshape(-1, *data.shape)
        labels = labels_of(context.source, flat, modality=data.modality)
        surrogates, references = (
            side.reshape(len(side), len(index), size).mean(2) for side in agreements(context, flat, labels)
        )
        apart = separation(surrogates, references)
        best = np.argsort(-apart.round(6), kind="stable")[:groups]
        limits = threshold(surrogates, references)[best]
        return Queries(
            stored=np.ascontiguousarray(stored[best].reshape(-1, *data.shape)),
            labels=np.repeat(data.labels[index[best]], size),
            group=np.repeat(np.arange(len(best)), size),
            columns={"threshold": np.repeat(limits, size)},
            report=crafting_report(
                len(best) * size,
                wanted_queries(context.budget, self.queries),
                groups=len(best),
                tried=len(index),
                separation=float(apart[best].mean()),
                mean_threshold=float(limits.mean()),
            ),
        )

    def _group(self, context: Enrollment, index: np.ndarray, targets: Int[Tensor, "n size"]) -> np.ndarray:
        """Stored points of some groups, (n, size, ...): the seed of each, and variants that start from it."""
        first = self._descent(context, context.seeds.stored[index], targets[:, 0])
        size = targets.shape[1]
        if size == 1:
            return first[:, None]
        again = np.repeat(first, size - 1, axis=0)
        others = self._descent(context, again, targets[:, 1:].reshape(-1))
        return np.concatenate([first[:, None], others.reshape(len(index), size - 1, *context.seeds.shape)], axis=1)

    def _descent(self, context: Enrollment, stored: np.ndarray, targets: Int[Tensor, " n"]) -> np.ndarray:
        """Argmin KL(f(x) || p) + weight mean |x - x0|, from stored inputs (phases I and II)."""
        modality = context.seeds.modality
        device = next(context.source.parameters()).device
        start = modality.to_model(stored, device=device, dtype=DTYPES[self.precision])
        goal = tilted(targets.to(device), context.seeds.classes, self.tau).to(start)
        with frozen(in_precision(context.source, self.precision, shape=context.seeds.shape)) as model:

            def loss(points: Tensor, rows: Tensor) -> Tensor:
                changed = (points - start[rows]).abs().flatten(1).mean(1) / modality.box.span
                return divergence(model(points), goal[rows]) + self.weight * changed

            ended = descend(start, loss, steps=self.steps, rate=self.rate * modality.box.span, modality=modality)
        return ended.stored.cpu().numpy()

    def asker(self, state: State, budget: int | None = None) -> Asker:
        """Whole groups only; one group is cut where the budget holds no more."""
        group = state["group"]
        if budget is None or budget >= len(group):
            return Asker(len(group))
        size = int((group == 0).sum())
        return Asker(max(budget // size * size, min(budget, size)))

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The share of matched groups, and a thousandth of the mean match rate."""
        rates, matched = self._matched(state, source, answers)
        return float(matched.mean() + TIES * rates.mean())

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """Matched groups, of how many."""
        rates, matched = self._matched(state, source, answers)
        return {"matched": int(matched.sum()), "groups": len(matched), "mean_match_rate": float(rates.mean())}

    def _matched(
        self, state: State, source: Answers, answers: Answers
    ) -> tuple[Float[np.ndarray, " groups"], Bool[np.ndarray, " groups"]]:
        """The match rate of each group of which anything was answered, and whether it reaches the threshold."""
        index = answered_queries(source, answers)
        row = np.unique(state["group"][index], return_inverse=True)[1]
        same = (source.labels[index] == answers.labels[index]).astype(float)
        rates = np.bincount(row, weights=same) / np.bincount(row)
        limits = np.bincount(row, weights=state["threshold"][index]) / np.bincount(row)
        return rates, rates >= limits - 1e-9


def tilted(targets: Int[Tensor, " n"], classes: int, tau: float) -> Float[Tensor, "n classes"]:
    """p: the target's probability is 1 / C + tau (at most .99), the others share the rest alike.

    >>> tilted(torch.tensor([1]), 4, 0.25).tolist()[0][1]
    0.5
    """
    high = min(1 / classes + tau, 0.99)
    probabilities = torch.full((len(targets), classes), (1 - high) / (classes - 1), dtype=torch.float64)
    return probabilities.to(targets.device).scatter(1, targets[:, None], high)


def divergence(logits: Float[Tensor, "n c"], goal: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
    """KL(f(x) || p), f(x) = softmax of the logits."""
    log_f = logits.log_softmax(1)
    return (log_f.exp() * (log_f - goal.log())).sum(1)


def separation(derived: Float[np.ndarray, "d g"], independent: Float[np.ndarray, "i g"]) -> Float[np.ndarray, " g"]:
    """Cohen's d = (mu_V - mu_I) / sqrt((sigma_V^2 + sigma_I^2) / 2), of the match rates of each group."""
    pooled = np.sqrt((_spread(derived) ** 2 + _spread(independent) ** 2) / 2)
    apart: np.ndarray = (derived.mean(0) - independent.mean(0)) / pooled
    return apart


def threshold(derived: Float[np.ndarray, "d g"], independent: Float[np.ndarray, "i g"]) -> Float[np.ndarray, " g"]:
    """Theta: the mean of both mean match rates, each weighed by the inverse of its standard deviation.

    >>> threshold(np.array([[1.0], [1.0]]), np.array([[0.0], [0.0]])).tolist()
    [0.5]
    """
    near, far = 1 / _spread(derived), 1 / _spread(independent)
    limits: np.ndarray = (near * derived.mean(0) + far * independent.mean(0)) / (near + far)
    return limits


def _spread(rates: Float[np.ndarray, "m g"]) -> Float[np.ndarray, " g"]:
    spread: np.ndarray = np.maximum(rates.std(axis=0), FLOOR)
    return spread


def _parts(count: int, size: int) -> list[slice]:
    return [slice(first, first + size) for first in range(0, count, size)]
