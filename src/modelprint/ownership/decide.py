"""From answers to a verdict; a pure function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from modelprint.core.access import Access
from modelprint.core.errors import UnscorableError
from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.core.verdict import Evidence, FalseAccusations, KindRate, Outcome, Relation
from modelprint.ownership.kinds import Group
from modelprint.ownership.matching import Matching, looks_renamed, rematched, renamed
from modelprint.schemes.base import Scheme, ScoreBounds, State
from modelprint.schemes.reading import Reading, hidden_by_coarseness
from modelprint.stats.calibration import Ranking, needed_models, ranked_by_kind, upper_bound

LEAST_ANSWERED = 0.5
WHOLE = Reading()  # scores as they are
ABSTENTIONS = "abstained"  # of a verdict's details: how many queries the suspect answered without naming a class


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the answers show.

    Attributes:
        calibration_scores: of the calibration models, by their answers to all queries that could have been asked; the
            highest that they can be, where they depend on answers of the suspect that are missing.
        calibration_least: the lowest that they can be then; None otherwise.
        ranked: how many families stand in the smallest group that the p-value rests on.
        kinds: the rank in each group.
        pooled: whether a group of too few families was ranked with the most frequent one.
        details: the scheme's own fields of the verdict.
        matching: how the suspect's classes were matched with the source's, where their numbers differ.
        note: what that did, and cost, in words; else empty.
        uncovered: the kinds of calibration model that no rate is known for, in words; empty where there are none.
        evidence: what each level of access says, where several were read.
        relation: the story that fits them.
    """

    outcome: Outcome
    message: str
    score: float | None
    p_value: float | None
    threshold: float | None
    false_accusations: FalseAccusations | None
    calibration_scores: np.ndarray
    calibration_least: np.ndarray | None = None
    ranked: int = 0
    kinds: tuple[KindRate, ...] = ()
    pooled: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    matching: Matching | None = None
    note: str = ""
    uncovered: str = ""
    evidence: tuple[Evidence, ...] | None = None
    relation: Relation | None = None


def only(answers: Answers, mask: np.ndarray) -> Answers:
    """The answers to the masked queries; the others count as not asked."""
    scores = None if answers.scores is None else np.where(mask[:, None], answers.scores, np.nan).astype(np.float32)
    return Answers(labels=np.where(mask, answers.labels, UNANSWERED), scores=scores)


@dataclass(frozen=True, kw_only=True)
class CalibrationScores:
    """The scores of calibration models, which suspects that were asked the same queries share.

    Attributes:
        calibration: the answers of each model to every query.
    """

    scheme: Scheme
    state: State
    source: Answers
    calibration: Sequence[Answers]
    _known: dict[tuple[bytes, Access, bool, Reading], np.ndarray] = field(default_factory=dict, repr=False)

    def on(
        self, queries: np.ndarray, shown: Access, *, matched: bool, reading: Reading = WHOLE
    ) -> Float[np.ndarray, " m"]:
        """The score of each model; computed once for each set of queries.

        Args:
            queries: mask (n,) of those that count; which of them a suspect answered has no part in it.
            shown: what is read of the answers.
            matched: whether the classes of each model are matched with the source's.
            reading: how coarsely the suspect gives scores, where all are read so.
        """
        key = (queries.tobytes(), shown, matched, reading)
        if key not in self._known:
            read = [reading.answers(answers) for answers in self._read(queries, shown, matched=matched)]
            self._known[key] = self.scheme.scores_among(self.state, reading.answers(self.source), read)
        return self._known[key]

    def beside(
        self, suspect: Answers, queries: np.ndarray, shown: Access, *, matched: bool
    ) -> tuple[float, Float[np.ndarray, " m"]]:
        """The score of a suspect, and of each model beside it, where these depend on each other.

        Raises:
            UnscorableError: they cannot be scored.
        """
        read = self._read(queries, shown, matched=matched)
        score, *others = self.scheme.scores_among(self.state, self.source, [suspect, *read], suspect=0)
        return float(score), np.array(others)

    def bounds_beside(
        self, suspect: Answers, queries: np.ndarray, shown: Access, *, missing: np.ndarray, matched: bool
    ) -> tuple[float, ScoreBounds]:
        """The lowest score of a suspect that left queries out, and between which those of each model beside it lie.

        Raises:
            UnscorableError: no such bounds are known; or the classes are matched by the very answers that are missing.
        """
        if matched:
            raise UnscorableError(
                f"{missing.sum()} queries were not answered, and the suspect's classes are matched by its answers: ask "
                "again until every query is answered, or compare labels (--access labels)"
            )
        read = [suspect, *self._read(queries, shown, matched=False)]
        bounds = self.scheme.bounds_among(self.state, self.source, read, missing, suspect=0)
        return float(bounds.low[0]), ScoreBounds(low=bounds.low[1:], high=bounds.high[1:])

    def _read(self, queries: np.ndarray, shown: Access, *, matched: bool) -> list[Answers]:
        read = [only(other.restricted(shown), queries) for other in self.calibration]
        return [rematched(self.source, answers) for answers in read] if matched else read


