"""Walks in double precision, so that they come out again on another processor.

Two processors add the same numbers in another order, and their sums differ in the last bits. A walk along gradients
asks at every step whether a boundary was crossed, and which sign a derivative has: in single precision one of some
hundred walks meets a question that the last bits decide, and goes on elsewhere. In double precision these bits are a
billion times smaller (docs/design/0006-evidence.md has the figures).
"""

from __future__ import annotations

import copy
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from modelprint.core.batches import images_at_once
from modelprint.core.errors import FingerprintError

Precision = Literal["double", "single"]

DTYPES = {"double": torch.float64, "single": torch.float32}
TOGETHER = 32  # inputs: what they need in double precision stays in the processor's cache
VALUES = 2**19  # numbers of large inputs that go through together: half of those in single precision


class Double(nn.Module):
    """A copy of a model that computes in double precision, a few inputs at a time.

    Args:
        model: in evaluation mode. It stays as it is.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        # In double precision depthwise convolutions are six times as slow where channels lie last, others alike.
        self.model = copy.deepcopy(model).double().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.train(model.training)

    def forward(self, points: Float[Tensor, "n ..."]) -> Float[Tensor, "n classes"]:
        """Logits, float64; tokens stay whole numbers."""
        step = images_at_once(points.shape[1:], most=TOGETHER, values=VALUES)
        given = points.double().contiguous() if points.is_floating_point() else points
        return torch.cat([self.model(part) for part in torch.split(given, step)])


def in_precision(model: nn.Module, precision: Precision, *, shape: tuple[int, ...]) -> nn.Module:
    """The model itself ("single"), or a copy in double precision.

    Args:
        shape: of an input.

    Raises:
        FingerprintError: the model, or its device, computes in single precision only.
    """
    if precision == "single":
        return model
    why = "its outputs stay in single precision"
    try:
        double = Double(model).eval()
        outputs = _of_zeros(double, shape, device=next(model.parameters()).device)
        if outputs.dtype == torch.float64:
            return double.train(model.training)
    except (RuntimeError, TypeError) as error:  # a device without doubles; a model that casts inside
        why = str(error).splitlines()[0]
    raise FingerprintError(
        f"the model does not compute in double precision ({why}): use --set precision=single; such a fingerprint is "
        "made again on like processors only"
    )


@torch.no_grad()
def _of_zeros(model: nn.Module, shape: tuple[int, ...], *, device: torch.device) -> Tensor:
    """The logits of one input of zeros; tokens where the model takes no other numbers."""
    blank = torch.zeros((1, *shape), dtype=torch.float64, device=device)
    try:
        return cast("Tensor", model(blank))
    except (RuntimeError, TypeError):
        return cast("Tensor", model(blank.long()))
