"""A model tried out on two inputs before it costs anything: does it run, answer twice alike, let gradients through?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.core.own_code import generators_kept, in_words, running
from modelprint.modalities.base import InputSpec, modality_of
from modelprint.nn.class_count import LISTED, ClassCountError
from modelprint.nn.exported import Exported
from modelprint.nn.outputs import logits_of

SAME = 1e-3  # of the largest logit: beyond it, two answers to one input differ


def try_out(
    module: nn.Module, shape: tuple[int, ...], classes: int | None, *, who: str, inputs: Tensor | None = None
) -> tuple[str, ...]:
    """Ask a model about two random inputs, to find misfits; what a user should know of its answers.

    Args:
        shape: of an input.
        inputs: two, where random numbers from 0 to 1 are none.

    Raises:
        ModelError: it fails on inputs of that shape, or does not return logits (n, classes).
    """
    what = "images" if inputs is None else "inputs"
    inputs = _two(shape) if inputs is None else inputs
    try:
        with torch.inference_mode(), generators_kept():
            outputs = logits_of(module(inputs))
    except ModelError as error:
        raise ModelError(f"{who}: {error}") from error
    except (Exception, SystemExit) as error:  # a network may fail in any way on inputs that it was not made for
        hint = "use data of the size that it was made for"
        if any(isinstance(part, Exported) for part in module.modules()):
            hint += ", and export it for any number of images, dynamic_shapes=({0: Dim('n')},)"
        raise ModelError(f"{who} fails on two {what} of shape {shape}: {in_words(error)}; {hint}") from error
    wrong = (
        f"{who} gives outputs of shape {tuple(outputs.shape)} for two {what}: "
        f"expected (2, {classes or 'classes'}); use data of the classes that it was made for"
    )
    if outputs.ndim != 2 or outputs.shape[0] != 2:
        raise ModelError(wrong)
    if classes not in (None, outputs.shape[1]):
        raise ClassCountError(f"{wrong}; {LISTED}", classes=outputs.shape[1])
    with generators_kept():
        change = unsteady(module, inputs) or altered(module, inputs)
    return () if change is None else (f"{who}: {change}",)


def unsteady(module: nn.Module, inputs: Tensor) -> str | None:
    """What is wrong where a model answers the same inputs differently twice; None where it does not.

    >>> unsteady(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.ones(3, 1, 2, 2)) is None
    True
    """
    with torch.inference_mode():
        first, second = (logits_of(module(inputs)).double().nan_to_num() for _ in range(2))
    off = float((first - second).abs().max())
    if off <= SAME * max(1.0, float(first.abs().max())):
        return None
    return (
        f"answers differ between two identical calls: by up to {off:.3g} in a logit. Is dropout or another random "
        "layer left on (functional.dropout without training=self.training)?"
    )


def altered(module: nn.Module, inputs: Tensor) -> str | None:
    """What is wrong where asking a model changes it; None where it does not. It is put back into evaluation mode.

    >>> altered(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4)).eval(), torch.ones(3, 1, 2, 2)) is None
    True
    """
    tensors = dict([*module.named_parameters(), *module.named_buffers()])
    before = {name: tensor._version for name, tensor in tensors.items() if not tensor.is_inference()}
    with torch.no_grad():
        module(inputs)
    training = [name for name, part in module.named_modules() if part.training]
    if training and not any(isinstance(part, Exported) for part in module.modules()):
        module.eval()
        part = _own_name(training[0]) or "the model"
        return (
            f"its forward puts {part} into training mode, in which answers depend on the other inputs of a batch, or "
            "on chance: take .train() out of forward."
        )
    changed = sorted(name for name, version in before.items() if tensors[name]._version != version)
    if changed:
        return f"its forward changes its own weights or statistics ({_own_name(changed[0])}): the next answers differ."
    return None


def _own_name(name: str) -> str:
    """The name of a layer in the user's network, which lies inside of ours."""
    return name.removeprefix("body").removeprefix(".")


def check_source(module: nn.Module, inputs: Tensor, *, gradients: bool, who: str) -> None:
    """Refuse to fingerprint a model that answers at random or, where gradients are needed, lets none through.

    Args:
        inputs: a few, on the model's device.
        gradients: whether the scheme walks along them.

    Raises:
        ModelError: it does.
    """
    with running(f"{who}: the model's forward failed"):
        change = unsteady(module, inputs) or altered(module, inputs)
        points = inputs.detach().clone().requires_grad_(inputs.is_floating_point())
        with torch.enable_grad():
            outputs = logits_of(module(points))
    if change is not None:
        raise ModelError(f"{who}: {change} A fingerprint needs answers that stay the same")
    if not gradients or not points.requires_grad:  # tokens have no gradients; swaps are tried
        return
    if not outputs.requires_grad:
        raise ModelError(
            f"{who}: the model's forward blocks gradients (torch.no_grad or detach): this scheme walks along them; "
            "take these out of forward, or choose a scheme that asks for answers alone"
        )
    (gradient,) = torch.autograd.grad(outputs.sum(), points, allow_unused=True)
    if gradient is None:
        raise ModelError(
            f"{who}: no gradient reaches the inputs: the model's forward takes them out of the graph (detach, numpy, "
            "rounding): keep its computation in differentiable operations of torch"
        )


def two_of(spec: InputSpec) -> Tensor:
    """Two random inputs of a spec, as models take them."""
    modality = modality_of(spec)
    return modality.to_model(modality.drawn(spec.shape, 2, generator=torch.Generator().manual_seed(0)))


def _two(shape: tuple[int, ...]) -> Tensor:
    return torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
