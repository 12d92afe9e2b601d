"""Memory for small tensors that are used at once and forgotten.

To ask the system for a tensor of 70 kilobytes, to touch it and to give it back takes several times as long as to fill
it.
"""

from __future__ import annotations

import torch
from torch import Tensor

NUMBERS = 2**18  # of the largest tensor; a larger one is allocated each time


class Scratch:
    """One tensor of each slot is valid at a time; asking for a slot again overwrites it."""

    def __init__(self) -> None:
        self._memory: dict[int, Tensor] = {}
        self._views: dict[tuple[int, tuple[int, ...]], Tensor] = {}

    def tensor(self, slot: int, shape: tuple[int, ...]) -> Tensor | None:
        """Memory of a shape, whatever stands in it; None where that is too much to keep."""
        view = self._views.get((slot, shape))
        if view is None:
            count = torch.Size(shape).numel()
            if count > NUMBERS:
                return None
            if slot not in self._memory:
                self._memory[slot] = torch.empty(NUMBERS)
            view = self._views[slot, shape] = self._memory[slot][:count].view(shape)
        return view
