"""`model.toml`: what a weights file does not say about itself, said once and for all.

weights = "resnet.pt"            # relative to this file
arch = "resnet20"                # registered, timm:NAME ...; "file.py:callable" only with --trust-code
arch_args = { width = 16 }
mean = [0.491, 0.482, 0.447]     # on the [0, 1] scale
std = [0.247, 0.243, 0.262]
channels = 3                     # these three only where the data cannot say
size = 32
classes = 10
bgr = true                       # and, rarely: range = [0, 255], height = 24 (of images that are not square), head
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import Field, ValidationError

from modelprint.core.errors import ModelError
from modelprint.core.records import Record
from modelprint.core.untrusted import read_regular
from modelprint.nn.spec import ArchArgument


class SpecFile(Record):
    """A spec file.

    Attributes:
        weights: the weights file, relative to the folder of the spec file, or absolute.
        arch: as in `ModelOptions`; files are relative to the same folder.
        mean, std: per channel, on the [0, 1] scale; one value stands for all channels.
        channels, size, classes: inputs are (channels, size, size); outputs are (classes,).
        height: of inputs that are not square.
        bgr, head: as in `ModelOptions`.
        value_range: written `range`; likewise.
    """

    weights: str = Field(min_length=1)
    arch: str | None = None
    arch_args: dict[str, ArchArgument] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: int | None = None
    size: int | None = None
    classes: int | None = None
    height: int | None = None
    bgr: bool | None = None
    value_range: tuple[float, float] | None = Field(default=None, alias="range")
    head: str | None = None


def read_spec_file(path: Path) -> SpecFile:
    """The spec in a file, its weights as a full path.

    Raises:
        ModelError: missing, not TOML, or with keys or values that a spec does not have.
    """
    if not path.is_file():
        raise ModelError(f"{path} is not a file: name a spec file such as model.toml")
    try:
        spec = SpecFile.model_validate(tomllib.loads(read_regular(path).decode()))
    except ValidationError as error:
        first = error.errors()[0]
        known = ", ".join(field.alias or name for name, field in SpecFile.model_fields.items())
        raise ModelError(
            f"{path} is not a model's spec file: {'.'.join(map(str, first['loc']))}: {first['msg']}; "
            f"it may have {known}"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as TOML ({error}): mend the line that is named") from error
    return spec.model_copy(update={"weights": str(path.parent / spec.weights)})
