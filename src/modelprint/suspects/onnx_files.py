"""ONNX files with weights beside them: found, checked, and covered by one hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelprint.core.errors import ModelError
from modelprint.core.identity import digest, digest_json
from modelprint.core.untrusted import read_inside, read_regular


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """A model, in memory.

    Attributes:
        data: the file.
        outside: the files beside it that hold tensors, by the names that it gives them.
    """

    data: bytes
    outside: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """SHA-256 of the file; with tensors in other files, of the SHA-256 of each."""
        if not self.outside:
            return digest(self.data)
        return digest_json([digest(self.data), {name: digest(data) for name, data in self.outside.items()}])


def read_onnx(path: Path, *, names: Callable[[bytes], list[str]]) -> OnnxFile:
    """A model file, with the files of tensors that it names beside it.

    Args:
        names: parses the file elsewhere, and gives the names of these files.

    Raises:
        ModelError: missing, no ONNX file, or tensors in files that are missing or lie elsewhere.
    """
    try:
        data = read_regular(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    outside: dict[str, bytes] = {}
    for name in names(data) if b"location" in data else ():
        try:
            outside[name] = read_inside(path.parent, name)
        except OSError as error:
            raise ModelError(
                f"{path} keeps weights in {name!a}, which cannot be read ({error.strerror or error}): "
                "put that file beside it"
            ) from error
        except ValueError as error:
            raise ModelError(f"{path} keeps weights elsewhere: {error}; refused, put them beside it") from error
    return OnnxFile(data=data, outside=outside)
