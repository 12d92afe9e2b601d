"""Series as a network sees them in training: moved by some samples, and louder or softer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Int16

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LEAST_GAIN = 0.5


def shifted(
    series: Int16[Tensor, "b channels length"], shift: int, *, gain: bool, generator: torch.Generator
) -> Int16[Tensor, "b channels length"]:
    """Each series on its own moved by up to `shift` samples over its end values; with `gain` softened, too."""
    import torch

    count, length = len(series), series.shape[-1]
    offsets = torch.randint(-shift, shift + 1, (count, 1), generator=generator)
    places = (torch.arange(length) + offsets).clamp_(0, length - 1)
    batch = series.gather(2, places[:, None].expand(-1, series.shape[1], -1))
    if not gain:
        return batch
    gains = LEAST_GAIN + (1 - LEAST_GAIN) * torch.rand(count, 1, 1, generator=generator)
    return (batch * gains).round_().to(batch.dtype)
