"""What stays of a model whose weights do not: answers to inputs that were chosen before, and figures of its weights.

A `Recorder` is made by whoever knows the inputs (`modelprint.bench.recorder`); a zoo calls it once for each model that
it makes, and keeps the bytes that it returns in `records/`, one file for each model.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Protocol

from modelprint.nn.architectures import Normalized

RECORDS = "records"
SUFFIX = ".npz"


class Recorder(Protocol):
    """Picklable; called in worker processes."""

    def __call__(self, model: Normalized) -> bytes:
        """The record of a model, a whole file."""


class Recording(Protocol):
    """Makes the recorder of a zoo, once the models that it takes are there."""

    def needed(self) -> Set[str] | None:
        """The ids of the models whose weights it takes; None: all that fingerprints are made of."""

    def recorder(self) -> Recorder:
        """The recorder."""
