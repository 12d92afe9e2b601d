"""A set that contains every enrolled model that a suspect was made from, with stated coverage.

X. Qiu, H. Zeng, Z. Hou, H. Wei, "Provable Model Provenance Set for Large Language Models", 2026 (arXiv 2602.00772): a
suspect may have several ancestors, and an owner who is left out loses a right; so a set is given, which contains all of
them with a stated chance.

`identify` bounds the chance of naming a model that the suspect was *not* made from. Here the error is to leave one out
that it *was* made from. For each enrolled model the suspect is ranked among copies that are known to be made from it:
if it is one more such copy, its rank from below is uniform, and the p-value (number of copies that score no higher,
plus 1) / (copies + 1) is at most t with a chance of at most t, for every t. Models are left out whose p-value, adjusted
for their number by Holm's procedure, is at most 1 - coverage. The chance that any ancestor is among these is at most
1 - coverage, however the p-values depend on each other.

Only the abstract of the paper could be read. Differs from the paper: it tests in turn whether the models that are left
hold any ancestor, against unrelated models, and its coverage is reached as queries become many. This holds for any
number of queries; it rests on the copies being like those that suspects are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from modelprint.core.access import Access
from modelprint.core.ancestry import Ancestor, ProvenanceSet
from modelprint.core.errors import UsageError
from modelprint.core.verdict import Verdict
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import AnySuspect, level_of, scheme_of
from modelprint.ownership.verify import verify
from modelprint.schemes.base import Progress, silent
from modelprint.stats.multiple import holm, needed_models_of
from modelprint.suspects.open import SuspectOptions

DECIMALS = 12  # of 1 - coverage: ranks are compared with it


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """A fingerprint, and models that are known to be made from its source.

    Attributes:
        copies: files, recordings, addresses, modules or callables, as suspects are.
    """

    fingerprint: str | Path | Fingerprint
    copies: Sequence[AnySuspect]


def provenance_set(
    suspect: AnySuspect,
    models: Sequence[Enrolled],
    *,
    coverage: float = 0.95,
    access: str | Access | None = None,
    budget: int | None = None,
    options: SuspectOptions | None = None,
    progress: Progress = silent,
) -> ProvenanceSet:
    """Which of the enrolled models the suspect may have been made from.

    Args:
        coverage: the least chance that no ancestor is left out, if the suspect is to each of them what its copies are.
        access: what is read of the suspect and of all copies; None: the most that the first fingerprint's scheme asks.
        budget: the most queries to ask for each fingerprint.
        options: how model files and addresses are opened, the suspect's and the copies'.

    Raises:
        UsageError: no model, a fingerprint named twice, or a coverage out of range.
        ModelprintError: a model cannot be opened or asked, or a fingerprint cannot be read.
    """
    if not 0 < coverage < 1:
        raise UsageError(f"coverage must lie between 0 and 1, got {coverage}")
    if not models:
        raise UsageError("no fingerprint was named: name one for each model")
    prints = [_loaded(one.fingerprint) for one in models]
    if len({fingerprint.identity for fingerprint in prints}) < len(prints):
        raise UsageError("a fingerprint was named twice: name each once")
    level = _level(prints[0], access)
    alpha = round(1 - coverage, DECIMALS)  # of the verdicts that stand beside the ranks
    total, done = sum(1 + len(one.copies) for one in models), 0

    def scored(fingerprint: Fingerprint, model: AnySuspect) -> Verdict:
        nonlocal done
        progress("models", done, total)
        done += 1
        return verify(fingerprint, model, access=level, alpha=alpha, budget=budget, options=options)

    ranked = [_ranked(fingerprint, one, suspect, scored) for fingerprint, one in zip(prints, models, strict=True)]
    progress("models", total, total)
    adjusted = holm(np.array([1.0 if one.p_value is None else one.p_value for one in ranked]))
    entries = tuple(
        _entry(one, float(raised), models=len(models), coverage=coverage)
        for one, raised in zip(ranked, adjusted, strict=True)
    )
    return ProvenanceSet(
        suspect=ranked[0].verdict.suspect,
        coverage=coverage,
        access=str(level),
        models=entries,
        message=_message(entries, coverage),
    )


def inclusion_p_value(score: float, copies: Float[np.ndarray, " m"]) -> float:
    """The rank of a score among those of copies, from below: (number that score no higher + 1) / (m + 1).

    >>> inclusion_p_value(0.2, np.array([0.5, 0.6, 0.9])), inclusion_p_value(0.7, np.array([0.5, 0.6, 0.9]))
    (0.25, 0.75)
    """
    return float(((copies <= score).sum() + 1) / (len(copies) + 1))


def _loaded(fingerprint: str | Path | Fingerprint) -> Fingerprint:
    return fingerprint if isinstance(fingerprint, Fingerprint) else Fingerprint.load(fingerprint)


def _level(fingerprint: Fingerprint, access: str | Access | None) -> Access:
    """What is read of all models; of a scheme that reads whatever it gets, the scores."""
    scheme = scheme_of(fingerprint)
    level = level_of(scheme, access)
    return level if access is not None or not scheme.needs.asks else min(level, Access.SCORES)


@dataclass(frozen=True, kw_only=True)
class _Ranked:
    """A suspect among the copies of one model.

    Attributes:
        path: of the fingerprint, if on disk.
        verdict: what verifying the suspect says.
        copies: the scores of the copies that have one.
        p_value: None where the suspect cannot be ranked.
    """

    path: str | None
    fingerprint: Fingerprint
    verdict: Verdict
    copies: Float[np.ndarray, " m"]
    p_value: float | None


def _ranked(
    fingerprint: Fingerprint,
    one: Enrolled,
    suspect: AnySuspect,
    scored: Callable[[Fingerprint, AnySuspect], Verdict],
) -> _Ranked:
    verdict = scored(fingerprint, suspect)
    given = [scored(fingerprint, copy).score for copy in one.copies]
    copies = np.array([score for score in given if score is not None])
    unanswered = verdict.asked is not None and verdict.answered is not None and verdict.answered < verdict.asked
    rankable = verdict.score is not None and not unanswered and len(copies) > 0
    return _Ranked(
        path=None if isinstance(one.fingerprint, Fingerprint) else str(one.fingerprint),
        fingerprint=fingerprint,
        verdict=verdict,
        copies=copies,
        p_value=inclusion_p_value(verdict.score, copies) if rankable and verdict.score is not None else None,
    )


def _entry(one: _Ranked, adjusted: float, *, models: int, coverage: float) -> Ancestor:
    included = one.p_value is None or adjusted > round(1 - coverage, DECIMALS)
    return Ancestor(
        fingerprint=one.path,
        sha256=one.fingerprint.identity,
        scheme=one.fingerprint.manifest.scheme,
        copies=len(one.copies),
        score=one.verdict.score,
        p_value=one.p_value,
        adjusted_p_value=None if one.p_value is None else adjusted,
        included=included,
        verdict=one.verdict.verdict,
        message=_reason(one, included=included, models=models, coverage=coverage),
    )


def _reason(one: _Ranked, *, included: bool, models: int, coverage: float) -> str:
    """Why a model is in the set or not."""
    count, need = len(one.copies), needed_models_of(models, round(1 - coverage, DECIMALS))
    if one.verdict.score is None:
        return f"cannot be left out: {one.verdict.message}"
    if count < need:
        return (
            f"cannot be left out by {count} copies: a coverage of {coverage:g} over {models} models needs at least "
            f"{need} of each (models / (1 - coverage) - 1)"
        )
    if one.p_value is None:
        return "cannot be left out: it left queries unanswered, and whoever does so chooses which"
    if included:
        return "answers like models made from it"
    return f"less like it than copies of it are (p = {one.p_value:.3g} among {count} copies)"


def _message(models: Sequence[Ancestor], coverage: float) -> str:
    kept = [one for one in models if one.included]
    rests = "if the suspect is to each ancestor what the copies are, no ancestor is left out with a chance of at least "
    if not kept:
        return f"made from none of the {len(models)} models: {rests}{coverage:g}"
    shown = [one.name for one in kept if one.verdict == "derived"]
    more = f"; verifying alone shows {', '.join(shown)}" if shown else "; verifying alone shows none of them"
    return (
        f"may be made from {len(kept)} of {len(models)} models: {', '.join(one.name for one in kept)}; "
        f"{rests}{coverage:g}{more}"
    )
