"""From each pair's rank to verdicts that hold over owners, or over a whole screen; pure functions.

Holm within each suspect: of k owners some would be taken for the owner by chance k times as often as one. The family is
the fingerprints that can be compared with the suspect and were ranked; Holm's procedure keeps the chance of any false
"derived" among them at alpha, however their ranks depend on each other (Scandinavian Journal of Statistics, 1979). Over
m independent suspects up to alpha * m are then expected to be called derived.

Benjamini and Hochberg over the screen: each suspect has one p-value, its smallest Holm-corrected one, and alpha is
aimed at as the expected share of false ones among the suspects that are called derived (Journal of the Royal
Statistical Society B, 1995). Ranks of several suspects among the same calibration models depend on each other. For one
owner, scores that depend on one model alone, and suspects that were made apart, alpha bounds that share
(docs/theory.md, after Bates, Candes, Lei, Romano, Sesia, "Testing for outliers with conformal p-values", Annals of
Statistics, 2023); for several owners, or related suspects, no proof is known. A rank's p-value is at least 1 / (n +
1): the screen must find enough suspects for so large a p-value to count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from modelprint.core.identification import Comparison
from modelprint.core.verdict import KindRate, Outcome
from modelprint.screening.judging import Finding
from modelprint.screening.records import Method, Pair, SuspectRow
from modelprint.stats.multiple import holm, needed_models_of


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One suspect, with what each fingerprint shows of it.

    Attributes:
        findings: by the fingerprint's name in the registry; empty where the suspect cannot be read.
        sources: SHA-256 of the enrolled model, by the same names: several fingerprints may be of one.
    """

    suspect: str
    sha256: str | None
    findings: Mapping[str, Finding]
    sources: Mapping[str, str]
    error: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """The rows of a screen, and how many suspects were tested."""

    pairs: tuple[Pair, ...]
    suspects: tuple[SuspectRow, ...]
    tested: int


def corrected(judged: Sequence[Judged], *, alpha: float, method: Method = "holm") -> Corrected:
    """Verdicts over all owners of each suspect, or over the screen."""
    families = [_ranks(one, alpha) for one in judged]
    within = [_holm(ranks) for ranks in families]
    adjusted = within if method == "holm" else _over_screen(within, alpha)
    pairs = [_pairs(one, ranks, own, alpha) for one, ranks, own in zip(judged, families, adjusted, strict=True)]
    rows = [_row(one, theirs) for one, theirs in zip(judged, pairs, strict=True)]
    return Corrected(
        pairs=tuple(pair for theirs in pairs for pair in theirs),
        suspects=tuple(rows),
        tested=sum(bool(ranks) for ranks in families),
    )


def least_found(owners: int, suspects: int, calibration: int, alpha: float) -> int:
    """How many suspects must be called derived at once, over a screen, for a best rank to count; 0: no number does.

    >>> least_found(owners=1, suspects=500, calibration=199, alpha=0.05)
    50
    >>> least_found(owners=40, suspects=500, calibration=20, alpha=0.05)
    0
    """
    needed = math.ceil(round(suspects * owners / (calibration + 1) / alpha, 9))
    return needed if needed <= suspects else 0


def _ranks(one: Judged, alpha: float) -> dict[str, float]:
    """The p-value of each pair that can be compared; 1 where no rate is known for this many owners."""
    compared = {
        name: finding for name, finding in one.findings.items() if finding.misfit is None and finding.access != "file"
    }
    return {name: _p_value(finding, len(compared), alpha) for name, finding in compared.items()}


def _p_value(finding: Finding, owners: int, alpha: float) -> float:
    """The worst rank over the kinds that have models enough for this many owners; without such kinds, over all."""
    if finding.p_value is None:
        return 1.0
    ranks = [one.p_value for one in _covered(finding, owners, alpha) if one.p_value is not None]
    return max(ranks) if ranks else finding.p_value


def _covered(finding: Finding, owners: int, alpha: float) -> list[KindRate]:
    """The kinds of calibration model that have enough of them for this many owners."""
    need = needed_models_of(owners, alpha)
    return [one for one in finding.kinds if one.n >= need]


def _holm(ranks: Mapping[str, float]) -> dict[str, float]:
    return dict(zip(ranks, holm(np.array(list(ranks.values()))).tolist(), strict=True)) if ranks else {}


