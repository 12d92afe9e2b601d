"""What was added to a weight: how large it is, and in how few directions it lies.

E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022: what a merged adapter adds has the rank
of the adapter. Fine-tuning of all weights adds something of full rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

WHOLE_UP_TO = 512  # rows or columns; of larger weights the strongest directions are looked for
DIRECTIONS = 32
_HELD = 0.9
_ROUNDING = 2e-3  # relative size below which a difference is that of float16


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What was added.

    Attributes:
        size: its norm, relative to that of the source's weight.
        rank: directions that hold nine tenths of its square; 0 where there is none, None where there are more than 32.
    """

    size: float
    rank: int | None


def difference_of(source: Float[Tensor, "rows n"], added: Float[Tensor, "rows n"]) -> Difference:
    """What was added to a weight, in the same scales.

    >>> source = torch.rand(8, 9, generator=torch.Generator().manual_seed(0))
    >>> difference_of(source, 0.1 * torch.ones(8, 1) @ torch.arange(9.0)[None]).rank
    1
    """
    size = float(added.norm() / source.norm())
    if size < _ROUNDING:
        return Difference(size=size, rank=0)
    if min(added.shape) <= WHOLE_UP_TO:
        values = torch.linalg.svdvals(added)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            values = torch.svd_lowrank(added, q=DIRECTIONS, niter=1)[1]
    held = values.square().cumsum(0) / added.square().sum()
    enough = (held >= _HELD - 1e-6).nonzero()
    return Difference(size=size, rank=int(enough[0]) + 1 if len(enough) else None)
