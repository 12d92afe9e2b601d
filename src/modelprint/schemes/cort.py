"""CoRt: the black-box part of DeepJudge, robustness on the source's adversarial examples.

J. Chen, J. Wang, T. Peng, Y. Sun, P. Cheng, S. Ji, X. Ma, B. Li, D. Song, "Copy, Right? A Testing Framework for
Copyright Protection of Deep Learning Models", IEEE Symposium on Security and Privacy, 2022, sections IV and V. The
distances for whoever has the weights are in `cort_white_box`.

Differs from the paper:
- Adversarial examples are kept if they still are, once they are stored in 8 bits; where fewer images can be fooled
  than wanted, fewer are asked.
- PGD is in double precision, so that it comes out again on another processor.
- The score is one number: 1 - RobD, or its mean with 1 - JSD where there are scores. The verdict is a rank among
  independent models; the paper's vote of thresholds is `cort_white_box.vote`.
- JSD is in bits, so that it lies in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import special

from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers
from modelprint.perturb.pgd import pgd
from modelprint.perturb.precision import DTYPES, Precision, in_precision
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Effort, Enrollment, Needs, Queries, Scheme, ShadowAnswers, State
from modelprint.schemes.published import Overall, Published
from modelprint.training.labels import labels_of
from modelprint.training.loop import predict

BATCH = 256


@SCHEMES.register("cort")
@dataclass(frozen=True, kw_only=True)
class CoRt(Scheme):
    """How robust a suspect is on the source's untargeted adversarial examples, and how alike the outputs are.

    Attributes:
        queries: how many, where no budget says otherwise.
        epsilon: the largest change of a coordinate, as a share of its range (paper: .03 of a pixel).
        steps: of PGD (paper: 10).
        metric: "both", or one alone; labels give "robd" only.
        precision: of PGD; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "cort"
    title: ClassVar[str] = "CoRt: robustness on adversarial examples (DeepJudge)"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are adversarial examples of the source: inputs that it is sure of, changed so little that nobody "
        "would notice, to which it gives a wrong class.",
        "The score says how alike suspect and source are in the share of these that they get right and, where scores "
        "are given, in the scores themselves.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction and by adversarial training are mostly missed: they are fooled by other examples.",
        "With labels alone, two models that get equally many queries right look alike, whichever queries these are.",
    )
    before_named: ClassVar[Mapping[str, Any]] = {"precision": "single"}
    published: ClassVar[Published | None] = Published(
        name="CoRt (DeepJudge)",
        overall={
            "CIFAR-10": Overall(tpr_at_1=0.26, tpr_at_10=0.32, auc=0.7),
            "CIFAR-100": Overall(tpr_at_1=0.29, tpr_at_10=0.38, auc=0.72),
            "ImageNet": Overall(tpr_at_1=0.2, tpr_at_10=0.28, auc=0.59),
        },
    )
    lost_with_labels: ClassVar[str | None] = (
        "the distance between score vectors is lost, only disagreements are counted"
    )

    queries: int = 100
    epsilon: float = 0.03
    steps: int = 10
    metric: Literal["both", "robd", "jsd"] = "both"
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if min(self.queries, self.steps) < 1 or not 0 < self.epsilon <= 1:
            raise ValueError("queries and steps must be at least 1, epsilon in (0, 1]")

    @property
    def needs(self) -> Needs:
        """Gradients."""
        return Needs(source="gradients", space="continuous")

    def effort(self, context: Enrollment) -> Effort:
        """The steps of whole batches, as if every image were fooled."""
        wanted = wanted_queries(context.budget, self.queries)
        tried = min(len(context.seeds), -(-wanted // BATCH) * BATCH)
        return Effort(
            queries=wanted,
            answers=len(context.seeds) + tried,
            gradients=float(tried * self.steps),
            together=min(BATCH, tried),
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """The images that the source is right and most sure of, fooled."""
        wanted = wanted_queries(context.budget, self.queries)
        order = self._surest(context)
        images: list[np.ndarray] = []
        kept: list[np.ndarray] = []
        done = tried = 0
        while done < wanted and tried < len(order):
            context.progress("adversarial examples", done, wanted)
            index = order[tried : tried + BATCH]
            fooled = self._fooled(context, index, generator, f"images from {tried}")
            labels = labels_of(context.source, fooled, modality=context.seeds.modality)
            crossed = np.flatnonzero(labels != context.seeds.labels[index])[: wanted - done]
            images.append(fooled[crossed])
            kept.append(index[crossed])
            done, tried = done + len(crossed), tried + len(index)
        context.progress("adversarial examples", done, wanted)
        if not done:
            raise FingerprintError(
                f"changes of {self.epsilon:g} fool the source on none of {tried} {context.seeds.modality.plural}: "
                "set epsilon or steps higher"
            )
        chosen = np.concatenate(kept)
        return Queries(
            stored=np.concatenate(images),
            labels=context.seeds.labels[chosen],
            group=np.zeros(done, dtype=np.int64),
            columns={"image": chosen},
            report=crafting_report(done, wanted, tried=tried),
        )

    def _surest(self, context: Enrollment) -> np.ndarray:
        """Images that the source classifies rightly, by sum p^2 (section V-A)."""
        right = np.flatnonzero(context.right)
        source = in_precision(context.source, self.precision, shape=context.seeds.shape)
        stored = torch.from_numpy(context.seeds.stored[right])
        logits = predict(source, stored, modality=context.seeds.modality)
        sure = logits.double().softmax(1).square().sum(1).numpy()
        return right[np.argsort(-sure, kind="stable")]

    def _fooled(self, context: Enrollment, index: np.ndarray, generator: torch.Generator, name: str) -> np.ndarray:
        """Adversarial examples of some images, or what is kept of them."""

        def compute() -> dict[str, np.ndarray]:
            return {"fooled": self._attacked(context, index, generator)}

        return context.unfinished.piece(name, compute, generator=generator)["fooled"]

    def _attacked(self, context: Enrollment, index: np.ndarray, generator: torch.Generator) -> np.ndarray:
        device = next(context.source.parameters()).device
        modality = context.seeds.modality
        fooled = pgd(
            in_precision(context.source, self.precision, shape=context.seeds.shape),
            modality.to_model(context.seeds.stored[index], device=device, dtype=DTYPES[self.precision]),
            torch.from_numpy(context.seeds.labels[index]).to(device),
            epsilon=modality.whole_steps(self.epsilon * modality.box.span),  # what is stored is within epsilon, too
            steps=self.steps,
            generator=generator,
            space=modality.box,
        )
        return np.asarray(modality.to_stored(fooled).contiguous().cpu().numpy())

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """The true labels."""
        return {"group": queries.group, "truth": queries.labels}

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """1 - RobD, 1 - JSD, or the mean of both."""
        assert source.scores is not None
        index, classes = answered_queries(source, answers), source.scores.shape[1]
        own, theirs, truth = source.take(index), answers.take(index), state["truth"][index]
        robd = abs(robustness(theirs.labels, truth) - robustness(own.labels, truth))
        if answers.scores is None or self.metric == "robd":
            return 1.0 - robd
        jsd = float(jensen_shannon(own.probabilities(classes), theirs.probabilities(classes)).mean())
        return 1.0 - (jsd if self.metric == "jsd" else (robd + jsd) / 2)

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """Missing answers that bring RobD to one of its ends (all right, or all wrong), and have a JSD of 1 bit."""
        if not missing.any():
            return self.score(state, source, answers)
        assert source.scores is not None
        index, silent = answered_queries(source, answers), int(missing.sum())
        asked, classes = len(index) + silent, source.scores.shape[1]
        own, theirs, truth = source.take(index), answers.take(index), state["truth"]
        both = answers.answered | missing
        own_rob = robustness(source.labels[both], truth[both])
        right = robustness(theirs.labels, truth[index]) * len(index)
        robd = max(abs(right / asked - own_rob), abs((right + silent) / asked - own_rob))
        if answers.scores is None or self.metric == "robd":
            return 1.0 - robd
        divergences = jensen_shannon(own.probabilities(classes), theirs.probabilities(classes))
        jsd = float(divergences.sum() + silent) / asked
        return 1.0 - (jsd if self.metric == "jsd" else (robd + jsd) / 2)


def robustness(labels: np.ndarray, truth: np.ndarray) -> float:
    """Rob: the accuracy on adversarial examples.

    >>> robustness(np.array([1, 2]), np.array([1, 0]))
    0.5
    """
    return float((labels == truth).mean())


def jensen_shannon(p: Float[np.ndarray, "n c"], q: Float[np.ndarray, "n c"]) -> Float[np.ndarray, " n"]:
    """The Jensen-Shannon divergence of each pair of rows, in bits, in [0, 1].

    >>> jensen_shannon(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.5, 0.5]])).tolist()
    [1.0, 0.0]
    """
    middle = (p + q) / 2
    nats = (special.rel_entr(p, middle) + special.rel_entr(q, middle)).sum(axis=1) / 2
    bits: np.ndarray = (nats / np.log(2)).clip(0.0, 1.0)
    return bits
