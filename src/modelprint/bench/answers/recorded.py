"""Answer tables that `bench record` wrote, as the judge takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelprint.bench.answers.table import AnswerTable, as_labels, read_table
from modelprint.bench.recording.combining import read_recorded
from modelprint.bench.recording.table_file import is_table
from modelprint.core.errors import UsageError


def read_tables(tables: Sequence[Path], families: Path | None = None) -> AnswerTable:
    """One TABLE.npz with its families, or the tables of one or several folders, read as one.

    Raises:
        UsageError: families are missing or stand beside a folder that has its own; npz files beside others.
        DataError: a table cannot be read, or tables are of different inputs.
    """
    folders = [path for path in tables if is_table(path) or path.is_dir()]
    if not folders and len(tables) == 1:
        if families is None:
            raise UsageError(f"{tables[0]}: say with --families which model came from which")
        return read_table(tables[0], families)
    if len(folders) < len(tables):
        raise UsageError("several tables are read as one where each is a folder that bench record wrote")
    if families is not None:
        raise UsageError(f"--families: {folders[0]} says itself which model came from which; leave it out")
    recorded = read_recorded(folders)
    models = recorded.table.models
    place = {model.id: number for number, model in enumerate(models)}
    return AnswerTable(
        ids=tuple(place),
        labels=np.stack([as_labels(recorded.labels[name], who=name) for name in place]),
        truth=as_labels(recorded.truth, who=str(folders[0])),
        parents=np.array([place[model.made_from or model.id] for model in models], dtype=np.int64),
        kin=np.array([place[model.family] for model in models], dtype=np.int64),
        scores=recorded.scores,
        kinds={model.id: model.kind for model in models if model.kind is not None},
    )
