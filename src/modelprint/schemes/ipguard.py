"""IPGuard: points just across the decision boundary.

X. Cao, J. Jia, N. Z. Gong, "IPGuard: Protecting Intellectual Property of Deep Neural Networks via Fingerprinting the
Classification Boundary", AsiaCCS 2021. Equation numbers are the paper's.

Differs from the paper:
- Points start from images that the source was not trained on, all of them its mistakes with `start=mistakes`, which
  does far better in QuRD (Godinot et al., AAAI 2025); `training` and `random` are as published.
- The loss is that of the point as an 8-bit image; points that do not reach loss 0 are left out, and others tried.
- The descent is in double precision, so that it comes out again on another processor.
- An image may start several points, towards several classes.
- k may be a share of the source's own logit spread: logits have no common scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from modelprint.core.errors import FingerprintError
from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.core.unfinished import LoopState
from modelprint.modalities.base import Labelled
from modelprint.perturb.descent import Descent, descend
from modelprint.perturb.evaluate import frozen
from modelprint.perturb.precision import DTYPES, Precision, in_precision
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Effort, Enrollment, Needs, Queries, Scheme, State
from modelprint.schemes.published import Overall, Published
from modelprint.stats.labels import hamming_distance
from modelprint.training.labels import labels_of, settled
from modelprint.training.loop import predict

BATCH = 256
TRIES = 3  # points started, for each one wanted, at most


@dataclass(frozen=True, kw_only=True)
class Starts:
    """What points start from.

    Attributes:
        stored: inputs.
        labels: true ones (of noise: the source's).
        own: i, the source's label at each.
        targets: j, (n,).
    """

    stored: np.ndarray
    labels: np.ndarray
    own: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@SCHEMES.register("ipguard")
@dataclass(frozen=True, kw_only=True)
class IPGuard(Scheme):
    """Points at which the target's logit is k above that of the class at the start, and no other is higher.

    Attributes:
        queries: how many, where no budget says otherwise (paper: 100).
        k: distance to the boundary, in logits (paper: 10 with 10 and 100 classes, 100 with 1,000).
        k_unit: "logits", or "spread": the standard deviation over classes of the source's logits, mean over images.
        start: images of the enrolment's data, its mistakes among them, images that the source was trained on, or noise.
        target: a class at random, or the least likely one.
        steps: of Adam, at most (paper: 1,000).
        rate: of Adam, as a share of the range of a coordinate.
        precision: of the descent; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "ipguard"
    title: ClassVar[str] = "IPGuard: points at the classification boundary"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are points just across the boundary between two of the source's classes, reached by small steps from "
        "an input.",
        "The score is the share of these points to which the suspect gives the source's class: where the boundary runs "
        "differs from one trained model to the next.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction are missed: their boundaries run elsewhere, and they answer as independent models do.",
        "Models that were fine-tuned from the same public model as the source share boundaries with it: without such "
        "models among those that calibrate, they may be accused wrongly.",
    )
    counts_agreements: ClassVar[bool] = True
    crafting: ClassVar[tuple[Quantity, ...]] = (
        Quantity(
            key="success_rate",
            title="Start points that reached the boundary",
            form="share",
            printed="{value:.1%} of start points reached the boundary",
        ),
    )
    before_named: ClassVar[Mapping[str, Any]] = {"precision": "single"}
    published: ClassVar[Published | None] = Published(
        name="IPGuard",
        overall={
            "CIFAR-10": Overall(tpr_at_1=0.3, tpr_at_10=0.46, auc=0.77),
            "CIFAR-100": Overall(tpr_at_1=0.43, tpr_at_10=0.63, auc=0.8),
            "ImageNet": Overall(tpr_at_1=0.27, tpr_at_10=0.4, auc=0.69),
        },
        detection={
            "FTLL": 0.978,
            "FTAL": 0.942,
            "RTLL": 0.917,
            "RTAL": 0.621,
            "prune 20 %": 0.895,
            "prune 40 %": 0.783,
            "prune 80 %": 0.587,
            "adversarial .001": 0.423,
            "adversarial .01": 0.162,
            "adversarial .1": 0.184,
            "independent SAST": 0.631,
            "independent SADT": 0.497,
            "independent DAST": 0.454,
            "independent DADT": 0.357,
        },
        f1={
            "PRADA": {"CIFAR-100": 0.7, "ImageNet": 0.59},
            "Knockoff": {"CIFAR-100": 0.69, "ImageNet": 0.62},
            "HL": {"CIFAR-100": 0.35, "ImageNet": 0.29},
        },
    )

    queries: int = 100
    k: float = 10.0
    k_unit: Literal["logits", "spread"] = "logits"
    start: Literal["data", "mistakes", "training", "random"] = "data"
    target: Literal["random", "least-likely"] = "random"
    steps: int = 1000
    rate: float = 0.005
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if min(self.queries, self.steps) < 1 or self.k < 0 or self.rate <= 0:
            raise ValueError("queries and steps must be at least 1, k at least 0, rate above 0")

    @property
    def needs(self) -> Needs:
        """Gradients; training images, where points start from these."""
        return Needs(source="gradients", space="continuous", train_images=self.start == "training")

    def effort(self, context: Enrollment) -> Effort:
        """Every step of every point that is wanted; points that arrive early stop, others are tried in their place."""
        wanted = wanted_queries(context.budget, self.queries)
        answers = len(context.seeds) + TRIES * wanted
        return Effort(
            queries=wanted, answers=answers, gradients=float(wanted * (self.steps + 1)), together=min(BATCH, wanted)
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Points that reach loss 0, in the order of their starts."""
        wanted = wanted_queries(context.budget, self.queries)
        right = context.right
        modality = context.seeds.modality
        k = self.distance(predict(context.source, torch.from_numpy(context.seeds.stored), modality=modality))
        starts = self._starts(context, right, wanted, generator)
        descents: list[Descent] = []
        kept: list[np.ndarray] = []
        done = tried = 0
        while done < wanted and tried < min(len(starts), TRIES * wanted):
            context.progress("boundary points", done, wanted)
            index = np.arange(tried, min(len(starts), tried + min(BATCH, wanted - done)))
            ended = self._walk(context, starts, index, k, f"starts from {tried}")
            reached = index[(ended.losses <= 0).cpu().numpy()]
            descents.append(ended)
            kept.append(reached)
            done, tried = done + len(reached), tried + len(index)
        context.progress("boundary points", done, wanted)
        if not done:
            raise FingerprintError(
                f"none of {tried} points came within {k:.3g} logits of the boundary: raise steps or rate, or lower k"
            )
        ended_at = torch.cat([part.stored for part in descents]).cpu().numpy()
        index = np.concatenate(kept)
        return Queries(
            stored=ended_at[index],
            labels=starts.labels[index],
            group=np.zeros(done, dtype=np.int64),
            columns={"start": starts.own[index], "target": starts.targets[index]},
            report=crafting_report(
                done,
                wanted,
                tried=tried,
                success_rate=done / tried,
                k_in_logits=k,
                mean_steps=float(torch.cat([part.steps for part in descents]).float().mean()),
            ),
        )

    def distance(self, logits: Float[Tensor, "n classes"]) -> float:
        """K in logits."""
        return self.k if self.k_unit == "logits" else self.k * float(logits.std(dim=1).mean())

    def _walk(self, context: Enrollment, starts: Starts, index: np.ndarray, k: float, name: str) -> Descent:
        """The descent of some starts, or what is kept of it."""

        def compute() -> dict[str, np.ndarray]:
            ended = self._descent(context, starts, index, k, context.unfinished.loop("boundary points", name))
            return {field: getattr(ended, field).cpu().numpy() for field in ("stored", "losses", "steps")}

        kept = context.unfinished.piece(name, compute)
        return Descent(**{field: torch.from_numpy(value.copy()) for field, value in kept.items()})

    def _descent(self, context: Enrollment, starts: Starts, index: np.ndarray, k: float, loop: LoopState) -> Descent:
        device, modality = next(context.source.parameters()).device, context.seeds.modality
        own, targets = (torch.from_numpy(part[index]).to(device) for part in (starts.own, starts.targets))
        with frozen(in_precision(context.source, self.precision, shape=context.seeds.shape)) as model:
            return descend(
                modality.to_model(starts.stored[index], device=device, dtype=DTYPES[self.precision]),
                lambda points, rows: boundary_loss(model(points), own[rows], targets[rows], k),
                steps=self.steps,
                rate=self.rate * modality.box.span,
                until=0.0,
                modality=modality,
                loop=loop,
            )

    def _starts(self, context: Enrollment, right: np.ndarray, wanted: int, generator: torch.Generator) -> Starts:
        modality, data = context.seeds.modality, context.seeds.pairs
        if self.start == "training":
            assert context.train_images is not None
            data = context.train_images.pairs
        elif self.start == "mistakes":
            data = data.take(np.flatnonzero(~right))
        elif self.start == "random":
            noise = modality.drawn(context.seeds.shape, TRIES * wanted, generator=generator)
            data = Labelled(stored=noise, labels=labels_of(context.source, noise, modality=modality))
        if not len(data):
            raise FingerprintError("the source makes no mistake to start from: set start=data")
        order = torch.randperm(len(data), generator=generator).numpy()[: TRIES * wanted]
        data = data.take(order)
        stored = torch.from_numpy(data.stored)
        logits = predict(context.source, stored, modality=modality)
        own = settled(context.source, stored, logits, modality=modality)
        rank = logits if self.target == "least-likely" else torch.rand(logits.shape, generator=generator)
        return _with_targets(data, own, rank, TRIES * wanted)

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The matching rate: the share of the source's labels that the suspect gives, too (section 4.2)."""
        index = answered_queries(source, answers)
        return float(1 - hamming_distance(source.labels[index], answers.labels[index][None])[0])


def boundary_loss(
    logits: Float[Tensor, "n classes"], own: Int[Tensor, " n"], targets: Int[Tensor, " n"], k: float
) -> Float[Tensor, " n"]:
    """ReLU(Z_i - Z_j + k) + ReLU(max_{t not in (i, j)} Z_t - Z_i) (Eq. 6).

    >>> z = torch.tensor([[2.0, 5.0, 3.0]])
    >>> boundary_loss(z, torch.tensor([0]), torch.tensor([1]), 4.0)
    tensor([2.])
    """
    mine, theirs = logits.gather(1, own[:, None])[:, 0], logits.gather(1, targets[:, None])[:, 0]
    others = logits.scatter(1, torch.stack([own, targets], dim=1), -torch.inf).amax(1)
    return functional.relu(mine - theirs + k) + functional.relu(others - mine)


def _with_targets(data: Labelled, own: np.ndarray, rank: Tensor, most: int) -> Starts:
    """Each image with the target of lowest rank, then each with the next, until there are `most` or none is left."""
    rank = rank.scatter(1, torch.from_numpy(own)[:, None], torch.inf)  # never a target
    order = rank.argsort(1)[:, :-1].numpy()

    def rounds() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for turn in range(min(order.shape[1], -(-most // len(data)))):
            yield np.arange(len(data)), order[:, turn]

    image, target = (np.concatenate(parts)[:most] for parts in zip(*rounds(), strict=True))
    return Starts(stored=data.stored[image], labels=data.labels[image], own=own[image], targets=target)


def aruc(derived: Float[np.ndarray, " d"], independent: Float[np.ndarray, " i"]) -> float:
    """The paper's figure of merit: min(robustness, uniqueness), integrated over thresholds of the matching rate.

    Robustness is the share of derived models with a rate of at least the threshold, uniqueness that of independent
    models below it. The integral of both step functions is exact.

    >>> round(aruc(np.array([0.9, 0.7]), np.array([0.2])), 3)
    0.6
    """
    cuts = np.unique(np.concatenate([derived, independent, [0.0, 1.0]]).clip(0.0, 1.0))
    upper, widths = cuts[1:], np.diff(cuts)  # both shares are constant on (lower, upper]
    robust = (derived[None] >= upper[:, None]).mean(1)
    unique = (independent[None] < upper[:, None]).mean(1)
    return float((np.minimum(robust, unique) * widths).sum())
