"""Hear a suspect out: plain inputs first, then the queries, then what both show together.

What plain inputs show can only turn a verdict into "inconclusive": the false positive rate stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from modelprint.core.access import Access
from modelprint.core.suspect import Suspect
from modelprint.core.verdict import FormCheck
from modelprint.ownership.ahead import planned_queries
from modelprint.ownership.ask import interrogate
from modelprint.ownership.combined import beside_weights
from modelprint.ownership.concluding import Interview, concluded
from modelprint.ownership.decide import Decision, unasked_decision, unscored
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.forms import GAINS, KEPT, LEAST, SURELY_KEPT, Fit, Look, best_fit, look
from modelprint.ownership.levels import Level
from modelprint.ownership.plain import FEW
from modelprint.ownership.plain_asked import PlainAnswers, PlainPlan, ask_plain, known_inputs, plan_plain
from modelprint.ownership.sense import check_varied
from modelprint.ownership.steadiness import ask_twice, twice_places
from modelprint.schemes.base import Progress, Scheme, silent

SPOILED = "a model that was spoiled so that it answers like this looks the same: this is no sign of independence"


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What asking a suspect showed.

    Attributes:
        plain: its answers to plain inputs.
        form: what these say of the form in which it was asked; None where none was answered.
        change: what is to be said of a suspect that gave two answers to one query; None where it did not.
    """

    interview: Interview
    decision: Decision
    plain: PlainAnswers
    form: FormCheck | None
    change: str | None = None


def hear(
    fingerprint: Fingerprint,
    scheme: Scheme,
    suspect: Suspect,
    *,
    access: Access,
    alpha: float,
    budget: int | None = None,
    owners: int = 1,
    pool_kinds: bool = False,
    stops_early: bool = True,
    accuracy: float | None = None,
    weights: Level | None = None,
    progress: Progress = silent,
) -> Heard:
    """Ask a suspect plain inputs, then the queries, and decide.

    A local suspect that knows plain inputs far better in another form is not asked on: the form is proposed. Nor is one
    that knows them no better than by chance, under any numbers of its classes.

    Args:
        owners: as of `concluded`.
        stops_early: whether the scheme may stop as soon as the verdict is settled.
        accuracy: the share of plain inputs that the suspect is known to classify rightly; None: as many as the source.
        weights: what its weights say, as of `concluded`.

    Raises:
        SuspectError: as `interrogate` does.
    """
    plan = plan_plain(fingerprint, scheme, suspect, access=access, budget=budget)
    plain = ask_plain(fingerprint, plan, suspect, access=access)
    labels, true = plain.known(fingerprint)
    least = least_kept(fingerprint) if accuracy is None else KEPT * accuracy
    first = look(labels, true, least=least)
    if first.short or _may_be_mended(suspect, first):
        fit = _fit(fingerprint, suspect, plan, least)
        if fit is None and suspect.free and first.short:  # of a server it is said below
            check_varied(labels, true, suspect.identity)
        if fit is not None or (first.hopeless and scheme.needs.same_classes):
            mend = _mend(suspect, first, fingerprint) if fit is None else _proposed(suspect, fit)
            return _not_asked_on(
                fingerprint,
                scheme,
                suspect,
                plain,
                access=access,
                weights=weights,
                form=_form(replace(first, short=True), plain, accuracy, fit),
                message=f"asked in the wrong form? {_knows(first, fingerprint)}; {mend}",
                budget=budget,
                alpha=alpha / owners,
                pool_kinds=pool_kinds,
            )
    places = twice_places(fingerprint, scheme, suspect, plan, access=access, budget=budget)
    twice = ask_twice(fingerprint, places, suspect, access=access)
    interview = interrogate(
        fingerprint,
        scheme,
        suspect,
        access=access,
        budget=budget,
        alpha=alpha if stops_early else None,
        pool_kinds=pool_kinds,
        given=plain.queries if twice is None else plain.with_answers(twice.places, twice.first),
        progress=progress,
    )
    decision = concluded(
        scheme, fingerprint, interview, alpha=alpha, owners=owners, pool_kinds=pool_kinds, weights=weights
    )
    labels, true = plain.known(fingerprint, interview.answers)
    if decision.matching is not None:
        labels = decision.matching.classes[labels]
    last = look(labels, true, least=least)
    heard = Heard(
        interview=interview,
        decision=decision,
        plain=plain,
        form=_form(last, plain, accuracy),
        change=None if twice is None else twice.note,
    )
    if decision.outcome == "not-shown" and _may_be_mended(suspect, last):
        fit = _fit(fingerprint, suspect, plan.with_all_queries(fingerprint), least)
        if fit is not None:
            message = f"asked in the wrong form? {_knows(last, fingerprint)}; {_proposed(suspect, fit)}"
            form = _form(replace(last, short=True), plain, accuracy, fit)
            return replace(heard, decision=unscored(decision, message), form=form)
    return replace(heard, decision=_weighed(heard, last, suspect, fingerprint))


def _may_be_mended(suspect: Suspect, seen: Look) -> bool:
    """Whether a suspect can be asked in other forms, and knows so few plain inputs that one may be clearly better."""
    return suspect.free and seen.answered - seen.right >= GAINS


