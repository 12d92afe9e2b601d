"""Queries as files (images: PNG), to query anything by hand, and the list that gets the answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError
from modelprint.core.files import write_bytes, write_text
from modelprint.core.records import Record
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import asked_of, scheme_of
from modelprint.schemes.auto import Auto

INDEX, ANSWERS, ABOUT, PLAIN = "index.csv", "answers.csv", "export.json", "plain"


class ExportedInput(Record):
    """One file: its place in the folder, and the SHA-256 of the input."""

    file: str
    query: str


class Export(Record):
    """What `export.json` says of the files beside it.

    Attributes:
        fingerprint: whose queries they are.
        shape: of one: images (channels, height, width).
        class_names: what labels may be, in the order of class numbers.
        queries: the files to be asked, in order.
        plain: unperturbed inputs, to be asked as well: they show whether a suspect is asked in the right form.
    """

    format: Literal["modelprint-export"] = "modelprint-export"
    schema_version: Literal[1] = 1
    fingerprint: str
    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    queries: tuple[ExportedInput, ...]
    plain: tuple[ExportedInput, ...]


def export_queries(fingerprint: Fingerprint, folder: Path, *, access: Access | None = None) -> int:
    """Write a file per query (an image's is a PNG), and the lists that go with them.

    `index.csv` has the file of each query with the SHA-256 of the input, its true and the source's label. `answers.csv`
    is to be filled in: index, file, SHA-256, and an empty label; one that was filled in is left as it is. Unperturbed
    inputs that are no queries lie in the folder `plain` and stand at its end. `export.json` says whose queries these
    are, what the files are, and what classes there are.

    Args:
        access: with LABELS, of scheme auto, only what is asked of a suspect that gives no scores; None: all queries.

    Returns:
        How many queries were written.

    Raises:
        FingerprintError: queries that a file would round, or answers to other queries in this folder.
        UsageError: the scheme reads more than this access.
    """
    wire, manifest = fingerprint.modality.wire, fingerprint.manifest
    if manifest.codec not in wire.exact:
        raise FingerprintError(
            f"these queries are floats, which {wire.suffix.upper()} files would round: enroll with the default preset "
            "(eight_bit=true)"
        )
    names, asked = manifest.input.class_names, asked_of(fingerprint)
    total = len(asked.queries)
    places = queries_read(fingerprint, access)
    queries = tuple(
        ExportedInput(file=f"{number:06d}.{wire.suffix}", query=asked.queries[number]) for number in places.tolist()
    )
    plain = tuple(
        ExportedInput(file=f"{PLAIN}/{number:06d}.{wire.suffix}", query=value)
        for number, value in enumerate(asked.further, start=total)
    )
    about = Export(
        fingerprint=fingerprint.identity,
        shape=tuple(manifest.input.shape),
        class_names=names,
        queries=queries,
        plain=plain,
    ).model_dump_json(indent=1)
    answered = _answered(folder, about)
    for one, stored in zip(queries, fingerprint.queries[places], strict=True):
        write_bytes(folder / one.file, wire.file(stored))
    for one, stored in zip(plain, () if fingerprint.plain is None else fingerprint.plain.stored, strict=True):
        write_bytes(folder / one.file, wire.file(stored))
    labels = zip(queries, fingerprint.true_labels[places], fingerprint.source.labels[places], strict=True)
    rows = ((one.file, one.query, names[true], names[label]) for one, true, label in labels)
    write_text(folder / INDEX, _table(("file", "sha256", "true_label", "source_label"), rows))
    write_text(folder / ABOUT, about)
    if not answered:
        numbers = (*places.tolist(), *range(total, total + len(plain)))
        empty = ((number, one.file, one.query, "") for number, one in zip(numbers, (*queries, *plain), strict=True))
        write_text(folder / ANSWERS, _table(("index", "file", "query", "label"), empty))
    return len(queries)


def queries_read(fingerprint: Fingerprint, access: Access | None) -> Int[np.ndarray, " k"]:
    """The numbers of the queries that are put to a suspect which gives no more than this; None: of all.

    Raises:
        UsageError: the scheme reads more.
    """
    everything: np.ndarray = np.arange(len(fingerprint))
    if access is None:
        return everything
    scheme = scheme_of(fingerprint)
    scheme.needs.check_access(scheme.name, access)
    if not isinstance(scheme, Auto):
        return everything
    masks = [scheme.asked_of(fingerprint.state, level) for level in scheme.asked_at(access)]
    return np.flatnonzero(np.logical_or.reduce(masks))


def _answered(folder: Path, about: str) -> bool:
    """Whether the folder holds answers to these very queries, which must stay.

    Raises:
        FingerprintError: it holds answers to other queries, which would not fit the new files.
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
            f"{folder} holds other queries, or those of another fingerprint, and answers to them: export into an empty "
            "folder"
        )
    return True


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
