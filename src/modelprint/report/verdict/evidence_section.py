"""What each level of access says of every model that was checked, and the story that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.core.verdict import Evidence, Relation, Verdict
from modelprint.report.drawing.text import number, plain_name
from modelprint.report.verdict.cases import Case

LEVELS = ("weights", "scores", "labels")
RELATIONS: dict[Relation, str] = {
    "from-weights": "made from the source's weights: fine-tuned, pruned, averaged or the like",
    "extracted": "extracted from the source's answers: it behaves like the source, and its weights are its own",
    "homologous": "a sibling: it has much in common with the source's parent, and nothing of the source's own",
    "none": "nothing was shown",
    "unknown": "not known: what could be read does not tell how",
}
STORIES: dict[Relation, str] = {
    "from-weights": "from its weights",
    "extracted": "extracted",
    "homologous": "a sibling",
    "none": "none",
    "unknown": "not known",
}
_SAYS = {
    "derived": "derived",
    "not-shown": "not shown",
    "inconclusive": "inconclusive",
    "not-comparable": "not comparable",
}


@dataclass(frozen=True, kw_only=True)
class LevelCell:
    """What one level says of one model; every value as text. Empty where the model shows nothing of it."""

    access: str
    says: str = ""
    outcome: str = ""
    figures: str = ""


@dataclass(frozen=True, kw_only=True)
class EvidenceRow:
    """One model."""

    index: int
    name: str
    cells: Sequence[LevelCell]
    story: str


def evidence_rows(cases: Sequence[Case]) -> list[EvidenceRow]:
    """A row for each model whose verdict lists its evidence by level."""
    return [
        EvidenceRow(
            index=index,
            name=plain_name(case.name),
            cells=[_cell(case.verdict.evidence, access) for access in LEVELS],
            story=STORIES[case.verdict.relation or "unknown"],
        )
        for index, case in enumerate(cases, 1)
        if case.verdict.evidence
    ]


def evidence_notes(cases: Sequence[Case]) -> list[str]:
    """Why levels said nothing, each reason once."""
    reasons = {
        f"{one.access}: {one.details['why']}"
        for case in cases
        for one in case.verdict.evidence or ()
        if one.score is None and "why" in one.details
    }
    return [plain_name(reason, longest=300) for reason in sorted(reasons)]


def relation_text(verdict: Verdict) -> str:
    """The story that fits a verdict, in a sentence; empty where the verdict names none."""
    if verdict.relation is None:
        return ""
    suggests = "The levels together suggest" if len(verdict.evidence or ()) > 1 else "This suggests"
    return f"{suggests}: {RELATIONS[verdict.relation]}."


def _cell(evidence: Sequence[Evidence], access: str) -> LevelCell:
    for one in evidence:
        if one.access == access:
            figures = [] if one.score is None else [number(one.score, digits=2)]
            figures += [] if one.threshold is None else [f"threshold {number(one.threshold, digits=2)}"]
            return LevelCell(
                access=access,
                says=_SAYS[one.says],
                outcome=one.says if one.says != "not-comparable" else "inconclusive",
                figures=", ".join(figures),
            )
    return LevelCell(access=access)
