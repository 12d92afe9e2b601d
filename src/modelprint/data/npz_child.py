"""What the child does with npz files that strangers made.

Messages: {"do": "open", "place", "name", "large": names, "than": bytes}: all arrays but those of these names that are
larger, whose shapes as images are the answer; {"do": "rows", "array": name, "count": n}: the next n images of one,
"rows".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler
from modelprint.data.npz_files import NpzFile, explained, open_npz
from modelprint.modalities.image.reading import to_uint8_nchw


def handler() -> Handler:
    """Answers with the arrays of one file."""
    entered = ExitStack()
    files: list[NpzFile] = []
    readers: dict[str, Callable[[int], np.ndarray]] = {}

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        if message["do"] == "open":
            file = entered.enter_context(open_npz(Path(message["place"]), name=message["name"]))
            files[:] = [file]
            large = file.large(message["large"], message["than"])
            return {"large": {name: _as_images(file, name) for name in large}}, file.arrays(without=large)
        name = message["array"]
        if name not in readers:
            readers.clear()
            readers[name] = entered.enter_context(files[0].images(name))
        with explained(files[0].name):
            return {}, {"rows": readers[name](message["count"])}

    return answer


def _as_images(file: NpzFile, name: str) -> list[int]:
    """The shape of an array's images, (n, c, h, w)."""
    header = file.headers[name]
    one = to_uint8_nchw(np.zeros((1, *header.shape[1:]), header.dtype), who=f"{file.name}: {name}")
    return [header.shape[0], *one.shape[1:]]
