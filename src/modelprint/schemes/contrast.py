"""Contrast: likelihood ratios, calibrated, asked for in order of evidence, with top-1 labels only.

No published scheme catches every kind of copy. This one asks what tells *this* owner's surrogates from his reference
models, whatever it is: each query weighs what the answer is worth as evidence (J. Neyman, E. S. Pearson, 1933), and
asking ends once the verdict is settled, in the manner of A. Wald, "Sequential Tests of Statistical Hypotheses", Annals
of Mathematical Statistics 16, 1945.

Queries are images that nobody learned from, and CutMix of two of them (`contrast_pools` has more). They are chosen as
boosting chooses weak learners (Y. Freund, R. E. Schapire, "A decision-theoretic generalization of on-line learning and
an application to boosting", Journal of Computer and System Sciences 55, 1997): a few at a time, those on which the
surrogates agree with the source most and the reference models least, where a surrogate counts more the less it has
agreed so far, and a reference model the more.

Of the chosen queries the shadow models tell how often a surrogate, and how often a reference model, answers as the
source does:

    p1 = P(answers as the source | surrogate),    p0 = P(answers as the source | reference model)

What is chosen for its difference flatters itself, so that p1 is moved half-way to p0, and one p1 and p0 stand for all
queries. The evidence after n queries is the sum of log(p1 / p0) where the suspect agrees, and of
log((1 - p1) / (1 - p0)) where it does not. Answers of one model depend on each other, so this sum is no likelihood and
its exponential no e-value: the score is the highest evidence on the way, and its threshold comes from the whole ways of
independent models, as for every scheme. A threshold that is as high at the first look as at the last one keeps plain
copies waiting; it is lower for early looks, by the power `delta` of the share of queries answered (S. K. Wang, A. A.
Tsiatis, "Approximately optimal one-parameter boundaries for group sequential trials", Biometrics 43, 1987).

Differs from the papers: neither boosting's weights of the learners nor Wald's bounds are used, as both take answers for
independent that are not.

Copies of reference models stand among the reference models: what copies of any model have in common (less data, another
model's answers for labels) is then no evidence that a suspect was copied from this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from modelprint.core.errors import FingerprintError
from modelprint.core.sections import AgreedQueries, Course, Exhibit, Section
from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.nn.refs import ModelRef
from modelprint.schemes.asked import crafting_report, wanted_queries
from modelprint.schemes.base import (
    SCHEMES,
    Asker,
    Effort,
    Enrollment,
    Needs,
    Queries,
    Scheme,
    ShadowAnswers,
    State,
)
from modelprint.schemes.contrast_pools import Pool, candidates
from modelprint.training.labels import labels_of

LEAST_CONTRAST = 0.02  # of the chosen queries, by the mean over surrogates and reference models
TOGETHER = 10  # queries chosen between two changes of the models' weights


@SCHEMES.register("contrast")
@dataclass(frozen=True, kw_only=True)
class Contrast(Scheme):
    """The highest evidence on the way through the queries, the most telling ones first.

    Attributes:
        queries: how many, where no budget says otherwise.
        pool: what they are chosen from: images as they are, CutMix of them, or both; points of trajectories, images
            moved by a universal perturbation, or all of these.
        candidates: how many CutMix images to choose from.
        boost: how much a surrogate's weight falls (a reference model's rises) with each agreement, as an exponent.
        batch: queries between two looks at the evidence.
        delta: of the boundary: evidence of n of N queries is divided by (n / N)^delta; 0 asks as much of every look.
    """

    name: ClassVar[str] = "contrast"
    title: ClassVar[str] = "Contrast: evidence weighed query by query"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are chosen so that models made from the source at enrollment (surrogates) answer as it does, and "
        "models made without it (reference models) do not.",
        "Each answer adds what it is worth as evidence, for or against. The score is the highest evidence on the way, "
        "and asking ends as soon as the verdict is settled.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "It finds what its surrogates show: copies made by extraction are mostly missed where no surrogate was made by "
        "extraction.",
        "A model that was copied from another source in the same way can look like a copy of this one. Only "
        "calibration models that were made so tell how often.",
    )
    counts_agreements: ClassVar[bool] = True
    before_named: ClassVar[Mapping[str, Any]] = {"delta": 0.0}

    queries: int = 200
    pool: Pool = "both"
    candidates: int = 20_000
    boost: float = 0.05
    batch: int = 10
    delta: float = 0.25

    def __post_init__(self) -> None:
        if min(self.queries, self.candidates, self.batch) < 1 or self.boost < 0 or not 0 <= self.delta < 1:
            raise ValueError("queries, candidates and batch must be at least 1, boost at least 0, delta in [0, 1)")

    @property
    def needs(self) -> Needs:
        """Surrogates and reference models; what the pool of candidates takes to make."""
        walks = self.pool in ("trajectory", "shifted", "all")
        return Needs(
            source="gradients" if walks else "labels",
            space="continuous" if walks else "any",
            mixes=self.pool in ("both", "cutmix", "all"),
            shadows=True,
        )

    @property
    def sequential(self) -> bool:
        """Asking ends when the verdict is settled."""
        return True

    def asker(self, state: State, budget: int | None = None) -> Asker:
        """A batch at a time, in order."""
        total = len(state["group"])
        return BatchAsker(total if budget is None else min(total, budget), self.batch)

    def effort(self, context: Enrollment) -> Effort | None:
        """Every candidate, asked of the source and of each shadow model; not known where candidates are crafted."""
        if self.needs.source == "gradients":
            return None
        pool = len(context.seeds) + (self.candidates if self.needs.mixes else 0)
        shadows = len(context.surrogates) + len(context.references) + len(context.reference_copies)
        return Effort(queries=wanted_queries(context.budget, self.queries), answers=float(pool * (1 + shadows)))

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """The candidates on which surrogates agree with the source, and reference models do not."""
        wanted = wanted_queries(context.budget, self.queries)
        pool, natural = candidates(self.pool, context, self.candidates, generator)
        own = labels_of(context.source, pool.stored, modality=context.seeds.modality)
        sides = (context.surrogates, context.references, context.reference_copies)
        total, done = sum(map(len, sides)), 0
        agreements: list[Bool[np.ndarray, "m n"]] = []
        for side in sides:
            answers = np.zeros((len(side), len(pool)), dtype=bool)
            for number, model in enumerate(side):
                context.progress("shadow models", done + number, total)
                answers[number] = self._agrees(context, model, pool.stored, own, f"agreement {done + number}")
            agreements.append(answers)
            done += len(side)
        surrogates, *independent = agreements
        chosen = boosted(surrogates, [side for side in independent if len(side)], wanted, self.boost)
        contrast = surrogates[:, chosen].mean() - np.concatenate(independent)[:, chosen].mean()
        if contrast < LEAST_CONTRAST:
            raise FingerprintError(
                f"surrogates agree with the source hardly more than reference models do ({contrast:.3f} on the best "
                f"{len(chosen)} of {len(pool)} candidates): were they made from this source? Train more, or surrogates "
                "that are closer to it"
            )
        return Queries(
            stored=pool.stored[chosen],
            labels=pool.labels[chosen],
            group=np.zeros(len(chosen), dtype=np.int64),
            columns={"natural": chosen < natural},
            report=crafting_report(len(chosen), wanted, candidates=len(pool), contrast=float(contrast)),
        )

    def _agrees(
        self, context: Enrollment, model: ModelRef, stored: np.ndarray, own: np.ndarray, name: str
    ) -> Bool[np.ndarray, " n"]:
        """Where a shadow model agrees with the source's labels, or what is kept of it."""

        def compute() -> dict[str, np.ndarray]:
            return {"agrees": context.labels_by(model, stored) == own}

        return context.unfinished.piece(name, compute)["agrees"]

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """What agreeing, and what disagreeing, is worth."""
        surrogates, references = (
            np.stack([answers.labels == source.labels for answers in side])
            for side in (shadows.surrogates, (*shadows.references, *shadows.reference_copies))
        )
        p1, p0 = chances(surrogates, references)
        return {
            "group": queries.group,
            "worth": np.array([np.log((1 - p1) / (1 - p0)), np.log(p1 / p0)]),  # of differing, of agreeing
            **queries.columns,
        }

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The highest evidence at any look, in nats at the last one; queries without an answer add nothing."""
        return float(self.path(state, source, answers)[1].max())

    def sections(self, exhibit: Exhibit) -> Sequence[Section]:
        """How the evidence grew, and the queries that carry it."""
        over = f", over (n / {len(exhibit.source)})^{self.delta:g} after n answers" if self.delta else ""
        course = Course(
            title="Evidence against queries asked",
            caption=f"The sum of what each answer is worth, in nats, after each batch{over}; a line ends where asking "
            "ended. The score is its highest point.",
            x="queries asked",
            y="evidence, nats",
            models=[self._line(exhibit, answers) for answers in exhibit.models],
            calibration=[self._line(exhibit, answers) for answers in exhibit.calibration],
            threshold=exhibit.threshold,
        )
        return (Section(title="Query by query", blocks=(course, AgreedQueries(title="The queries that carry it"))),)

    def _line(self, exhibit: Exhibit, answers: Answers) -> list[tuple[float, float]]:
        """Queries asked and evidence, at the start and after each batch up to the last one asked."""
        counted = answers.answered & (np.arange(len(answers)) < exhibit.asked)
        asked = int(np.flatnonzero(counted)[-1]) + 1 if counted.any() else 0
        seen = Answers(labels=np.where(counted, answers.labels, UNANSWERED))
        looks = zip(*self.path(exhibit.state, exhibit.source, seen), strict=True)
        whole = [(int(end), float(evidence)) for end, evidence in looks]
        before = [look for look in whole if look[0] < asked]
        last = [(asked, evidence) for _, evidence in whole[len(before) : len(before) + 1] if asked]
        return [(0, 0.0), *before, *last]

    def path(
        self, state: State, source: Answers, answers: Answers
    ) -> tuple[Int[np.ndarray, " looks"], Float[np.ndarray, " looks"]]:
        """Queries asked at each look, and the evidence over (n / N)^delta."""
        total = len(answers)
        worth = state["worth"][(answers.labels == source.labels).astype(np.int64)]
        evidence = np.cumsum(np.where(answers.answered, worth, 0.0))
        heard = np.cumsum(answers.answered).clip(min=1)
        ends = np.append(np.arange(self.batch - 1, total - 1, self.batch), total - 1)
        # rounded, or the order of agreements would break ties by rounding errors
        return ends + 1, np.round(evidence[ends] / (heard[ends] / total) ** self.delta, 9)


class BatchAsker(Asker):
    """The next queries in order, a batch at a time."""

    def __init__(self, total: int, batch: int) -> None:
        super().__init__(total)
        self.batch = batch

    def next(self, answers: Answers, asked: np.ndarray) -> np.ndarray:
        """The first of those that were not asked."""
        return np.flatnonzero(~asked[: self.total])[: self.batch]


def boosted(
    surrogates: Bool[np.ndarray, "c n"], others: Sequence[Bool[np.ndarray, "s n"]], wanted: int, rate: float
) -> Int[np.ndarray, " w"]:
    """The places of the wanted candidates, in the order in which they were chosen.

    Args:
        surrogates: where each surrogate agrees with the source.
        others: the same of kinds of models that should not; the kinds weigh alike.
        rate: the exponent of the weights, per agreement.

    >>> surrogates, references = np.array([[True, True, False]]), np.array([[True, False, False]])
    >>> boosted(surrogates, [references], 2, 0.05).tolist()
    [1, 0]
    """
    references = np.concatenate(others)
    start = np.concatenate([np.full(len(side), 1 / len(side)) for side in others])
    ours, theirs = surrogates.astype(np.float32), references.astype(np.float32)
    batches: list[np.ndarray] = []
    agreed, wrongly = np.zeros(len(surrogates)), np.zeros(len(references))
    left = np.ones(surrogates.shape[1], dtype=bool)
    wanted = min(wanted, surrogates.shape[1])
    while (missing := wanted - sum(map(len, batches))) > 0:
        weights, blame = np.exp(-rate * (agreed - agreed.mean())), start * np.exp(rate * (wrongly - wrongly.mean()))
        contrast = weights / weights.sum() @ ours - blame / blame.sum() @ theirs
        contrast = np.round(contrast, 9)  # or the order in which a processor adds would break ties
        best = np.argsort(np.where(left, -contrast, np.inf), kind="stable")[: min(TOGETHER, missing)]
        batches.append(best)
        left[best] = False
        agreed += ours[:, best].sum(axis=1)
        wrongly += theirs[:, best].sum(axis=1)
    return np.concatenate(batches)


def chances(surrogates: Bool[np.ndarray, "c n"], references: Bool[np.ndarray, "s n"]) -> tuple[float, float]:
    """p1 and p0: how often a surrogate, and a reference model, is expected to agree on the chosen queries.

    >>> p1, p0 = chances(np.array([[True, True], [True, False]]), np.array([[False, False], [False, True]]))
    >>> round(p1, 3), round(p0, 3)
    (0.5, 0.333)
    """
    # Laplace: never 0 or 1
    mean1, mean0 = (float(side.sum() + 1) / (side.size + 2) for side in (surrogates, references))
    return (max(mean1, mean0) + mean0) / 2, mean0
