"""From each fingerprint's rank of a suspect to whose it is; pure functions.

Of k owners some would be taken for the owner by chance k times as often as one, so p-values are adjusted by Holm's
procedure, which keeps the chance of any false accusation at alpha however the scores depend on each other. k counts the
fingerprints that can be compared with the suspect (same images, same classes), calibrated or not. The best rank among n
calibration models, 1 / (n + 1), reaches alpha for n >= k / alpha - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelprint.core.identification import Candidate, Comparison, Identification, Owner
from modelprint.core.verdict import Outcome
from modelprint.ownership.decide import Decision
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.remarks import remarks
from modelprint.stats.multiple import holm, needed_models_of


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What asking one fingerprint's queries showed.

    Attributes:
        path: where the fingerprint lies, if on disk.
        decision: score and rank among its calibration models; None where the two cannot be compared.
        misfit: why not.
        queries: how many were asked.
        notes: what should be said of how the suspect was opened.
    """

    path: str | None
    fingerprint: Fingerprint
    decision: Decision | None = None
    misfit: str = ""
    queries: int = 0
    notes: tuple[str, ...] = ()


def attributed(suspect: str, compared_with: Sequence[Compared], *, alpha: float) -> Identification:
    """Whose the suspect is: p-values adjusted, candidates in order, the verdict in words."""
    compared = [(one, one.decision) for one in compared_with if one.decision is not None]
    ranks = [1.0 if decision.p_value is None else decision.p_value for _, decision in compared]
    candidates = [
        _candidate(one, decision, float(adjusted), owners=len(compared), alpha=alpha)
        for (one, decision), adjusted in zip(compared, holm(np.array(ranks)), strict=True)
    ]
    candidates.sort(key=lambda one: (one.p_value or 2.0, np.inf if one.score is None else -one.score))
    candidates += [_misfit(one) for one in compared_with if one.decision is None]
    verdict, message = _conclusion(candidates, alpha)
    first = candidates[0]
    return Identification(
        suspect=suspect,
        owner=Owner(fingerprint=first.fingerprint, sha256=first.sha256) if verdict == "derived" else None,
        verdict=verdict,
        alpha=alpha,
        candidates=tuple(candidates),
        message=message,
    )


def _misfit(one: Compared) -> Candidate:
    return Candidate(
        fingerprint=one.path,
        sha256=one.fingerprint.identity,
        scheme=one.fingerprint.manifest.scheme,
        source=one.fingerprint.manifest.source,
        verdict="not-comparable",
        message=one.misfit,
    )


def _candidate(one: Compared, decision: Decision, adjusted: float, *, owners: int, alpha: float) -> Candidate:
    verdict, message = _verdict(decision, adjusted, owners=owners, alpha=alpha)
    return Candidate(
        fingerprint=one.path,
        sha256=one.fingerprint.identity,
        scheme=one.fingerprint.manifest.scheme,
        source=one.fingerprint.manifest.source,
        score=decision.score,
        p_value=decision.p_value,
        adjusted_p_value=None if decision.p_value is None else adjusted,
        verdict=verdict,
        calibration=decision.ranked,
        queries=one.queries,
        message="; ".join([message, *one.notes, *remarks(one.fingerprint)]),
        evidence=decision.evidence,
        relation=decision.relation,
    )


def _verdict(decision: Decision, adjusted: float, *, owners: int, alpha: float) -> tuple[Comparison, str]:
    n, need = decision.ranked, needed_models_of(owners, alpha)
    if decision.score is None:
        return "inconclusive", decision.message
    note = decision.uncovered + (f". {decision.note}" if decision.note else "")
    if decision.p_value is not None and adjusted <= alpha:
        return "derived", f"{_read(decision)} like a model made from this source{note}"
    if n < need:
        return "inconclusive", (
            f"{n} calibration models, but an error rate of {alpha:g} over {owners} owners needs at least {need} "
            "(owners / alpha - 1): enroll with more independent models (--negatives)"
        )
    return "not-shown", f"no more like this source than independent models are{note}"


def _read(decision: Decision) -> str:
    """What was compared, as the start of a sentence."""
    levels = {one.access for one in decision.evidence or () if one.score is not None}
    if "weights" not in levels:
        return "answers"
    return "its weights are" if levels == {"weights"} else "its weights and answers are"


def _conclusion(candidates: Sequence[Candidate], alpha: float) -> tuple[Outcome, str]:
    """The verdict over all owners, and what it means."""
    compared = [one for one in candidates if one.verdict != "not-comparable"]
    derived = [one for one in compared if one.verdict == "derived"]
    unsure = [one for one in compared if one.verdict == "inconclusive"]
    if derived:
        return "derived", _accusation(derived, len(compared), alpha)
    if not compared:
        return "inconclusive", "none of the fingerprints can be compared with this suspect: it is of another task"
    if unsure:
        names = ", ".join(one.name for one in unsure)
        return "inconclusive", f"like no source, but {names} cannot tell: {unsure[0].message}"
    return "not-shown", (
        f"no more like any of {len(compared)} sources than independent models are; that is no proof of innocence"
    )


def _accusation(derived: Sequence[Candidate], owners: int, alpha: float) -> str:
    first = derived[0]
    message = (
        f"answers like a model made from the source of {first.name} (p = {first.p_value:.3g}, "
        f"{first.adjusted_p_value:.3g} for {owners} owners); accepted error rate {alpha:g} over all of them"
    )
    same = [one.name for one in derived[1:] if one.source == first.source]
    others = [one.name for one in derived[1:] if one.source != first.source]
    if same:
        message += f". So says {', '.join(same)}, of the same source"
    if others:
        message += (
            f". It answers like the source of {', '.join(others)}, too: it is a copy of a copy, or one of these "
            "owners' models was made from another's; verify their models against each other's fingerprints"
        )
    return message
