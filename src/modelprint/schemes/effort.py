"""About what crafting asks of models, so that a user hears how long it takes before it starts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What crafting takes, about; where it may end earlier, at most.

    Attributes:
        queries: that come out, at most.
        answers: inputs that a model answers, of the source's size and cost.
        gradients: inputs whose gradient is followed; the answer is part of that.
        together: inputs whose gradients are followed at once.
    """

    queries: int
    answers: float = 0.0
    gradients: float = 0.0
    together: int = 1
