"""Whether a suspect's files are those that were read before: their state, and their SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelprint.core.errors import ModelError
from modelprint.core.identity import digest_file, digest_json
from modelprint.nn.spec_file import read_spec_file

_BESIDE = {".xml": (".bin",), ".onnx": (".onnx.data", ".data", ".onnx_data")}  # files that belong to a file


@dataclass(frozen=True, kw_only=True)
class State:
    """What tells that files have not changed.

    Attributes:
        place: the suspect's path, with all links followed.
        text: names, sizes, times and inodes of its files.
    """

    place: str
    text: str


def state_of(path: Path) -> State:
    """The state of a suspect's files.

    Raises:
        ModelError: missing, or not to be read.
    """
    try:
        parts = []
        for file in files_of(path):
            seen = file.stat()
            parts.append([str(file), seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino])
        return State(place=str(path.resolve()), text=digest_json(parts))
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise ModelError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def digest_of(path: Path) -> str:
    """The SHA-256 of a suspect's file; of several, over their names and hashes.

    Raises:
        ModelError: missing, or not to be read.
    """
    try:
        files = files_of(path)
        if not all(file.is_file() for file in files):
            raise ModelError(f"{path} is no regular file: name the model file itself")
        if files == [path]:
            return digest_file(path)
        return digest_json([[str(file.relative_to(path.parent)), digest_file(file)] for file in files])
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def files_of(path: Path) -> list[Path]:
    """The files that a suspect consists of: those of its folder, or the file with what belongs to it."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if path.suffix.lower() == ".toml":
        weights = Path(read_spec_file(path).weights)
        return [path, weights] if weights.is_relative_to(path.parent) else [path]
    if path.name.endswith(".index.json"):
        return [path, *sorted(path.parent.glob("*.safetensors")), *sorted(path.parent.glob("*.bin"))]
    beside = [path.with_suffix(suffix) for suffix in _BESIDE.get(path.suffix.lower(), ())]
    return [path, *(file for file in beside if file.is_file())]
