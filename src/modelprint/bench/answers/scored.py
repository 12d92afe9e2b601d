"""Schemes that read recorded scores: how each chooses its queries, and decides on a suspect, as `verify` does.

Adding one is one function here: it sees the source, reference and calibration models, never a model of the source's
family.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from modelprint.bench.answers.schemes import ANSWER_SCHEMES, Evidence
from modelprint.core.access import Access
from modelprint.core.registry import Registry
from modelprint.core.suspect import Answers
from modelprint.ownership.above import Column, combined_alone
from modelprint.ownership.combined import combined_scores
from modelprint.ownership.decide import CalibrationScores, Decision, decide, unscored_decision
from modelprint.ownership.levels import Level
from modelprint.schemes import SCHEMES
from modelprint.schemes.auto import Auto
from modelprint.schemes.base import Queries, ShadowAnswers
from modelprint.schemes.reading import table
from modelprint.schemes.residual import LEAST_OTHERS, Residual
from modelprint.stats.calibration import ranked_by_kind, threshold

DRAW = 2**48  # seeds of torch from a numpy generator
FRAILEST = 4  # of each family, beside its first: the copies that suspects are compared against
DECIMALS = 9  # of what queries are chosen by, or the order in which a processor adds would break ties


@dataclass(frozen=True, kw_only=True)
class ScoredEvidence:
    """What a scheme may look at.

    Attributes:
        labels: what schemes that read labels alone may look at.
        source: the enrolled model's answers to all inputs, with scores.
        references: of models that suspects may be compared against, by family: the first one, and those made from it,
            the least faithful first. None of them is ever judged.
        calibration: of models that set the threshold, one a family.
        alpha: the accepted rate of false accusations.
    """

    labels: Evidence
    source: Answers
    references: tuple[tuple[Answers, ...], ...]
    calibration: tuple[Answers, ...]
    alpha: float


@dataclass(frozen=True, kw_only=True)
class ScoredInterview:
    """What a scheme asks, and what it decides.

    Attributes:
        queries: how many inputs are asked.
        threshold: by the calibration models alone; None where they are too few. Beside a suspect it is another.
        decide: on the answers of a model to all inputs, of which it reads those that are asked.
    """

    queries: int
    threshold: float | None
    decide: Callable[[Answers], Decision]


ScoredScheme = Callable[[ScoredEvidence, np.random.Generator], ScoredInterview]
SCORED_SCHEMES: Registry[ScoredScheme] = Registry("scheme for recorded scores")


@SCORED_SCHEMES.register("residual")
def residual(evidence: ScoredEvidence, generator: np.random.Generator) -> ScoredInterview:
    """The partial correlation of scores, given those of all others, some of the references' copies among them.

    What a crop, or pruning, does to the scores of every model is no likeness to the source. Queries are those that tell
    models apart and copies not (`telling`), as no surrogates choose them.
    """
    level = _Residual.asking(evidence, generator, budget=evidence.labels.budget)
    return ScoredInterview(
        queries=len(level.queries),
        threshold=None if level.alone is None else threshold(level.alone, evidence.alpha),
        decide=level.decide,
    )


@SCORED_SCHEMES.register("auto")
def auto(evidence: ScoredEvidence, generator: np.random.Generator) -> ScoredInterview:
    """Residual and contrast together, without weights; each asks its share of the budget."""
    shares = Auto().shares(Access.SCORES, evidence.labels.budget)
    level = _Residual.asking(evidence, generator, budget=shares[Access.SCORES] or 0)
    by_labels = ANSWER_SCHEMES[Auto().labels](replace(evidence.labels, budget=shares[Access.LABELS] or 0), generator)
    theirs = by_labels.score(
        np.stack([answers.labels[by_labels.queries] for answers in evidence.calibration])
        if evidence.calibration
        else np.zeros((0, len(by_labels.queries)), dtype=np.int64)
    )
    resolution = SCHEMES[Auto().labels].resolution

    def decided(answers: Answers) -> Decision:
        by_scores = level.decide(answers)
        if by_scores.score is None:
            return by_scores
        own = float(by_labels.score(answers.labels[by_labels.queries][None])[0])
        rank = ranked_by_kind(theirs, [""] * len(theirs), evidence.alpha, score=own)
        levels = [
            Level(
                access=Access.LABELS,
                scheme=Auto().labels,
                queries=len(by_labels.queries),
                resolution=resolution,
                decision=replace(unscored_decision("", rank), score=own),
                calibration=theirs,
            ),
            Level(
                access=Access.SCORES,
                scheme=Residual.name,
                queries=len(level.queries),
                resolution=Residual.resolution,
                decision=by_scores,
                calibration=by_scores.calibration_scores,
            ),
        ]
        return _together(levels, evidence.alpha)

    both = (
        None
        if level.alone is None
        else combined_alone(
            [
                Column(scores=theirs, resolution=resolution),
                Column(scores=level.alone, resolution=Residual.resolution),
            ]
        )
    )
    return ScoredInterview(
        queries=len(by_labels.queries) + len(level.queries),
        threshold=None if both is None else threshold(both, evidence.alpha),
        decide=decided,
    )


def _together(levels: list[Level], alpha: float) -> Decision:
    """The decision from the rank of the combined score."""
    own, others = combined_scores(levels)
    rank = ranked_by_kind(others, [""] * len(others), alpha, score=own)
    if rank.threshold is None or rank.p_value is None:
        return replace(levels[-1].decision, outcome="inconclusive", score=own, threshold=None)
    return replace(
        levels[-1].decision,
        outcome="derived" if rank.p_value <= alpha else "not-shown",
        score=own,
        p_value=rank.p_value,
        threshold=rank.threshold,
        calibration_scores=others,
    )


def telling(families: Sequence[Sequence[Answers]]) -> Float[np.ndarray, " n"]:
    """Of each input: how far the families' firsts lie apart, less how far a first one's copies move from it.

    Both are squared distances in tables of scores: the variance between families, and the mean over copies.
    """
    firsts = [table(_scores(family[0])) for family in families]
    apart = np.var(firsts, axis=0).sum(axis=1)
    moves = [
        ((table(_scores(copy)) - first) ** 2).sum(axis=1)
        for family, first in zip(families, firsts, strict=True)
        for copy in family[1:]
    ]
    moved = np.mean(moves, axis=0) if moves else np.zeros(len(apart))
    worth: np.ndarray = np.round(apart - moved, DECIMALS)
    return worth


def _scores(answers: Answers) -> Float[np.ndarray, "n classes"]:
    assert answers.scores is not None
    return answers.scores


@dataclass(frozen=True, kw_only=True)
class _Residual:
    """The scheme `residual`, enrolled on recorded scores.

    Attributes:
        queries: the inputs that are asked.
        shared: the calibration models' scores.
        alone: these with no suspect among them; None where there are too few models to compare.
    """

    queries: Int[np.ndarray, " q"]
    shared: CalibrationScores
    alone: Float[np.ndarray, " k"] | None
    alpha: float

    @classmethod
    def asking(cls, evidence: ScoredEvidence, generator: np.random.Generator, *, budget: int) -> _Residual:
        """The most telling inputs, at most the budget; drawn at random where there is no second family."""
        import torch

        compared = tuple(family[: 1 + FRAILEST] for family in evidence.references)
        order = generator.permutation(len(evidence.labels.truth))
        if len(compared) > 1:  # one family tells nothing apart
            order = order[np.argsort(-telling(compared)[order], kind="stable")]
        queries = order[:budget]
        scheme = Residual()
        draw = torch.Generator().manual_seed(int(generator.integers(DRAW)))
        truth = evidence.labels.truth[queries].astype(np.int64)
        source = evidence.source.take(queries)
        state = scheme.fit(
            Queries(stored=truth[:, None], labels=truth, group=np.zeros_like(truth)),  # of the inputs it needs none
            source,
            ShadowAnswers(references=tuple(one.take(queries) for family in compared for one in family)),
            draw,
        )
        calibration = [one.take(queries) for one in evidence.calibration]
        shared = CalibrationScores(scheme=scheme, state=state, source=source, calibration=calibration)
        enough = calibration and len(calibration) + sum(map(len, compared)) > LEAST_OTHERS
        everything = np.ones(len(queries), dtype=bool)
        return cls(
            queries=queries,
            shared=shared,
            alone=shared.on(everything, Access.SCORES, matched=False) if enough else None,
            alpha=evidence.alpha,
        )

    def decide(self, answers: Answers) -> Decision:
        """What the scores of a suspect show."""
        return decide(
            self.shared.scheme,
            self.shared.state,
            self.shared.source,
            answers.take(self.queries),
            self.shared.calibration,
            alpha=self.alpha,
            asked=np.ones(len(self.queries), dtype=bool),
            shared=self.shared,
        )
