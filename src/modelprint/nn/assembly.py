"""A network from its description and its weights, checked before it is handed out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.nn.architectures import ARCHITECTURES, Normalized
from modelprint.nn.description import ArchName, Description, Normalisation
from modelprint.nn.fitting import fit_names
from modelprint.nn.foreign import Exported, build_from_code
from modelprint.nn.spec import ModelSpec, build
from modelprint.nn.weight_files import first_line


def registered(state: Mapping[str, Tensor], spec: ModelSpec, *, who: str) -> Normalized:
    """A registered architecture with these weights; built without memory first, so that claims cost nothing."""
    try:
        with torch.device("meta"):
            skeleton = build(spec)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ModelError(f"{who}: cannot build {spec.arch} with {spec.arch_args}: {first_line(error)}") from error
    fitting = fit_names(state, skeleton.body, who=who, arch=_named(spec), classes=spec.classes)
    model = build(spec)
    model.body.load_state_dict(fitting)
    return model


def from_code(state: Mapping[str, Tensor], said: Description, arch: ArchName, *, who: str) -> nn.Module:
    """An architecture from somebody's code, with these weights."""
    if not arch.trusted:
        raise ModelError(
            f"{who}: its spec names code, {arch.name}, as architecture: name it with --arch yourself, or "
            "pass --trust-code if you trust its maker"
        )
    known = {"channels": said.channels, "size": said.size, "classes": said.classes}
    body = build_from_code(
        arch.name,
        said.arch_args or {},
        {name: value for name, value in known.items() if value is not None},
        folder=arch.folder,
    ).float()
    body.load_state_dict(fit_names(state, body, who=who, arch=arch.name))
    return normalised(body, said, who=who)


def complete_spec(said: Description, arch: ArchName, *, who: str) -> ModelSpec:
    """The spec of a registered architecture, from all that is said of the model.

    Raises:
        ModelError: no such architecture, or a number that nothing tells, or one that cannot be.
    """
    if arch.name not in ARCHITECTURES:
        raise ModelError(
            f"{who}: unknown architecture {arch.name!r}: use one of {', '.join(ARCHITECTURES)}, or "
            "path/to/file.py:callable"
        )
    numbers = {"channels": said.channels, "size": said.size, "classes": said.classes}
    unknown = [name for name, value in numbers.items() if value is None]
    if unknown:
        raise ModelError(f"{who} does not say its {', '.join(unknown)}: name its data, or write them into a spec file")
    scale = said.normalisation or Normalisation(mean=(0.0,), std=(1.0,))
    fields = {"arch": arch.name, "arch_args": dict(said.arch_args or {}), **numbers}
    try:
        return ModelSpec.model_validate({**fields, "mean": scale.mean, "std": scale.std})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        value = f"{place} = {first['input']!r}: " if place else ""
        raise ModelError(f"{who}: {value}{first['msg']}") from error


def _named(spec: ModelSpec) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in spec.arch_args.items())
    return f"{spec.arch}({arguments}) for {spec.channels}x{spec.size}x{spec.size} images, {spec.classes} classes"


def normalised(module: nn.Module, said: Description, *, who: str) -> nn.Module:
    """The network behind the normalisation that is said, if any.

    Raises:
        ModelError: more or fewer numbers than channels.
    """
    scale = said.normalisation
    if scale is None:
        return module
    if said.channels is not None and not {len(scale.mean), len(scale.std)} <= {1, said.channels}:
        raise ModelError(
            f"{who}: {len(scale.mean)} means and {len(scale.std)} stds for {said.channels} channels: "
            "give one per channel"
        )
    return Normalized(module, scale.mean, scale.std)


def try_out(module: nn.Module, shape: tuple[int, int, int], classes: int | None, *, who: str) -> None:
    """Ask a model about two black images, to find misfits before they cost anything.

    Raises:
        ModelError: it fails on images of that shape, or does not return logits (n, classes).
    """
    try:
        with torch.inference_mode():
            outputs = module(torch.zeros(2, *shape))
    except Exception as error:  # a network may fail in any way on inputs that it was not made for
        hint = "use data of the size that it was made for"
        if any(isinstance(part, Exported) for part in module.modules()):
            hint += ", and export it for any number of images, dynamic_shapes=({0: Dim('n')},)"
        raise ModelError(f"{who} fails on two images of shape {shape} ({first_line(error)}): {hint}") from error
    if not isinstance(outputs, Tensor):
        raise ModelError(f"{who} returns a {type(outputs).__name__}: wrap it so that it returns logits (n, classes)")
    if outputs.ndim != 2 or outputs.shape[0] != 2 or classes not in (None, outputs.shape[1]):
        raise ModelError(
            f"{who} gives outputs of shape {tuple(outputs.shape)} for two images: "
            f"expected (2, {classes or 'classes'}); use data of the classes that it was made for"
        )
