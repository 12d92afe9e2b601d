"""From records to one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from modelprint.core.errors import ModelprintError, UsageError
from modelprint.core.files import write_text
from modelprint.core.quantities import Quantity
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.report.drawing.pages import template
from modelprint.report.drawing.text import NONE, number, p_text, percent, plain_name
from modelprint.report.verdict import facts, prose, words
from modelprint.report.verdict.cases import Case
from modelprint.report.verdict.commands import commands
from modelprint.report.verdict.evidence_section import evidence_notes, evidence_rows
from modelprint.report.verdict.quantities import quantity_text
from modelprint.report.verdict.region_section import region_section
from modelprint.report.verdict.scheme_sections import scheme_sections
from modelprint.report.verdict.score_section import score_section

if TYPE_CHECKING:
    from modelprint.schemes.base import Scheme

_MOST_PANELS = 3


@dataclass(frozen=True, kw_only=True)
class CaseRow:
    """One model in the table; every value as text."""

    index: int
    name: str
    kind: str
    role: str
    outcome: str
    outcome_text: str
    remark: str
    score: str
    p_value: str
    figures: Sequence[str]
    accuracy: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A verdict at the head of the page."""

    row: CaseRow
    figures: Sequence[tuple[str, str]]
    statement: words.Statement
    threshold: str
    alpha: str
    bound: str
    confidence: str


def render_report(
    fingerprint: Fingerprint,
    cases: Sequence[Case],
    *,
    calibration_scores: Float[np.ndarray, " m"],
    title: str | None = None,
    negatives: str | None = None,
) -> str:
    """The report as one HTML page that loads nothing: the same records give the same page.

    Args:
        cases: the models that were checked with this fingerprint, in the order to show them.
        calibration_scores: of the fingerprint's calibration models, in their order.
        title: the page's heading; a question about the suspect unless given.
        negatives: the folder of independent models that `verify` was given in place of the fingerprint's own.

    Raises:
        UsageError: no cases, or records that do not belong together.
    """
    calibration = np.asarray(calibration_scores, dtype=np.float64)
    _check(fingerprint, cases, calibration)
    manifest = fingerprint.manifest
    scheme = scheme_made_by(fingerprint)
    quantities = () if scheme is None else scheme.quantities
    rows = [_row(index, case, quantities) for index, case in enumerate(cases, 1)]
    page: str = template("report.html.j2").render(
        title=plain_name(title, longest=200) if title else _title(cases),
        heading=facts.heading(fingerprint, cases),
        panels=[_panel(cases[i], rows[i], quantities, manifest.source, len(calibration)) for i in _paneled(cases)],
        summary=words.tallies(cases) if len(cases) > 1 else [],
        rows=rows,
        columns=[quantity.title.capitalize() for quantity in quantities],
        several=words.several_note(cases),
        evidence=evidence_rows(cases),
        evidence_notes=evidence_notes(cases),
        how=prose.explanation(scheme, fingerprint.modality.words),
        method=manifest.scheme if scheme is None else scheme.title,
        calibrated=prose.CALIBRATED,
        scores=score_section(fingerprint, cases, calibration),
        sections=[] if scheme is None else scheme_sections(scheme, fingerprint, cases),
        regions=region_section(fingerprint, cases),
        inputs=fingerprint.modality.words,
        limitations=prose.limitations(scheme),
        fingerprint_facts=facts.fingerprint_facts(fingerprint),
        parameter_facts=facts.parameter_facts(fingerprint),
        crafting_facts=facts.crafting_facts(fingerprint, () if scheme is None else scheme.crafting),
        checked=facts.checked(cases),
        version_facts=facts.version_facts(fingerprint),
        calibration_rows=facts.calibration_rows(fingerprint, calibration),
        commands=commands(fingerprint, cases[0], negatives=negatives),
    )
    return page


def write_report(
    path: Path | str,
    fingerprint: Fingerprint,
    cases: Sequence[Case],
    *,
    calibration_scores: Float[np.ndarray, " m"],
    title: str | None = None,
    negatives: str | None = None,
) -> None:
    """Write the report, whole or not at all.

    Raises:
        UsageError: no cases, or records that do not belong together.
        ModelprintError: the place cannot be written.
    """
    page = render_report(fingerprint, cases, calibration_scores=calibration_scores, title=title, negatives=negatives)
    write_text(Path(path), page)


def scheme_made_by(fingerprint: Fingerprint) -> Scheme | None:
    """The scheme of a fingerprint; None where this version does not know it, or its hyper-parameters."""
    from modelprint.ownership.opening import scheme_of

    try:
        return scheme_of(fingerprint)
    except ModelprintError:
        return None


def _check(fingerprint: Fingerprint, cases: Sequence[Case], calibration: np.ndarray) -> None:
    if not cases:
        raise UsageError("a report needs one checked model or more: verify a suspect first")
    for case in cases:
        if len(case.answers) != len(fingerprint):
            raise UsageError(
                f"{plain_name(case.name)} has {len(case.answers)} answers but the fingerprint has {len(fingerprint)} "
                "queries: they belong to another fingerprint"
            )
    models = len(fingerprint.manifest.calibration)
    if len(calibration) != models or np.isnan(calibration).any():
        raise UsageError(
            f"got {np.count_nonzero(~np.isnan(calibration))} calibration scores for {models} calibration models: "
            "score each of the fingerprint's calibration answers"
        )


def _title(cases: Sequence[Case]) -> str:
    if len(cases) == 1:
        return f"Was “{plain_name(cases[0].name, longest=60)}” made from the source model?"
    return "Which of these models were made from the source model?"


def _paneled(cases: Sequence[Case]) -> list[int]:
    """Which verdicts stand at the head of the page: those on suspects, and that on a single model."""
    suspects = [index for index, case in enumerate(cases) if case.role == "suspect"]
    return suspects[:_MOST_PANELS] or ([0] if len(cases) == 1 else [])


def _row(index: int, case: Case, quantities: Sequence[Quantity]) -> CaseRow:
    verdict = case.verdict
    return CaseRow(
        index=index,
        name=plain_name(case.name),
        kind=plain_name(case.kind, longest=60) if case.kind else "",
        role=words.ROLES[case.role],
        outcome=verdict.verdict,
        outcome_text=words.OUTCOMES[verdict.verdict],
        remark=words.REMARKS.get((case.role, verdict.verdict), ""),
        score=number(verdict.score),
        p_value=p_text(verdict.p_value),
        figures=[quantity_text(quantity, verdict.details) for quantity in quantities],
        accuracy=NONE if case.accuracy is None else percent(case.accuracy),
    )


def _panel(case: Case, row: CaseRow, quantities: Sequence[Quantity], source: str, calibration_models: int) -> Panel:
    accusations = case.verdict.false_accusations
    return Panel(
        row=row,
        figures=[
            (quantity.headline, text)
            for quantity, text in zip(quantities, row.figures, strict=True)
            if quantity.headline and text != NONE
        ],
        statement=words.statement(case, quantities, source=source, calibration_models=calibration_models),
        threshold="no threshold" if case.verdict.threshold is None else f"threshold {number(case.verdict.threshold)}",
        alpha=f"alpha {percent(case.verdict.alpha)}",
        bound=NONE if accusations is None else percent(accusations.upper_95),
        confidence="not known" if accusations is None else "with 95\u202f% confidence",
    )
