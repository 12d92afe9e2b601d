"""Ask a suspect the queries of a fingerprint."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modelprint.core.access import Access
from modelprint.core.errors import (
    UsageError,
)
from modelprint.core.own_code import generators_kept
from modelprint.core.suspect import UNANSWERED, Answers, Cost, Suspect
from modelprint.ownership.ahead import Notice, asker_within, budget_of, unheard
from modelprint.ownership.concluding import Interview, calibrated_limit
from modelprint.ownership.costs import announce_asking, cost_of
from modelprint.ownership.decide import only
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.matching import looks_renamed
from modelprint.ownership.opening import AnySuspect, opened, rehearsed, scheme_of
from modelprint.ownership.parts import part_index, part_of
from modelprint.ownership.plain_asked import ask_plain, plan_plain
from modelprint.ownership.sense import check_classes, check_varied
from modelprint.schemes.auto import Auto
from modelprint.schemes.base import Progress, Scheme, silent
from modelprint.suspects.open import SuspectOptions
from modelprint.suspects.recorded import record, write_recording


def interrogate(
    fingerprint: Fingerprint,
    scheme: Scheme,
    suspect: Suspect,
    *,
    access: Access,
    budget: int | None = None,
    alpha: float | None = None,
    pool_kinds: bool = False,
    given: Answers | None = None,
    last: bool = True,
    progress: Progress = silent,
) -> Interview:
    """Ask a suspect.

    Args:
        budget: the most queries to ask; None: what suits the suspect.
        alpha: of the verdict that is to be settled, for schemes that stop early; None asks everything.
        pool_kinds: of that verdict, as of `decide`.
        given: answers of it to the fingerprint's queries, -1 where it was not asked yet; these are not put again.
        last: whether nothing more will be asked afterwards.

    Raises:
        SuspectError: answers that are constant, or of other classes than the fingerprint's.
        UsageError: the scheme needs more access.
        FingerprintError: the budget holds not one unit of the scheme (a trajectory, a view).
    """
    if not scheme.needs.asks:
        raise UsageError(f"scheme {scheme.name} asks no queries: `verify` reads the suspect's model file")
    scheme.needs.check_access(scheme.name, access)
    if isinstance(scheme, Auto):
        return _part_by_part(
            fingerprint,
            scheme,
            suspect,
            access=access,
            budget=budget,
            alpha=alpha,
            pool_kinds=pool_kinds,
            given=given,
            progress=progress,
        )
    rehearsed(scheme, fingerprint)
    total, classes = len(fingerprint), fingerprint.manifest.input.classes
    labels = np.full(total, UNANSWERED, dtype=np.int64)
    scores = np.full((total, classes), np.nan, dtype=np.float32) if access >= Access.SCORES else None
    asked = np.zeros(total, dtype=bool)
    asker = asker_within(scheme, fingerprint.state, suspect, budget)
    planned = np.arange(total) < asker.total
    limit = None
    if alpha is not None and scheme.sequential and fingerprint.calibration and not suspect.lacking:
        limit = calibrated_limit(scheme, fingerprint, access, planned, alpha, pool_kinds=pool_kinds)
    while True:
        heard = Answers(labels=labels, scores=scores)
        batch = asker.next(heard, asked)
        if not len(batch):
            break
        if limit is not None and _settled(scheme, fingerprint, heard, asked=asked, planned=planned, limit=limit):
            if looks_renamed(fingerprint.source, heard, fingerprint.calibration, asked) is None:
                break
            limit = None  # classes are matched, and that takes every answer
        progress("queries", int(asked.sum()), asker.total)
        fresh = batch
        if given is not None:
            heard_before = given.labels[batch] != UNANSWERED
            known, fresh = batch[heard_before], batch[~heard_before]
            labels[known] = given.labels[known]
            if scores is not None and given.scores is not None:
                scores[known] = given.scores[known]
        if len(fresh):
            whole = len(fresh) == total
            answers = suspect.ask(fingerprint.queries if whole else fingerprint.queries[fresh], access=access)
            check_classes(answers, classes, suspect.identity)
            labels[fresh] = answers.labels
            if scores is not None and answers.scores is not None:
                scores[fresh] = answers.scores
        asked[batch] = True
    progress("queries", int(asked.sum()), asker.total)
    if last:
        suspect.finish()
    check_varied(labels[asked], fingerprint.source.labels[asked], suspect.identity)
    return Interview(
        answers=Answers(labels=labels, scores=scores), asked=asked, planned=planned, lacking=suspect.lacking
    )


def _part_by_part(
    fingerprint: Fingerprint,
    scheme: Auto,
    suspect: Suspect,
    *,
    access: Access,
    budget: int | None,
    alpha: float | None,
    pool_kinds: bool,
    given: Answers | None,
    progress: Progress,
) -> Interview:
    """Ask what each part asks; a part that decides alone may stop early."""
    total, classes = len(fingerprint), fingerprint.manifest.input.classes
    labels = np.full(total, UNANSWERED, dtype=np.int64)
    scores = np.full((total, classes), np.nan, dtype=np.float32) if access >= Access.SCORES else None
    asked, planned = np.zeros(total, dtype=bool), np.zeros(total, dtype=bool)
    shares = scheme.shares(access, budget_of(suspect, budget))
    for place, (level, share) in enumerate(shares.items(), 1):
        index = part_index(fingerprint, scheme, level)
        interview = interrogate(
            part_of(fingerprint, scheme, level),
            scheme.parts[level],
            suspect,
            access=access,
            budget=share,
            alpha=alpha if len(shares) == 1 else None,
            pool_kinds=pool_kinds,
            given=None if given is None else given.take(index),
            last=place == len(shares),
            progress=progress,
        )
        labels[index], asked[index], planned[index] = interview.answers.labels, interview.asked, interview.planned
        if scores is not None and interview.answers.scores is not None:
            scores[index] = interview.answers.scores
    return Interview(
        answers=Answers(labels=labels, scores=scores), asked=asked, planned=planned, lacking=suspect.lacking
    )


def cost(
    fingerprint: Fingerprint,
    suspect: AnySuspect,
    *,
    access: str | Access = Access.LABELS,
    budget: int | None = None,
    options: SuspectOptions | None = None,
) -> Cost:
    """What asking a suspect would take at most; no query is sent.

    Raises:
        ModelprintError: the suspect does not fit, or its server does not say what it speaks.
    """
    level = Access.parse(access) if isinstance(access, str) else access
    rehearsed(scheme_of(fingerprint), fingerprint)
    respondent = opened(suspect, fingerprint, options)
    return cost_of(fingerprint, scheme_of(fingerprint), respondent, access=level, budget=budget)


def _settled(
    scheme: Scheme, fingerprint: Fingerprint, heard: Answers, *, asked: np.ndarray, planned: np.ndarray, limit: float
) -> bool:
    """Whether the score is above the threshold, or cannot get there even if the source itself answered the rest."""
    if not heard.answered.any():
        return False
    state, source = fingerprint.state, fingerprint.source
    heard = only(heard, heard.answered)
    missing, rest = asked & ~heard.answered, planned & ~asked
    if scheme.least_score(state, source, heard, missing) > limit:
        return True
    labels = np.where(rest, source.labels, heard.labels)
    scores = None
    if heard.scores is not None and source.scores is not None:
        scores = np.where(rest[:, None], source.scores, heard.scores)
    return scheme.least_score(state, source, Answers(labels=labels, scores=scores), missing) <= limit


@generators_kept()
def record_answers(
    fingerprint: Fingerprint,
    suspect: AnySuspect,
    *,
    out: Path | str,
    access: str | Access = Access.LABELS,
    budget: int | None = None,
    options: SuspectOptions | None = None,
    notice: Notice = unheard,
    progress: Progress = silent,
) -> int:
    """Ask a suspect now, write its answers to `out` (.jsonl or .npz) to judge later; how many answers there are.

    Raises:
        ModelprintError: the suspect does not fit, cannot be asked, or the file cannot be written.
    """
    level = Access.parse(access) if isinstance(access, str) else access
    if not scheme_of(fingerprint).needs.asks:
        raise UsageError(
            f"scheme {fingerprint.manifest.scheme} asks no queries: `verify` reads the suspect's model file"
        )
    rehearsed(scheme_of(fingerprint), fingerprint)
    respondent = opened(suspect, fingerprint, options)
    announce_asking(
        fingerprint,
        scheme_of(fingerprint),
        respondent,
        access=level,
        budget=budget,
        notice=notice,
        repeats=False,
    )
    scheme = scheme_of(fingerprint)
    plan = plan_plain(fingerprint, scheme, respondent, access=level, budget=budget)
    plain = ask_plain(fingerprint, plan, respondent, access=level)
    interview = interrogate(
        fingerprint, scheme, respondent, access=level, budget=budget, given=plain.queries, progress=progress
    )
    recording = record(
        fingerprint.queries,
        plain.with_queries(interview.answers),
        suspect=respondent.identity,
        fingerprint=fingerprint.identity,
        budget=None if interview.planned.all() else int(interview.planned.sum()),
        further=plain.further_inputs(fingerprint),
        lacking=interview.lacking,
    )
    write_recording(out, recording)
    return int((interview.answers.answered | interview.answers.abstained).sum())
