"""Names that cannot be faked: SHA-256 of canonical JSON, of files, of arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def canonical_json(value: Any) -> bytes:
    """The one UTF-8 spelling of a JSON value: keys sorted, no spaces, no NaN.

    >>> canonical_json({"b": 1, "a": [0.5, None]})
    b'{"a":[0.5,null],"b":1}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest(data: bytes) -> str:
    """SHA-256 with its prefix.

    >>> digest(b"")[:20]
    'sha256:e3b0c44298fc1'
    """
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of a value."""
    return digest(canonical_json(value))


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def digest_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, shapes, types and values, whatever the order of the mapping."""
    state = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        state.update(canonical_json([name, list(array.shape), array.dtype.str]))
        if array.size:
            state.update(array.reshape(-1).view(np.uint8).data)  # no copy: arrays may be larger than memory
    return "sha256:" + state.hexdigest()


def derived_seed(*parts: Any) -> int:
    """A seed of 48 bits that depends on every part, so that no two uses of one number share a random stream.

    >>> derived_seed("student", 0) == derived_seed("student", 0) != derived_seed("source", 0)
    True
    """
    return int.from_bytes(hashlib.sha256(canonical_json(list(parts))).digest()[:6], "big")


def stored_hashes(images: np.ndarray) -> list[str]:
    """One SHA-256 per image (first axis), to find images that two sets share."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest() for image in images]
