"""Residual: what the scores of suspect and source share beyond what all models of the task have in common.

Any good model gives an ankle boot a high score, and the next one to sneakers. What it gives the other classes depends
on its own training. A model's *table* holds, for each query, the logarithms of its scores of all classes, less their
mean, at length 1: a temperature or a constant leaves it as it is. The score is the partial correlation of the tables of
suspect and source, given the tables of all other independent models (R. A. Fisher, "The distribution of the partial
correlation coefficient", Metron 3, 1924), with a ridge, as models are fewer than numbers in a table (A. E. Hoerl, R. W.
Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics 12, 1970).

*All other* models are reference models, calibration models and the suspect: the score of each of them is taken given
the rest. So the suspect stands in no other place than the calibration models do, and its rank is exact (full conformal
prediction: V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2005). A model whose table lies
among those that it is compared against would score lower than a new one does.

Where a suspect's scores are rounded, or cut to the highest few, all tables are read as coarsely.

Where answers of the suspect are missing, its lowest score is ranked among the highest of the others, over everything
that the missing answers could have been (`residual_bounds`): leaving a query out for all models would let whoever
chooses it decide the rank.

Queries are natural inputs; with surrogates, those on which their residuals follow the source's most steadily.

Differs from the papers: they know nothing of fingerprints. All leave-one-out residuals come from one inverse
(`partial_correlations`).
"""

from __future__ import annotations

from collections.abc import Sequence
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
from modelprint.schemes.base import (
    SCHEMES,
    Effort,
    Enrollment,
    Needs,
    Queries,
    Scheme,
    ScoreBounds,
    ShadowAnswers,
    State,
)
from modelprint.schemes.reading import Reading, hidden_by_coarseness, table
from modelprint.schemes.residual_bounds import partial_correlation_bounds
from modelprint.training.loop import predict

DECIMALS = 9  # of scores and of what queries are chosen by, or the order in which a processor adds would break ties
LEAST_QUERIES = 2
LEAST_OTHERS = 3  # models that suspect and source are compared against
NOTHING = 1e-12  # of a table's square: below it there is nothing but rounding
MOST_MISSING = 0.25  # of the queries, above which bounds tell nothing
MOST = 2**27  # numbers of all models' tables together when queries are chosen


