"""Walks in double precision, so that they come out again on another processor.

Two processors add the same numbers in another order, and their sums differ in the last bits. A walk along gradients
asks at every step whether a boundary was crossed, and which sign a derivative has: in single precision one of some
hundred walks meets a question that the last bits decide, and goes on elsewhere. In double precision these bits are a
billion times smaller (docs/design/0006-evidence.md has the figures).
"""

from __future__ import annotations

import copy
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from modelprint.core.batches import images_at_once
from modelprint.core.errors import FingerprintError

Precision = Literal["double", "single"]

DTYPES = {"double": torch.float64, "single": torch.float32}
TOGETHER = 32  # images: what they need in double precision stays in the processor's cache
VALUES = 2**19  # numbers of large images that go through together: half of those in single precision


class Double(nn.Module):
    """A copy of a model that computes in double precision, a few images at a time.

    Args:
        model: in evaluation mode; takes inputs in [0, 1]. It stays as it is.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        # In double precision depthwise convolutions are six times as slow where channels lie last, others alike.
        self.model = copy.deepcopy(model).double().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.train(model.training)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits, float64."""
        step = images_at_once(images.shape[1:], most=TOGETHER, values=VALUES)
        return torch.cat([self.model(part) for part in torch.split(images.double().contiguous(), step)])


def in_precision(model: nn.Module, precision: Precision, *, shape: tuple[int, ...]) -> nn.Module:
    """The model itself ("single"), or a copy in double precision.

    Args:
        shape: of an image, (c, h, w).

    Raises:
        FingerprintError: the model, or its device, computes in single precision only.
    """
    if precision == "single":
        return model
    why = "its outputs stay in single precision"
    try:
        double = Double(model).eval()
        device = next(model.parameters()).device
        with torch.no_grad():
            outputs = double(torch.zeros((1, *shape), dtype=torch.float64, device=device))
        if outputs.dtype == torch.float64:
            return double.train(model.training)
    except (RuntimeError, TypeError) as error:  # a device without doubles; a model that casts inside
        why = str(error).splitlines()[0]
    raise FingerprintError(
        f"the model does not compute in double precision ({why}): use --set precision=single; such a fingerprint is "
        "made again on like processors only"
    )


def as_points(images: UInt8[Tensor, "n c h w"], precision: Precision) -> Float[Tensor, "n c h w"]:
    """8-bit images in [0, 1], as exact as the precision is; they lie channels last in memory.

    >>> as_points(torch.tensor([[[[51]]]], dtype=torch.uint8), "double")
    tensor([[[[0.2000]]]], dtype=torch.float64)
    """
    return images.to(DTYPES[precision]).div_(255.0).contiguous(memory_format=torch.channels_last)
