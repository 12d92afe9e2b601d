"""As many inputs of one kind as are wanted: those at hand, changed ones, mixed ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool

from modelprint.modalities.base import Labelled, Modality

ROUNDS = 20  # of mixing candidates, before less than was wanted must do


def topped_up(
    first: Labelled,
    wanted: int,
    data: Labelled,
    *,
    modality: Modality,
    accepts: Callable[[Labelled], Bool[np.ndarray, " n"]],
    generator: torch.Generator,
) -> Labelled:
    """At most `wanted` inputs: the first ones, their neighbours, then mixes of the data, if they are accepted.

    Args:
        data: what is mixed, where the modality mixes at all.
    """
    if len(first) >= wanted:
        return first.take(np.arange(wanted))
    kept = first
    if len(first):
        changed = modality.neighbours(first)
        changed = changed.take(np.flatnonzero(accepts(changed)) if len(changed) else np.arange(0))
        kept = kept.joined(changed.take(np.arange(min(len(changed), wanted - len(kept)))))
    for _ in range(ROUNDS if modality.mixes else 0):
        missing = wanted - len(kept)
        if not missing:
            break
        mixed = modality.mix(data, max(64, 2 * missing), generator=generator)
        kept = kept.joined(mixed.take(np.flatnonzero(accepts(mixed))[:missing]))
    return kept