def _over_screen(within: Sequence[Mapping[str, float]], alpha: float) -> list[dict[str, float]]:
    """Corrected p-values over a screen.

    A suspect's is that of Benjamini and Hochberg, from its smallest one of Holm. With r of m suspects below alpha, an
    owner within a suspect is named at alpha r / m (Benjamini, Bogomolov, Journal of the Royal Statistical Society B,
    2014), so that its p-value of Holm counts m / r times.
    """
    tested = [place for place, ranks in enumerate(within) if ranks]
    raised = [dict(ranks) for ranks in within]
    if not tested:
        return raised
    own = stats.false_discovery_control(np.array([min(within[place].values()) for place in tested]))
    factor = len(tested) / max(1, int((own <= alpha).sum()))
    for place, least in zip(tested, own.tolist(), strict=True):
        raised[place] = {name: min(1.0, max(least, p * factor)) for name, p in within[place].items()}
    return raised


def _pairs(one: Judged, ranks: Mapping[str, float], adjusted: Mapping[str, float], alpha: float) -> list[Pair]:
    return [
        _pair(
            one.suspect,
            name,
            finding,
            rank=ranks.get(name),
            adjusted=adjusted.get(name),
            owners=len(ranks),
            alpha=alpha,
        )
        for name, finding in one.findings.items()
    ]


def _pair(
    suspect: str,
    name: str,
    finding: Finding,
    *,
    rank: float | None,
    adjusted: float | None,
    owners: int,
    alpha: float,
) -> Pair:
    ranked = finding.p_value is not None
    verdict, message = _verdict(finding, adjusted, owners, alpha)
    relation = finding.relation if (verdict == "derived") == finding.derived else "unknown"
    return Pair(
        suspect=suspect,
        fingerprint=name,
        verdict=verdict,
        score=finding.score,
        p_value=rank if ranked else None,
        p_corrected=adjusted if ranked else None,
        access=finding.access,
        queries=finding.queries,
        relation=None if finding.misfit is not None else relation,
        message=message,
    )


def _verdict(finding: Finding, adjusted: float | None, owners: int, alpha: float) -> tuple[Comparison, str]:
    if finding.misfit is not None:
        return "not-comparable", finding.misfit
    if finding.access == "file":
        return "derived", finding.message
    if finding.score is None or adjusted is None:
        return "inconclusive", finding.message
    if finding.p_value is not None and adjusted <= alpha:
        return "derived", finding.message
    if not _covered(finding, owners, alpha):
        most, need = max((one.n for one in finding.kinds), default=0), needed_models_of(owners, alpha)
        return "inconclusive", (
            f"{most} calibration models of one kind, but an error rate of {alpha:g} over {owners} owners needs at "
            f"least {need} (owners / alpha - 1): enroll with more independent models (--negatives)"
        )
    return "not-shown", f"p = {adjusted:.3g} after correction; by itself: {finding.message}"


def _row(one: Judged, pairs: Sequence[Pair]) -> SuspectRow:
    if one.error is not None:
        return SuspectRow(suspect=one.suspect, sha256=one.sha256, error=one.error, message=one.error)
    verdict, owner, message = _conclusion(one, pairs)
    return SuspectRow(
        suspect=one.suspect, sha256=one.sha256, verdict=verdict, owner=owner, message=message, seconds=one.seconds
    )


def _conclusion(one: Judged, pairs: Sequence[Pair]) -> tuple[Outcome, str | None, str]:
    """The verdict over all owners, whose it is, and what that means."""
    compared = [pair for pair in pairs if pair.verdict != "not-comparable"]
    derived = sorted((pair for pair in compared if pair.verdict == "derived"), key=_strength)
    unsure = [pair for pair in compared if pair.verdict == "inconclusive"]
    if derived:
        first = derived[0]
        others = [pair.fingerprint for pair in derived[1:]]
        same = [name for name in others if one.sources[name] == one.sources[first.fingerprint]]
        further = [name for name in others if name not in same]
        message = f"made from the source of {first.fingerprint}: {first.message}"
        if same:
            message += f"; so says {', '.join(same)}, of the same source"
        if further:
            message += (
                f"; it is like the source of {', '.join(further)}, too: it is a copy of a copy, or one of these "
                "owners' models was made from another's"
            )
        return "derived", first.fingerprint, message
    if not compared:
        return "inconclusive", None, "no fingerprint can be compared with it: it is of another task"
    if unsure:
        names = ", ".join(pair.fingerprint for pair in unsure)
        return "inconclusive", None, f"like no source, but {names} cannot tell: {unsure[0].message}"
    return (
        "not-shown",
        None,
        (f"no more like any of {len(compared)} sources than independent models are; that is no proof of innocence"),
    )


def _strength(pair: Pair) -> tuple[float, float]:
    """Equal files first, then the smallest p-value, then the highest score."""
    return (0.0 if pair.access == "file" else pair.p_corrected or 1.0, -(pair.score or 0.0))