def decide(  # noqa: PLR0912 - what can be missing, one after the other
    scheme: Scheme,
    state: State,
    source: Answers,
    answers: Answers,
    calibration: Sequence[Answers],
    *,
    alpha: float,
    asked: np.ndarray,
    planned: np.ndarray | None = None,
    groups: Sequence[Group] = (),
    families: Sequence[str] = (),
    owners: int = 1,
    pool_kinds: bool = False,
    shared: CalibrationScores | None = None,
) -> Decision:
    """Score a suspect, and rank it among the calibration models.

    Calibration models are scored by their own answers to all queries, whatever the suspect answered. A query that it
    left unanswered takes the value that lowers its score most (`Scheme.least_score`): nobody gains by silence.

    Args:
        alpha: the accepted rate of false accusations.
        asked: mask of shape (n,), the queries that were put to the suspect.
        planned: mask of those that could have been, where a scheme stops early: the calibration models are ranked by
            what they say to all of them.
        groups: of the calibration models; each that is large enough is ranked by itself, and the worst rank counts. No
            rate is known for the others.
        families: of the calibration models, whose scores depend on each other: the highest stands for all.
        owners: who ask about this suspect, which the p-value is to be adjusted for.
        pool_kinds: rank groups that are too small with the largest one.
        shared: the scores of the same calibration models, where many suspects are judged by one fingerprint.
    """
    members = list(groups) or [Group()] * len(calibration)
    ranking = partial(ranked_by_kind, kinds=members, alpha=alpha / owners, families=families, pool=pool_kinds)
    unscored = ranking(np.zeros(len(calibration)))
    answered = asked & answers.answered
    missing = asked & ~answers.answered
    named_nothing = int((asked & answers.abstained).sum())
    abstained = {ABSTENTIONS: named_nothing} if named_nothing else {}
    if not answered.any() or answered.sum() < LEAST_ANSWERED * asked.sum():
        return unscored_decision(
            f"only {answered.sum()} of {asked.sum()} queries were answered, half are needed: "
            f"{_more(answers, asked)}{_shorter(asked, answered | answers.abstained)}",
            unscored,
            details=abstained,
        )
    heard = only(answers, answered)
    matching = looks_renamed(source, heard, calibration, asked) if calibration and scheme.needs.same_classes else None
    if matching is not None:
        heard = renamed(heard, matching)
    shown = Access.LABELS if answers.scores is None else Access.SCORES  # the same of every model that is ranked
    reading = _reading(scheme, heard)
    if missing.any() and reading != WHOLE:
        return unscored_decision(hidden_by_coarseness(int(missing.sum())), unscored, details=abstained)
    heard, whole, source = reading.answers(heard), source, reading.answers(source)
    path = asked if planned is None or not scheme.sequential else planned
    scores = shared or CalibrationScores(scheme=scheme, state=state, source=whole, calibration=calibration)
    try:
        least = None
        if scheme.transductive and missing.any():
            score, bounds = scores.bounds_beside(heard, path, shown, missing=missing, matched=matching is not None)
            ranked, least = bounds.high, bounds.low
        elif scheme.transductive:
            score, ranked = scores.beside(heard, path, shown, matched=matching is not None)
        else:
            score, ranked = scheme.least_score(state, source, heard, missing), np.zeros(0)
    except UnscorableError as error:
        return unscored_decision(str(error), unscored, details=abstained)
    details = {**scheme.details(state, source, scheme.counted(source, heard, missing)), **abstained}
    if not calibration:
        return Decision(
            outcome="inconclusive",
            message=missing_models(unscored, alpha),
            score=score,
            p_value=None,
            threshold=None,
            false_accusations=None,
            calibration_scores=np.zeros(0),
            details=details,
        )
    # where the suspect's classes were matched, calibration models get the same freedom, or the rate would not hold
    if not scheme.transductive:
        ranked = scores.on(path, shown, matched=matching is not None, reading=reading)
    rank = ranking(ranked, score=score)
    note = ""
    if matching is not None:
        note = _matched(
            matching, ranking(scores.on(path, shown, matched=False, reading=reading)).threshold, rank.threshold
        )
    errors = (
        FalseAccusations(count=rank.count, n=rank.n, upper_95=upper_bound(rank.count, rank.n))
        if rank.threshold is not None
        else None
    )
    outcome, message = _outcome(rank, alpha)
    if least is not None and outcome == "not-shown":
        return unscored_decision(hidden_message(int(missing.sum())), unscored, details=abstained)
    lost = (
        ""
        if answers.scores is not None or scheme.lost_with_labels is None
        else f"; labels only: {scheme.lost_with_labels}"
    )
    if scheme.expect and all(group.behind is None for group in members):  # older fingerprints: all answered plainly
        lost += f"; the rate holds for suspects that answer plainly, not behind {scheme.expect}"
    if missing.any():
        lost += (
            f"; {missing.sum()} of {asked.sum()} queries were not answered and count against derivation"
            f"{_abstentions(named_nothing)}{_shorter(asked, answered | answers.abstained)}"
        )
    uncovered = uncovered_kinds(rank, needed_models(alpha / owners))
    lost += uncovered
    if scheme.needs.shadows and all(group.kind != "COPY" for group in members):
        lost += f"; no rate is known for {Group(kind='COPY')}: calibrate on some (--negatives)"
    return Decision(
        outcome=outcome,
        message=f"{message}{lost}. {note}" if note else message + lost,
        score=score,
        p_value=rank.p_value,
        threshold=rank.threshold,
        false_accusations=errors,
        calibration_scores=ranked,
        calibration_least=least,
        ranked=min(rank.sizes.values()),
        kinds=rates(rank),
        pooled=any(one.pooled_with is not None for one in rank.kinds),
        details=details,
        matching=matching,
        note=note,
        uncovered=uncovered,
    )


