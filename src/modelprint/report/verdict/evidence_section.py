"""How the evidence grew query by query, and which queries carried it; for schemes that ask until all is settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.report.drawing.figure import Figure, Key, role_keys, rule_key
from modelprint.report.drawing.pictures import class_name, png_uri
from modelprint.report.drawing.svg import ROLE_COLOURS, ROLE_DASHES, by_role, dashed, rows, to_svg
from modelprint.report.drawing.text import counted, number, percent, plain_name
from modelprint.report.verdict.cases import Case, in_focus, shared_threshold

if TYPE_CHECKING:
    from modelprint.schemes.contrast import Contrast

_MOST_PICTURES = 12


@dataclass(frozen=True, kw_only=True)
class TellingQuery:
    """A query, the class that both models gave it, and how many independent models did."""

    uri: str
    answer: str
    truth: str
    strangers: str


@dataclass(frozen=True, kw_only=True)
class EvidenceSection:
    """The chart of all models checked; the pictures of the one in focus."""

    figure: Figure
    name: str
    queries: Sequence[TellingQuery]


def evidence_section(fingerprint: Fingerprint, cases: Sequence[Case]) -> EvidenceSection | None:
    """None for schemes that do not ask until all is settled."""
    if fingerprint.manifest.scheme != "contrast":
        return None
    from modelprint.ownership.ask import scheme_of
    from modelprint.schemes.contrast import Contrast

    scheme = scheme_of(fingerprint)
    assert isinstance(scheme, Contrast)
    cap = max(case.cap or len(fingerprint) for case in cases)
    strangers = [_path(scheme, fingerprint, answers, cap) for answers in fingerprint.calibration]
    limit = shared_threshold(cases)
    focus = cases[in_focus(cases)[0]]
    return EvidenceSection(
        figure=Figure(
            title="Evidence against queries asked",
            svg=_chart(cases, [_path(scheme, fingerprint, case.answers, cap) for case in cases], strangers, limit),
            caption="The sum of what each answer is worth, in nats, after each batch"
            + (f", over (n / {len(fingerprint)})^{scheme.delta:g} after n answers" if scheme.delta else "")
            + "; a line ends where asking ended. The score is its highest point. Grey: "
            + (
                f"{counted(len(strangers), 'independent model')}, asked all that could be."
                if strangers
                else "none were asked."
            ),
            keys=[
                *role_keys((case.role for case in cases), form="line"),
                *([Key(text="calibration models", role="calibration", form="line")] if strangers else []),
                *([] if limit is None else [rule_key(f"threshold, {number(limit)}")]),
            ],
        ),
        name=plain_name(focus.name, longest=60),
        queries=_telling(fingerprint, focus.answers),
    )


def _path(scheme: Contrast, fingerprint: Fingerprint, answers: Answers, cap: int) -> list[tuple[int, float]]:
    """Queries asked and evidence, at the start and after each batch up to the last one asked."""
    told = answers.answered & (np.arange(len(answers)) < cap)
    asked = int(np.flatnonzero(told)[-1]) + 1 if told.any() else 0
    heard = Answers(labels=np.where(told, answers.labels, UNANSWERED))
    looks = zip(*scheme.path(fingerprint.state, fingerprint.source, heard), strict=True)
    whole = [(int(end), float(evidence)) for end, evidence in looks]
    before = [look for look in whole if look[0] < asked]
    return [(0, 0.0), *before, *((asked, evidence) for _, evidence in whole[len(before) : len(before) + 1] if asked)]


def _chart(
    cases: Sequence[Case],
    paths: Sequence[Sequence[tuple[int, float]]],
    strangers: Sequence[Sequence[tuple[int, float]]],
    limit: float | None,
) -> Markup:
    import altair as alt

    x = alt.X("asked:Q", title="queries asked", axis=alt.Axis(grid=False, tickCount=5))
    y = alt.Y("evidence:Q", title="evidence, nats", axis=alt.Axis(tickCount=5))
    behind = [
        {"asked": asked, "evidence": evidence, "model": place}
        for place, path in enumerate(strangers)
        for asked, evidence in path
    ]
    points = [
        {"asked": asked, "evidence": evidence, "model": place, "role": case.role}
        for place, (case, path) in enumerate(zip(cases, paths, strict=True))
        for asked, evidence in path
    ]
    roles = list(dict.fromkeys(case.role for case in cases))
    colour = alt.Color("role:N", scale=by_role(ROLE_COLOURS, roles), legend=None)
    dash = alt.StrokeDash("role:N", scale=by_role(ROLE_DASHES, roles), legend=None)
    grey = alt.Chart(rows(behind)).mark_line(strokeWidth=1, opacity=0.45, color="var(--calibration)")
    drawn = alt.Chart(rows(points)).mark_line(strokeWidth=2, opacity=0.9, point={"size": 18})
    layers = [grey.encode(x, y, detail="model:N"), drawn.encode(x, y, colour, dash, detail="model:N")]
    if limit is not None:
        layers.append(dashed("evidence", limit, y))
    ends = ", ".join(f"{path[-1][1]:.2f} after {path[-1][0]} queries" for path in paths[:6])
    return to_svg(layers, label=f"Evidence against queries asked. At the end: {ends}", height=260)


def _telling(fingerprint: Fingerprint, answers: Answers) -> list[TellingQuery]:
    """The queries that a model answers as the source does, those first that fewest independent models so answer."""
    own, names = fingerprint.source.labels, fingerprint.manifest.input.class_names
    agreed = np.flatnonzero(answers.answered & (answers.labels == own))
    others = [told.labels == own for told in fingerprint.calibration]
    shares = np.mean(others, axis=0) if others else np.zeros(len(own))
    chosen = agreed[np.argsort(shares[agreed], kind="stable")][:_MOST_PICTURES]
    return [
        TellingQuery(
            uri=png_uri(fingerprint.queries[index]),
            answer=class_name(int(own[index]), names),
            truth=class_name(int(fingerprint.true_labels[index]), names),
            strangers=percent(float(shares[index])) if others else "not asked",
        )
        for index in chosen
    ]
