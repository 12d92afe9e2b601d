"""An answer table on disk: a folder of four files, none of which holds a weight or an input.

`table.json` says what was asked and who answered; `answers.npz` and `families.json` are the two files of
`bench answers`; `scores.safetensors` holds the scores of the models that gave any, as they gave them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from modelprint.core.errors import DataError
from modelprint.core.files import write_folder
from modelprint.core.records import Record
from modelprint.core.untrusted import read_regular
from modelprint.data.arrays import read_npz_arrays

TABLE, ANSWERS, FAMILIES, SCORES = "table.json", "answers.npz", "families.json", "scores.safetensors"
TRUTH = "ground_truth"
SCHEMA = 1

AlikeBy = Literal["file", "weights", "scores", "labels"]


class RecordedModel(Record):
    """A model whose answers the table holds.

    Attributes:
        id: under which its answers stand.
        sha256: of its file, as the loader names it; of an address, the address.
        format: of its file: "safetensors", "onnx" ...; "answers", "address".
        licence, origin, base_model: as `models.toml` or its model card says; null: nobody says.
        access: whether the table has its scores, or labels alone.
        accuracy: on the table's inputs.
        kind: SAST ... OTHER, as `models.toml` says.
        made_from: the id of the model of this table that it was made from, as its card or `models.toml` says.
        family: the id of the first model of its family: those that were made from each other, and those that are more
            alike than independent models are.
        joined_by: where nobody says what it was made from: what makes it one family with another model (its weights,
            scores or labels), how far apart they are, and from which.
        notes: what was seen when it was opened.
        key: SHA-256 of everything that decides the answers; the same key, the same answers.
    """

    id: str
    sha256: str
    format: str
    licence: str | None = None
    origin: str | None = None
    base_model: str | None = None
    access: Literal["labels", "scores"]
    accuracy: float
    kind: str | None = None
    made_from: str | None = None
    family: str
    joined_by: str | None = None
    notes: tuple[str, ...] = ()
    key: str


class DuplicateModel(Record):
    """A model that is another one, saved again: named, and not counted.

    Attributes:
        of: the id of the model that stands for it.
        by: what shows it: the file's bytes, its weights, its scores, or its labels.
        distance: of weights or scores, relative to their size.
    """

    id: str
    sha256: str
    format: str
    licence: str | None = None
    origin: str | None = None
    of: str
    by: AlikeBy
    distance: float | None = None


class UnreadModel(Record):
    """A model that could not be read, does not fit, or knows nothing of the task; and why."""

    id: str
    error: str


class TableFile(Record):
    """What an answer table says of itself.

    Attributes:
        data: what the inputs were called; `data_sha256`: over inputs and labels, which stay where they are.
        inputs: how many.
        provenance: versions, machine, date.
    """

    format: Literal["modelprint-answer-table"] = "modelprint-answer-table"
    schema_version: Literal[1] = 1
    data: str
    data_sha256: str
    modality: str
    inputs: int = Field(ge=1)
    classes: tuple[str, ...]
    models: tuple[RecordedModel, ...]
    duplicates: tuple[DuplicateModel, ...] = ()
    unread: tuple[UnreadModel, ...] = ()
    provenance: dict[str, Any] = Field(default_factory=dict)

    @property
    def parents(self) -> dict[str, str]:
        """The id of the model that each one was made from, by word; its own, if from none."""
        return {model.id: model.made_from or model.id for model in self.models}


def is_table(path: Path) -> bool:
    """Whether a path is an answer table's folder."""
    return (path / TABLE).is_file()


def read_table_file(folder: Path) -> TableFile:
    """What a table says of itself.

    Raises:
        DataError: it cannot be read, or a newer version wrote it.
    """
    path = folder / TABLE
    try:
        fields = json.loads(read_regular(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}): record the table again") from error
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > SCHEMA:
        raise DataError(
            f"{folder} is an answer table of version {version}, this modelprint reads up to version {SCHEMA}: "
            "install a newer modelprint"
        )
    try:
        return TableFile.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path} is no answer table ({where + ': ' if where else ''}{first['msg']})") from error


def read_labels(folder: Path) -> dict[str, np.ndarray]:
    """The labels of every model by id, and the true ones.

    Raises:
        DataError: they cannot be read.
    """
    return read_npz_arrays(folder / ANSWERS)


def read_scores(folder: Path) -> dict[str, np.ndarray]:
    """The scores of each model that gave some, float32 (n, classes) by id.

    Raises:
        DataError: they cannot be read.
    """
    path = folder / SCORES
    if not path.exists():
        return {}
    try:
        arrays = load(read_regular(path))
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}): record the table again") from error
    return {name: scores.astype(np.float32) for name, scores in arrays.items()}


def write_table(
    folder: Path,
    table: TableFile,
    *,
    truth: np.ndarray,
    labels: Mapping[str, np.ndarray],
    scores: Mapping[str, np.ndarray],
) -> None:
    """Write a table, whole or not at all; an older one at the place is replaced.

    Raises:
        ModelprintError: the place cannot be written, or is something else.
    """
    files = {
        TABLE: (table.model_dump_json(indent=1) + "\n").encode(),
        FAMILIES: (json.dumps(table.parents, indent=1) + "\n").encode(),
        ANSWERS: _npz({TRUTH: truth, **labels}),
        SCORES: save({name: np.ascontiguousarray(array) for name, array in scores.items()}),
    }
    write_folder(folder, files)


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A compressed npz, the same bytes for the same answers; `np.savez` could not write every id."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, whenever it is written
            member.external_attr = 0o600 << 16
            archive.writestr(member, content.getvalue(), zipfile.ZIP_DEFLATED)
    return stream.getvalue()
