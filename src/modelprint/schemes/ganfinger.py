"""GanFinger: pairs of an input and what a small generator makes of it, which carries over to copies only.

H. Ren, A. Yan, X. Ren, P.-G. Ye, C. Gao, Z. Zhou, J. Li, "GanFinger: GAN-Based Fingerprint Generation for Deep Neural
Network Ownership Verification", 2023 (arXiv 2312.15617). The loss over both pools is that of K. Yang, R. Wang, L. Wang,
"NaturalFinger: Generating Natural Fingerprint with Generative Adversarial Networks", 2023 (arXiv 2305.17868).

Differs from the papers:
- Of GanFinger only the abstract was at hand: a generator makes conferrable examples with small changes, and models are
  compared by what they say to pairs of an original and its example. Filled in: generator and discriminator (one hidden
  layer over the flat input, so that every continuous modality has them), the losses, all sizes, and the score: the
  share of pairs of which the suspect gives both of the source's labels, in place of the accuracy-robustness distance.
- Copies are to give the class that the source finds second, reference models to keep the first; NaturalFinger's code
  asks both of a class that FGSM finds, with a margin of 50 logits. The margin here is that of the settings.
- NaturalFinger moves the latent code of a large GAN that was trained beforehand. No such model is at hand here: the
  generator changes natural inputs, and is trained with the fingerprint.
- The generator is trained in double precision, on inputs that the source was not trained on.
- The examples that most copies follow and fewest references do are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.errors import FingerprintError
from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.modalities.base import Modality
from modelprint.perturb.precision import DTYPES, Precision
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Asker, Effort, Enrollment, Needs, Queries, Scheme, State
from modelprint.schemes.pools import Pools, agreements, drawn, margin, opened_pools
from modelprint.training.labels import labels_of

BATCH = 64


class Generator(nn.Module):
    """x + epsilon tanh(g(x, t)), clipped to the space; g has one hidden layer, t is the class to reach.

    Args:
        features: of a flat input.
        epsilon: the largest change of a coordinate.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        hidden: int,
        epsilon: float,
        *,
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.classes, self.epsilon = classes, epsilon
        self.inner = _linear(features + classes, hidden, generator, dtype)
        self.outer = _linear(hidden, features, generator, dtype)

    def forward(self, points: Float[Tensor, "n ..."], targets: Int[Tensor, " n"], modality: Modality) -> Tensor:
        """Points of the same shape."""
        wanted = functional.one_hot(targets, self.classes).to(points)
        hidden = functional.relu(self.inner(torch.cat([points.flatten(1), wanted], dim=1)))
        shift = self.epsilon * self.outer(hidden).tanh()
        moved: Tensor = modality.box.clip(points + shift.reshape(points.shape))
        return moved


