"""Shares along the trajectories, against counting by hand; the legs of the trajectory that is shown."""

from __future__ import annotations

import numpy as np

from modelprint.core.sections import Exhibit, Plane, Profile, Rates, Strip
from modelprint.core.suspect import Answers
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.adv_tra_report import members, rates_by_position, trajectory_sections

STATE = {
    "group": np.array([0, 0, 0, 1, 1, 1]),
    "position": np.array([0, 1, 2] * 2),
    "target": np.array([-1, 3, 3] * 2),
}
SOURCE = Answers(labels=np.zeros(6, dtype=np.int64))
SILENT = Answers(labels=np.full(6, -1))


def test_shares_by_position_count_neither_the_base_image_nor_what_was_not_answered() -> None:
    answers = Answers(labels=np.array([9, 9, 0, 0, 9, -1]))
    assert rates_by_position(STATE, SOURCE, answers).tolist() == [1.0, 0.0]
    assert AdvTra().mutation_rates(STATE, SOURCE, answers).tolist() == [0.5, 1.0]
    assert np.isnan(rates_by_position(STATE, SOURCE, SILENT)).all()


def test_a_trajectory_is_shown_in_the_order_of_its_points() -> None:
    state = {**STATE, "position": np.array([2, 0, 1, 0, 1, 2])}
    assert members(state, 0).tolist() == [1, 2, 0]


def test_the_sections_show_rates_and_the_first_trajectory_leg_by_leg() -> None:
    exhibit = Exhibit(state=STATE, source=SOURCE, models=[SOURCE, SILENT], calibration=[], asked=6)
    first, second = trajectory_sections(AdvTra(l=1, match=0.25), exhibit)
    rates, profile = first.blocks
    assert isinstance(rates, Rates)
    assert isinstance(profile, Profile)
    assert rates.limit == 0.25
    assert rates.models[0].tolist() == [0.0, 0.0]
    assert np.isnan(rates.models[1]).all()
    strip, plane = second.blocks
    assert isinstance(strip, Strip)
    assert isinstance(plane, Plane)
    assert [(part.title, list(part.queries), part.to_class) for part in strip.stretches] == [
        ("Start", [0], None),
        ("Leg 1", [1, 2], 3),
    ]
    assert "the first of 2 trajectories" in strip.note
    assert plane.every == 2


def test_there_is_nothing_to_show_where_nobody_answered() -> None:
    exhibit = Exhibit(state=STATE, source=SOURCE, models=[SILENT], calibration=[SOURCE], asked=6)
    assert trajectory_sections(AdvTra(), exhibit) == ()
