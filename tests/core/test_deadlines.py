"""A limit of time ends work in this process, and is gone afterwards."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from modelprint.core.deadlines import within
from modelprint.core.errors import SlowError


def work_for_ever(seconds: float) -> None:
    with within(seconds, "the model"):
        while True:
            pass


def test_work_that_takes_too_long_is_stopped() -> None:
    before = signal.getsignal(signal.SIGALRM)
    started = time.monotonic()
    with pytest.raises(SlowError, match=r"the model: it took more than 0\.2 s and was stopped: raise --timeout"):
        work_for_ever(0.2)
    assert time.monotonic() - started < 2
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_what_the_work_makes_of_the_alarm_does_not_matter() -> None:
    def work() -> None:
        with within(0.1, "x"):
            try:
                while True:
                    pass
            except SlowError as error:
                raise ValueError("caught by somebody") from error

    with pytest.raises(SlowError, match=r"x: it took more than 0\.1 s"):
        work()


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_work_in_time_is_left_alone(seconds: float | None) -> None:
    with within(seconds, "x"):
        pass
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_outside_the_main_thread_the_time_is_looked_at_afterwards() -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            with within(0.05, "x"):
                time.sleep(0.2)
        except SlowError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(caught) == 1
