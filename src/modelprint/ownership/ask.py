"""Ask a suspect the queries of a fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from modelprint.core.access import Access
from modelprint.core.devices import resolve_device
from modelprint.core.errors import (
    FingerprintError,
    ModelprintError,
    UsageError,
    first_line,
)
from modelprint.core.own_code import generators_kept
from modelprint.core.suspect import UNANSWERED, Answers, Cost, Suspect
from modelprint.nn.loading import LoadedModel, of_module
from modelprint.ownership.ahead import Notice, asker_within, budget_of, unheard
from modelprint.ownership.combined import Level, calibrated_alone, decide_together, levels_of, shared_scores
from modelprint.ownership.costs import announce_asking, cost_of
from modelprint.ownership.decide import CalibrationScores, Decision, decide, only
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.lacking import decide_in_common
from modelprint.ownership.matching import looks_renamed
from modelprint.ownership.parts import part_index, part_of
from modelprint.ownership.plain_asked import ask_plain, plan_plain
from modelprint.ownership.sense import check_classes, check_varied
from modelprint.ownership.weights import weights_limit
from modelprint.schemes import SCHEMES
from modelprint.schemes.auto import Auto
from modelprint.schemes.base import Progress, Scheme, silent
from modelprint.stats.calibration import ranked_by_kind
from modelprint.suspects.interpret import class_index
from modelprint.suspects.local import CallableSuspect, TorchSuspect
from modelprint.suspects.open import SuspectOptions, open_suspect
from modelprint.suspects.options import AskedInputs
from modelprint.suspects.recorded import record, write_recording

AnySuspect = str | Path | Suspect | LoadedModel | nn.Module | Callable[[np.ndarray], np.ndarray]


def scheme_of(fingerprint: Fingerprint) -> Scheme:
    """The scheme a fingerprint was made by, with its hyper-parameters.

    Raises:
        FingerprintError: this version does not know the scheme or its parameters.
    """
    if fingerprint.manifest.scheme not in SCHEMES:
        raise FingerprintError(
            f"the fingerprint is of scheme {fingerprint.manifest.scheme!r}, which is not known here: install the "
            f"package that brings it; known are {', '.join(SCHEMES)}"
        )
    try:
        scheme = SCHEMES[fingerprint.manifest.scheme]
        return scheme(**{**scheme.before_named, **fingerprint.manifest.parameters})
    except (TypeError, ValueError) as error:
        raise FingerprintError(
            f"the fingerprint's {fingerprint.manifest.scheme} parameters do not fit this version: {error}"
        ) from error


def rehearsed(scheme: Scheme, fingerprint: Fingerprint) -> None:
    """Nothing, if a scheme can work with a fingerprint's tensors: it asks, and scores the source's own answers.

    Raises:
        FingerprintError: it cannot; the tensors are another scheme's, or make no sense.
    """
    if isinstance(scheme, Auto):
        try:
            views = {level: part_of(fingerprint, scheme, level) for level in scheme.parts}
        except Exception as error:
            raise FingerprintError(_not_its_own(scheme, error)) from error
        for level, view in views.items():
            rehearsed(scheme.parts[level], view)
        return
    state, source, total = fingerprint.state, fingerprint.source, len(fingerprint)
    unheard = Answers(labels=np.full(total, UNANSWERED, dtype=np.int64))
    try:
        asker = scheme.asker(state)
        batch = np.asarray(asker.next(unheard, np.zeros(total, dtype=bool)))
        if not (0 <= asker.total <= total and batch.ndim == 1 and (batch < total).all() and (batch >= 0).all()):
            raise ValueError(f"{asker.total} of {total} queries would be asked")
        for answers in (source, *fingerprint.calibration[:1]):
            score = scheme.score(state, source, answers)
            scheme.details(state, source, answers)
            if not np.isfinite(score):
                raise ValueError(f"the score of the source's own answers is {score}")
    except ModelprintError:
        return  # such as too few answers: said where it matters
    except Exception as error:  # whatever a scheme makes of arrays that are not its own
        raise FingerprintError(_not_its_own(scheme, error)) from error


def _not_its_own(scheme: Scheme, error: Exception) -> str:
    return (
        f"the fingerprint's tensors are none of scheme {scheme.name} ({type(error).__name__}: {first_line(error)}): it "
        "was put together by hand, or damaged before it was hashed"
    )


def opened(
    suspect: AnySuspect,
    fingerprint: Fingerprint,
    options: SuspectOptions | None = None,
    *,
    asked_by: str | None = None,
    also: Sequence[Fingerprint] = (),
) -> Suspect:
    """A suspect of any form, behind the one protocol.

    Args:
        asked_by: who asks, if not this fingerprint alone; `also`: the others that do.
    """
    needs, modality = fingerprint.manifest.input, fingerprint.modality
    if isinstance(suspect, Suspect):
        return suspect
    chosen = replace(
        options or SuspectOptions(),
        class_names=needs.class_names,
        modality=modality,
        input_shape=needs.shape,
        fingerprint=asked_by or fingerprint.identity,
        asked=lambda: [asked_of(one) for one in (fingerprint, *also)],
    )
    if isinstance(suspect, LoadedModel | nn.Module):
        model = suspect if isinstance(suspect, LoadedModel) else of_module(suspect)
        if options is not None and options.device is not None:
            model.module.to(resolve_device(options.device))
        return TorchSuspect(
            model.module,
            identity=model.identity,
            outputs=class_index(chosen).outputs,
            modality=modality,
            notes=model.notes,
        )
    if callable(suspect):
        return CallableSuspect(suspect, index=class_index(chosen), modality=modality)
    return open_suspect(str(suspect), chosen)


def asked_of(fingerprint: Fingerprint) -> AskedInputs:
    """What a fingerprint asks, by SHA-256: its queries, then its plain inputs that are none."""
    hashes, plain = fingerprint.modality.hashes, fingerprint.plain
    return AskedInputs(
        queries=tuple(hashes(fingerprint.queries)), further=() if plain is None else tuple(hashes(plain.stored))
    )


NOTE = " Note: "  # in a verdict's message, before what was seen of the suspect and no recorded answer shows


@dataclass(frozen=True, kw_only=True)
class Interview:
    """What was asked, and answered.

    Attributes:
        answers: to all queries of the fingerprint, -1 where there is none.
        asked: mask (n,) of the queries that were put.
        planned: mask (n,) of those that could have been, had the verdict not been settled before.
        lacking: classes of the fingerprint that the suspect cannot answer.
    """

    answers: Answers
    asked: np.ndarray
    planned: np.ndarray
    lacking: frozenset[int] = frozenset()

    def restricted(self, access: Access) -> Interview:
        """The same interview, as it would have gone at this level of access."""
        return replace(self, answers=self.answers.restricted(access))


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


def calibrated_limit(
    scheme: Scheme,
    fingerprint: Fingerprint,
    access: Access,
    planned: np.ndarray,
    alpha: float,
    *,
    pool_kinds: bool = False,
) -> float | None:
    """The threshold by the calibration models' answers to all planned queries; None where they are too few.

    Where scores depend on the suspect, too, this is the threshold without any.
    """
    if isinstance(scheme, Auto):
        return calibrated_alone(scheme, fingerprint, access, alpha, pool_kinds=pool_kinds)
    if not scheme.needs.asks:
        return weights_limit(fingerprint, alpha, pool_kinds=pool_kinds)
    state, source = fingerprint.state, fingerprint.source
    read = [only(other.restricted(access), planned) for other in fingerprint.calibration]
    return ranked_by_kind(
        scheme.scores_among(state, source, read),
        fingerprint.groups,
        alpha,
        families=fingerprint.families,
        pool=pool_kinds,
    ).threshold


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


def concluded(
    scheme: Scheme,
    fingerprint: Fingerprint,
    interview: Interview,
    *,
    alpha: float,
    owners: int = 1,
    pool_kinds: bool = False,
    shared: SharedScores | None = None,
    weights: Level | None = None,
) -> Decision:
    """What an interview shows, by the fingerprint's calibration models.

    Args:
        owners: who ask about this suspect, which the p-value is to be adjusted for.
        pool_kinds: as of `decide`.
        shared: the scores of the calibration models, where many suspects are judged (`calibration_scores`).
        weights: what the suspect's weights say, for schemes that compare them beside its answers.
    """
    if isinstance(scheme, Auto):
        if interview.lacking:  # scores of all classes cannot be compared, labels can
            labels, index = part_of(fingerprint, scheme, Access.LABELS), part_index(fingerprint, scheme, Access.LABELS)
            return concluded(
                scheme.parts[Access.LABELS],
                labels,
                replace(
                    interview.restricted(Access.LABELS),
                    answers=interview.answers.take(index).restricted(Access.LABELS),
                    asked=interview.asked[index],
                    planned=interview.planned[index],
                ),
                alpha=alpha,
                owners=owners,
                pool_kinds=pool_kinds,
            )
        levels = levels_of(
            scheme,
            fingerprint,
            interview.answers,
            asked=interview.asked,
            planned=interview.planned,
            alpha=alpha,
            owners=owners,
            pool_kinds=pool_kinds,
            shared=shared if isinstance(shared, dict) else None,
        )
        return decide_together(levels, weights, fingerprint, alpha=alpha, owners=owners, pool_kinds=pool_kinds)
    if interview.lacking:
        return decide_in_common(
            scheme,
            fingerprint,
            interview.answers,
            lacking=interview.lacking,
            asked=interview.asked,
            planned=interview.planned,
            alpha=alpha,
            owners=owners,
            pool_kinds=pool_kinds,
        )
    return decide(
        scheme,
        fingerprint.state,
        fingerprint.source,
        interview.answers,
        fingerprint.calibration,
        alpha=alpha,
        asked=interview.asked,
        planned=interview.planned,
        groups=fingerprint.groups,
        families=fingerprint.families,
        owners=owners,
        pool_kinds=pool_kinds,
        shared=shared if isinstance(shared, CalibrationScores) else None,
    )


SharedScores = CalibrationScores | dict[Access, CalibrationScores]


def calibration_scores(scheme: Scheme, fingerprint: Fingerprint) -> SharedScores:
    """The scores of a fingerprint's calibration models, for all suspects that are judged by it."""
    if isinstance(scheme, Auto):
        return shared_scores(scheme, fingerprint)
    return CalibrationScores(
        scheme=scheme, state=fingerprint.state, source=fingerprint.source, calibration=fingerprint.calibration
    )


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
