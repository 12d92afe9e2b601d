"""The bytes of models that other libraries made, read before anything parses them, and covered by one hash."""

from __future__ import annotations

import os
from pathlib import Path

from modelprint.core.errors import ModelError
from modelprint.core.untrusted import read_inside
from modelprint.nn.kinds import SAVED_MODEL
from modelprint.nn.weight_files import read_bytes
from modelprint.suspects.onnx_files import OnnxFile

MOST_FILES = 500  # of a SavedModel


def read_one(path: Path) -> OnnxFile:
    """A model in one file.

    Raises:
        ModelError: as of `read_bytes`.
    """
    return OnnxFile(data=read_bytes(path))


def read_with_weights(path: Path) -> OnnxFile:
    """An OpenVINO model: the graph, and the weights in the file of the same name that ends in .bin.

    Raises:
        ModelError: one of them cannot be read.
    """
    graph, name = read_one(path), f"{path.stem}.bin"
    try:
        weights = read_inside(path.parent, name)
    except FileNotFoundError:
        return graph  # a graph may have no weights; one that needs them will say so
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path} keeps its weights in {name!a}, which cannot be read ({reason})") from error
    return OnnxFile(data=graph.data, outside={name: weights})


def read_folder(path: Path) -> OnnxFile:
    """A SavedModel: a folder with the graph and, below it, variables and assets.

    Raises:
        ModelError: a file of it cannot be read, is reached over a link, or there are too many.
    """
    graph = read_one(path / SAVED_MODEL)
    outside: dict[str, bytes] = {}
    for place, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            inner = (Path(place) / name).relative_to(path).as_posix()
            if inner == SAVED_MODEL:
                continue
            if len(outside) >= MOST_FILES:
                raise ModelError(f"{path} holds more than {MOST_FILES} files: a SavedModel has a few; name its folder")
            try:
                outside[inner] = read_inside(path, inner)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise ModelError(f"{path} holds {inner!a}, which cannot be read ({reason}): copy it again") from error
    return OnnxFile(data=graph.data, outside=outside)
