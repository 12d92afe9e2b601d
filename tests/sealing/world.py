"""A fingerprint of four tiny queries, and a bundle of it; nothing is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modelprint.core.suspect import Answers
from modelprint.ownership.bundle import bundle
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.seal import seal
from modelprint.ownership.verify import examine

SOURCE = np.array([0, 1, 2, 1])


def fingerprint() -> Fingerprint:
    """By AKH, calibrated on 19 models that never answer as the source does."""
    images = np.arange(16, dtype=np.uint8).reshape(4, 1, 2, 2)
    others = tuple(Answers(labels=(SOURCE + 1 + number % 2) % 3) for number in range(19))
    return Fingerprint.bind(
        {
            "scheme": "akh",
            "parameters": {"queries": 4},
            "seed": 7,
            "input": {"channels": 1, "height": 2, "width": 2, "class_names": ["a", "b", "c"]},
            "codec": "uint8-image",
            "source": "sha256:" + "1" * 64,
            "source_accuracy": 0.9,
            "data": "sha256:" + "2" * 64,
            "data_name": "tiny",
            "report": {},
            "calibration": [{"name": f"m{number}", "identity": f"sha256:{number:064x}"} for number in range(19)],
            "library": "modelprint 0.1.0, torch 2.13.0",
        },
        queries=images,
        true_labels=SOURCE,
        source=Answers(labels=SOURCE),
        state={"group": np.zeros(4, dtype=np.int64)},
        calibration=others,
    )


def suspect(images: np.ndarray) -> np.ndarray:
    """Answers as the source does."""
    return SOURCE[images.reshape(len(images), -1)[:, 0] // 4]


def bundled(key: Path, *, access: str = "labels") -> bytes:
    """The evidence that the suspect is derived."""
    made = fingerprint()
    found = examine(made, suspect, access=access, slice_plane=False)
    assert found.verdict.verdict == "derived"
    return bundle(made, found, commitment=seal(made, key), key=key)
