"""What the child does with pictures that strangers made: decode them, several at a time.

Message: {"files": [[place, name], ...], "like": [shape, name] or null}; answer: "pictures", uint8 (k, c, h, w).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler
from modelprint.modalities.image.reading import Like, read_picture
from modelprint.modalities.image.storage import STORED

_MOST_READERS, _IN_TURN = 8, 16  # threads; pictures that one of them reads in a row


def handler() -> Handler:
    """Answers with the pictures in files."""
    readers = ThreadPoolExecutor(max_workers=min(_MOST_READERS, os.cpu_count() or 1))

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        files = message["files"]
        known = message["like"]
        if known is None:  # one picture alone
            ((place, name),) = files
            return {}, {"pictures": _read(place, name, None)[None]}
        like = Like(shape=tuple(known[0]), name=known[1])
        pictures = np.empty((len(files), *like.shape), STORED)

        def fill(start: int) -> None:
            for number, (place, name) in enumerate(files[start : start + _IN_TURN], start):
                pictures[number] = _read(place, name, like)

        list(readers.map(fill, range(0, len(files), _IN_TURN)))
        return {}, {"pictures": pictures}

    return answer


def _read(place: str, name: str, like: Like | None) -> np.ndarray:
    return read_picture(Path(place), name=name, like=like)