def _reading(scheme: Scheme, heard: Answers) -> Reading:
    """How coarsely the models are read beside a suspect."""
    if not scheme.reads_alike or heard.scores is None:
        return WHOLE
    return Reading.of(heard.scores[heard.answered])


def hidden_message(missing: int) -> str:
    """Why there is no verdict where bounds over missing scores do not show derivation."""
    return (
        f"{missing} queries were not answered, and what their scores hide may make the difference: ask again until "
        "every query is answered, or compare labels (--access labels)"
    )


def _matched(matching: Matching, named: float | None, limit: float | None) -> str:
    cost = "" if named is None or limit is None else f": threshold {limit:.4g} instead of {named:.4g}"
    return (
        f"its classes have other numbers than the source's: {matching.moved} of {len(matching.classes)} were matched "
        f"by its answers, which agree on {matching.matched} of {matching.answered} queries so and on "
        f"{matching.as_named} as numbered; the calibration models were matched in the same way{cost}"
    )


def _abstentions(count: int) -> str:
    return f" (to {count} the suspect answered that it names no class)" if count else ""


def _more(answers: Answers, asked: np.ndarray) -> str:
    """What to do about answers that are missing."""
    abstained = int((asked & answers.abstained).sum())
    if not abstained:
        return "ask again"
    return (
        f"to {abstained} the suspect answered that it names no class, which asking again will not change: have it "
        "answer at a lower confidence (a parameter of the request in many APIs)"
    )


