"""The sentences of a report: what a verdict says, what it does not, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.core.quantities import Quantity
from modelprint.core.verdict import FalseAccusations, Outcome, Verdict
from modelprint.report.drawing.text import counted, number, p_text, percent, plain_name, typeset
from modelprint.report.verdict.cases import Case
from modelprint.report.verdict.evidence_section import relation_text
from modelprint.report.verdict.prose import LIMITS
from modelprint.report.verdict.quantities import quantity_text
from modelprint.stats.calibration import needed_models
from modelprint.stats.intervals import clopper_pearson

OUTCOMES: dict[Outcome, str] = {"derived": "Derived", "not-shown": "Not shown", "inconclusive": "Inconclusive"}
REMARKS = {("derived", "not-shown"): "missed", ("independent", "derived"): "false accusation"}
ROLES = {"suspect": "not known", "derived": "derived", "independent": "independent", "source": "the source"}


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A verdict in words.

    Attributes:
        lead: one sentence that claims no more than the test shows.
        reasons: the numbers behind it.
        limits: what the verdict does not show.
        missing: what would have to be added; of an inconclusive verdict only.
    """

    lead: str
    reasons: Sequence[str]
    limits: Sequence[str]
    missing: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many of the judged models of one group were called derived, with an exact 95 % interval."""

    name: str
    value: str
    detail: str


def statement(case: Case, quantities: Sequence[Quantity], *, source: str, calibration_models: int) -> Statement:
    """What the verdict on one model says.

    Args:
        quantities: the scheme's own figures in the verdict's details.
        source: the source's identity.
        calibration_models: how many were asked.
    """
    verdict, name = case.verdict, plain_name(case.name, longest=60)
    reasons = [*_same_file(verdict, source), *_figures(verdict, quantities)]
    reasons += [text for text in [relation_text(verdict)] if text]
    ranked = verdict.threshold is not None or verdict.access != "weights"
    if verdict.p_value is not None and not ranked:
        reasons.append(
            f"At most {percent(verdict.p_value)} of random orders of its channels are as close to the source's "
            "as its own. A model that was trained from an independent initialisation has no order of its own."
        )
    elif verdict.p_value is not None and (verdict.false_accusations is not None or calibration_models):
        reasons.append(_rank(verdict.p_value, _models(verdict, calibration_models), name))
    if verdict.threshold is not None and verdict.p_value is not None and verdict.verdict != "inconclusive":
        reasons.append(_rule(verdict))
    if verdict.false_accusations is not None:
        reasons.append(_on_calibration_models(verdict.false_accusations))
    return Statement(
        lead=_lead(verdict, name, _models(verdict, calibration_models)),
        reasons=reasons,
        limits=LIMITS[verdict.verdict],
        missing=_missing(case, calibration_models) if verdict.verdict == "inconclusive" else [],
    )


def _models(verdict: Verdict, calibration_models: int) -> int:
    return calibration_models if verdict.false_accusations is None else verdict.false_accusations.n


def _lead(verdict: Verdict, name: str, n: int) -> str:
    if verdict.verdict == "inconclusive":
        return f"Nothing can be said about “{name}”: the evidence does not allow a verdict."
    if verdict.verdict == "not-shown":
        return f"It was not shown that “{name}” was made from the source."
    if verdict.threshold is None:
        return (
            f"“{name}” holds the source's weights, channel by channel in its order. No independent model ranks this: "
            "an exact test of permuted channels calls it derived from the source."
        )
    as_high = _as_high(verdict.p_value, n)
    than = f"all {n:,}" if not as_high else f"all but {as_high:,} of {n:,}"
    read = [one.access for one in verdict.evidence or () if one.score is not None]
    if read == ["weights"] or (not read and verdict.access == "weights"):
        return (
            f"“{name}” holds more of the source's weights than {than} independent models do. By the rule of this test "
            "it is called derived from the source."
        )
    if read:
        together = f"{', '.join(read[:-1])} and {read[-1]} together" if len(read) > 1 else read[0]
        return (
            f"“{name}” is more like the source than {than} independent models are, by its {together}. By the rule of "
            "this test it is called derived from the source."
        )
    return (
        f"“{name}” answers the fingerprint more like the source than {than} independent models do. By the rule of this "
        "test it is called derived from the source."
    )


def _as_high(p_value: float | None, n: int) -> int:
    """How many of n models scored as high as a model of that rank p-value, or higher."""
    return 0 if p_value is None else round(p_value * (n + 1)) - 1


def _same_file(verdict: Verdict, source: str) -> list[str]:
    return ["Its SHA-256 is that of the source: it is the same file."] if verdict.suspect == source else []


def _figures(verdict: Verdict, quantities: Sequence[Quantity]) -> list[str]:
    """The scheme's own figures, in one line."""
    sentences = [
        typeset(quantity.sentence).format(value=quantity_text(quantity, verdict.details, units=True))
        for quantity in quantities
        if quantity.sentence and verdict.details.get(quantity.key) is not None
    ]
    return [" ".join(sentences)] if sentences else []


