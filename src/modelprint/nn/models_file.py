"""`models.toml`: what the model files of one folder do not say about themselves, for all of them or for each.

[defaults]                       # hold for every model of the folder that does not say its own
arch = "nets.py:small"           # relative to the folder; code only with --trust-code
mean = [0.491, 0.482, 0.447]
std = [0.247, 0.243, 0.262]

[models."from_imagenet.pth"]     # wins over what the file says itself
arch = "timm:resnet18"
size = [224, 224]
kind = "OTHER"                   # SAST, SADT, DAST, DADT, SHARED, COPY or OTHER
made_from = "sha256:..."         # or "source"
licence = "Apache-2.0"           # what answer tables say of it (docs/recorded-populations.md)
origin = "https://example.com/from_imagenet"

[models.rival]                   # a server
url = "https://api.example.com"
api = "image"
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from modelprint.core.errors import ModelError
from modelprint.core.records import Record
from modelprint.core.untrusted import is_plain, read_regular
from modelprint.nn.arch_names import located, runs_code
from modelprint.nn.options import RAW, ModelOptions
from modelprint.nn.places import MODELS_FILE

CalibrationKind = Literal["SAST", "SADT", "DAST", "DADT", "SHARED", "COPY", "OTHER"]
SOURCE = "source"  # in `made_from`: the model that is enrolled


class ModelEntry(Record):
    """What is said of one model, or of all; None: nothing.

    Attributes:
        arch ... weights: as in `ModelOptions`; `range` is its `value_range`.
        kind: of an independent model (docs/glossary.md).
        made_from: SHA-256 of the model that this one was made from, or "source".
        licence, origin: under which terms it was published, and where; answer tables keep both.
        url: of a server, which is asked; api ... timeout: how, as in `modelprint verify`.
        mapping, class_names: files in the folder, or in folders of it.
    """

    arch: str | None = None
    arch_args: dict[str, int | float | bool | str | list[int | float | str]] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    size: int | tuple[int, int] | None = None
    bgr: bool | None = None
    range: tuple[float, float] | None = None
    head: str | None = None
    weights: str | None = None
    kind: CalibrationKind | None = None
    made_from: str | None = Field(default=None, pattern=r"^(source|sha256:[0-9a-f]{64})$")
    licence: str | None = None
    origin: str | None = None
    url: str | None = Field(default=None, pattern=r"^https?://")
    api: Literal["auto", "oip", "mlflow", "image", "mapping"] = "auto"
    model: str | None = None
    mapping: str | None = None
    class_names: str | None = None
    layout: Literal["nchw", "nhwc"] | None = None
    picture: Literal["png", "jpeg"] = "png"
    batch_size: int | None = None
    rate: float | None = None
    timeout: float = 30.0

    @field_validator("mapping", "class_names")
    @classmethod
    def _in_the_folder(cls, value: str | None) -> str | None:
        if value is not None and not is_plain(value):
            raise ValueError(f"{value!r} leads out of the folder: put the file into it")
        return value

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together: give both, or neither")
        return self

    def over(self, options: ModelOptions, folder: Path) -> ModelOptions:
        """The options, with what this entry says laid over them.

        Raises:
            ModelError: the entry names code, and the options do not trust it.
        """
        changes: dict[str, Any] = {}
        if self.arch is not None:
            if runs_code(self.arch) and not options.trust_code:
                raise ModelError(
                    f"{folder / MODELS_FILE} names code ({self.arch}): pass --trust-code if you trust it, or name "
                    "it with --arch"
                )
            changes |= {"arch": located(self.arch, folder), "arch_args": self.arch_args}
        elif self.arch_args is not None:
            changes["arch_args"] = self.arch_args
        for name in ("mean", "std", "bgr", "head"):
            if getattr(self, name) is not None:
                changes[name] = getattr(self, name)
        if self.size is not None:
            changes["size"] = (self.size, self.size) if isinstance(self.size, int) else self.size
        if self.range is not None:
            changes["value_range"] = self.range
        if self.weights is not None and self.weights != RAW:
            changes["weights"] = self.weights
        return replace(options, **changes)


class ModelsFile(Record):
    """A folder's `models.toml`."""

    defaults: ModelEntry = ModelEntry()
    models: dict[str, ModelEntry] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_address_for_all(self) -> Self:
        if self.defaults.url is not None:
            raise ValueError("defaults.url: an address is of one model: write it under [models.NAME]")
        return self


def read_models_file(folder: Path) -> ModelsFile:
    """What a folder says of its models; nothing where it has no `models.toml`.

    Raises:
        ModelError: not TOML, with keys or values that it does not have, or of a file that is not there.
    """
    path = folder / MODELS_FILE
    if not os.path.lexists(path):
        return ModelsFile()
    try:
        models_file = ModelsFile.model_validate(tomllib.loads(read_regular(path).decode()))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        known = ", ".join(ModelEntry.model_fields)
        raise ModelError(f"{path}: {where + ': ' if where else ''}{first['msg']}; a model may have {known}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as TOML ({error}): mend the line that is named") from error
    for name, entry in models_file.models.items():
        if entry.url is None and not (is_plain(name) and (folder / name).exists()):
            raise ModelError(f"{path} names {name}, which {folder} does not hold: mend the name, or give a url")
    return models_file