def _shorter(asked: np.ndarray, answered: np.ndarray) -> str:
    """What to do where the answers are those to the first queries, as a smaller budget asks."""
    first = int(answered.sum())
    if np.flatnonzero(answered)[-1:].tolist() != [np.flatnonzero(asked)[first - 1]] or first == asked.sum():
        return ""
    return f"; if no more than the first {first} were asked, give --budget {first}"


def unscored_decision(message: str, unscored: Ranking, *, details: Mapping[str, Any] | None = None) -> Decision:
    """No verdict, and why; `unscored`: the calibration models by kind."""
    return Decision(
        outcome="inconclusive",
        message=message,
        score=None,
        p_value=None,
        threshold=None,
        false_accusations=None,
        calibration_scores=np.zeros(0),
        kinds=rates(unscored),
        details=details or {},
    )


def unasked_decision(
    message: str, groups: Sequence[Group], *, families: Sequence[str], alpha: float, pool_kinds: bool
) -> Decision:
    """No verdict on a suspect that was not asked the queries, and why."""
    nothing = np.zeros(len(groups))
    return unscored_decision(message, ranked_by_kind(nothing, groups, alpha, families=families, pool=pool_kinds))


def unscored(decision: Decision, message: str) -> Decision:
    """No verdict where there was one, and why; the scheme's own figures stay."""
    return replace(
        decision,
        outcome="inconclusive",
        message=message,
        score=None,
        p_value=None,
        threshold=None,
        false_accusations=None,
        calibration_scores=np.zeros(0),
        kinds=tuple(one.model_copy(update={"p_value": None}) for one in decision.kinds),
    )


def rates(rank: Ranking) -> tuple[KindRate, ...]:
    """What each kind of calibration model says."""
    return tuple(
        KindRate(kind=one.kind.kind, behind=one.kind.behind, n=one.n, p_value=one.p_value, covered=one.covered)
        for one in rank.kinds
        if isinstance(one.kind, Group)
    )


def _outcome(rank: Ranking, alpha: float) -> tuple[Outcome, str]:
    if rank.threshold is None or rank.p_value is None:
        return "inconclusive", missing_models(rank, alpha)
    sizes = [f"among {size} {group}" for group, size in rank.sizes.items()]
    worst = "" if len(sizes) == 1 else f"the worst of ranks {', '.join(sizes[:-1])} and "
    chance = f"p = {rank.p_value:.3g}, {worst or 'rank '}{sizes[-1]}"
    pooled = [f"{one.n} {one.kind} with the {one.pooled_with}" for one in rank.kinds if one.pooled_with is not None]
    if pooled:
        chance += f"; kinds were pooled: {', '.join(pooled)}"
    if rank.p_value <= alpha:
        return "derived", f"answers like a model made from the source ({chance}); accepted error rate {alpha:g}"
    return "not-shown", f"no more like the source than independent models are ({chance}); that is no proof of innocence"


def uncovered_kinds(rank: Ranking, need: int) -> str:
    """The kinds that the verdict does not rest on, where it rests on others."""
    if rank.threshold is None:
        return ""
    missing = [f"{one.kind}: {one.n} given, {need} needed" for one in rank.kinds if not one.covered]
    return "".join(f"; no rate is known for {one}" for one in missing)


def missing_models(rank: Ranking, alpha: float) -> str:
    """How many calibration models there are, and how many are needed."""
    need = needed_models(alpha)
    counts = [f"{one.n} {one.kind}" for one in rank.kinds]
    given = " and ".join(counts) if len(counts) > 1 else f"{rank.n} calibration models"
    pooling = " of one kind" if len(counts) > 1 else ""
    return (
        f"{given}, but an error rate of {alpha:g} needs at least {need}{pooling}: "
        "name a folder of independent models with --negatives, or have some trained with --negatives auto:N"
    )
