"""Queries as files (images: PNG), to query anything by hand, and the list that gets the answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from modelprint.core.errors import FingerprintError
from modelprint.core.files import write_bytes, write_text
from modelprint.core.records import Record
from modelprint.ownership.fingerprint import Fingerprint

INDEX, ANSWERS, ABOUT = "index.csv", "answers.csv", "export.json"


class Export(Record):
    """What `export.json` says of the files beside it.

    Attributes:
        fingerprint: whose queries they are.
        queries: how many.
        shape: of one: images (channels, height, width).
        class_names: what labels may be, in the order of class numbers.
    """

    format: Literal["modelprint-export"] = "modelprint-export"
    schema_version: Literal[1] = 1
    fingerprint: str
    queries: int
    shape: tuple[int, ...]
    class_names: tuple[str, ...]


def export_queries(fingerprint: Fingerprint, folder: Path) -> None:
    """Write a file per query (an image's is a PNG), and the lists that go with them.

    `index.csv` has each file with the SHA-256 of the input, its true and the source's label. `answers.csv` is to be
    filled in: index, file, SHA-256, and an empty label; one that was filled in is left as it is. `export.json` says
    whose queries these are, and what classes there are.

    Raises:
        FingerprintError: queries that a file would round, or answers to another fingerprint's in this folder.
    """
    wire, manifest = fingerprint.modality.wire, fingerprint.manifest
    if manifest.codec not in wire.exact:
        raise FingerprintError(
            f"these queries are floats, which {wire.suffix.upper()} files would round: enroll with the default preset "
            "(eight_bit=true)"
        )
    about = Export(
        fingerprint=fingerprint.identity,
        queries=len(fingerprint),
        shape=tuple(manifest.input.shape),
        class_names=manifest.input.class_names,
    ).model_dump_json(indent=1)
    answered = _answered(folder, about)
    names = manifest.input.class_names
    hashes = fingerprint.modality.hashes(fingerprint.queries)
    files = [f"{number:06d}.{wire.suffix}" for number in range(len(fingerprint))]
    for file, query in zip(files, fingerprint.queries, strict=True):
        write_bytes(folder / file, wire.file(query))
    labels = zip(fingerprint.true_labels, fingerprint.source.labels, strict=True)
    write_text(
        folder / INDEX,
        _table(
            ("file", "sha256", "true_label", "source_label"),
            (
                (file, value, names[true], names[answered])
                for file, value, (true, answered) in zip(files, hashes, labels, strict=True)
            ),
        ),
    )
    write_text(folder / ABOUT, about)
    if not answered:
        rows = zip(range(len(files)), files, hashes, strict=True)
        write_text(folder / ANSWERS, _table(("index", "file", "query", "label"), ((*row, "") for row in rows)))


def _answered(folder: Path, about: str) -> bool:
    """Whether the folder holds answers to these very queries, which must stay.

    Raises:
        FingerprintError: it holds answers to others, which would not fit the new files.
    """
    try:
        rows = (folder / ANSWERS).read_bytes().splitlines()[1:]
        known = (folder / ABOUT).read_bytes() if (folder / ABOUT).exists() else about.encode()
    except OSError:
        return False
    if all(row.endswith(b",") for row in rows):
        return False
    if known != about.encode():
        raise FingerprintError(
            f"{folder} holds the queries of another fingerprint, and answers to them: export into an empty folder"
        )
    return True


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
