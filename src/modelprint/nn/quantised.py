"""Quantised weights as floats: torch's quantised tensors, and integers beside their scales.

Two layouts are read. torch.ao.quantization's converted modules hold quantised tensors, the packed weight and bias of
linear layers, and scales of activations, which weights alone do not need. Other tools write integers and, beside them,
"NAME_scale" and perhaps "NAME_zero_point", for the whole tensor or for each output channel: value = scale (q - zero).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from modelprint.core.errors import ModelError

_PACKED = "._packed_params._packed_params"
_INTEGERS = frozenset({torch.int8, torch.uint8, torch.int16, torch.int32})


def unpacked(loaded: Mapping[str, object]) -> dict[str, object]:
    """A state dict whose packed linear layers are a weight and a bias, without the scales of activations.

    >>> sorted(unpacked({"fc._packed_params._packed_params": (torch.ones(2, 3), None)}))
    ['fc.weight']
    """
    plain: dict[str, object] = {}
    for name, value in loaded.items():
        if isinstance(name, str) and name.endswith(_PACKED) and isinstance(value, tuple) and len(value) == 2:
            plain[name.removesuffix(_PACKED) + ".weight"] = value[0]
            if value[1] is not None:
                plain[name.removesuffix(_PACKED) + ".bias"] = value[1]
        else:
            plain[name] = value
    if any(isinstance(value, Tensor) and value.is_quantized for value in plain.values()):
        for name in [name for name in plain if isinstance(name, str) and name.endswith(".zero_point")]:
            module = name.removesuffix(".zero_point")
            if module + ".scale" in plain:
                del plain[name], plain[module + ".scale"]
    return plain


def dequantised(state: Mapping[str, Tensor], *, who: str) -> dict[str, Tensor]:
    """The state with floats in place of quantised tensors; the names of scales are gone.

    >>> q = {"w": torch.tensor([[2], [3]], dtype=torch.int8), "w_scale": torch.tensor([0.5, 2.0])}
    >>> dequantised(q, who="x")["w"].tolist()
    [[1.0], [6.0]]

    Raises:
        ModelError: scales that fit neither the tensor nor its output channels.
    """
    plain = {name: value.dequantize() if value.is_quantized else value for name, value in state.items()}
    for name, value in state.items():
        scale = state.get(name + "_scale")
        if value.dtype not in _INTEGERS or scale is None or not scale.is_floating_point():
            continue
        zero = state.get(name + "_zero_point")
        shifted = value.float() - (0.0 if zero is None else _shaped(zero, value, f"{who}: {name}_zero_point"))
        plain[name] = shifted * _shaped(scale, value, f"{who}: {name}_scale")
        for gone in (name + "_scale", name + "_zero_point"):
            plain.pop(gone, None)
    return plain


def _shaped(factor: Tensor, value: Tensor, who: str) -> Tensor:
    """One number, or one per output channel, ready to be multiplied."""
    if factor.numel() == 1:
        return factor.float().reshape(())
    if value.ndim and factor.numel() == value.shape[0]:
        return factor.float().reshape(-1, *[1] * (value.ndim - 1))
    raise ModelError(
        f"{who} has shape {tuple(factor.shape)} for weights of shape {tuple(value.shape)}: expected one number, or one "
        "per output channel; save the weights as floats"
    )
