"""Queries as PNG files, to query anything by hand."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from modelprint.core.errors import FingerprintError
from modelprint.core.files import write_bytes, write_text
from modelprint.core.identity import stored_hashes
from modelprint.ownership.fingerprint import Fingerprint


def png(image: np.ndarray) -> bytes:
    """One uint8 image (c, h, w) of 1 or 3 channels as PNG, lossless.

    Raises:
        FingerprintError: another number of channels.
    """
    from PIL import Image

    if image.shape[0] not in (1, 3):
        raise FingerprintError(f"PNG holds 1 or 3 channels, the queries have {image.shape[0]}")
    stream = io.BytesIO()
    Image.fromarray(image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0)).save(stream, format="PNG")
    return stream.getvalue()


def export_queries(fingerprint: Fingerprint, folder: Path) -> None:
    """Write a PNG per query, and index.csv: file, SHA-256 of the pixels, true label, source's label.

    Raises:
        FingerprintError: queries that are not 8-bit images, which a PNG would round.
    """
    if fingerprint.manifest.codec != "uint8-image":
        raise FingerprintError(
            "these queries are float images, which PNGs would round: enroll with the default preset (eight_bit=true)"
        )
    names = fingerprint.manifest.input.class_names
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["file", "sha256", "true_label", "source_label"])
    hashes = stored_hashes(fingerprint.queries)
    for number, (image, value) in enumerate(zip(fingerprint.queries, hashes, strict=True)):
        file = f"{number:06d}.png"
        write_bytes(folder / file, png(image))
        true, told = fingerprint.true_labels[number], fingerprint.source.labels[number]
        writer.writerow([file, value, names[true], names[told]])
    write_text(folder / "index.csv", rows.getvalue())
