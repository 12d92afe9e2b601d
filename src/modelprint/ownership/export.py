"""Queries as files (images: PNG), to query anything by hand."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from modelprint.core.errors import FingerprintError
from modelprint.core.files import write_bytes, write_text
from modelprint.ownership.fingerprint import Fingerprint


def export_queries(fingerprint: Fingerprint, folder: Path) -> None:
    """Write a file per query (an image's is a PNG), and index.csv: file, SHA-256 of the input, true and source's label.

    Raises:
        FingerprintError: queries that a file would round.
    """
    wire = fingerprint.modality.wire
    if fingerprint.manifest.codec not in wire.exact:
        raise FingerprintError(
            f"these queries are floats, which {wire.suffix.upper()} files would round: enroll with the default preset "
            "(eight_bit=true)"
        )
    names = fingerprint.manifest.input.class_names
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["file", "sha256", "true_label", "source_label"])
    hashes = fingerprint.modality.hashes(fingerprint.queries)
    for number, (query, value) in enumerate(zip(fingerprint.queries, hashes, strict=True)):
        file = f"{number:06d}.{wire.suffix}"
        write_bytes(folder / file, wire.file(query))
        true, answered = fingerprint.true_labels[number], fingerprint.source.labels[number]
        writer.writerow([file, value, names[true], names[answered]])
    write_text(folder / "index.csv", rows.getvalue())
