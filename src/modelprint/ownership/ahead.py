"""What is said of work that may be long or dear, before it starts: queries, bytes, seconds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool

from modelprint.core.access import Access
from modelprint.core.durations import duration
from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Cost, Suspect
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.parts import part_index, part_of
from modelprint.schemes.auto import Auto
from modelprint.schemes.base import Asker, Scheme, State

WORTH_SAYING = 60.0  # seconds
Notice = Callable[[str], None]


def unheard(text: str) -> None:
    """A notice that nobody reads."""


def budget_of(suspect: Suspect, budget: int | None) -> int | None:
    """The most queries that a suspect is asked: as the user says, or what suits the access to it; None: all."""
    return suspect.budget if budget is None else budget


def asker_within(scheme: Scheme, state: State, suspect: Suspect, budget: int | None) -> Asker:
    """What chooses the queries that a suspect is asked.

    Raises:
        FingerprintError: the budget holds not one unit of the scheme (a trajectory, a view); the message says which
            budget does.
    """
    most = budget_of(suspect, budget)
    asker = scheme.asker(state, most)
    if asker.total:
        return asker
    what = f"a budget of {most}" if budget is not None else f"{most} queries, as many as an address is asked by itself,"
    least = _least_budget(scheme, state, above=most or 0)
    raise FingerprintError(f"{what} is less than this fingerprint can use: raise it to --budget {least} or more")


def planned_queries(
    fingerprint: Fingerprint, scheme: Scheme, suspect: Suspect, *, access: Access, budget: int | None
) -> Bool[np.ndarray, " n"]:
    """Mask (n,) of the queries that a suspect is asked at most.

    Raises:
        FingerprintError: as of `asker_within`.
    """
    if not isinstance(scheme, Auto):
        return np.arange(len(fingerprint)) < asker_within(scheme, fingerprint.state, suspect, budget).total
    planned = np.zeros(len(fingerprint), dtype=bool)
    for level, share in scheme.shares(access, budget_of(suspect, budget)).items():
        view, index = part_of(fingerprint, scheme, level), part_index(fingerprint, scheme, level)
        planned[index[: asker_within(scheme.parts[level], view.state, suspect, share).total]] = True
    return planned


def asking(cost: Cost, *, whole: int, beside: int = 0, first: str = "") -> str:
    """What asking a server takes, in one line.

    >>> asking(Cost(queries=185, answered=185), whole=3700)
    '185 of the 3700 queries (--budget sets how many), 185 answered already; nothing is sent'

    Args:
        whole: queries of the fingerprint.
        beside: how many inputs of the cost are no queries of the scheme; `first`: these in words.
    """
    asked = cost.queries - beside
    queries = f"{asked} queries"
    if asked < whole:
        queries = f"{asked} of the {whole} queries (--budget sets how many)"
    return (
        f"{queries}{first}, {cost.answered} answered already; {sending(cost) if cost.requests else 'nothing is sent'}"
    )


def sending(cost: Cost) -> str:
    """The requests, bytes and seconds of a cost, in words.

    >>> sending(Cost(queries=2, requests=1, bytes=900, seconds=None))
    '1 request is sent, about 900 bytes, for a time that is not known'
    """
    requests = f"{cost.requests} {'request is' if cost.requests == 1 else 'requests are'} sent"
    time = "for a time that is not known" if cost.seconds is None else f"{duration(cost.seconds)} or more"
    return f"{requests}, about {size(cost.bytes)}, {time}"


def size(count: float) -> str:
    """Bytes in words.

    >>> size(900), size(150_000), size(1_234_567), size(2.5e9)
    ('900 bytes', '150.0 kB', '1.2 MB', '2.5 GB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} bytes"


def _least_budget(scheme: Scheme, state: State, *, above: int) -> int:
    """The smallest budget that holds a query."""
    low, high = above, max(above + 1, scheme.asker(state).total)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if scheme.asker(state, middle).total else (middle, high)
    return high
