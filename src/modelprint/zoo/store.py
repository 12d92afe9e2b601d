"""A zoo's folder: one weights file for each recipe, and `zoo.json`, which tells what they are worth.

A zoo whose plan names `records` keeps one record for each model, too: a model whose record is there counts as made,
whether its weights are there or not.

Files appear whole, by renaming. What a killed build leaves is at most a hidden temporary file, which the next one
sweeps up. One build at a time works on a folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from modelprint.core.errors import IntegrityError
from modelprint.core.files import write_text
from modelprint.core.records import Record
from modelprint.zoo.plan import Plan
from modelprint.zoo.recording import RECORDS, SUFFIX

INDEX = "zoo.json"
REMADE = "remade.jsonl"  # one `Remade` a line


class Measured(Record):
    """What is known of a model that was made.

    Attributes:
        id, identity, file: of its entry in the plan.
        sha256: of the file.
        accuracy: on the holdout (of its own classes, after transfer).
        agreements: with each source, on the holdout's images; empty where the classes differ.
        seconds: of processor time that making took, on one thread; None where unknown.
    """

    id: str
    identity: str
    file: str
    sha256: str
    size: int
    accuracy: float
    agreements: dict[str, float]
    seconds: float | None = None


class Failure(Record):
    """A model that could not be made; the next build tries again."""

    id: str
    identity: str
    error: str


class Remade(Record):
    """A recorded model whose weights were gone, made again from its recipe because others are made from it.

    Another machine may round otherwise: then the weights are not the same ones, and neither are their copies'.

    Attributes:
        first, now: SHA-256 of its file when it was recorded, and of the one that was made again.
    """

    id: str
    first: str
    now: str


class Index(Record):
    """What `zoo.json` holds."""

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    zoo: str
    plan: str
    models: tuple[Measured, ...] = ()
    failures: tuple[Failure, ...] = ()


class Store:
    """A zoo's folder, read and written.

    Attributes:
        models: what is known, under the identity of the recipe.
        failures: likewise.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.plan = plan
        index = self._read()
        planned = plan.by_identity()
        self.models: dict[str, Measured] = {
            row.identity: row.model_copy(update={"id": planned[row.identity].id})
            for row in index.models
            if row.identity in planned and ((folder / row.file).is_file() or self.record_of(row.file) is not None)
        }
        self.failures: dict[str, Failure] = {
            row.identity: row for row in index.failures if row.identity in planned and row.identity not in self.models
        }

    def _read(self) -> Index:
        path = self.folder / INDEX
        if not path.is_file():
            return Index(zoo=self.plan.name, plan=self.plan.identity)
        try:
            return Index.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise IntegrityError(
                f"{path} is not an index this version reads ({error}): remove it, and the next build measures anew"
            ) from error

    def path(self, file: str) -> Path:
        """Where a file of the zoo is."""
        return self.folder / file

    def record_path(self, file: str) -> Path:
        """Where the record of a model is, or will be."""
        return self.folder / RECORDS / Path(file).with_suffix(SUFFIX)

    def record_of(self, file: str) -> Path | None:
        """The record of a model, where there is one."""
        path = self.record_path(file)
        return path if path.is_file() else None

    def record(self, row: Measured | Failure) -> None:
        """Remember a model, or that it failed, and write the index."""
        if isinstance(row, Measured):
            self.models[row.identity] = row
            self.failures.pop(row.identity, None)
        else:
            self.failures[row.identity] = row
        self.write()

    def note_remade(self, row: Remade) -> None:
        """Remember that a model was made again, with other weights than those that were recorded."""
        path = self.folder / REMADE
        earlier = path.read_text() if path.is_file() else ""
        line = row.model_dump_json() + "\n"
        if line not in earlier:
            write_text(path, earlier + line)

    def write(self) -> None:
        """Write the index, in the plan's order."""
        index = Index(
            zoo=self.plan.name,
            plan=self.plan.identity,
            models=_in_order(self.plan, self.models),
            failures=_in_order(self.plan, self.failures),
        )
        write_text(self.folder / INDEX, index.model_dump_json(by_alias=True, indent=1) + "\n")

    def sweep(self) -> None:
        """Remove the temporary files of builds that were killed."""
        for pattern in (".*.safetensors.*", f".{INDEX}.*", f"{RECORDS}/.*{SUFFIX}.*"):
            for left in self.folder.glob(pattern):
                left.unlink(missing_ok=True)


Row = TypeVar("Row")


def _in_order(plan: Plan, rows: Mapping[str, Row]) -> tuple[Row, ...]:
    return tuple(rows[entry.identity] for entry in plan.entries if entry.identity in rows)
