"""Plain inputs are put to a suspect before anything else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from modelprint.core.access import Access
from modelprint.core.suspect import UNANSWERED, Answers, Suspect
from modelprint.ownership.ahead import planned_queries
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.forms import KnownInputs
from modelprint.ownership.plain import FEW, MOST, PlainInputs
from modelprint.ownership.sense import check_classes
from modelprint.schemes.base import Scheme
from modelprint.suspects.recorded import RecordedSuspect


@dataclass(frozen=True, kw_only=True)
class PlainPlan:
    """Which plain inputs a suspect is asked.

    Attributes:
        planned: places of those among the queries that are asked anyway.
        beside: places of queries that the budget leaves out.
        further: places among the inputs that are no queries.
    """

    planned: Int[np.ndarray, " a"]
    beside: Int[np.ndarray, " b"]
    further: Int[np.ndarray, " c"]

    @property
    def queries(self) -> Int[np.ndarray, " k"]:
        """Places of all that are queries."""
        return np.concatenate([self.planned, self.beside])

    def with_all_queries(self, fingerprint: Fingerprint) -> PlainPlan:
        """The same plan with every query that is a plain input."""
        if fingerprint.plain is None:
            return self
        return PlainPlan(planned=fingerprint.plain.among, beside=self.beside[:0], further=self.further)


@dataclass(frozen=True, kw_only=True)
class PlainAnswers:
    """What a suspect said to plain inputs.

    Attributes:
        plan: which were put to it.
        queries: its answers to all queries of the fingerprint; -1 where they were not put, as most are not.
        further: its answers to all further inputs, likewise.
        lacking: classes that it cannot answer, which tell nothing of the form.
    """

    plan: PlainPlan
    queries: Answers
    further: Answers
    lacking: frozenset[int] = frozenset()

    def with_queries(self, answers: Answers) -> Answers:
        """Answers to the queries, with those to plain ones that the scheme did not ask."""
        fresh = (answers.labels == UNANSWERED) & (self.queries.labels != UNANSWERED)
        labels = np.where(fresh, self.queries.labels, answers.labels)
        if answers.scores is None or self.queries.scores is None:
            return Answers(labels=labels)
        return Answers(labels=labels, scores=np.where(fresh[:, None], self.queries.scores, answers.scores))

    def with_answers(self, places: np.ndarray, given: Answers) -> Answers:
        """Its answers to the plain queries, and to others at these places."""
        scores = None if self.queries.scores is None else self.queries.scores.copy()
        answers = Answers(labels=self.queries.labels.copy(), scores=scores)
        _fill(answers, places, given)
        return answers

    @property
    def beside(self) -> int:
        """How many were answered that are no queries of the scheme, or none that it asks."""
        return int(self.queries.answered[self.plan.beside].sum() + self.further.answered.sum())

    def further_inputs(self, fingerprint: Fingerprint) -> tuple[np.ndarray, Answers] | None:
        """The inputs that are no queries, and the answers to them; None where there are none."""
        return None if fingerprint.plain is None else (fingerprint.plain.stored, self.further)

    def known(self, fingerprint: Fingerprint, answers: Answers | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The labels of all plain inputs that were answered, and the true ones.

        Args:
            answers: to the scheme's queries, once it asked them.
        """
        plain = fingerprint.plain
        if plain is None:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        queries = self.queries if answers is None else self.with_queries(answers)
        labels = np.concatenate([queries.labels[plain.among], self.further.labels])
        true = np.concatenate([fingerprint.true_labels[plain.among], plain.labels])
        tells = (labels >= 0) & ~np.isin(true, sorted(self.lacking))
        return labels[tells], true[tells]


def plan_plain(
    fingerprint: Fingerprint, scheme: Scheme, suspect: Suspect, *, access: Access, budget: int | None
) -> PlainPlan:
    """Which plain inputs to put: those among the queries first, then others, within the budget.

    Raises:
        FingerprintError: the budget holds not one unit of the scheme.
    """
    asked = planned_queries(fingerprint, scheme, suspect, access=access, budget=budget)
    none = np.zeros(0, np.int64)
    if fingerprint.plain is None:
        return PlainPlan(planned=none, beside=none, further=none)
    planned: Bool[np.ndarray, " k"] = asked[fingerprint.plain.among]
    own, others = fingerprint.plain.among[planned], fingerprint.plain.among[~planned]
    further = np.arange(len(fingerprint.plain.labels))
    own = own[np.linspace(0, len(own) - 1, MOST).round().astype(np.int64)] if len(own) > MOST else own
    if isinstance(suspect, RecordedSuspect):  # what was recorded costs nothing, and nothing else can be asked
        own = own[suspect.knows(fingerprint.queries[own])]
        others = others[suspect.knows(fingerprint.queries[others])]
        further = further[suspect.knows(fingerprint.plain.stored)]
        return PlainPlan(planned=own, beside=others, further=further)
    room = min(MOST - len(own), _room(int(asked.sum()), len(own), suspect, budget))
    others = others[:room]
    return PlainPlan(planned=own, beside=others, further=further[: room - len(others)])


def _room(asked: int, own: int, suspect: Suspect, budget: int | None) -> int:
    """How many inputs may be put beside the queries: what a budget leaves, and a few where no user set it."""
    if budget is not None:
        return max(0, budget - asked)
    if suspect.budget is None:
        return MOST
    return max(suspect.budget - asked, FEW - own, 0)


def ask_plain(fingerprint: Fingerprint, plan: PlainPlan, suspect: Suspect, *, access: Access) -> PlainAnswers:
    """Put the plain inputs of a plan.

    Raises:
        SuspectError: the suspect cannot be asked.
    """
    plain, classes = fingerprint.plain, fingerprint.manifest.input.classes
    queries = _none(len(fingerprint), classes, access)
    further = _none(0 if plain is None else len(plain.labels), classes, access)
    if len(plan.queries):
        given = suspect.ask(fingerprint.queries[plan.queries], access=access)
        check_classes(given, classes, suspect.identity)
        _fill(queries, plan.queries, given)
    if plain is not None and len(plan.further):
        given = suspect.ask(plain.stored[plan.further], access=access)
        check_classes(given, classes, suspect.identity)
        _fill(further, plan.further, given)
    return PlainAnswers(plan=plan, queries=queries, further=further, lacking=suspect.lacking)


def known_inputs(fingerprint: Fingerprint, plan: PlainPlan) -> tuple[KnownInputs, ...]:
    """The plain inputs of a plan with their classes."""
    queries = KnownInputs(stored=fingerprint.queries[plan.queries], labels=fingerprint.true_labels[plan.queries])
    plain: PlainInputs | None = fingerprint.plain
    if plain is None:
        return (queries,)
    return queries, KnownInputs(stored=plain.stored[plan.further], labels=plain.labels[plan.further])


def _none(count: int, classes: int, access: Access) -> Answers:
    scores = np.full((count, classes), np.nan, dtype=np.float32) if access >= Access.SCORES else None
    return Answers(labels=np.full(count, UNANSWERED, dtype=np.int64), scores=scores)


def _fill(answers: Answers, places: np.ndarray, given: Answers) -> None:
    answers.labels[places] = given.labels
    if answers.scores is not None and given.scores is not None:
        answers.scores[places] = given.scores
