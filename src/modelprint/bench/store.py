"""A benchmark's folder: a fingerprint for each enrolment, and the results of cells, each file whole or absent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from modelprint.core.errors import IntegrityError
from modelprint.core.files import write_bytes, write_text
from modelprint.core.identity import digest_json
from modelprint.core.records import Record
from modelprint.core.verdict import Outcome, Relation


class Judgement(Record):
    """What `verify` says of a suspect at one level of access, given every answer that it gives.

    Attributes:
        threshold, p_value: by the calibration models on the queries that the suspect answered; None without a score,
            and where the calibration models are too few.
        relation: the story that the verdict tells, where the scheme tells one.
        classes: the source's class of each of the suspect's, where they were matched.
        reason: why the verdict is inconclusive.
    """

    verdict: Outcome
    score: float | None
    threshold: float | None = None
    p_value: float | None = None
    relation: Relation | None = None
    classes: tuple[int, ...] | None = None
    reason: str | None = None


class CellResult(Record):
    """What came of a cell.

    Attributes:
        cell: its identity; `suspect`: the id, for people.
        scores: under the access level; empty where the scheme cannot compare the two models.
        judged: what a verifier says, under the access level; of calibration models, nothing.
        judged_by: the identity of the fingerprint with its calibration, and of alpha.
        details: the scheme's own figures.
        forward_seconds, seconds: of processor time, in the suspect's forward pass, and altogether.
        regions: the suspect's labels on the fingerprint's planar slice, one letter each.
        error: why there is no score.
    """

    cell: str
    suspect: str
    scores: dict[str, float] = Field(default_factory=dict)
    judged: dict[str, Judgement] = Field(default_factory=dict)
    judged_by: str | None = None
    details: dict[str, float] = Field(default_factory=dict)
    forward_seconds: float = 0.0
    seconds: float = 0.0
    regions: str | None = None
    error: str | None = None

    def stands(self, judged_by: str | None) -> bool:
        """Whether the cell need not be filled again: it did not fail, and was judged by this calibration, if by any."""
        return self.error is None and judged_by in (None, self.judged_by)


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


class CalibrationRecord(Record):
    """The calibration models of a fingerprint, which were asked.

    Attributes:
        members: the identities of their cells, in the order of the fingerprint.
        fingerprint: the identity of the fingerprint that holds their answers.
        thresholds: under the access level, for suspects that answer every query; None where the models are too few.
    """

    enrolment: str
    members: tuple[str, ...]
    alpha: float
    fingerprint: str
    thresholds: dict[str, float | None]

    def fits(self, members: tuple[str, ...], alpha: float) -> bool:
        """Whether these calibration models were asked, all of them, and thresholds set at this alpha."""
        return (self.members, self.alpha) == (members, alpha)

    @property
    def identity(self) -> str:
        """What verdicts depend on, besides the suspect."""
        return digest_json({"fingerprint": self.fingerprint, "alpha": self.alpha})


_CELLS = TypeAdapter(list[CellResult])
Written = TypeVar("Written", CraftRecord, CalibrationRecord)


class Store:
    """A benchmark's folder, read and written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fingerprint(self, enrolment: str) -> Path:
        """Where the fingerprint of an enrolment is, or will be."""
        return self.folder / "fingerprints" / _short(enrolment)

    def calibrated(self, enrolment: str) -> Path:
        """Where the same fingerprint with its calibration models is, or will be."""
        return self.folder / "calibrated" / _short(enrolment)

    def calibration(self, enrolment: str) -> CalibrationRecord | None:
        """What is known of a fingerprint's calibration; None before its models are asked.

        Raises:
            IntegrityError: the record is damaged.
        """
        return _read(self._calibration_record(enrolment), CalibrationRecord)

    def note_calibration(self, record: CalibrationRecord) -> None:
        """Remember a calibration; written last, so that what it tells of is whole."""
        write_text(self._calibration_record(record.enrolment), record.model_dump_json() + "\n")

    def crafted(self, enrolment: str) -> CraftRecord | None:
        """What is known of a fingerprint; None before it is made.

        Raises:
            IntegrityError: the record is damaged.
        """
        return _read(self._record(enrolment), CraftRecord)

    def note(self, record: CraftRecord) -> None:
        """Remember a fingerprint; written last, so that what it tells of is whole."""
        write_text(self._record(record.enrolment), record.model_dump_json() + "\n")

    def write(self, results: Sequence[CellResult]) -> None:
        """Remember the results of some cells, in one file."""
        name = _short(digest_json([result.cell for result in results]))
        write_bytes(self.folder / "cells" / f"{name}.json", _CELLS.dump_json(list(results)) + b"\n")

    def cells(self) -> dict[str, CellResult]:
        """Every result, by cell; a score outlives a failure, and of scores the one that was written last.

        Raises:
            IntegrityError: a file is damaged.
        """
        known: dict[str, CellResult] = {}
        paths = (self.folder / "cells").glob("*.json")
        for path in sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name)):
            try:
                results = _CELLS.validate_json(path.read_bytes())
            except ValidationError as error:
                raise IntegrityError(f"{path} is damaged ({error}): remove it and run again") from error
            for result in results:
                if _outlives(result, known.get(result.cell)):
                    known[result.cell] = result
        return known

    def _record(self, enrolment: str) -> Path:
        return self.folder / "fingerprints" / f"{_short(enrolment)}.json"

    def _calibration_record(self, enrolment: str) -> Path:
        return self.folder / "calibrated" / f"{_short(enrolment)}.json"


def _outlives(result: CellResult, earlier: CellResult | None) -> bool:
    return earlier is None or earlier.error is not None or result.error is None


def _read(path: Path, kind: type[Written]) -> Written | None:
    if not path.is_file():
        return None
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise IntegrityError(f"{path} is damaged ({error}): remove it and run again") from error


def _short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:32]