def _fit(fingerprint: Fingerprint, suspect: Suspect, plan: PlainPlan, least: float) -> Fit | None:
    return best_fit(
        suspect,
        known_inputs(fingerprint, plan),
        modality=fingerprint.modality,
        expected=fingerprint.manifest.source_form,
        least=min(least, KEPT),
    )


def least_kept(fingerprint: Fingerprint) -> float:
    """The share of plain inputs that a suspect in the right form knows at least: that of the weakest calibration model.

    A copy that keeps less than `KEPT` of the source's accuracy is doubted in any case; nobody must know all.
    """
    plain, known = fingerprint.plain, fingerprint.manifest.source_accuracy
    shares: list[float] = []
    for record, answers in zip(fingerprint.manifest.calibration, fingerprint.calibration, strict=True):
        if record.behind is not None:
            continue
        if record.accuracy is not None and known > 0:
            shares.append(record.accuracy / known)
        elif plain is not None and len(plain.among) >= FEW:
            shares.append(float((answers.labels[plain.among] == fingerprint.true_labels[plain.among]).mean()))
    return min(max(KEPT, min(shares, default=KEPT)), SURELY_KEPT)


def _weighed(heard: Heard, seen: Look, suspect: Suspect, fingerprint: Fingerprint) -> Decision:
    """The decision, with what plain inputs and repeated queries say of it."""
    decision, shown = heard.decision, heard.decision.outcome
    if heard.change is not None and shown == "not-shown":
        return unscored(
            decision, f"the suspect gave two answers to one query: asked again, it may score otherwise. {SPOILED}"
        )
    if not seen.short:
        unknown = shown == "not-shown" and seen.answered < LEAST
        return _with(decision, _unchecked(fingerprint)) if unknown else decision
    doubt = f"{_knows(seen, fingerprint)}: was it asked in the wrong form?"
    if shown == "derived":
        stands = "In the wrong form few answers are the source's, so that the verdict stands"
        return _with(decision, f"{doubt} {stands}")
    mend = _mend(suspect, seen, fingerprint)
    return unscored(decision, f"{doubt} {mend}") if shown == "not-shown" else _with(decision, f"{doubt} {mend}")


def _not_asked_on(
    fingerprint: Fingerprint,
    scheme: Scheme,
    suspect: Suspect,
    plain: PlainAnswers,
    *,
    access: Access,
    weights: Level | None,
    form: FormCheck | None,
    message: str,
    budget: int | None,
    alpha: float,
    pool_kinds: bool,
) -> Heard:
    """No verdict, for a suspect that was asked nothing but plain inputs."""
    suspect.finish()
    planned = planned_queries(fingerprint, scheme, suspect, access=access, budget=budget)
    return Heard(
        interview=Interview(answers=plain.queries, asked=planned & plain.queries.answered, planned=planned),
        decision=beside_weights(
            unasked_decision(
                message, fingerprint.groups, families=fingerprint.families, alpha=alpha, pool_kinds=pool_kinds
            ),
            weights,
        ),
        plain=plain,
        form=form,
    )


def _form(seen: Look, plain: PlainAnswers, accuracy: float | None, fit: Fit | None = None) -> FormCheck | None:
    if not seen.answered:
        return None
    return FormCheck(
        answered=seen.answered,
        right=seen.right,
        beside=plain.beside,
        expected=accuracy,
        doubted=seen.short,
        proposal=None if fit is None else fit.convention.options,
    )


def _knows(seen: Look, fingerprint: Fingerprint) -> str:
    plural = fingerprint.modality.plural
    return f"it classifies {seen.right} of {seen.answered} unperturbed {plural} rightly, the source all of them"


def _proposed(suspect: Suspect, fit: Fit) -> str:
    alike = f" (no fewer with {', '.join(fit.others)})" if fit.others else ""
    return (
        f"prepared in another way it classifies {fit.right} of {fit.tried} rightly instead of {fit.before}{alike}: "
        f"{suspect.advice(fit.convention).how}, and ask again"
    )


def _mend(suspect: Suspect, seen: Look, fingerprint: Fingerprint) -> str:
    advice, plural = suspect.advice(), fingerprint.modality.plural
    tried = f"none of the usual ways to prepare {plural} does clearly better; " if suspect.free else ""
    names = f", or its classes have other numbers: {advice.classes}" if seen.renamed and advice.classes else ""
    return (
        f"{tried}{advice.how}{names}; if it is right so seldom in the right form, too, say --accuracy "
        f"{seen.right / seen.answered:.2f}. {SPOILED}"
    )


def _unchecked(fingerprint: Fingerprint) -> str:
    if fingerprint.plain is None:
        why = f"this fingerprint holds no unperturbed {fingerprint.modality.plural}; one that is enrolled now does"
    else:
        why = f"too few unperturbed {fingerprint.modality.plural} were answered, {LEAST} are needed"
    return f"whether it was asked in the right form was not checked: {why}"


def _with(decision: Decision, note: str) -> Decision:
    return replace(decision, message=f"{decision.message}; {note}", note=". ".join(filter(None, [decision.note, note])))
