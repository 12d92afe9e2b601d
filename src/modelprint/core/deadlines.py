"""A limit of time for work in this process, where it is the user who wants one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from modelprint.core.errors import SlowError


@contextmanager
def within(seconds: float | None, who: str) -> Iterator[None]:
    """Inside, work ends when its time is over; None: it may take any time.

    The work is interrupted between two steps of Python: one long operation of a library is finished first. Where the
    system has no such alarm, and outside the main thread, the time is looked at when the work is done.

    Args:
        who: works, for messages.

    Raises:
        SlowError: the time was over.
    """
    if seconds is None:
        yield
        return
    began = time.monotonic()
    late = SlowError(f"{who}: it took more than {seconds:g} s and was stopped: raise --timeout if you trust its maker")
    rung = False

    def over(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal rung
        rung = True
        raise late

    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        if time.monotonic() - began > seconds:
            raise late
        return
    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except Exception:
        if rung:  # whatever the work made of it
            raise late from None
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