class Discriminator(nn.Module):
    """One number for each input, high for natural ones; one hidden layer."""

    def __init__(self, features: int, hidden: int, *, generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.inner = _linear(features, hidden, generator, dtype)
        self.outer = _linear(hidden, 1, generator, dtype)

    def forward(self, points: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """The numbers."""
        says: Tensor = self.outer(functional.leaky_relu(self.inner(points.flatten(1)), 0.2))[:, 0]
        return says


@SCHEMES.register("ganfinger")
@dataclass(frozen=True, kw_only=True)
class GanFinger(Scheme):
    """The share of pairs, a natural input and the generator's, of which the suspect gives both of the source's labels.

    Attributes:
        queries: how many, where no budget says otherwise; two for each pair.
        epsilon: the largest change of a coordinate, as a share of its range.
        hidden: the width of generator and discriminator.
        samples: copies, and reference models, that each step asks.
        margin: in logits, beyond which a class is reached.
        naturalness: the weight of the discriminator's word.
        steps, rate: of Adam, for both networks.
        tries: pairs made for each one kept.
        precision: of the training; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "ganfinger"
    title: ClassVar[str] = "GanFinger: pairs by a generator"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are pairs: a natural input, and the same input as a small network changed it. The network is trained "
        "so that models made from the source follow the change to another class, models made without it do not, and a "
        "second network cannot tell changed inputs from natural ones.",
        "The score is the share of pairs of which the suspect gives both of the source's classes.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Half of the queries are natural inputs, to which good models of the task answer alike.",
        "What carries over to the copies that were made at enrollment need not carry over to one made otherwise.",
    )
    counts_agreements: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity(
            key="matched",
            title="matched pairs",
            total="pairs",
            units=("pair", "pairs"),
            sentence="It gives both of the source's classes to {value}.",
            headline="Pairs that match",
        ),
    )

    queries: int = 100
    epsilon: float = 0.15
    hidden: int = 128
    samples: int = 2
    margin: float = 5.0
    naturalness: float = 0.1
    steps: int = 200
    rate: float = 0.002
    tries: float = 3.0
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if min(self.queries, self.hidden, self.samples, self.steps) < 1 or self.tries < 1:
            raise ValueError("queries, hidden, samples, steps and tries must be at least 1")
        if not 0 < self.epsilon <= 1 or min(self.margin, self.naturalness) < 0 or self.rate <= 0:
            raise ValueError("epsilon must lie in (0, 1], margin and naturalness at least 0, rate above 0")

    @property
    def needs(self) -> Needs:
        """Gradients, of surrogates and references, too."""
        return Needs(source="gradients", space="continuous", shadows=True)

    def effort(self, context: Enrollment) -> Effort:
        """Every step's batch through the models that are drawn."""
        wanted = wanted_queries(context.budget, self.queries)
        shadows = len(context.surrogates) + len(context.references)
        return Effort(
            queries=wanted,
            answers=len(context.seeds) + self.tries * wanted / 2 * (1.0 + shadows),
            gradients=float(BATCH * self.steps * (1 + 2 * self.samples)),
            together=BATCH * (1 + 2 * self.samples),
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Pairs whose example most copies follow and fewest references do, the best first."""
        pairs = wanted_queries(context.budget, self.queries) // 2
        if not pairs:
            raise FingerprintError("a budget of 1 holds no pair: raise it to 2 or more")
        data, modality = context.seeds, context.seeds.modality
        device = next(context.source.parameters()).device
        right = np.flatnonzero(context.right)
        index = right[torch.randperm(len(right), generator=generator).numpy()]
        with opened_pools(context, self.precision) as pools:
            make = self._trained(context, pools, index, generator)
            index = index[: int(self.tries * pairs)]
            examples = []
            for first in range(0, len(index), BATCH):
                part = index[first : first + BATCH]
                points = modality.to_model(data.stored[part], device=device, dtype=DTYPES[self.precision])
                with torch.no_grad():
                    own = torch.from_numpy(data.labels[part]).to(device)
                    examples.append(modality.to_stored(make(points, second(pools.source(points), own), modality)).cpu())
        stored = torch.cat(examples).numpy()
        labels = labels_of(context.source, stored, modality=modality)
        copies, references = (side.mean(0) for side in agreements(context, stored, labels))
        fooled = labels != data.labels[index]
        confers = np.where(fooled, (copies * (1 - references)).round(6), -1.0)
        best = np.argsort(-confers, kind="stable")[:pairs]
        best = best[confers[best] >= 0]
        if not len(best):
            raise FingerprintError(f"the generator changes no label of {len(index)}: set epsilon or steps higher")
        both = np.stack([data.stored[index[best]], stored[best]], axis=1)
        return Queries(
            stored=np.ascontiguousarray(both.reshape(-1, *data.shape)),
            labels=np.repeat(data.labels[index[best]], 2),
            group=np.repeat(np.arange(len(best)), 2),
            columns={"example": np.tile(np.arange(2), len(best))},
            report=crafting_report(
                2 * len(best),
                wanted_queries(context.budget, self.queries),
                tried=len(index),
                fooled=float(fooled.mean()),
                copies=float(copies[best].mean()),
                references=float(references[best].mean()),
            ),
        )

    def _trained(self, context: Enrollment, pools: Pools, index: np.ndarray, generator: torch.Generator) -> Generator:
        """The generator, trained against the discriminator and on both pools."""
        data, modality = context.seeds, context.seeds.modality
        dtype, device = DTYPES[self.precision], next(context.source.parameters()).device
        features, epsilon = int(np.prod(data.shape)), self.epsilon * modality.box.span
        make = Generator(features, data.classes, self.hidden, epsilon, generator=generator, dtype=dtype).to(device)
        tell = Discriminator(features, self.hidden, generator=generator, dtype=dtype).to(device)
        makes, tells = (torch.optim.Adam(one.parameters(), lr=self.rate) for one in (make, tell))
        for step in range(self.steps):
            context.progress("generator", step, self.steps)
            part = index[torch.randint(len(index), (BATCH,), generator=generator).numpy()]
            points = modality.to_model(data.stored[part], device=device, dtype=dtype)
            own = torch.from_numpy(data.labels[part]).to(device)
            with torch.no_grad():
                targets = second(pools.source(points), own)
            with torch.enable_grad():
                examples = make(points, targets, modality)
                judged = functional.relu(1 - tell(points)) + functional.relu(1 + tell(examples.detach()))
                tells.zero_grad()
                judged.mean().backward()  # type: ignore[no-untyped-call]
                tells.step()
                copies = [pools.source, *drawn(pools.surrogates, self.samples, generator)]
                follow = torch.stack([self._reached(model(examples), targets) for model in copies]).mean(0)
                others = drawn(pools.references, self.samples, generator)
                stay = torch.stack([self._reached(model(examples), own) for model in others]).mean(0)
                makes.zero_grad()
                (follow + stay - self.naturalness * tell(examples)).mean().backward()
                makes.step()
        context.progress("generator", self.steps, self.steps)
        return make.eval()

    def _reached(self, logits: Float[Tensor, "n c"], wanted: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """max(0, margin - (z_wanted - max_other z)): the C&W loss of NaturalFinger."""
        return functional.relu(self.margin - margin(logits, wanted))

    def asker(self, state: State, budget: int | None = None) -> Asker:
        """Whole pairs only."""
        total = len(state["group"])
        return Asker(total if budget is None else min(total, budget // 2 * 2))

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The share of matched pairs, of those of which both were answered; of single answers where there is none."""
        index = answered_queries(source, answers)
        rows = np.unique(state["group"][index], return_inverse=True)[1]
        counts = np.bincount(rows)
        same = np.bincount(rows, weights=source.labels[index] == answers.labels[index])
        whole = counts == counts.max()
        return float((same[whole] == counts[whole]).mean())

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """Matched pairs, of how many that were answered whole."""
        index = answered_queries(source, answers)
        rows = np.unique(state["group"][index], return_inverse=True)[1]
        same = np.bincount(rows, weights=source.labels[index] == answers.labels[index])
        return {"matched": int((same == 2).sum()), "pairs": int((np.bincount(rows) == 2).sum())}


def second(logits: Float[Tensor, "n c"], own: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """The highest class beside the own one.

    >>> second(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0]))
    tensor([2])
    """
    return logits.scatter(1, own[:, None], -torch.inf).argmax(1)


def _linear(inner: int, outer: int, generator: torch.Generator, dtype: torch.dtype) -> nn.Linear:
    """Weights drawn from the generator, in double precision first, so that both precisions draw the same."""
    layer = nn.Linear(inner, outer, dtype=dtype, device="meta").to_empty(device="cpu")  # draws nothing itself
    bound = inner**-0.5
    with torch.no_grad():
        for parameter in layer.parameters():
            uniform = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_((2 * uniform - 1) * bound)
    return layer