def _rank(p_value: float, n: int, name: str) -> str:
    as_high = _none(_as_high(p_value, n))
    return (
        f"{as_high} of {counted(n, 'independent model')} scored as high or higher. If “{name}” had been made "
        f"without the source, and were otherwise like {'them' if n > 1 else 'it'}, a score this high would turn up "
        f"with a probability of at most {percent(p_value)} (rank p-value {p_text(p_value)})."
    )


def _rule(verdict: Verdict) -> str:
    above = verdict.verdict == "derived"
    return (
        f"The accepted rate of false accusations, alpha, is {percent(verdict.alpha)}. The p-value is "
        f"{'not above' if above else 'above'} it; that is the same as the score, {number(verdict.score)}, being "
        f"{'above' if above else 'not above'} the threshold, {number(verdict.threshold)}."
    )


def _on_calibration_models(accusations: FalseAccusations) -> str:
    return (
        f"The threshold would have accused {_none(accusations.count).lower()} of the {accusations.n:,} independent "
        f"models. With 95\u202f% confidence, it accuses at most {percent(accusations.upper_95)} of innocent models "
        "like them."
    )


def _missing(case: Case, calibration_models: int) -> list[str]:
    missing = []
    needed = needed_models(case.verdict.alpha)
    if calibration_models < needed:
        missing.append(
            f"Independent models: an alpha of {percent(case.verdict.alpha)} needs {needed} or more to calibrate on. "
            f"There {'is' if calibration_models == 1 else 'are'} {calibration_models or 'none'}: "
            f"{needed - calibration_models} more are needed (--negatives)."
        )
    answered, asked = int(case.answers.answered.sum()), case.verdict.queries
    if answered < asked:
        abstained = int(case.answers.abstained.sum())
        silent = f" To {abstained:,} the model answered that it names no class." if abstained else ""
        missing.append(
            f"Answers: {answered:,} of {asked:,} queries were answered.{silent} The others count against derivation."
        )
    if case.verdict.message:
        missing.append(f"Recorded with the verdict: {plain_name(case.verdict.message, longest=600)}")
    return missing


def tallies(cases: Sequence[Case]) -> list[Tally]:
    """What became of the models whose making is known: copies found, independent models accused."""
    names = {"derived": "Copies called derived", "independent": "Independent models called derived, wrongly"}
    tallied = []
    for role, name in names.items():
        outcomes = [case.verdict.verdict for case in cases if case.role == role]
        if outcomes:
            tallied.append(_tally(name, outcomes))
    return tallied


def _tally(name: str, outcomes: Sequence[Outcome]) -> Tally:
    judged = [outcome for outcome in outcomes if outcome != "inconclusive"]
    hits = judged.count("derived")
    detail = []
    if judged:
        ends = clopper_pearson(hits, len(judged))
        detail.append(f"95\u202f% interval {percent(ends.low)} to {percent(ends.high)}")
    if len(judged) < len(outcomes):
        detail.append(f"{len(outcomes) - len(judged)} more inconclusive")
    return Tally(name=name, value=f"{hits:,} of {len(judged):,}", detail="; ".join(detail))


def several_note(cases: Sequence[Case]) -> str:
    """A reminder that many verdicts make some false ones likely; empty for a single verdict."""
    judged = [case.verdict.alpha for case in cases if case.verdict.verdict != "inconclusive"]
    if len(judged) < 2 or len(set(judged)) != 1:
        return ""
    return (
        f"Each verdict was reached on its own, with an alpha of {percent(judged[0])}. The more models are checked, the "
        f"likelier is a false accusation among them: of {len(judged)} innocent models, up to "
        f"{judged[0] * len(judged):.2g} may be expected to be accused on average."
    )


def _none(count: int) -> str:
    return f"{count:,}" if count else "None"
