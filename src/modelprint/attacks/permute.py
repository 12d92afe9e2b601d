"""Channel permutation: the same function, other weights; a test of every score that claims to be black-box.

R. Hecht-Nielsen, "On the Algebraic Structure of Feedforward Network Weight Spaces", 1990: hidden units may swap.

Differs from the paper: convolutional and residual networks, too; units that a shortcut adds move together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.core.errors import ModelError
from modelprint.nn.architectures import InputLayer, Net, Residual
from modelprint.nn.layers import BatchNorm, Convolution, Weighted

Order = Int[Tensor, " units"]
_ELEMENTWISE = (nn.ReLU, nn.Identity, nn.Flatten, nn.Dropout)
_POOLING = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)


@ATTACKS.register("permute")
@dataclass(frozen=True, kw_only=True)
class Permute(Attack):
    """Permutation of the hidden channels of the registered architectures."""

    name: ClassVar[str] = "permute"
    family: ClassVar[Family] = "permutation"

    @torch.no_grad()
    def _run(self, loot: Loot) -> AttackResult:
        net = loot.copy.body
        if not isinstance(net, Net):
            raise ModelError(f"channel permutation knows the registered architectures only, not {type(net).__name__}")
        order = _permute(net.features, torch.arange(loot.spec.shape[0]), loot.generator)
        _take_inputs(net.head, order)
        return AttackResult(model=loot.copy, spec=loot.spec)


def _permute(module: nn.Module, order: Order, generator: torch.Generator) -> Order:
    """Permute a module's outputs in place, given how its inputs were permuted; how its outputs are ordered now."""
    if isinstance(module, nn.Sequential):
        for child in module:
            order = _permute(child, order, generator)
        return order
    if isinstance(module, Residual):
        return _permute_residual(module, order, generator)
    if isinstance(module, Weighted):
        return _permute_layer(module, order, torch.randperm(len(module.weight), generator=generator))
    if isinstance(module, BatchNorm):
        for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
            if tensor is not None:
                tensor.copy_(tensor[order].clone())
        return order
    if isinstance(module, InputLayer):
        return torch.arange(module.features)
    if isinstance(module, (*_ELEMENTWISE, *_POOLING)):
        return order
    raise ModelError(f"channel permutation does not know the layer {type(module).__name__}")


def _permute_residual(block: Residual, order: Order, generator: torch.Generator) -> Order:
    """Inner channels move freely; outer ones as the shortcut lets them."""
    inner = _permute(block.conv1, order, generator)
    _permute(block.bn1, inner, generator)
    outer = order if isinstance(block.shortcut, nn.Identity) else _permute(block.shortcut, order, generator)
    _permute_layer(block.conv2, inner, outer)
    return _permute(block.bn2, outer, generator)


def _permute_layer(layer: Weighted, inputs: Order, outputs: Order) -> Order:
    if isinstance(layer, Convolution) and layer.groups > 1:
        if not layer.groups == layer.in_channels == layer.out_channels:
            raise ModelError("channel permutation knows depthwise convolutions only, no other groups")
        outputs = inputs  # each channel is its own group
    else:
        _take_inputs(layer, inputs)
    layer.weight.copy_(layer.weight[outputs].clone())
    if layer.bias is not None:
        layer.bias.copy_(layer.bias[outputs].clone())
    return outputs


def _take_inputs(layer: Weighted, order: Order) -> None:
    """Let a layer read permuted inputs; after flattening, each channel stands for a run of columns."""
    run = layer.weight.shape[1] // len(order)
    columns = (order[:, None] * run + torch.arange(run)).flatten()
    layer.weight.copy_(layer.weight[:, columns].clone())
