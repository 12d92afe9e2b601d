"""The layer that answers: the last one used, which fine-tuning of the last layer moves and other classes replace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modelprint.core.devices import device_of
from modelprint.core.errors import ModelError
from modelprint.nn.architectures import Net, Normalized
from modelprint.nn.spec import ModelSpec

Answering = nn.Linear | nn.Conv2d  # a 1 x 1 convolution answers for each place, and is pooled after


@dataclass(frozen=True, kw_only=True)
class Head:
    """The last layer.

    Attributes:
        name: of the layer in the network, as `get_submodule` takes it.
        layer: linear, or a 1 x 1 convolution.
    """

    name: str
    layer: Answering

    @property
    def width(self) -> int:
        """How many features it sees."""
        return self.layer.in_features if isinstance(self.layer, nn.Linear) else self.layer.in_channels

    @property
    def classes(self) -> int:
        """How many numbers it gives."""
        return self.layer.out_features if isinstance(self.layer, nn.Linear) else self.layer.out_channels


def head_of(model: Normalized, spec: ModelSpec) -> Head:
    """The layer that the spec names, or the last linear layer in the order of use that gives one number per class.

    Raises:
        ModelError: no such layer, or none that answers.
    """
    body = model.body
    if isinstance(body, Net):
        return Head(name="head", layer=body.head)
    layers = {name: module for name, module in body.named_modules() if _answers(module)}
    if spec.head is not None:
        if spec.head not in layers:
            known = ", ".join(list(layers)[-4:]) or "none"
            raise ModelError(f"the model has no linear layer {spec.head!r} (--head): its last ones are {known}")
        return _head(spec.head, layers[spec.head])
    used = _in_order_of_use(model, spec, layers)
    fitting = [name for name in used if _head(name, layers[name]).classes == spec.classes]
    linear = [name for name in used if isinstance(layers[name], nn.Linear)]
    if not (fitting or linear):
        raise ModelError(
            "the model uses no linear layer and no 1 x 1 convolution: attacks on the last layer need one; name a layer "
            "with --head"
        )
    name = (fitting or linear)[-1]
    return _head(name, layers[name])


def replace_head(model: Normalized, head: Head, classes: int) -> None:
    """Put a fresh layer for other classes in the head's place, with weights from torch's global generator."""
    old = head.layer
    new: Answering
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, classes, bias=old.bias is not None)
    else:
        new = nn.Conv2d(old.in_channels, classes, 1, bias=old.bias is not None)
    parent, _, leaf = head.name.rpartition(".")
    setattr(model.body.get_submodule(parent), leaf, new.to(device_of(model)))


@contextmanager
def seen_by(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Inside, what the layer is given at each call is kept, in order."""
    kept: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, arguments: kept.append(arguments[0]))
    try:
        yield kept
    finally:
        hook.remove()


def answers_last(model: Normalized, head: Head, inputs: Tensor) -> bool:
    """Whether the model returns what its head gives, unchanged, so that the head can be trained by itself."""
    outputs: list[Tensor] = []
    hook = head.layer.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    try:
        with torch.inference_mode():
            logits = model(inputs)
    finally:
        hook.remove()
    return len(outputs) == 1 and outputs[0].shape == logits.shape and bool(torch.equal(outputs[0], logits))


def _answers(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1))


def _head(name: str, module: nn.Module) -> Head:
    assert isinstance(module, nn.Linear | nn.Conv2d)
    return Head(name=name, layer=module)


def _in_order_of_use(model: Normalized, spec: ModelSpec, layers: dict[str, nn.Module]) -> list[str]:
    """The names of those layers that a forward pass calls, in order; the modes of all layers stay as they were."""
    used: list[str] = []

    def note(name: str) -> None:
        used.append(name)

    hooks = [
        module.register_forward_pre_hook(lambda _module, _inputs, name=name: note(name))
        for name, module in layers.items()
    ]
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.inference_mode():
            model.eval()(spec.blank(2, device=device_of(model)))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return used
