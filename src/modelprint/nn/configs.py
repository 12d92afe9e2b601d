"""What config files beside weights say: timm's `config.json`, HF's `config.json` and `preprocessor_config.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelprint.core.errors import ModelError
from modelprint.nn.description import ArchName, Description, normalisation
from modelprint.nn.libraries import read_json

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"


def by_config_files(folder: Path) -> list[Description]:
    """What the config files of a folder say; nothing where there are none, or only others' config files.

    Raises:
        ModelError: a file that cannot be read, or fields that make no sense.
    """
    file = folder / CONFIG
    if not file.is_file():
        return []
    settings = read_json(file)
    try:
        if isinstance(settings.get("architecture"), str):
            return [_of_timm(settings, file)]
        if not isinstance(settings.get("model_type"), str):
            return []
        parts = [_of_transformers(settings, file)]
        if (folder / PREPROCESSOR).is_file():
            parts.append(_of_preprocessor(read_json(folder / PREPROCESSOR), folder / PREPROCESSOR))
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(f"{file} or {PREPROCESSOR} beside it makes no sense ({error}): download it again") from error
    return parts


def _of_timm(settings: Mapping[str, Any], file: Path) -> Description:
    pretrained = settings.get("pretrained_cfg") or {}
    channels, height, width = pretrained.get("input_size") or (None, None, None)
    return Description(
        who=str(file),
        arch=ArchName(name=f"timm:{settings['architecture']}", trusted=False),
        arch_args=settings.get("model_args") or {},
        normalisation=normalisation(pretrained.get("mean"), pretrained.get("std"), who=str(file)),
        channels=channels,
        height=height,
        size=width,
        classes=settings.get("num_classes") or pretrained.get("num_classes"),
        class_names=_class_names(settings.get("label_names")),
    )


def _of_transformers(settings: Mapping[str, Any], file: Path) -> Description:
    height, width = _sides(settings.get("image_size"))
    names = settings.get("id2label")
    return Description(
        who=str(file),
        arch=ArchName(name=f"hf:{file.parent}", trusted=False),
        channels=settings.get("num_channels"),
        height=height,
        size=width,
        classes=settings.get("num_labels") or (len(names) if names else None),
        class_names=_class_names(names),
    )


def _of_preprocessor(settings: Mapping[str, Any], file: Path) -> Description:
    cropped = settings.get("crop_size") if settings.get("do_center_crop") else None
    height, width = _sides(cropped or settings.get("size"))
    normalised = settings.get("do_normalize", True)
    mean, std = (settings.get(f"image_{what}") if normalised else None for what in ("mean", "std"))
    return Description(
        who=str(file),
        normalisation=normalisation(_listed(mean), _listed(std), who=str(file)),
        height=height,
        size=width,
        value_range=_value_range(settings),
    )


def _class_names(names: Any) -> tuple[str, ...] | None:
    """What a config calls the classes, in the order of the outputs; None where it only numbers them.

    >>> _class_names({"1": "dog", "0": "cat"}), _class_names({"0": "LABEL_0"})
    (('cat', 'dog'), None)
    """
    if isinstance(names, Mapping):
        by_number = {int(number): name for number, name in names.items()}
        names = [by_number[number] for number in sorted(by_number)]
        if sorted(by_number) != list(range(len(by_number))):
            return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return None if not names or all(re.fullmatch(r"(LABEL_)?\d+", name) for name in names) else tuple(names)


def _value_range(settings: Mapping[str, Any]) -> tuple[float, float] | None:
    """What 8-bit values become before they are normalised; None for the usual 0 to 1."""
    factor = float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0
    high = 255 * factor
    return None if abs(high - 1.0) < 1e-6 else (0.0, high)


def _listed(value: Any) -> list[float] | None:
    if value is None:
        return None
    return [float(value)] if isinstance(value, int | float) else [float(one) for one in value]


def _sides(value: Any) -> tuple[int | None, int | None]:
    """Height and width, in the ways that config files write them.

    >>> _sides(224), _sides([96, 128]), _sides({"height": 8, "width": 9}), _sides({"shortest_edge": 224}), _sides(None)
    ((224, 224), (96, 128), (8, 9), (224, 224), (None, None))
    """
    if isinstance(value, Mapping):
        edge = value.get("shortest_edge")
        return value.get("height", edge), value.get("width", edge)
    if isinstance(value, list | tuple):
        return int(value[0]), int(value[1])
    return (None, None) if value is None else (int(value), int(value))
