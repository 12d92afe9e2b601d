"""Does a suspect give one answer to one question? Dropout left on, or noise, makes a verdict a matter of luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError
from modelprint.core.suspect import UNANSWERED, Answers, Suspect
from modelprint.ownership.ahead import asker_within, planned_queries
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.plain_asked import PlainPlan
from modelprint.schemes.base import Scheme

TWICE = 8  # queries that are put a second time
OFF = 1e-3  # of the largest score: beyond it, two answers to one query differ


@dataclass(frozen=True, kw_only=True)
class Twice:
    """What a suspect said to some queries that were put twice.

    Attributes:
        places: of these queries in the fingerprint.
        first: the answers to the first time.
        changed: how many had another answer the second time.
    """

    places: Int[np.ndarray, " k"]
    first: Answers
    changed: int

    @property
    def note(self) -> str | None:
        """What to say of it; None where nothing changed."""
        if not self.changed:
            return None
        return (
            f"answers differ between two identical calls, to {self.changed} of {len(self.places)} queries: the suspect "
            "is random (dropout left on, or noise added?), and so is this verdict."
        )


def twice_places(
    fingerprint: Fingerprint, scheme: Scheme, suspect: Suspect, plan: PlainPlan, *, access: Access, budget: int | None
) -> Int[np.ndarray, " k"]:
    """The places of the queries that a suspect is asked twice; none where that cannot be, or the budget is spent."""
    planned = planned_queries(fingerprint, scheme, suspect, access=access, budget=budget)
    spent = int(planned.sum()) + len(plan.beside) + len(plan.further)
    if not suspect.repeats or (not suspect.free and budget is not None and budget - spent < TWICE):
        return np.zeros(0, np.int64)
    first = np.flatnonzero(planned)
    if not scheme.parts:  # the first batch, of a scheme that may stop early
        asker = asker_within(scheme, fingerprint.state, suspect, budget)
        unheard = Answers(labels=np.full(len(fingerprint), UNANSWERED, dtype=np.int64))
        first = np.asarray(asker.next(unheard, np.zeros(len(fingerprint), dtype=bool)))
    return np.setdiff1d(first, plan.queries)[:TWICE]


def ask_twice(
    fingerprint: Fingerprint, places: Int[np.ndarray, " k"], suspect: Suspect, *, access: Access
) -> Twice | None:
    """Put some queries twice; None where the suspect cannot be asked anew.

    A model on this machine shows its scores for that, whatever the access.

    Raises:
        SuspectError: the suspect cannot be asked.
    """
    if not len(places):
        return None
    queries = fingerprint.queries[places]
    level = Access.SCORES if suspect.free and suspect.access > access else access
    try:
        first = suspect.ask(queries, access=level)
    except SuspectError:
        if level == access:
            raise
        level = access  # it gives labels only
        first = suspect.ask(queries, access=level)
    second = suspect.again(queries, access=level)
    if second is None:
        return None
    return Twice(places=places, first=first.restricted(access), changed=_changed(first, second))


def _changed(first: Answers, second: Answers) -> int:
    heard = first.answered & second.answered
    if first.scores is None or second.scores is None or first.scores.shape != second.scores.shape:
        return int((first.labels != second.labels)[heard].sum())
    off = np.abs(first.scores - second.scores)[heard].max(axis=1, initial=0.0)
    return int((off > OFF * max(1.0, float(np.abs(first.scores[heard]).max(initial=0.0)))).sum())
