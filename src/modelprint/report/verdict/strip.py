"""Queries in order, picture by picture, with the answers of the source and of the models in focus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.core.sections import Stretch, Strip
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.report.drawing.pictures import class_name
from modelprint.report.drawing.text import plain_name
from modelprint.report.verdict.cases import Case

_LONGEST_LABEL = 16
KEYS = "ABC"  # of the models in focus; numbers would be taken for classes
Numbered = tuple[int, Case]


@dataclass(frozen=True, kw_only=True)
class Label:
    """An answer under a picture; `changed` where it differs from the source's."""

    who: str
    text: str
    changed: bool


@dataclass(frozen=True, kw_only=True)
class Point:
    """One picture, what it is, and the answers under it."""

    text: str
    uri: str | None
    labels: list[Label]


@dataclass(frozen=True, kw_only=True)
class DrawnStretch:
    """Some pictures in a row."""

    title: str
    points: list[Point]


@dataclass(frozen=True, kw_only=True)
class DrawnStrip:
    """The pictures, and what is said before them.

    Attributes:
        who: the key under the pictures and the name that it stands for.
    """

    note: str
    who: list[tuple[str, str]]
    stretches: list[DrawnStretch]


def drawn_strip(
    strip: Strip, fingerprint: Fingerprint, focus: Sequence[Numbered], answered: Sequence[Numbered], *, models: int
) -> DrawnStrip:
    """The strip with the answers of the models in focus.

    Args:
        focus: the models in focus, with their numbers in the report.
        answered: all models that answered something.
        models: how many were checked.
    """
    cases = [case for _, case in focus]
    first = 0
    stretches = []
    for stretch in strip.stretches:
        stretches.append(
            DrawnStretch(
                title=_title(stretch, fingerprint),
                points=[
                    Point(
                        text=strip.label.format(place=first + place),
                        uri=fingerprint.modality.picture(
                            fingerprint.queries[query],
                            before=fingerprint.queries[stretch.queries[0]] if place else None,
                        ),
                        labels=_labels(fingerprint, query, cases),
                    )
                    for place, query in enumerate(stretch.queries)
                ],
            )
        )
        first += len(stretch.queries)
    names = [f"{f'number {i}, ' if models > 1 else ''}{plain_name(case.name, longest=60)}" for i, case in focus]
    return DrawnStrip(
        note=strip.note + _chosen(focus, answered),
        who=[("S", "the source"), *zip(KEYS, names, strict=False)],
        stretches=stretches,
    )


def _chosen(focus: Sequence[Numbered], answered: Sequence[Numbered]) -> str:
    if len(focus) == len(answered):
        return ""
    if focus[0][1].role == "suspect":
        return f" Of the suspects, the first {len(focus)} are shown."
    return " Of the models, the one with the median score of each group is shown."


def _title(stretch: Stretch, fingerprint: Fingerprint) -> str:
    if stretch.to_class is None:
        return stretch.title
    names = fingerprint.manifest.input.class_names
    return f"{stretch.title}, to {class_name(stretch.to_class, names, longest=_LONGEST_LABEL)}"


def _labels(fingerprint: Fingerprint, query: int, cases: Sequence[Case]) -> list[Label]:
    names = fingerprint.manifest.input.class_names
    truth = int(fingerprint.source.labels[query])
    labels = [Label(who="S", text=class_name(truth, names, longest=_LONGEST_LABEL), changed=False)]
    for key, case in zip(KEYS, cases, strict=False):
        answer = int(case.answers.labels[query])
        labels.append(
            Label(
                who=key,
                text=class_name(answer, names, longest=_LONGEST_LABEL),
                changed=answer >= 0 and answer != truth,
            )
        )
    return labels
