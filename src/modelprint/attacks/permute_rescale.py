"""Channel permutation with positive rescaling between layers: the same function, weights that look like others.

R. Hecht-Nielsen, "On the Algebraic Structure of Feedforward Network Weight Spaces", 1990, for permutations; B.
Neyshabur, R. Salakhutdinov, N. Srebro, "Path-SGD: Path-Normalized Optimization in Deep Neural Networks", NIPS 2015,
section 2, for rescaling: a ReLU passes a positive factor on, and the next layer takes it back.

Differs from the paper: convolutional and residual networks, too; behind a BatchNorm its factors carry the scale. The
factors are log-normal. Costs nothing: no images, no training, and the accuracy stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.attacks.permute import Permute
from modelprint.core.errors import ModelError
from modelprint.nn.architectures import Net, Residual
from modelprint.nn.layers import BatchNorm, Convolution, Weighted

Scale = Float[Tensor, " units"]


@ATTACKS.register("permute-rescale")
@dataclass(frozen=True, kw_only=True)
class PermuteRescale(Attack):
    """Permutation and rescaling of the hidden channels of the registered architectures.

    Attributes:
        spread: standard deviation of the logarithm of the factors.
    """

    name: ClassVar[str] = "permute-rescale"
    family: ClassVar[Family] = "permutation"

    spread: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.spread <= 3:
            raise ValueError(f"spread must lie above 0 and be at most 3, got {self.spread}")

    @torch.no_grad()
    def _run(self, loot: Loot) -> AttackResult:
        permuted = Permute()._run(loot)
        net = permuted.model.body
        assert isinstance(net, Net)
        scale = self._rescale(net.features, torch.ones(loot.spec.shape[0]), loot.generator)
        _take_back(net.head, scale)
        return permuted

    def _rescale(self, module: nn.Module, scale: Scale, generator: torch.Generator) -> Scale:
        """Take back the scale of a module's inputs, and give its outputs another; that of its outputs."""
        if isinstance(module, nn.Sequential):
            children = list(module)
            for child, after in zip(children, [*children[1:], None], strict=True):
                if isinstance(child, Weighted):
                    _take_back(child, scale)
                    scale = torch.ones(len(child.weight))
                    if not isinstance(after, BatchNorm):
                        scale = self._factors(len(scale), generator)
                        _give(child, scale)
                elif isinstance(child, BatchNorm):
                    scale = self._factors(len(scale), generator)
                    _give(child, scale)
                else:
                    scale = self._rescale(child, scale, generator)
            return scale
        if isinstance(module, Residual):
            return self._rescale_residual(module, scale, generator)
        return scale  # of elementwise layers and pooling, which permutation has checked

    def _rescale_residual(self, block: Residual, scale: Scale, generator: torch.Generator) -> Scale:
        """Inner channels get factors of their own; outer ones those of the shortcut."""
        inner = self._factors(len(block.conv1.weight), generator)
        _take_back(block.conv1, scale)
        _give(block.bn1, inner)
        _take_back(block.conv2, inner)
        outer = scale if isinstance(block.shortcut, nn.Identity) else self._rescale(block.shortcut, scale, generator)
        _give(block.bn2, outer)
        return outer

    def _factors(self, count: int, generator: torch.Generator) -> Scale:
        return (self.spread * torch.randn(count, generator=generator)).exp()


def _give(layer: nn.Module, scale: Scale) -> None:
    """Multiply a layer's outputs."""
    weight, bias = layer.weight, layer.bias
    if not isinstance(weight, Tensor):
        raise ModelError("BatchNorm without factors cannot carry a scale: permute alone")
    factors = scale.to(weight.device)
    weight.mul_(factors.reshape(-1, *[1] * (weight.ndim - 1)))
    if isinstance(bias, Tensor):
        bias.mul_(factors)


def _take_back(layer: Weighted, scale: Scale) -> None:
    """Divide what a layer reads; after flattening, each channel stands for a run of columns."""
    weight = layer.weight
    factors = scale.to(weight.device)
    if isinstance(layer, Convolution) and layer.groups > 1:
        weight.div_(factors.reshape(-1, *[1] * (weight.ndim - 1)))
        return
    run = weight.shape[1] // len(factors)
    weight.div_(factors.repeat_interleave(run).reshape(1, -1, *[1] * (weight.ndim - 2)))
