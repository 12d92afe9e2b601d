"""What the child does with pictures that strangers made: decode them, several at a time.

Messages: {"do": "read", "files": [[place, name, within], ...], "like": [shape, name], "how": a preparation}:
the answer holds "pictures", uint8 (k, c, h, w), and {"bad": [[number, reason], ...]} of those that cannot be decoded;
`within` is null, a member of an archive, or [column, row];
{"do": "check", "files", "how"}: decoded alike, but their shapes alone are the answer, {"shapes", "bad"};
{"do": "columns", "place", "name", "image", "label", "usual"}: the fields of a `Listing`;
{"do": "recognise", "files"}: {"recognised": whether each begins as a picture};
{"do": "names", "place", "name"}: {"names"} of the members of an archive.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler
from modelprint.modalities.image.archives import Archives
from modelprint.modalities.image.columns import ColumnFiles
from modelprint.modalities.image.preparing import Preparation, UnreadableError
from modelprint.modalities.image.reading import Like, Opener, begins_as_picture, decoded
from modelprint.modalities.image.storage import STORED

_MOST_READERS, _IN_TURN = 8, 16  # threads; pictures that one of them reads in a row


def handler() -> Handler:
    """Answers with the pictures in files."""
    readers = ThreadPoolExecutor(max_workers=min(_MOST_READERS, os.cpu_count() or 1))
    archives, columns = Archives(), ColumnFiles()

    def opener(file: Sequence[Any]) -> Opener:
        place, name, within = file
        if isinstance(within, list):
            return columns.opener(Path(place), within[0], within[1], name=name)
        return archives.opener(Path(place), within, name=name)

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        if message["do"] == "names":
            return {"names": archives.names(Path(message["place"]), name=message["name"])}, {}
        if message["do"] == "columns":
            listing = columns.listing(
                Path(message["place"]),
                name=message["name"],
                image=message["image"],
                label=message["label"],
                usual=message["usual"],
            )
            return asdict(listing), {}
        files, how = message["files"], _preparation(message["how"])
        if message["do"] == "recognise":
            return {"recognised": list(readers.map(begins_as_picture, map(opener, files)))}, {}
        known = message.get("like")
        like = None if known is None else Like(shape=tuple(known[0]), name=known[1])

        def one(number: int) -> np.ndarray:
            return decoded(opener(files[number]), name=files[number][1], like=like, how=how)

        if message["do"] == "check":
            shapes: list[list[int] | None] = [None] * len(files)

            def look(number: int) -> None:
                shapes[number] = list(one(number).shape)

            return {"bad": _each(look, files, readers), "shapes": shapes}, {}
        pictures = np.zeros((len(files), *(one(0).shape if like is None else like.shape)), STORED)

        def read(number: int) -> None:
            pictures[number] = one(number)

        return {"bad": _each(read, files, readers)}, {"pictures": pictures}

    return answer


def _each(do: Callable[[int], None], files: Sequence[Any], readers: ThreadPoolExecutor) -> list[list[Any]]:
    """Do something with each file, several at a time; [number, reason] of those that cannot be decoded."""
    bad: list[list[Any]] = []

    def some(start: int) -> None:
        for number in range(start, min(start + _IN_TURN, len(files))):
            try:
                do(number)
            except UnreadableError as error:
                bad.append([number, str(error)])

    list(readers.map(some, range(0, len(files), _IN_TURN)))
    return sorted(bad)


def _preparation(how: Mapping[str, Any]) -> Preparation:
    return Preparation(**{**how, "size": None if how["size"] is None else tuple(how["size"])})
