"""Answer tables of made-up models: founders with their own mistakes, copies that keep most of their scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modelprint.bench.recording.table_file import RecordedModel, TableFile, write_table

INPUTS, CLASSES = 300, 6
TRUTH = np.random.default_rng(0).integers(CLASSES, size=INPUTS)
HARD = np.random.default_rng(1).normal(0, 1.5, (INPUTS, CLASSES))  # what all models of the task have in common


def founder(seed: int) -> np.ndarray:
    """Logits (n, classes): the truth, what all find hard, and a part of its own."""
    own = np.random.default_rng(100 + seed).normal(0, 1.5, (INPUTS, CLASSES))
    return 3 * np.eye(CLASSES)[TRUTH] + HARD + own


def copy_of(logits: np.ndarray, seed: int, *, by: float = 0.7) -> np.ndarray:
    """The logits of a model made from another."""
    return logits + np.random.default_rng(10_000 + seed).normal(0, by, logits.shape)


def table_of(
    place: Path,
    logits: dict[str, np.ndarray],
    parents: dict[str, str] | None = None,
    *,
    families: dict[str, str] | None = None,
    labels_only: tuple[str, ...] = (),
    data: str = "made up",
) -> Path:
    """A table on disk; `families`: those that were joined without a parent."""
    made_from, joined = parents or {}, families or {}

    def founder_of(name: str) -> str:
        return founder_of(made_from[name]) if name in made_from else name

    models = [
        RecordedModel(
            id=name,
            sha256=f"sha256:{place.name}/{name}",
            format="answers",
            access="labels" if name in labels_only else "scores",
            accuracy=float((scores.argmax(1) == TRUTH).mean()),
            made_from=made_from.get(name),
            family=joined.get(name, founder_of(name)),
            joined_by="weights, 0.1 from it" if name in joined else None,
            key=f"key {name}",
        )
        for name, scores in sorted(logits.items())
    ]
    table = TableFile(
        data=data,
        data_sha256=f"sha256:{data}",
        modality="image",
        inputs=INPUTS,
        classes=tuple(map(str, range(CLASSES))),
        models=tuple(models),
    )
    write_table(
        place,
        table,
        truth=TRUTH,
        labels={name: scores.argmax(1).astype(np.int32) for name, scores in logits.items()},
        scores={name: scores.astype(np.float32) for name, scores in logits.items() if name not in labels_only},
    )
    return place


def zoo(place: Path, *, families: int = 6, copies: int = 3) -> Path:
    """Founders, each with copies."""
    logits: dict[str, np.ndarray] = {}
    parents: dict[str, str] = {}
    for number in range(families):
        logits[f"own-{number}"] = founder(number)
        for copy in range(copies):
            name = f"own-{number}-{copy}"
            logits[name] = copy_of(logits[f"own-{number}"], 10 * number + copy)
            parents[name] = f"own-{number}"
    return table_of(place, logits, parents)


def others(place: Path, *, count: int = 30) -> Path:
    """Models of others, without copies."""
    return table_of(place, {f"theirs-{number}": founder(1000 + number) for number in range(count)})
