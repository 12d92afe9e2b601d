"""The parts of a fingerprint that was made by several schemes: each as a fingerprint by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from modelprint.core.access import Access
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.schemes.auto import Auto


def part_index(fingerprint: Fingerprint, scheme: Auto, level: Access) -> Int[np.ndarray, " k"]:
    """The numbers of the queries of the part that reads a level."""
    return np.flatnonzero(scheme.asked_of(fingerprint.state, level))


def part_of(fingerprint: Fingerprint, scheme: Auto, level: Access) -> Fingerprint:
    """The queries, answers and state of the part that reads a level; under the manifest of the whole."""
    index = part_index(fingerprint, scheme, level)
    return replace(
        fingerprint,
        queries=fingerprint.queries[index],
        true_labels=fingerprint.true_labels[index],
        source=fingerprint.source.take(index),
        state=scheme.part_state(fingerprint.state, level),
        calibration=tuple(other.take(index) for other in fingerprint.calibration),
        plane=None,
    )
