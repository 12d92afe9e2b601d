"""A benchmark's folder: a fingerprint for each enrolment, and the results of cells, each file whole or absent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from modelprint.core.errors import IntegrityError
from modelprint.core.files import write_bytes, write_text
from modelprint.core.identity import digest_json
from modelprint.core.records import Record


class CellResult(Record):
    """What came of a cell.

    Attributes:
        cell: its identity; `suspect`: the id, for people.
        scores: under the access level; empty where the scheme cannot compare the two models.
        details: the scheme's own figures.
        forward_seconds, seconds: of processor time, in the suspect's forward pass, and altogether.
        regions: the suspect's labels on the fingerprint's planar slice, one letter each.
        error: why there is no score.
    """

    cell: str
    suspect: str
    scores: dict[str, float] = Field(default_factory=dict)
    details: dict[str, float] = Field(default_factory=dict)
    forward_seconds: float = 0.0
    seconds: float = 0.0
    regions: str | None = None
    error: str | None = None


class CraftRecord(Record):
    """What making a fingerprint took, or why there is none.

    Attributes:
        queries: how many it holds.
        distinct: the share of neighbouring queries of a group that differ once rounded to 8 bits.
    """

    enrolment: str
    seconds: float = 0.0
    queries: int = 0
    distinct: float | None = None
    error: str | None = None


_CELLS = TypeAdapter(list[CellResult])


class Store:
    """A benchmark's folder, read and written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fingerprint(self, enrolment: str) -> Path:
        """Where the fingerprint of an enrolment is, or will be."""
        return self.folder / "fingerprints" / _short(enrolment)

    def crafted(self, enrolment: str) -> CraftRecord | None:
        """What is known of a fingerprint; None before it is made.

        Raises:
            IntegrityError: the record is damaged.
        """
        path = self._record(enrolment)
        if not path.is_file():
            return None
        try:
            return CraftRecord.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise IntegrityError(f"{path} is damaged ({error}): remove it and run again") from error

    def note(self, record: CraftRecord) -> None:
        """Remember a fingerprint; written last, so that what it tells of is whole."""
        write_text(self._record(record.enrolment), record.model_dump_json() + "\n")

    def write(self, results: Sequence[CellResult]) -> None:
        """Remember the results of some cells, in one file."""
        name = _short(digest_json([result.cell for result in results]))
        write_bytes(self.folder / "cells" / f"{name}.json", _CELLS.dump_json(list(results)) + b"\n")

    def cells(self) -> dict[str, CellResult]:
        """Every result, by cell; a score outlives a failure.

        Raises:
            IntegrityError: a file is damaged.
        """
        found: dict[str, CellResult] = {}
        for path in sorted((self.folder / "cells").glob("*.json")):
            try:
                results = _CELLS.validate_json(path.read_bytes())
            except ValidationError as error:
                raise IntegrityError(f"{path} is damaged ({error}): remove it and run again") from error
            for result in results:
                if result.cell not in found or found[result.cell].error is not None:
                    found[result.cell] = result
        return found

    def _record(self, enrolment: str) -> Path:
        return self.folder / "fingerprints" / f"{_short(enrolment)}.json"


def _short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:32]
