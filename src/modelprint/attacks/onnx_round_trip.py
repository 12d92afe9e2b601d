"""Conversion to ONNX and back: BatchNorm is folded into the layers before it, and the file has another form.

J. Bai, F. Lu, K. Zhang et al., "ONNX: Open Neural Network Exchange", 2019; folding as in B. Jacob et al., "Quantization
and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018, section 3.2.

Differs from the paper: the folded weights are put back into the architecture, whose BatchNorms become neutral, so that
the copy is a checkpoint again. Costs nothing: no images, no training, and the answers stay.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.core.devices import device_of
from modelprint.core.errors import ModelError, first_line
from modelprint.nn.architectures import Normalized
from modelprint.nn.layers import BatchNorm, Weighted

_OPSET = 17
_WEIGHTED = ("Conv", "Gemm", "MatMul")
Layer = Weighted | BatchNorm


@ATTACKS.register("onnx-round-trip")
@dataclass(frozen=True, kw_only=True)
class OnnxRoundTrip(Attack):
    """Export to ONNX, and the exported weights in the old architecture."""

    name: ClassVar[str] = "onnx-round-trip"
    family: ClassVar[Family] = "conversion"

    @torch.no_grad()
    def _run(self, loot: Loot) -> AttackResult:
        device = device_of(loot.copy)
        model = loot.copy.to("cpu")
        example = loot.data.modality.to_model(loot.images[:1], device=torch.device("cpu"))
        layers = _in_order_of_use(model, example)
        _put_back(layers, _exported(model, example))
        return AttackResult(model=model.to(device), spec=loot.spec)


def _exported(model: Normalized, example: Tensor) -> list[dict[str, np.ndarray]]:
    """Weight and bias of every layer of the exported graph, in the order of use.

    Raises:
        ModelError: onnx is not installed, or the model cannot be exported.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ModuleNotFoundError as error:
        raise ModelError("conversion needs onnx: pip install 'modelprint[onnx]'") from error
    buffer = io.BytesIO()
    export: Any = torch.onnx.export  # its types know of no buffer
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            export(copy.deepcopy(model), (example,), buffer, dynamo=False, opset_version=_OPSET)
    except Exception as error:  # the exporter raises nearly anything on a layer that it does not know
        raise ModelError(f"the model cannot be exported to ONNX: {first_line(error)}") from error
    graph = onnx.ModelProto.FromString(buffer.getvalue()).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in constants:  # equal tensors are stored once
            constants[node.output[0]] = constants[node.input[0]]
    if any(node.op_type == "BatchNormalization" for node in graph.node):
        raise ModelError("a BatchNorm of the model cannot be folded: it follows no convolution or linear layer")
    return [_numbers(node, constants) for node in graph.node if _weighted(node, constants)]


def _weighted(node: Any, constants: dict[str, np.ndarray]) -> bool:
    return node.op_type in _WEIGHTED and len(node.input) > 1 and node.input[1] in constants


def _numbers(node: Any, constants: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    weight = constants[node.input[1]]
    turned = any(entry.name == "transB" and entry.i for entry in node.attribute)
    if node.op_type != "Conv" and not turned:
        weight = weight.T
    numbers = {"weight": weight}
    if len(node.input) > 2:
        numbers["bias"] = constants[node.input[2]]
    return numbers


def _put_back(layers: Sequence[Layer], exported: Sequence[dict[str, np.ndarray]]) -> None:
    """Fill the layers; the bias that folding made goes where there is room for it: into the BatchNorm."""
    weighted = [place for place, layer in enumerate(layers) if not isinstance(layer, BatchNorm)]
    if len(weighted) != len(exported):
        raise ModelError(f"the exported graph has {len(exported)} layers with weights, the model {len(weighted)}")
    for place, numbers in zip(weighted, exported, strict=True):
        layer = layers[place]
        after = layers[place + 1] if place + 1 < len(layers) else None
        layer.weight.copy_(torch.from_numpy(np.array(numbers["weight"])).reshape(layer.weight.shape))
        bias = torch.from_numpy(np.array(numbers["bias"])) if "bias" in numbers else None
        if isinstance(after, BatchNorm):
            _neutral(after, torch.zeros(len(layer.weight)) if bias is None else bias)
            if layer.bias is not None:
                layer.bias.zero_()
        elif layer.bias is not None and bias is not None:
            layer.bias.copy_(bias)


def _neutral(norm: BatchNorm, bias: Tensor) -> None:
    """Let a BatchNorm add a bias, and nothing else."""
    if norm.running_mean is None or norm.running_var is None:
        raise ModelError("a BatchNorm without statistics cannot be folded")
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.weight.fill_((1.0 + norm.eps) ** 0.5)
    norm.bias.copy_(bias)


def _in_order_of_use(model: Normalized, example: Tensor) -> list[Layer]:
    """Convolutions, linear layers and BatchNorms as a forward pass calls them."""
    used: list[Layer] = []
    layers = [module for module in model.modules() if isinstance(module, Layer)]
    hooks = [layer.register_forward_pre_hook(lambda module, _: used.append(module)) for layer in layers]
    try:
        model(example)
    finally:
        for hook in hooks:
            hook.remove()
    return used
