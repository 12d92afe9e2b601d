"""How the scale of a leg's steps is found, and when a target is given up."""

from __future__ import annotations

import numpy as np

from modelprint.perturb.probing import Bisection

ROW = np.array([0])
YES, NO = np.array([True]), np.array([False])


def bisection(*, hasty: bool, first: float = 0.01) -> Bisection:
    return Bisection(count=1, length=2, brake=0.9, first=first, smallest=0.004, largest=0.5, attempts=10, hasty=hasty)


def scale(probe: Bisection) -> float:
    return float(probe.steps(ROW)[0, 0])


def test_the_scale_is_doubled_then_bisected() -> None:
    probe = bisection(hasty=False)
    scales = [scale(probe)]
    for early in (NO, NO, YES, NO):
        probe.adjust(ROW, early=early, late=~early, closer=~early)
        scales.append(scale(probe))
    np.testing.assert_allclose(scales, [0.01, 0.02, 0.04, 0.04 / 2**0.5, 0.04 / 2**0.25])
    assert not probe.exhausted(ROW)[0]


def test_only_the_hasty_give_up_when_longer_steps_end_no_closer() -> None:
    for hasty in (False, True):
        probe = bisection(hasty=hasty)
        probe.adjust(ROW, early=NO, late=YES, closer=YES)
        assert not probe.exhausted(ROW)[0]
        probe.adjust(ROW, early=NO, late=YES, closer=NO)
        assert probe.exhausted(ROW)[0] == hasty


def test_between_too_long_and_too_short_nobody_gives_up_for_want_of_progress() -> None:
    probe = bisection(hasty=True)
    probe.adjust(ROW, early=YES, late=NO, closer=NO)
    probe.adjust(ROW, early=NO, late=YES, closer=NO)
    assert not probe.exhausted(ROW)[0]


def test_the_hasty_leave_a_narrow_bracket() -> None:
    for hasty, attempts in ((True, 4), (False, 9)):
        probe = bisection(hasty=hasty)
        probe.adjust(ROW, early=NO, late=YES, closer=YES)
        count = 1
        while not probe.exhausted(ROW)[0]:
            probe.adjust(ROW, early=YES, late=NO, closer=NO)
            count += 1
        assert count == attempts


def test_steps_never_coincide_in_eight_bits() -> None:
    probe = bisection(hasty=True, first=0.0)
    assert probe.steps(ROW).min() == 0.004
    probe.adjust(ROW, early=YES, late=NO, closer=NO)
    assert probe.exhausted(ROW)[0]
