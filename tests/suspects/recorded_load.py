"""A fingerprint of 100,000 queries and a recording of as many answers, for the test of load."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modelprint.core.suspect import Answers
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.suspects.recorded import record, write_recording

QUERIES, POINTS, CALIBRATION = 100_000, 25, 19  # models: as few as an error rate of 0.05 needs


def write(folder: Path) -> None:
    """`fp`: ADV-TRA, 4,000 trajectories of 25 points, 19 calibration models; `a.jsonl`, `a.npz`: half as the source."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (QUERIES, 1, 8, 8), dtype=np.uint8)
    source, other = generator.integers(0, 10, (2, QUERIES))
    place = np.arange(QUERIES)
    fingerprint = Fingerprint.bind(
        {
            "scheme": "adv-tra", "parameters": {}, "seed": 0, "codec": "uint8-image", "source": "s", "data": "d",
            "input": {"channels": 1, "height": 8, "width": 8, "class_names": [f"c{label}" for label in range(10)]},
            "source_accuracy": 1.0, "data_name": "d", "report": {}, "library": "test",
            "calibration": [{"name": f"n{number}", "identity": f"i{number}"} for number in range(CALIBRATION)],
        },
        queries=images,
        true_labels=source,
        source=Answers(labels=source),
        state={"group": place // POINTS, "position": place % POINTS, "target": source},
        calibration=tuple(Answers(labels=labels) for labels in generator.integers(0, 10, (CALIBRATION, QUERIES))),
    )  # fmt: skip
    fingerprint.save(folder / "fp")
    answers = Answers(labels=np.where(place < QUERIES // 2, source, other))
    for name in ("a.jsonl", "a.npz"):
        write_recording(folder / name, record(images, answers, suspect="s", fingerprint=fingerprint.identity))
