"""What asking a suspect takes: the queries, plain inputs before them, and a few queries a second time."""

from __future__ import annotations

from dataclasses import replace

from modelprint.core.access import Access
from modelprint.core.durations import duration
from modelprint.core.suspect import Cost, Suspect, summed
from modelprint.ownership.ahead import WORTH_SAYING, Notice, asking, planned_queries, unheard
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.plain_asked import plan_plain
from modelprint.ownership.steadiness import twice_places
from modelprint.schemes.base import Scheme


def cost_of(
    fingerprint: Fingerprint,
    scheme: Scheme,
    suspect: Suspect,
    *,
    access: Access,
    budget: int | None,
    repeats: bool = True,
) -> Cost:
    """What asking a suspect would take at most; no query is sent.

    Args:
        repeats: whether some queries are put twice, as for a verdict; not for a recording.

    Raises:
        FingerprintError: the budget holds not one unit of the scheme.
    """
    asked = planned_queries(fingerprint, scheme, suspect, access=access, budget=budget)
    plan = plan_plain(fingerprint, scheme, suspect, access=access, budget=budget)
    stored = [fingerprint.queries[asked], fingerprint.queries[plan.beside]]
    stored += [] if fingerprint.plain is None else [fingerprint.plain.stored[plan.further]]
    costs = [suspect.cost(part, access=access) for part in stored if len(part)]
    places = twice_places(fingerprint, scheme, suspect, plan, access=access, budget=budget)
    if repeats and not suspect.free and len(places):
        again = suspect.cost(fingerprint.queries[places], access=access)
        costs.append(replace(again, queries=0, answered=0))
    return summed(costs)


def announce_asking(
    fingerprint: Fingerprint,
    scheme: Scheme,
    suspect: Suspect,
    *,
    access: Access,
    budget: int | None,
    notice: Notice,
    repeats: bool = True,
) -> None:
    """Say what asking a server takes, before anything is sent; of a suspect here, what takes more than a minute."""
    if notice is unheard:  # nor is anything measured
        return
    cost = cost_of(fingerprint, scheme, suspect, access=access, budget=budget, repeats=repeats)
    if not (cost.requests or cost.answered):
        if cost.seconds is not None and cost.seconds > WORTH_SAYING:
            notice(f"{suspect.identity}: {cost.queries} queries, about {duration(cost.seconds)} on this machine")
        return
    plan = plan_plain(fingerprint, scheme, suspect, access=access, budget=budget)
    beside = len(plan.beside) + len(plan.further)
    first = f" and {beside} unperturbed {fingerprint.modality.plural}" if beside else ""
    places = twice_places(fingerprint, scheme, suspect, plan, access=access, budget=budget)
    if repeats and len(places):
        first += f", {len(places)} queries twice"
    notice(f"{suspect.identity}: {asking(cost, whole=len(fingerprint), beside=beside, first=first)}")
