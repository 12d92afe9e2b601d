"""The leaderboard: committed claims, claimed beside measured."""

from __future__ import annotations

from benchmarks.common import RESULTS
from modelprint.results.claims import Claim, Measurement, read_claim
from modelprint.schemes import SCHEMES
from research.tables.field_tables import table

CLAIMS = RESULTS.parent / "claims"
OUTCOMES = {None: "not checked", "agreed": "agreed", "lower": "lower", "cannot-be-checked": "cannot be checked"}


def claims_of(bench: str) -> list[Claim]:
    """The committed claims on a benchmark, the highest standing figure first."""
    every = [read_claim(path) for path in sorted(CLAIMS.glob("*.json"))]
    mine = [claim for claim in every if claim.population.bench == bench]
    return sorted(mine, key=lambda claim: (-claim.standing.value, claim.entry.label, claim.access))


def leaderboard(bench: str) -> str:
    """One line for each claim."""
    lines = [
        [
            claim.entry.label,
            claim.access,
            str(claim.budget) if SCHEMES[claim.entry.scheme]().needs.asks else "none",
            _with_interval(claim.claimed),
            _measured(claim),
            OUTCOMES[claim.outcome],
            ", ".join(dict.fromkeys(f"{check.origin.date} ({check.how})" for check in claim.checks)),
        ]
        for claim in claims_of(bench)
    ]
    first = claims_of(bench)[0].claimed
    note = (
        f"T1%F over the {first.n_derived} copies of all sources and {first.n_independent} independent models: each "
        "source is judged by its own copies, and by the models that were not made from it. The last column says of "
        "which day the checked figures are, and how they were checked: from recorded scores, or by running the "
        "benchmark again."
    )
    return table(["scheme", "reads", "queries", "claimed", "measured", "check", "checked"], lines) + f"\n\n{note}"


def _measured(claim: Claim) -> str:
    return f"{claim.standing.value:.3f}" if any(check.measured for check in claim.checks) else "-"


def _with_interval(one: Measurement) -> str:
    return f"{one.value:.3f}" + (f" ({one.interval.low:.2f}-{one.interval.high:.2f})" if one.interval else "")