@SCHEMES.register("residual")
@dataclass(frozen=True, kw_only=True)
class Residual(Scheme):
    """The partial correlation of the scores of suspect and source, given those of other models.

    Attributes:
        queries: how many, where no budget says otherwise.
        candidates: inputs to choose them from.
        ridge: how much is added to the diagonal of the Gram matrix, as a share of its mean.
        floor: added to the standard deviation of each score over the models, so that where all agree nothing is blown
            up.
        chosen: whether surrogates, where there are any, choose the queries; otherwise they are drawn at random.
        steady: how much the spread over all surrogates and queries counts beside that of one query.
        precision: of the answers that queries are chosen by; in single they come out again on like processors only.
    """

    name: ClassVar[str] = "residual"
    title: ClassVar[str] = "Residual: scores beyond what all models share"
    explanation: ClassVar[tuple[str, ...]] = (
        "From the scores of suspect and source that part is taken away which the scores of other models of the task "
        "explain.",
        "The verdict's score says how alike is what is left, from -1 to 1; independent models lie around 0.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "It needs the suspect's scores of all classes, to every query; rounded or cut scores carry less, and labels "
        "alone carry nothing.",
        "A model that was fine-tuned from the same public checkpoint as the source shares its residual in part. Only "
        "calibration models that were made so tell how much.",
    )
    lost_with_labels: ClassVar[str | None] = "nothing can be compared, scores are needed"
    transductive: ClassVar[bool] = True
    resolution: ClassVar[float] = 0.02
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
    ridge: float = 0.03
    floor: float = 0.1
    chosen: bool = True
    steady: float = 0.3
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if min(self.queries, self.candidates) < LEAST_QUERIES:
            raise ValueError("queries and candidates must be at least 2")
        if min(self.floor, self.steady, self.ridge) <= 0:
            raise ValueError("floor, steady and ridge must be above 0")

    @property
    def needs(self) -> Needs:
        """Scores of both; reference models, and surrogates that choose the queries, where there are any."""
        return Needs(source="scores", suspect=Access.SCORES, shadows_welcome=True)

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
        seeds, others = context.seeds, len(context.references) + len(context.reference_copies)
        chosen = self.chosen and bool(context.surrogates) and others > 1
        most = MOST // ((others + len(context.surrogates) + 1) * seeds.classes)
        count = max(wanted, min(self.candidates, most)) if chosen else wanted
        index = torch.randperm(len(seeds), generator=generator)[:count].numpy()
        following = 0.0
        if chosen and len(index) > wanted:
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
        own, *read = residuals(
            np.stack([*references, *copies]),
            np.stack([self._asked(context.source, context, stored), *surrogates]),
            ridge=self.ridge,
            floor=self.floor,
        )
        products = np.stack([(unit(one) * own).sum(axis=1) for one in read])
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
        """The scores of the reference models and of their copies, (m, n, classes)."""
        given = [answers.scores for answers in (*shadows.references, *shadows.reference_copies)]
        assert source.scores is not None
        stacked = np.stack([scores for scores in given if scores is not None]) if given else np.zeros(
            (0, *source.scores.shape), dtype=np.float32
        )  # fmt: skip
        return {"group": queries.group, "references": stacked.astype(np.float32)}

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The partial correlation given the reference models alone, in [-1, 1].

        Raises:
            UnscorableError: fewer than two queries were answered, labels alone, or fewer than three reference models.
        """
        return float(self.scores_among(state, source, [answers])[0])

    def scores_among(
        self, state: State, source: Answers, answers: Sequence[Answers], *, suspect: int | None = None
    ) -> Float[np.ndarray, " m"]:
        """The partial correlation of each model's table and the source's, given all others and the reference models.

        All are compared on the queries that the first of them answered, and read as coarsely as its scores.
        """
        first = answers[suspect or 0]
        index = scored_queries(source, first)
        assert source.scores is not None
        assert first.scores is not None
        reading = Reading.of(first.scores[index]) if suspect is not None else Reading()
        tables = [reading.table(given) for given in state["references"][:, index]]
        tables += [read_rows(reading, one, index) for one in answers]
        if len(tables) <= LEAST_OTHERS:
            raise _too_few(len(tables) - 1)
        own = reading.table(source.scores[index])
        correlations = partial_correlations(np.stack(tables), own, ridge=self.ridge, floor=self.floor)
        return np.round(correlations[len(state["references"]) :], DECIMALS)

    def bounds_among(
        self,
        state: State,
        source: Answers,
        answers: Sequence[Answers],
        missing: Bool[np.ndarray, " n"],
        *,
        suspect: int,
    ) -> ScoreBounds:
        """Bounds of `scores_among`.

        Raises:
            UnscorableError: as `scores_among`; so much is missing that bounds tell nothing; or the scores are rounded
                or cut: nobody knows how the missing ones are.
        """
        first = answers[suspect]
        heard = scored_queries(source, first)
        assert source.scores is not None
        assert first.scores is not None
        if missing.sum() > MOST_MISSING * (len(heard) + missing.sum()):
            raise UnscorableError(
                f"{missing.sum()} queries were not answered; of more than {MOST_MISSING:.0%} scores tell nothing: ask "
                "again until every query is answered, or compare labels (--access labels)"
            )
        reading = Reading.of(first.scores[heard])
        if reading != Reading():
            raise UnscorableError(hidden_by_coarseness(int(missing.sum())))
        index = np.sort(np.concatenate([heard, np.flatnonzero(missing)]))
        references = state["references"][:, index]
        tables = np.stack([table(given) for given in references] + [read_rows(reading, one, index) for one in answers])
        if len(tables) <= LEAST_OTHERS:
            raise _too_few(len(tables) - 1)
        bounds = partial_correlation_bounds(
            tables,
            table(source.scores[index]),
            missing[index],
            suspect=len(references) + suspect,
            ridge=self.ridge,
            floor=self.floor,
        )
        beyond = 0.5 * 10.0**-DECIMALS  # what rounding the scores may add
        low, high = bounds.low[len(references) :] - beyond, bounds.high[len(references) :] + beyond
        return ScoreBounds(low=np.round(low, DECIMALS), high=np.round(high, DECIMALS))

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """How many queries were compared, which share of the scores is 0, and how coarse they are."""
        index = scored_queries(source, answers)
        assert answers.scores is not None
        reading = Reading.of(answers.scores[index])
        return {
            "compared": len(index),
            "cut": float((answers.scores[index] == 0).mean()),
            "decimals": reading.decimals,
            "highest": reading.highest,
        }


def _too_few(others: int) -> UnscorableError:
    return UnscorableError(
        f"residual compares a suspect with other models, {LEAST_OTHERS} or more, and got {others}: "
        "name independent models with --negatives, or --shadow at enrollment"
    )


def partial_correlations(
    tables: Float[np.ndarray, "m n c"], own: Float[np.ndarray, "n c"], *, ridge: float, floor: float
) -> Float[np.ndarray, " m"]:
    """The partial correlation of each table with the source's, given all the other tables; from one inverse.

    Tables are standardised by the mean and the spread over all of them. Let Z hold them as rows, o the source's,
    K = Z Z' + r I, A = K^-1, k = Z o, and P_i the residual of a ridge regression on all rows but i. By the inverse of
    a block matrix, z_i' P_i o = (A k)_i / A_ii, z_i' P_i z_i = 1 / A_ii - r, and o' P_i o = o'o - k' A k + (A k)_i^2 /
    A_ii.
    The score is the first over the root of the product of the other two.

    Every table stands in the same place: exchanging two of them exchanges their scores, and changes no other.

    Args:
        ridge: r over the mean of the diagonal of Z Z'.
        floor: added to the spread.
    """
    standard, source = standardised(tables, own[None], floor=floor)
    gram = standard @ standard.T
    r = ridge * max(float(np.trace(gram)) / len(gram), NOTHING)
    inverse = np.linalg.inv(gram + r * np.eye(len(gram)))
    products = standard @ source[0]
    fitted, diagonal = inverse @ products, np.diag(inverse)
    shared = fitted / diagonal
    theirs = np.maximum(1 / diagonal - r, 0)
    ours = np.maximum(float(source[0] @ source[0] - products @ fitted) + fitted * shared, 0)
    lengths = np.sqrt(theirs * ours)
    correlations = np.where(lengths > NOTHING, shared / np.maximum(lengths, NOTHING), 0.0)
    return np.clip(correlations, -1, 1)


def residuals(
    tables: Float[np.ndarray, "m n c"], others: Float[np.ndarray, "k n c"], *, ridge: float, floor: float
) -> Float[np.ndarray, "k n c"]:
    """What a ridge regression on tables leaves of others."""
    standard, read = standardised(tables, others, floor=floor)
    gram = standard @ standard.T
    r = ridge * max(float(np.trace(gram)) / len(gram), NOTHING)
    explained = np.linalg.solve(gram + r * np.eye(len(gram)), standard @ read.T).T @ standard
    left: np.ndarray = (read - explained).reshape(others.shape)
    return left


def standardised(
    tables: Float[np.ndarray, "m n c"], others: Float[np.ndarray, "k n c"], *, floor: float
) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "k d"]]:
    """Both as rows, less the mean of the tables and over their standard deviation plus a floor."""
    mean, scale = tables.mean(axis=0), tables.std(axis=0) + floor
    one, other = (((each - mean) / scale).reshape(len(each), -1) for each in (tables, others))
    return one, other


def read_rows(reading: Reading, answers: Answers, index: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k c"]:
    """The table of a model at some queries; rows of 0 where it did not answer.

    Raises:
        UnscorableError: it gave labels alone.
    """
    if answers.scores is None:
        raise UnscorableError("residual compares scores, and a model gave labels alone: ask it for scores")
    rows = np.zeros((len(index), answers.scores.shape[1]))
    heard = answers.answered[index]
    rows[heard] = reading.table(answers.scores[index][heard])
    return rows


def scored_queries(source: Answers, answers: Answers) -> Int[np.ndarray, " k"]:
    """The numbers of the queries that were answered with scores.

    Raises:
        UnscorableError: they are fewer than two, or the answers are labels alone.
    """
    if answers.scores is None:
        raise UnscorableError("residual compares scores, and the suspect gave labels alone: ask it for scores")
    return answered_queries(source, answers, least=LEAST_QUERIES)


def unit(residual: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """The residual at length 1; 0 stays 0."""
    return residual / max(float(np.linalg.norm(residual)), NOTHING)
