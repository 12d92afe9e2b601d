"""Images as a network sees them in training: moved by some pixels, and mirrored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import UInt8

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def shifted(
    images: UInt8[Tensor, "b c h w"], shift: int, *, flip: bool, generator: torch.Generator
) -> UInt8[Tensor, "b c h w"]:
    """Each image on its own moved by up to `shift` pixels over black; with `flip` half of them are mirrored, too."""
    import torch
    from torch.nn import functional

    count, (height, width) = len(images), images.shape[-2:]
    offsets = torch.randint(0, 2 * shift + 1, (2, count, 1), generator=generator)
    rows = offsets[0] + torch.arange(height)
    columns = offsets[1] + torch.arange(width)
    if flip:
        turned = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(turned, columns.flip(1), columns)
    padded = functional.pad(images, (shift,) * 4)  # shifting is cropping
    which = torch.arange(count)[:, None, None]
    batch = padded[which, :, rows[:, :, None], columns[:, None, :]]  # (b, h, w, c)
    return batch.permute(0, 3, 1, 2)
