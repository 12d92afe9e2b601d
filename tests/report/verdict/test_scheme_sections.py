"""Blocks of every kind are drawn, in the rows in which they stand, and names and texts do no harm."""

from __future__ import annotations

import numpy as np

from modelprint.core.sections import (
    AgreedQueries,
    Course,
    Exhibit,
    Facts,
    Paragraph,
    Plane,
    Profile,
    Rates,
    Section,
    Stretch,
    Strip,
)
from modelprint.core.suspect import Answers
from modelprint.report.drawing.pages import template
from modelprint.report.verdict.scheme_sections import scheme_sections
from tests.report.html import HOSTILE, Page


class Shown:
    """A scheme that shows one block of each kind."""

    def counted(self, source: Answers, answers: Answers, missing: np.ndarray) -> Answers:
        return answers

    def sections(self, exhibit: Exhibit) -> list[Section]:
        self.exhibit = exhibit
        models, calibration = len(exhibit.models), len(exhibit.calibration)
        shares = np.linspace(0, 1, 5)
        line = [(0, 0.0), (10, 1.5)]
        rates = Rates(title="rates", axis="rate", units=("view", "views"), limit=0.5, limit_text="half",
                      models=[shares] * models, calibration=[shares] * calibration)  # fmt: skip
        profile = Profile(title="profile", caption="by place", x="place", y="share", label="share by place", every=2,
                          models=[shares] * models, calibration=[shares] * calibration)  # fmt: skip
        course = Course(title="course", caption="growing.", x="asked", y="sum", threshold=1.0,
                        models=[line] * models, calibration=[line] * calibration)  # fmt: skip
        strip = Strip(note="first", label="picture {place}", stretches=[Stretch(title="a", queries=[3, 1], to_class=2)])
        plane = Plane(title="plane", text="in two dimensions", label="two points", queries=[0, 1, 2], every=2)
        blocks = [Paragraph(text=HOSTILE), Facts(rows=[("count", HOSTILE)]), rates, profile, strip, plane, course]
        return [Section(title=HOSTILE, blocks=blocks), Section(title="last", blocks=[AgreedQueries(title="agreed")])]


def drawn(scheme, records, cases):
    return scheme_sections(scheme, records.fingerprint, cases)


def test_charts_stand_side_by_side_and_other_blocks_by_themselves(records):
    first, last = drawn(Shown(), records, [records.copy()])
    kinds = [[part.kind for part in row] for row in first.rows]
    assert kinds == [["paragraph"], ["facts"], ["figure", "figure"], ["strip"], ["plane"], ["figure"]]
    assert [[part.kind for part in row] for row in last.rows] == [["agreed"]]


def test_pictures_carry_their_places_and_the_class_they_lead_to(records):
    first, _ = drawn(Shown(), records, [records.copy("thief.onnx")])
    strip = first.rows[3][0].item
    assert [point.text for point in strip.stretches[0].points] == ["picture 0", "picture 1"]
    assert strip.stretches[0].title == "a, to two"
    assert strip.who == [("S", "the source"), ("A", "thief.onnx")]


def test_a_scheme_gets_the_answers_of_all_models_and_the_threshold_that_they_share(records):
    scheme, cases = Shown(), [records.copy(), records.stranger()]
    drawn(scheme, records, cases)
    assert [answers is case.answers for answers, case in zip(scheme.exhibit.models, cases, strict=True)] == [True, True]
    assert scheme.exhibit.threshold == cases[0].verdict.threshold
    assert scheme.exhibit.asked == len(records.fingerprint)


def test_texts_of_a_scheme_do_no_harm(records):
    html = "".join(
        str(template("scheme_parts.html.j2").module.scheme_part(part))
        for section in drawn(Shown(), records, [records.copy(HOSTILE), records.stranger(HOSTILE)])
        for row in section.rows
        for part in row
    )
    assert "<script" not in html
    assert "script" not in Page(html).tags
