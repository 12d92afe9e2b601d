"""Untrained networks of any architecture, by its name: the one place that knows where each kind comes from."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from modelprint.core.errors import ModelError, UsageError
from modelprint.modalities.base import InputSpec, modality_of
from modelprint.nn import nets as nets  # registers what they hold
from modelprint.nn.arch_names import FORMS, kind_of
from modelprint.nn.architectures import ARCHITECTURES, architectures_for, taken_by
from modelprint.nn.foreign import build_from_code
from modelprint.nn.libraries import build_from_folder, build_from_timm, build_from_torchvision


def build_body(
    arch: str,
    arguments: Mapping[str, object],
    *,
    shape: tuple[int | None, ...],
    classes: int | None,
    folder: Path = Path(),
    inputs: InputSpec | None = None,
) -> nn.Module:
    """The untrained network that an architecture's name stands for, float32.

    Args:
        arguments: keyword arguments of the architecture.
        shape: of images: (channels, height, width) of what it takes; None where it is not known, which only code
            accepts.
        folder: where modules of `package.module:callable` are looked for, too.
        inputs: of another modality: what it takes, in place of a shape.

    Raises:
        UsageError: no such architecture.
        ModelError: arguments that it does not take, code that fails, a library that is missing.
    """
    kind = kind_of(arch)
    if inputs is not None:
        return _of_inputs(arch, arguments, inputs, folder=folder).float()
    if kind in ("file", "module"):
        return build_from_code(arch, arguments, known_numbers(shape, classes), folder=folder).float()
    channels, height, width = shape
    if channels is None or height is None or width is None or classes is None:
        raise ModelError(f"{arch}: channels, size and classes must be known: name its data")
    if kind == "timm":
        return build_from_timm(arch.removeprefix("timm:"), arguments, (channels, height, width), classes).float()
    if kind == "torchvision":
        name = arch.removeprefix("torchvision:")
        return build_from_torchvision(name, arguments, (channels, height, width), classes).float()
    if kind == "hf":
        place = Path(arch.removeprefix("hf:"))
        return build_from_folder(place, arguments, (channels, height, width), classes).float()
    if arch not in ARCHITECTURES:
        raise UsageError(f"unknown architecture {arch!r}: use one of {', '.join(ARCHITECTURES)}, or {FORMS}")
    if taken_by(arch) != "image":
        raise ModelError(f"architecture {arch} takes inputs of modality {taken_by(arch)!r}, not images")
    if height != width:
        raise ModelError(f"architecture {arch} takes square images, not {height} x {width}: crop them")
    return ARCHITECTURES[arch](channels=channels, size=width, classes=classes, **_taken(arch, arguments))


def _of_inputs(arch: str, arguments: Mapping[str, object], inputs: InputSpec, *, folder: Path) -> nn.Module:
    """A network for inputs of another modality than images."""
    kind, what = kind_of(arch), modality_of(inputs)
    if kind in ("file", "module"):
        known: dict[str, int | tuple[int, int]] = dict(inputs.numbers)
        known |= dict.fromkeys(("classes", "num_classes"), inputs.classes)
        return build_from_code(arch, arguments, known, folder=folder)
    fitting = ", ".join(architectures_for(what.name)) or "none that is registered"
    if kind != "registered" or arch not in ARCHITECTURES or taken_by(arch) != what.name:
        raise ModelError(f"architecture {arch} does not take {what.plural}: use {fitting}, or path/to/file.py:callable")
    return ARCHITECTURES[arch](inputs=inputs, **_taken(arch, arguments))


def _taken(arch: str, arguments: Mapping[str, object]) -> dict[str, Any]:
    """Arguments that an architecture is called with.

    Raises:
        ModelError: some that it does not take.
    """
    known = inspect.signature(ARCHITECTURES[arch]).parameters
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        takes = ", ".join(sorted(set(known) - {"channels", "size", "classes", "inputs"})) or "no arguments"
        raise ModelError(f"architecture {arch} does not take {', '.join(unknown)}: it takes {takes}")
    return dict(arguments)


def known_numbers(shape: tuple[int | None, ...], classes: int | None) -> dict[str, int | tuple[int, int]]:
    """What is known of inputs and outputs, under the names that callables usually have for it.

    >>> known_numbers((3, 32, 32), 10)["img_size"], known_numbers((1, None, None), None)
    (32, {'channels': 1, 'in_channels': 1, 'in_chans': 1})
    """
    channels, height, width = shape
    known: dict[str, int | tuple[int, int]] = {}
    if channels is not None:
        known |= dict.fromkeys(("channels", "in_channels", "in_chans"), channels)
    if height is not None and width is not None:
        size = width if height == width else (height, width)
        known |= dict.fromkeys(("size", "img_size", "image_size"), size)
    elif width is not None:
        known |= {"size": width}
    if classes is not None:
        known |= dict.fromkeys(("classes", "num_classes"), classes)
    return known
