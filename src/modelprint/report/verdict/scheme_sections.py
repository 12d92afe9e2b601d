"""The sections that a scheme declares, drawn block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import numpy as np

from modelprint.core.errors import FingerprintError, first_line
from modelprint.core.sections import (
    AgreedQueries,
    Block,
    Course,
    Exhibit,
    Facts,
    Paragraph,
    Plane,
    Profile,
    Rates,
    Section,
    Strip,
)
from modelprint.core.suspect import Answers
from modelprint.modalities.space import Box
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.report.drawing.figure import ClassKey, Fact, Figure, Key, class_keys, role_keys, rule_key
from modelprint.report.drawing.text import plain_name, typeset
from modelprint.report.verdict.agreed_queries import DrawnAgreedQueries, agreed_queries
from modelprint.report.verdict.cases import Case, in_focus, shared_threshold
from modelprint.report.verdict.course_chart import course_figure
from modelprint.report.verdict.embedding import embedding
from modelprint.report.verdict.rate_charts import MOST_NAMED_LINES, profile_chart, rates_by_case, sorted_rates
from modelprint.report.verdict.strip import DrawnStrip, Numbered, drawn_strip

if TYPE_CHECKING:
    from modelprint.schemes.base import Scheme

_SIDE_BY_SIDE = (Rates, Profile, Course, AgreedQueries)


@dataclass(frozen=True, kw_only=True)
class DrawnPlane:
    """The same queries in the plane, once for each model in focus."""

    title: str
    text: str
    figures: list[Figure]
    classes: list[ClassKey]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One block, as the template sees it: which macro draws it, and what."""

    kind: Literal["paragraph", "facts", "figure", "strip", "plane", "agreed"]
    item: str | list[Fact] | Figure | DrawnStrip | DrawnPlane | DrawnAgreedQueries


@dataclass(frozen=True, kw_only=True)
class DrawnSection:
    """A section; parts of one row stand side by side where there is room."""

    title: str
    rows: list[list[Part]]


def scheme_sections(scheme: Scheme, fingerprint: Fingerprint, cases: Sequence[Case]) -> list[DrawnSection]:
    """What the scheme shows of the models that were checked."""
    exhibit = Exhibit(
        state=fingerprint.state,
        source=fingerprint.source,
        models=[_counted(scheme, fingerprint, case) for case in cases],
        calibration=fingerprint.calibration,
        asked=max(case.cap or len(fingerprint) for case in cases),
        threshold=shared_threshold(cases),
        details=[case.verdict.details for case in cases],
        words=fingerprint.modality.words,
    )
    drawing = _Drawing(fingerprint, cases)
    return [
        DrawnSection(
            title=section.title,
            rows=[
                row
                for paired, blocks in groupby(
                    drawing.drawable(section.blocks), key=lambda block: isinstance(block, _SIDE_BY_SIDE)
                )
                for row in _rows([drawing.part(block) for block in blocks], paired=paired)
            ],
        )
        for section in _sections(scheme, exhibit)
    ]


def _counted(scheme: Scheme, fingerprint: Fingerprint, case: Case) -> Answers:
    """The answers as the score counts them: what was asked and not answered, against derivation."""
    missing = (np.arange(len(case.answers)) < case.verdict.queries) & ~case.answers.answered
    return scheme.counted(fingerprint.source, case.answers, missing)


def _sections(scheme: Scheme, exhibit: Exhibit) -> Sequence[Section]:
    """The scheme's own sections.

    Raises:
        FingerprintError: it cannot draw them from this fingerprint's tensors.
    """
    try:
        return scheme.sections(exhibit)
    except (LookupError, ValueError, TypeError, ArithmeticError) as error:
        raise FingerprintError(
            f"scheme {scheme.name} cannot show this fingerprint's tensors ({type(error).__name__}: {first_line(error)})"
        ) from error


def _rows(parts: list[Part], *, paired: bool) -> list[list[Part]]:
    return [parts] if paired else [[part] for part in parts]


