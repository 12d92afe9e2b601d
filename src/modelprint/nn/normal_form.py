"""A network's normal form: the same function, and one choice of its channels' scales.

A ReLU passes a positive factor on, and the next layer can take it back (B. Neyshabur, R. Salakhutdinov, N. Srebro,
"Path-SGD", NIPS 2015, section 2): distances between weights mean little until the factors are fixed. In normal form
each BatchNorm is folded into the layer before it, and the weights that lead into each hidden channel have length 1; the
last layer carries what is left. Where a shortcut adds channels, the layer before the shortcut, or its own convolution,
sets their factors.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.nn.architectures import Net, Normalized, Residual
from modelprint.nn.layers import BatchNorm, Convolution, Weighted

Scale = Float[Tensor, " channels"]

_HOMOGENEOUS = (
    nn.ReLU, nn.Identity, nn.Flatten, nn.Dropout, nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d,
)  # fmt: skip
_LEAST = 1e-12  # of a channel's length: a channel without weights keeps its scale


@torch.no_grad()
def normal_form(module: nn.Module) -> nn.Module:
    """A copy with folded BatchNorms and channels of length 1, in evaluation mode.

    Raises:
        ModelError: a layer whose outputs do not scale with its inputs, or another network than the registered ones.
    """
    copy = deepcopy(module).eval()
    body = copy.body if isinstance(copy, Normalized) else copy
    if not isinstance(body, Net):
        raise ModelError(f"the normal form knows the registered architectures only, not {type(body).__name__}")
    _fold(body)
    scale = _normalise(body.features, None)
    if scale is not None:
        _take_back(body.head, scale)
    return copy


def _fold(module: nn.Module) -> None:
    """Put each BatchNorm into the layer before it, and nothing in its place."""
    if isinstance(module, Residual):
        for convolution, name in ((module.conv1, "bn1"), (module.conv2, "bn2")):
            _fold_into(convolution, getattr(module, name))
            setattr(module, name, nn.Identity())
    before: nn.Module | None = None
    for name, child in module.named_children():
        if isinstance(module, nn.Sequential) and isinstance(child, BatchNorm):
            if not isinstance(before, Weighted):
                raise ModelError("the normal form folds a BatchNorm into the layer before it, and there is none")
            _fold_into(before, child)
            setattr(module, name, nn.Identity())
        else:
            _fold(child)
        before = child


def _fold_into(layer: Weighted, norm: nn.Module) -> None:
    if not isinstance(norm, BatchNorm) or norm.running_mean is None or norm.running_var is None:
        raise ModelError("the normal form needs the running statistics of a BatchNorm")
    factors = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        factors = factors * norm.weight
    bias = -norm.running_mean * factors if layer.bias is None else (layer.bias - norm.running_mean) * factors
    if norm.bias is not None:
        bias = bias + norm.bias
    layer.weight.mul_(factors.reshape(-1, *[1] * (layer.weight.ndim - 1)))
    layer.bias = nn.Parameter(bias)


def _normalise(module: nn.Module, scale: Scale | None) -> Scale | None:
    """Take back the scale of a module's inputs, and set that of its outputs; None: its inputs are the network's."""
    if isinstance(module, nn.Sequential):
        for child in module:
            scale = _normalise(child, scale)
        return scale
    if isinstance(module, Residual):
        return _normalise_block(module, scale)
    if isinstance(module, Weighted):
        if scale is not None:
            _take_back(module, scale)
        own = _lengths(module)
        _divide(module, own)
        return own
    if isinstance(module, _HOMOGENEOUS):
        return scale
    raise ModelError(f"the normal form does not know how {type(module).__name__} scales")


def _normalise_block(block: Residual, scale: Scale | None) -> Scale | None:
    if scale is None:
        raise ModelError("the normal form needs a layer before the first shortcut")
    inner = _normalise(block.conv1, scale)
    assert inner is not None
    _take_back(block.conv2, inner)
    outer = scale if isinstance(block.shortcut, nn.Identity) else _normalise(block.shortcut, scale)
    assert outer is not None
    _divide(block.conv2, outer)
    return outer


def _lengths(layer: Weighted) -> Scale:
    """Of the weights that lead into each output."""
    lengths = layer.weight.flatten(1).norm(dim=1)
    return torch.where(lengths > _LEAST, lengths, torch.ones_like(lengths))


def _divide(layer: Weighted, scale: Scale) -> None:
    """Divide a layer's outputs."""
    layer.weight.div_(scale.reshape(-1, *[1] * (layer.weight.ndim - 1)))
    if layer.bias is not None:
        layer.bias.div_(scale)


def _take_back(layer: Weighted, scale: Scale) -> None:
    """Multiply what a layer reads; after flattening, each channel stands for a run of columns."""
    if isinstance(layer, Convolution) and layer.groups > 1:
        layer.weight.mul_(scale.reshape(-1, *[1] * (layer.weight.ndim - 1)))
        return
    run = layer.weight.shape[1] // len(scale)
    layer.weight.mul_(scale.repeat_interleave(run).reshape(1, -1, *[1] * (layer.weight.ndim - 2)))
