"""Residual: what is left of a model's scores once that is taken away which all models of the task have in common.

What many answers have in common is found by principal components (K. Pearson, "On lines and planes of closest fit to
systems of points in space", Philosophical Magazine 2, 1901).

Differs from the paper: it has no fingerprints. What is used is the part that the components leave.

Any good model gives an ankle boot a high score, and the next one to sneakers. What it gives the other classes depends
on its own training. A model's *table* holds, for each query, the logarithms of its scores of all classes, less their
mean, at length 1: a temperature or a constant leaves it as it is. The tables of reference models have a mean, a spread,
and directions in which they mostly differ (principal components). A model's *residual* is its table less that mean,
over that spread, without these directions. The score is the cosine of the suspect's residual and the source's.

Queries are natural inputs, those on which the surrogates' residuals follow the source's most steadily. Surrogates have
no other part: a discriminant that was learned from them found fewer copies (docs/design/0014-residual.md).

Reference models are no calibration models. A table that the mean was made of lies nearer to it than the table of a new
independent model does, and would be ranked too low.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import nn

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.nn.refs import ModelRef
from modelprint.perturb.precision import Precision, in_precision
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Effort, Enrollment, Needs, Queries, Scheme, ShadowAnswers, State
from modelprint.training.loop import predict

FLAT = 1e-6  # the norm of a row of logarithms below which all classes count as alike
DECIMALS = 9  # of scores and of what queries are chosen by, or the order in which a processor adds would break ties
UNSEEN = 1e-4  # what a probability of 0 may have been before it was rounded or cut off
LEAST_QUERIES = 2
RANK = 1e-9  # of the largest component's square: below it there is nothing but rounding
MOST = 2**27  # numbers of all models' tables together when queries are chosen


@SCHEMES.register("residual")
@dataclass(frozen=True, kw_only=True)
class Residual(Scheme):
    """The cosine of the residuals of suspect and source.

    Attributes:
        queries: how many, where no budget says otherwise.
        candidates: inputs to choose them from.
        components: directions that are taken out, at most; as many as there are reference models, less two.
        floor: added to the standard deviation of the reference models, so that where all agree nothing is blown up.
        chosen: whether surrogates choose the queries; otherwise they are drawn at random.
        steady: how much the spread over all surrogates and queries counts beside that of one query.
        precision: of the answers that queries are chosen by; in single they come out again on like processors only.
    """

    name: ClassVar[str] = "residual"
    title: ClassVar[str] = "Residual: scores beyond what all models share"
    explanation: ClassVar[tuple[str, ...]] = (
        "What independent models (reference models) have in common is taken away from the scores of suspect and "
        "source: their mean, and the {components} directions in which they differ most.",
        "The verdict's score says how alike is what is left, from -1 to 1; independent models lie around 0.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "It needs the suspect's scores of all classes; rounded or cut scores carry less, and labels alone carry "
        "nothing.",
        "A model that was fine-tuned from the same public checkpoint as the source shares its residual in part. Only "
        "calibration models that were made so tell how much.",
    )
    lost_with_labels: ClassVar[str | None] = "nothing can be compared, scores are needed"
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity(key="compared", title="queries compared", units=("query", "queries")),
        Quantity(
            key="cut",
            title="scores of zero",
            form="share",
            sentence="{value} of its scores are 0: they were rounded or cut off, and say only that they are small.",
        ),
    )

    queries: int = 200
    candidates: int = 1000
    components: int = 20
    floor: float = 0.1
    chosen: bool = True
    steady: float = 0.3
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if min(self.queries, self.candidates) < LEAST_QUERIES or self.components < 0:
            raise ValueError("queries and candidates must be at least 2, components at least 0")
        if self.floor <= 0 or self.steady <= 0:
            raise ValueError("floor and steady must be above 0")

    @property
    def needs(self) -> Needs:
        """Scores of both; reference models, and surrogates that choose the queries."""
        return Needs(source="scores", suspect=Access.SCORES, shadows=True)

    def effort(self, context: Enrollment) -> Effort:
        """Every candidate, asked of the source and of each shadow model."""
        wanted = wanted_queries(context.budget, self.queries)
        candidates = min(len(context.seeds), max(wanted, self.candidates if self.chosen else wanted))
        shadows = len(context.surrogates) + len(context.references) + len(context.reference_copies)
        return Effort(queries=wanted, answers=float(candidates * (1 + shadows)))

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Inputs on which surrogates' residuals follow the source's, the best first; or any."""
        wanted = wanted_queries(context.budget, self.queries)
        if wanted < LEAST_QUERIES:
            raise FingerprintError(f"a budget of {wanted}: a residual needs {LEAST_QUERIES} queries or more; raise it")
        seeds, shadows = context.seeds, len(context.references) + len(context.reference_copies)
        most = MOST // ((shadows + len(context.surrogates) + 1) * seeds.classes)
        count = max(wanted, min(self.candidates, most)) if self.chosen else wanted
        index = torch.randperm(len(seeds), generator=generator)[:count].numpy()
        following = 0.0
        if self.chosen and len(index) > wanted:
            follows = self._follows(context, seeds.stored[index])
            best = np.argsort(-np.round(follows, DECIMALS), kind="stable")[:wanted]
            index, following = index[best], float(follows[best].mean())
        return Queries(
            stored=seeds.stored[index],
            labels=seeds.labels[index],
            group=np.zeros(len(index), dtype=np.int64),
            report=crafting_report(len(index), wanted, candidates=min(count, len(seeds)), following=following),
        )

    def _follows(self, context: Enrollment, stored: np.ndarray) -> Float[np.ndarray, " n"]:
        """How steadily surrogates' residuals follow the source's, query by query: mean over spread."""
        sides = (context.references, context.reference_copies, context.surrogates)
        total = sum(map(len, sides))
        tables: list[list[np.ndarray]] = []
        for side in sides:
            tables.append([])
            for model in side:
                done = sum(map(len, tables))
                context.progress("shadow models", done, total)
                tables[-1].append(self._heard(context, model, stored, f"answers {done}"))
        context.progress("shadow models", total, total)
        references, copies, surrogates = tables
        common = Common.of(np.stack([*references, *copies]), components=self.components, floor=self.floor)
        own = common.residual(self._asked(context.source, context, stored))
        products = np.stack([(unit(common.residual(read)) * own).sum(axis=1) for read in surrogates])
        spread: np.ndarray = products.std(axis=0) + self.steady * products.std()
        steadiness: np.ndarray = products.mean(axis=0) / np.maximum(spread, np.finfo(np.float64).tiny)
        return steadiness

    def _heard(
        self, context: Enrollment, model: ModelRef, stored: np.ndarray, name: str
    ) -> Float[np.ndarray, "n classes"]:
        """The table of a shadow model, or what is kept of it."""

        def compute() -> dict[str, np.ndarray]:
            with context.opened(model) as module:
                return {"table": self._asked(module, context, stored)}

        return context.unfinished.piece(name, compute)["table"]

    def _asked(self, model: nn.Module, context: Enrollment, stored: np.ndarray) -> Float[np.ndarray, "n classes"]:
        walked = in_precision(model, self.precision, shape=context.seeds.shape)
        return table(predict(walked, torch.from_numpy(stored), modality=context.seeds.modality).double().numpy())

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """The tables of the reference models and of their copies."""
        tables = [table_of(answers) for answers in (*shadows.references, *shadows.reference_copies)]
        return {"group": queries.group, "references": np.stack(tables).astype(np.float32)}

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The cosine of both residuals, in [-1, 1], over the answered queries.

        Raises:
            UnscorableError: fewer than two queries were answered, or labels alone.
        """
        return self.least_score(state, source, answers, np.zeros(len(answers), dtype=bool))

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """The cosine; where answers are missing, a bound below what any answers to them could give (`least_cosine`)."""
        answered = scored_queries(source, answers)
        index = np.flatnonzero(missing | np.isin(np.arange(len(answers)), answered))
        common = Common.of(
            state["references"][:, index].astype(np.float64), components=self.components, floor=self.floor
        )
        own = common.residual(table_of(source)[index])
        return least_cosine(common, own, table_of(answers)[index], missing[index])

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """How many queries were compared, and which share of the scores is 0."""
        index = scored_queries(source, answers)
        assert answers.scores is not None
        return {"compared": len(index), "cut": float((answers.scores[index] == 0).mean())}


@dataclass(frozen=True, kw_only=True)
class Common:
    """What tables of independent models have in common.

    Attributes:
        mean, scale: of each score; the scale is the standard deviation plus a floor.
        components: orthonormal, one a row.
    """

    mean: Float[np.ndarray, "n c"]
    scale: Float[np.ndarray, "n c"]
    components: Float[np.ndarray, "k n*c"]

    @classmethod
    def of(cls, tables: Float[np.ndarray, "m n c"], *, components: int, floor: float) -> Common:
        """That of m models; at most m - 2 components, so that something is left to tell models apart by."""
        mean, scale = tables.mean(axis=0), tables.std(axis=0) + floor
        standard = ((tables - mean) / scale).reshape(len(tables), -1)
        wanted = max(0, min(components, len(tables) - 2, standard.shape[1] - 1))
        squares, left = np.linalg.eigh(standard @ standard.T)  # m x m: models are fewer than scores
        kept = np.arange(len(squares))[::-1][:wanted]
        kept = kept[squares[kept] > RANK * max(squares[-1], np.finfo(np.float64).tiny)]
        return cls(mean=mean, scale=scale, components=(left[:, kept] / np.sqrt(squares[kept])).T @ standard)

    def standard(self, table: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
        """The table less the mean, over the scale."""
        standard: np.ndarray = (table - self.mean) / self.scale
        return standard

    def residual(self, table: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
        """The same without the components."""
        flat = self.standard(table).ravel()
        left: np.ndarray = flat - (self.components @ flat) @ self.components
        return left.reshape(table.shape)


def least_cosine(
    common: Common,
    own: Float[np.ndarray, "n c"],
    theirs: Float[np.ndarray, "n c"],
    missing: Bool[np.ndarray, " n"],
) -> float:
    """The cosine of `own` and the residual of a table; a lower bound of it where rows of the table are missing.

    With P the projection that takes the components out, z the standardised table, and `own` = P s, the cosine is
    <z, P s> / (|P z| |P s|). A missing row of the table has length 1 at most. It adds to the numerator at least
    -|P s / scale| - <mean / scale, P s>, over that row, and to |z|^2, which is at least |P z|^2, at most
    (1 / min scale + |mean / scale|)^2. Where the numerator can fall below 0 the bound is -1.

    Args:
        own: the source's residual.
        theirs: rows of 0 where they are missing.
    """
    heard = ~missing
    standard, length = common.standard(theirs), float(np.linalg.norm(own))
    if heard.all():
        residual = common.residual(theirs)
        lengths = length * float(np.linalg.norm(residual))
        return round(float((residual * own).sum()) / lengths, DECIMALS) if lengths > FLAT else 0.0
    shift, lost = common.mean[missing] / common.scale[missing], own[missing]
    numerator = float((standard[heard] * own[heard]).sum() - (shift * lost).sum())
    numerator -= float(np.linalg.norm(lost / common.scale[missing], axis=1).sum())
    if numerator <= 0 or length <= FLAT:
        return -1.0
    longest = 1 / common.scale[missing].min(axis=1) + np.linalg.norm(shift, axis=1)
    return numerator / (length * float(np.sqrt((standard[heard] ** 2).sum() + (longest**2).sum())))


def table(scores: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """Logarithms of scores, each row less its mean, at length 1; rows in which all classes are alike are 0.

    Where all scores lie between 0 and 1 they are taken for probabilities, whatever they sum to; one of 0 was rounded or
    cut off, and stands for .0001, or for half the smallest of its row. Others are taken for logits, of any temperature.

    >>> table(np.array([[2.0, 0.0]])).round(3).tolist(), table(np.array([[0.9, 0.1]])).round(3).tolist()
    ([[0.707, -0.707]], [[0.707, -0.707]])
    """
    logits = scores.astype(np.float64)
    if logits.size and logits.min() >= 0 and logits.max() <= 1:
        least = np.where(logits > 0, logits, 1.0).min(axis=1, keepdims=True)
        logits = np.log(np.where(logits > 0, logits, np.minimum(least / 2, UNSEEN)))
    centred = logits - logits.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.where(lengths > FLAT, centred / np.maximum(lengths, FLAT), 0.0)


def table_of(answers: Answers) -> Float[np.ndarray, "n c"]:
    """The table of a model; rows of 0 where it did not answer.

    Raises:
        UnscorableError: it gave labels alone.
    """
    if answers.scores is None:
        raise UnscorableError("residual compares scores, and the suspect gave labels alone: ask it for scores")
    rows = np.zeros(answers.scores.shape)
    rows[answers.answered] = table(answers.scores[answers.answered])
    return rows


def scored_queries(source: Answers, answers: Answers) -> Int[np.ndarray, " k"]:
    """The numbers of the queries that were answered with scores.

    Raises:
        UnscorableError: they are fewer than two, or the answers are labels alone.
    """
    if answers.scores is None:
        table_of(answers)
    return answered_queries(source, answers, least=LEAST_QUERIES)


def unit(residual: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """The residual at length 1; 0 stays 0."""
    return residual / max(float(np.linalg.norm(residual)), FLAT)
