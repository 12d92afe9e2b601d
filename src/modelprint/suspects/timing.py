"""How long a suspect on this machine takes, measured on a few inputs."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from modelprint.core.access import Access
from modelprint.core.suspect import Answers, Cost

FEW = 4  # inputs that are asked twice; the first time does not count


def cost_here(ask: Callable[[np.ndarray, Access], Answers], inputs: np.ndarray, access: Access) -> Cost:
    """The cost of asking here: no request, and about so many seconds; a few inputs are asked to know it.

    Args:
        ask: answers to checked inputs.
    """
    few = inputs[:FEW]
    if not len(few):
        return Cost(queries=0, seconds=0.0)
    ask(few, access)
    started = time.perf_counter()
    ask(few, access)
    return Cost(queries=len(inputs), seconds=(time.perf_counter() - started) / len(few) * len(inputs))
