"""What each level of access says of every model that was checked, and the story that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.core.verdict import Evidence, Relation, Verdict
from modelprint.report.drawing.text import NONE, number, p_text, plain_name
from modelprint.report.verdict.cases import Case

RELATIONS: dict[Relation, str] = {
    "from-weights": "made from the source's weights: fine-tuned, pruned, averaged or the like",
    "extracted": "extracted from the source's answers: it behaves like the source, and its weights are its own",
    "homologous": "a sibling: it has much in common with the source's parent, and nothing of the source's own",
    "none": "nothing was shown",
    "unknown": "not known: what could be read does not tell how",
}
_SAYS = {
    "derived": "derived",
    "not-shown": "not shown",
    "inconclusive": "inconclusive",
    "not-comparable": "cannot be compared",
}


@dataclass(frozen=True, kw_only=True)
class EvidenceRow:
    """One level of access, of one model; every value as text."""

    index: int
    name: str
    access: str
    says: str
    outcome: str
    score: str
    threshold: str
    p_value: str
    queries: str
    scheme: str
    why: str


def evidence_rows(cases: Sequence[Case]) -> list[EvidenceRow]:
    """Level by level, for each model; none where one level alone was read."""
    return [_row(index, case.name, one) for index, case in enumerate(cases, 1) for one in case.verdict.evidence or ()]


def relation_text(verdict: Verdict) -> str:
    """The story that fits a verdict, in a sentence; empty where several levels were not read."""
    if verdict.relation is None:
        return ""
    return f"The levels together suggest: {RELATIONS[verdict.relation]}."


def _row(index: int, name: str, one: Evidence) -> EvidenceRow:
    return EvidenceRow(
        index=index,
        name=plain_name(name),
        access=one.access,
        says=_SAYS[one.says],
        outcome=one.says if one.says != "not-comparable" else "inconclusive",
        score=number(one.score),
        threshold=NONE if one.threshold is None else number(one.threshold),
        p_value=p_text(one.p_value),
        queries=f"{one.queries:,}",
        scheme=plain_name(one.scheme),
        why=plain_name(str(one.details.get("why", "")), longest=300) if one.score is None else "",
    )
