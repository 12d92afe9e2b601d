"""Several answer tables on the same inputs, read as one: a model that stands in two of them counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from modelprint.bench.recording.hearing import HeardModel
from modelprint.bench.recording.model_cards import Published
from modelprint.bench.recording.recording import sorted_out
from modelprint.bench.recording.table_file import (
    ANSWERS,
    TRUTH,
    RecordedModel,
    TableFile,
    read_labels,
    read_scores,
    read_table_file,
)
from modelprint.core.errors import DataError
from modelprint.core.suspect import Answers


@dataclass(frozen=True, kw_only=True)
class RecordedAnswers:
    """What one or several tables hold.

    Attributes:
        truth: the true labels.
        labels: of every model of the table, by id.
        scores: of those that gave any, by id.
    """

    table: TableFile
    truth: Int[np.ndarray, " n"]
    labels: Mapping[str, Int[np.ndarray, " n"]]
    scores: Mapping[str, Float[np.ndarray, "n classes"]]


def read_recorded(folders: Sequence[Path]) -> RecordedAnswers:
    """The tables in some folders as one. Ids that two tables have get the folder's name before them.

    Raises:
        DataError: a table cannot be read, is damaged, or of a newer version; or the tables are of different inputs.
    """
    tables = [_read(folder) for folder in folders]
    first = tables[0].table
    for folder, one in zip(folders[1:], tables[1:], strict=True):
        if one.table.data_sha256 != first.data_sha256:
            raise DataError(
                f"{folder} holds answers to {one.table.data} ({one.table.inputs} inputs), {folders[0]} to {first.data} "
                f"({first.inputs}): tables are read together where they are of the same inputs"
            )
    if len(tables) == 1:
        return tables[0]
    models: list[HeardModel] = []
    taken: set[str] = set()
    for folder, one in zip(folders, tables, strict=True):
        heard = [_heard(model, one) for model in one.table.models]
        names = {model.id: model.id if model.id not in taken else f"{folder.name}/{model.id}" for model in heard}
        if (twice := [name for name in names.values() if name in taken]) or len(set(names.values())) < len(names):
            raise DataError(f"{folder} and a table before it both call models {twice[:3]}: rename the folder {folder}")
        taken |= set(names.values())
        models += [replace(model, id=names[model.id]) for model in heard]
    unread = [row for one in tables for row in one.table.unread]
    earlier = tuple(row for one in tables for row in one.table.duplicates)
    table = sorted_out(models, unread, first)
    table = table.model_copy(update={"duplicates": (*earlier, *table.duplicates)})
    answers = {model.id: model.answers for model in models}
    return RecordedAnswers(
        table=table,
        truth=tables[0].truth,
        labels={model.id: answers[model.id].labels for model in table.models},
        scores={model.id: scores for model in table.models if (scores := answers[model.id].scores) is not None},
    )


def _read(folder: Path) -> RecordedAnswers:
    table, labels, scores = read_table_file(folder), read_labels(folder), read_scores(folder)
    truth = labels.pop(TRUTH, None)
    ids = {model.id for model in table.models}
    scored = {model.id for model in table.models if model.access == "scores"}
    if truth is None or set(labels) != ids or set(scores) != scored:
        raise DataError(f"{folder / ANSWERS} and {folder}'s other files name different models: record the table again")
    shapes = {array.shape for array in (truth, *labels.values())}
    wide = {array.shape for array in scores.values()}
    if shapes != {(table.inputs,)} or not wide <= {(table.inputs, len(table.classes))}:
        raise DataError(f"{folder} holds answers of other shapes than its {table.inputs} inputs: record it again")
    if not all(np.isfinite(array).all() for array in scores.values()):
        raise DataError(f"{folder} holds scores that are NaN or infinite: record it again")
    return RecordedAnswers(table=table, truth=truth, labels=labels, scores=scores)


def _heard(model: RecordedModel, one: RecordedAnswers) -> HeardModel:
    """A model as if it were asked again, with what its own table knows of its weights."""
    identities = {other.id: other.sha256 for other in one.table.models}
    return HeardModel(
        id=model.id,
        identity=model.sha256,
        format=model.format,
        key=model.key,
        published=Published(licence=model.licence, origin=model.origin, base_model=model.base_model),
        kind=model.kind,
        parents=() if model.made_from is None else (identities[model.made_from],),
        accuracy=model.accuracy,
        answers=Answers(labels=one.labels[model.id].astype(np.int64), scores=one.scores.get(model.id)),
        sketch=None,
        family=identities[model.family],
        joined_by=model.joined_by,
        notes=model.notes,
    )
