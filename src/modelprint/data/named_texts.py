"""The named sets of texts: manual-pages, found on disk."""

from __future__ import annotations

from modelprint.core.errors import DataError
from modelprint.data.named import DATA_VARIABLE, RawSet, search_folders
from modelprint.data.readers.texts import read_lines
from modelprint.data.references import Reading

FILE = "manual-pages.jsonl"
LENGTH = 48  # bytes of a text, at most


def load_manual_pages() -> RawSet:
    """Stretches of manual pages with their language: 8,400 texts of up to 48 bytes in 14 languages.

    Raises:
        DataError: they are not there; the message says how to make them.
    """
    path = next((place / FILE for place in search_folders() if (place / FILE).exists()), None)
    if path is None:
        raise DataError(
            f"manual-pages: no {FILE} under ${DATA_VARIABLE} or {search_folders()[-1]}: make it there with "
            "python -m research.datasets.manual_pages --out, from the source repository"
        )
    return read_lines(path, Reading(modality="text", length=LENGTH))
