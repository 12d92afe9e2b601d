"""The face of every reader, and the choice of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelprint.core.registry import Registry
from modelprint.data.named import RawSet
from modelprint.data.references import Reading


@dataclass(frozen=True, kw_only=True)
class SetReader:
    """How files of one kind become a set.

    Attributes:
        modality: of the inputs, by name.
        forms: what it reads, in words, for messages.
        takes: whether a file or folder is such a set; where the user names the modality, its form is enough.
        read: the whole set.
        options: of the command line, those that say how such files are read: "--length" ...
    """

    modality: str
    forms: str
    takes: Callable[[Path, Reading], bool]
    read: Callable[[Path, Reading], RawSet]
    options: tuple[str, ...] = ()


READERS: Registry[SetReader] = Registry("reader of data", group="modelprint.modalities")


def reader_of(path: Path, reading: Reading) -> SetReader | None:
    """The first reader that takes a file or folder; None where none does, or there is nothing."""
    if not path.exists():
        return None
    for name in READERS:
        reader = READERS[name]
        if reading.modality in (None, reader.modality) and reader.takes(path, reading):
            return reader
    return None
