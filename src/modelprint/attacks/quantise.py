"""Post-training quantisation of the weights: half precision, int8 for each output channel, or k bits for each tensor.

B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
2018, section 2.1, gives the affine scheme; int8 per channel, symmetric, is what dynamic quantisation uses for weights.

Differs from the paper: simulated (torch's fake quantisation): weights take the quantised values, arithmetic stays in
floats, and activations are not quantised. BatchNorm and biases keep their values, but for the two half precisions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.attacks.prune import prunable


@ATTACKS.register("quantise")
@dataclass(frozen=True, kw_only=True)
class Quantise(Attack):
    """Quantisation of the weights.

    Attributes:
        to: "float16" and "bfloat16" round every weight; "int8" is symmetric per output channel; "min-max" spreads 2 to
            the power of `bits` levels from the smallest to the largest weight of each tensor.
        bits: of "min-max" only.
    """

    name: ClassVar[str] = "quantise"
    family: ClassVar[Family] = "quantisation"

    to: Literal["float16", "bfloat16", "int8", "min-max"] = "int8"
    bits: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 16:
            raise ValueError(f"bits must lie between 1 and 16, got {self.bits}")

    @torch.no_grad()
    def _run(self, loot: Loot) -> AttackResult:
        if self.to in ("float16", "bfloat16"):
            dtype = torch.float16 if self.to == "float16" else torch.bfloat16
            for tensor in loot.copy.body.state_dict().values():
                if tensor.is_floating_point():
                    tensor.copy_(tensor.to(dtype))
        else:
            for module in prunable(loot.copy):
                weight = module.weight
                weight.copy_(per_channel_int8(weight) if self.to == "int8" else min_max(weight, self.bits))
        return AttackResult(model=loot.copy, spec=loot.spec)


def per_channel_int8(weight: Tensor) -> Tensor:
    """A weight whose every output channel (first axis) takes at most 255 values, symmetric about zero."""
    scale = weight.abs().flatten(1).amax(1).clamp_min(1e-12) / 127.0
    zero = torch.zeros(len(weight), dtype=torch.int32, device=weight.device)
    quantised: Tensor = torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -127, 127)
    return quantised


def min_max(weight: Tensor, bits: int) -> Tensor:
    """A weight that takes at most 2 to the power of `bits` values, evenly spread from its smallest to its largest.

    >>> min_max(torch.tensor([-1.0, -0.2, 0.9, 2.0]), 1).tolist()
    [-1.0, -1.0, 2.0, 2.0]
    """
    low, high = float(weight.min()), float(weight.max())
    step = max((high - low) / (2**bits - 1), 1e-12)
    levels = ((weight - low) / step).round()
    return torch.add(levels * step, low)
