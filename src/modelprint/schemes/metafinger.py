"""MetaFinger: inputs that copies recognise and independent models do not, by meta-training over both pools.

K. Yang, R. Wang, L. Wang, "MetaFinger: Fingerprinting the Deep Neural Networks with Meta-training", IJCAI 2022; where
the paper was not at hand, the authors' released code says how.

Differs from the paper:
- Its augmented copies (fine-tuned, pruned, noisy ...) are the surrogates of the enrollment, and the source one of them.
- Inputs start from data that the source was not trained on.
- The source's label is the one that copies must give, not the most frequent of the copies.
- The loss is that of the input as it is stored; the descent is in double precision. Of the code's ten random changes of
  the input, one is kept: noise of up to .05 of the range. The others are of images only.
- The last step is kept, not that of the lowest loss on validation models: few shadow models leave none to validate on.
- Inputs that every copy and no reference recognises come first, as published; where these are too few, the others
  follow, by the share of copies less the share of references that do. The report says how many are of the first kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.perturb.descent import descend
from modelprint.perturb.precision import DTYPES, Precision
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Effort, Enrollment, Needs, Queries, Scheme, State
from modelprint.schemes.pools import Pools, agreements, drawn, opened_pools
from modelprint.stats.labels import hamming_distance
from modelprint.training.labels import labels_of

BATCH = 128


@SCHEMES.register("metafinger")
@dataclass(frozen=True, kw_only=True)
class MetaFinger(Scheme):
    """Inputs on which copies are alike, and unlike independent models.

    Attributes:
        queries: how many, where no budget says otherwise.
        samples: k, copies and reference models that each step compares with (released code: 3).
        weight: of the distance from reference models (released code: 1).
        steps: of Adam (released code: 10 times the number of copies).
        rate: of Adam, as a share of the range of a coordinate (released code: .01 for CIFAR-10).
        noise: the largest random change of a coordinate in a step, as a share of its range.
        tries: inputs made for each one kept.
        precision: of the descent; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "metafinger"
    title: ClassVar[str] = "MetaFinger: meta-trained inputs"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are inputs, changed until models made from the source at enrollment answer them alike, and models "
        "made without it answer otherwise.",
        "The score is the share of the queries to which the suspect gives the source's class.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "What holds for the models that were made at enrollment need not hold for a copy made in a way that none of "
        "them shows.",
        "The changed inputs do not look like those of the task: who serves a copy may notice and refuse them.",
    )
    counts_agreements: ClassVar[bool] = True
    crafting: ClassVar[tuple[Quantity, ...]] = (
        Quantity(
            key="unanimous",
            title="Inputs that every copy and no reference model recognises",
            form="share",
            printed="every copy and no reference model recognises {value:.1%} of the queries",
        ),
    )

    queries: int = 100
    samples: int = 3
    weight: float = 1.0
    steps: int = 60
    rate: float = 0.01
    noise: float = 0.05
    tries: float = 1.4
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if min(self.queries, self.samples, self.steps) < 1 or self.tries < 1 or self.rate <= 0:
            raise ValueError("queries, samples, steps and tries must be at least 1, rate above 0")
        if self.weight < 0 or not 0 <= self.noise < 1:
            raise ValueError("weight must be at least 0, noise in [0, 1)")

    @property
    def needs(self) -> Needs:
        """Gradients, of surrogates and references, too."""
        return Needs(source="gradients", space="continuous", shadows=True)

    def effort(self, context: Enrollment) -> Effort:
        """Every step of every input, through the anchor and the models that are drawn."""
        wanted = wanted_queries(context.budget, self.queries)
        tried = min(len(context.seeds), int(self.tries * wanted))
        shadows = len(context.surrogates) + len(context.references)
        open_ = 1 + min(self.samples, len(context.surrogates) + 1) + min(self.samples, len(context.references))
        return Effort(
            queries=wanted,
            answers=len(context.seeds) + tried * (1.0 + shadows),
            gradients=float(tried * (self.steps + 1) * open_),
            together=min(BATCH, tried) * open_,
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Inputs by how well they tell the pools apart, the best first."""
        wanted = wanted_queries(context.budget, self.queries)
        data = context.seeds
        index = torch.randperm(len(data), generator=generator)[: int(self.tries * wanted)].numpy()
        moved = []
        with opened_pools(context, self.precision) as pools:
            for first in range(0, len(index), BATCH):
                context.progress("meta-trained inputs", first, len(index))
                moved.append(self._moved(context, pools, index[first : first + BATCH], generator))
        context.progress("meta-trained inputs", len(index), len(index))
        stored = np.concatenate(moved)
        labels = labels_of(context.source, stored, modality=data.modality)
        copies, references = (side.mean(0) for side in agreements(context, stored, labels))
        apart = (copies - references).round(6)
        best = np.argsort(-apart, kind="stable")[:wanted]
        return Queries(
            stored=stored[best],
            labels=data.labels[index[best]],
            group=np.zeros(len(best), dtype=np.int64),
            columns={"apart": apart[best]},
            report=crafting_report(
                len(best),
                wanted,
                tried=len(index),
                unanimous=float((apart[best] == 1).mean()),
                copies=float(copies[best].mean()),
                references=float(references[best].mean()),
            ),
        )

    def _moved(self, context: Enrollment, pools: Pools, index: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """Stored inputs of low loss; each step takes an anchor, k copies and k reference models at random."""
        modality = context.seeds.modality
        device = next(context.source.parameters()).device
        start = modality.to_model(context.seeds.stored[index], device=device, dtype=DTYPES[self.precision])
        copies, span = (pools.source, *pools.surrogates), modality.box.span

        def loss(points: Tensor, rows: Tensor) -> Tensor:
            shift = (2 * torch.rand(points.shape, generator=generator, dtype=torch.float64) - 1) * self.noise * span
            seen = modality.box.clip(points + shift.to(points))
            (anchor,) = (model(seen) for model in drawn(copies, 1, generator))
            near = torch.stack([model(seen) for model in drawn(copies, self.samples, generator)])
            far = torch.stack([model(seen) for model in drawn(pools.references, self.samples, generator)])
            return triplet_loss(anchor, near, far, weight=self.weight)

        ended = descend(start, loss, steps=self.steps, rate=self.rate * span, modality=modality)
        return ended.stored.cpu().numpy()

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """Query accuracy: the share of the source's labels that the suspect gives, too."""
        index = answered_queries(source, answers)
        return float(1 - hamming_distance(source.labels[index], answers.labels[index][None])[0])

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """How many of the queries that every copy and no reference recognised the suspect recognises."""
        index = answered_queries(source, answers)
        sure = index[state["apart"][index] == 1]
        same = source.labels[sure] == answers.labels[sure]
        return {"unanimous": len(sure), "unanimous_recognised": int(same.sum())}


def triplet_loss(
    anchor: Float[Tensor, "n c"], near: Float[Tensor, "k n c"], far: Float[Tensor, "k n c"], *, weight: float
) -> Float[Tensor, " n"]:
    """mean_k KL(near_k || anchor) - weight mean_k KL(far_k || anchor), each on its own.

    Args:
        anchor, near, far: logits of the anchor, of copies and of reference models.
    """
    own = anchor.log_softmax(-1)

    def distance(others: Tensor) -> Tensor:
        log_q = others.log_softmax(-1)
        return (log_q.exp() * (log_q - own)).sum(-1).mean(0)

    return distance(near) - weight * distance(far)