class _Drawing:
    """Blocks to parts, for one fingerprint and the models that were checked with it."""

    def __init__(self, fingerprint: Fingerprint, cases: Sequence[Case]) -> None:
        self.fingerprint = fingerprint
        self.cases = cases
        self.answered: list[Numbered] = [(i, case) for i, case in enumerate(cases, 1) if case.answers.answered.any()]
        focus = in_focus([case for _, case in self.answered]) if self.answered else []
        self.focus = [self.answered[i] for i in focus]

    def drawable(self, blocks: Sequence[Block]) -> list[Block]:
        """The blocks that can be drawn of such inputs: tokens do not lie in a plane."""
        flat = isinstance(self.fingerprint.modality.space, Box)
        return [block for block in blocks if flat or not isinstance(block, Plane)]

    def part(self, block: Block) -> Part:
        """The block, drawn."""
        match block:
            case Paragraph():
                return Part(kind="paragraph", item=typeset(block.text))
            case Facts():
                return Part(kind="facts", item=[Fact(name=name, value=value) for name, value in block.rows])
            case Rates() | Profile() | Course():
                return Part(kind="figure", item=self._figure(block))
            case Strip():
                strip = drawn_strip(block, self.fingerprint, self.focus, self.answered, models=len(self.cases))
                return Part(kind="strip", item=strip)
            case Plane():
                return Part(kind="plane", item=self._plane(block))
            case AgreedQueries():
                shown = self.cases[in_focus(self.cases)[0]]
                return Part(kind="agreed", item=agreed_queries(block, self.fingerprint, shown))

    def _figure(self, block: Rates | Profile | Course) -> Figure:
        match block:
            case Rates():
                return self._rates(block)
            case Profile():
                return self._profile(block)
            case Course():
                return course_figure(block, self.cases)

    def _rates(self, block: Rates) -> Figure:
        limit = rule_key(block.limit_text)
        unit, _ = block.units
        if len(self.answered) > 1:
            return Figure(
                title=block.title,
                svg=rates_by_case(block, self.answered),
                caption=f"One tick per {unit}; the larger mark is the mean.",
                keys=[*role_keys(case.role for _, case in self.answered), limit],
            )
        (index, case), *_ = self.answered
        return Figure(
            title=block.title,
            svg=sorted_rates(block, block.models[index - 1], role=case.role),
            caption=f"One point per {unit}, the lowest first.",
            keys=[*role_keys([case.role]), *self._band_key(), limit],
        )

    def _profile(self, block: Profile) -> Figure:
        many = len(self.answered) > MOST_NAMED_LINES
        return Figure(
            title=block.title,
            svg=profile_chart(block, self.answered),
            caption=block.caption + (" Thick lines are the medians of the groups." if many else ""),
            keys=[*role_keys((case.role for _, case in self.answered), form="line"), *self._band_key()],
        )

    def _band_key(self) -> list[Key]:
        if not self.fingerprint.calibration:
            return []
        return [Key(text="calibration models: range and median", role="calibration", form="band")]

    def _plane(self, block: Plane) -> DrawnPlane:
        labels = self.fingerprint.source.labels[list(block.queries)]
        return DrawnPlane(
            title=block.title,
            text=block.text,
            figures=[self._embedding(block, case) for _, case in self.focus],
            classes=class_keys(labels, self.fingerprint.manifest.input.class_names),
        )

    def _embedding(self, block: Plane, case: Case) -> Figure:
        queries = list(block.queries)
        labels, answers = self.fingerprint.source.labels[queries], case.answers.labels[queries]
        changed = (answers != labels) & (answers >= 0)
        name = plain_name(case.name, longest=40)
        svg = embedding(
            self.fingerprint.queries[queries].reshape(len(queries), -1).astype(np.float64),
            labels,
            changed,
            block.every,
            label=f"{block.label}; {name} differs at {changed.sum()}",
            parts=self.fingerprint.modality.parts,
        )
        hollow = f"{changed.sum()} of {len(queries)} points are hollow"
        return Figure(
            title=f"Answers of {name}", svg=svg, caption=f"{hollow}: there, its answer differs from that of the source."
        )
