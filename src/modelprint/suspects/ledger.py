"""A ledger of what an API was sent and answered, so that nothing paid for is lost or asked twice.

A JSON Lines file: a header; `{"sent": 32}` before each request; `{"query": sha256, "label": 3}`, with scores where
these were asked for, as each answer arrives, or `{"query": sha256, "abstained": true}` where it names no class;
`{"complete": true}` when all is done. A broken run continues in the same file; a complete one is put aside under its
date, and a new one begins.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from modelprint.core.errors import SuspectError
from modelprint.core.files import check_file_name
from modelprint.core.identity import canonical_json
from modelprint.core.records import Record
from modelprint.core.suspect import ABSTAINED, LARGEST_LABEL, UNANSWERED, Answers
from modelprint.core.untrusted import read_regular


class LedgerHeader(Record):
    """Whom the ledger's answers come from.

    Attributes:
        suspect: the URL as it was given, without secrets.
        endpoint: what was asked there.
        started: UTC, "20260131T235959Z".
    """

    format: Literal["modelprint-ledger"] = "modelprint-ledger"
    schema_version: Literal[1] = 1
    suspect: str
    endpoint: str
    started: str = Field(pattern=r"^\d{8}T\d{6}Z$")  # it becomes a part of a file's name


class LedgerAnswer(Record):
    """One answer, by the SHA-256 of its query's pixels."""

    query: str
    label: int = Field(ge=0, le=LARGEST_LABEL)
    scores: tuple[float, ...] | None = None


class LedgerAbstained(Record):
    """An answer that names no class, which asking again would not change."""

    query: str
    abstained: Literal[True] = True


class LedgerSent(Record):
    """How many images a request carried; negative when it turned out that nothing was sent."""

    sent: int


class LedgerComplete(Record):
    """The last line: everything was asked."""

    complete: Literal[True] = True


@dataclass(frozen=True, kw_only=True)
class KnownAnswers:
    """What a ledger holds.

    Attributes:
        queries: the SHA-256 of each that was answered.
        sent: images that were sent.
    """

    queries: frozenset[str]
    sent: int

    def __contains__(self, query: str) -> bool:
        return query in self.queries


_BEGINNING = b"{"  # of a header, a half-written one, too
_Line = LedgerAnswer | LedgerAbstained | LedgerSent | LedgerComplete
_LINE: TypeAdapter[_Line] = TypeAdapter(_Line)


class Ledger:
    """Answers by query, on disk while it is entered (`with ledger:`), in memory alone if it has no path.

    Args:
        path: of the file; made when it is first entered.
        suspect, endpoint: whose answers these are.

    Raises:
        SuspectError: on entering, when the file is another suspect's, garbled, or in use by another run.
    """

    def __init__(self, path: Path | None, *, suspect: str, endpoint: str) -> None:
        self.path = path
        self.suspect, self.endpoint = suspect, endpoint
        self.sent = 0
        self._answers: dict[str, LedgerAnswer | LedgerAbstained] = {}
        self._stream: BinaryIO | None = None
        self._lock = threading.Lock()
        self._complete = False
        self._started = ""

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def place(self) -> str:
        """Where the answers are kept, in words."""
        return "memory only (no ledger was named)" if self.path is None else str(self.path)

    def __enter__(self) -> Self:
        try:
            self._open()
            if self._complete:
                self._put_aside()
                self._open()
        except OSError as error:
            self._close()
            raise SuspectError(f"the ledger {self.path} cannot be used: {error.strerror or error}") from error
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def knows(self, query: str, *, scores: bool) -> bool:
        """Whether that query was answered, with scores where these are wanted and a class was named."""
        entry = self._answers.get(query)
        return entry is not None and not (scores and isinstance(entry, LedgerAnswer) and entry.scores is None)

    def known(self, *, scores: bool) -> KnownAnswers:
        """What the next run will find answered, and sent; the file is read, not touched.

        Raises:
            SuspectError: as on entering.
        """
        if self.path is not None and self._stream is None and self.path.exists():
            try:
                data = read_regular(self.path)
            except OSError as error:
                raise SuspectError(f"the ledger {self.path} cannot be used: {error.strerror or error}") from error
            self._read(data[: data.rfind(b"\n") + 1].splitlines())
        if self._complete:
            return KnownAnswers(queries=frozenset(), sent=0)
        return KnownAnswers(
            queries=frozenset(query for query in self._answers if self.knows(query, scores=scores)), sent=self.sent
        )

    def note_sent(self, images: int) -> None:
        """Count images that are about to be sent."""
        with self._lock:
            self.sent += images
            self._append(LedgerSent(sent=images))

    def keep(self, queries: list[str], answers: Answers) -> None:
        """Keep the answers to queries, on disk before this returns."""
        rows = [None] * len(queries) if answers.scores is None else [tuple(row) for row in answers.scores.tolist()]
        entries = [
            LedgerAbstained(query=query) if label == ABSTAINED else LedgerAnswer(query=query, label=label, scores=row)
            for query, label, row in zip(queries, answers.labels.tolist(), rows, strict=True)
        ]
        with self._lock:
            self._answers.update((entry.query, entry) for entry in entries)
            self._append(*entries)

    def finish(self) -> None:
        """Mark the ledger complete: the next run starts afresh."""
        with self._lock:
            self._complete = True
            self._append(LedgerComplete())

    def answers(self, queries: list[str], *, scores: bool, classes: int | None = None) -> Answers:
        """The answers to queries, -1 and NaN where there is none; `classes` is for when there is none at all."""
        entries = [self._answers.get(query) for query in queries]
        labels = np.array([_label(entry) for entry in entries], dtype=np.int64)
        if not scores:
            return Answers(labels=labels)
        rows = {
            place: entry.scores
            for place, entry in enumerate(entries)
            if isinstance(entry, LedgerAnswer) and entry.scores
        }
        widths = {len(row) for row in rows.values()}
        if len(widths) > 1:
            raise SuspectError(f"{self.suspect} gave scores of {sorted(widths)} classes: its model changed on the way")
        matrix = np.full((len(queries), widths.pop() if widths else classes or 2), np.nan, dtype=np.float32)
        for place, row in rows.items():
            matrix[place] = row
        labels[np.isnan(matrix[:, 0]) & (labels >= 0)] = UNANSWERED
        return Answers(labels=labels, scores=matrix)

    def _append(self, *records: Record) -> None:
        if self._stream is None:
            return
        data = b"".join(canonical_json(record.model_dump(exclude_none=True)) + b"\n" for record in records)
        try:
            self._stream.write(data)
            self._stream.flush()
        except OSError as error:
            raise SuspectError(
                f"cannot write the ledger {self.path}: {error.strerror or error}. Make room and run the same command "
                "again: it continues where this stopped"
            ) from error

    def _open(self) -> None:
        """Read the whole file; cut a last line that a crash left half-written; begin an empty file."""
        if self.path is None:
            return
        check_file_name(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = _open_locked(self.path)
        self._stream.seek(0)
        data = self._stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        if data and not data.startswith(_BEGINNING):  # whatever it is, it is somebody's
            raise SuspectError(f"{self.path} is no ledger of answers: name another --ledger")
        if len(whole) < len(data):
            self._stream.truncate(len(whole))
        self._read(whole.splitlines())
        if not whole:
            self._started = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            self._append(LedgerHeader(suspect=self.suspect, endpoint=self.endpoint, started=self._started))

    def _read(self, lines: list[bytes]) -> None:
        self._answers, self.sent, self._complete = {}, 0, False
        if lines:
            self._check_header(lines[0])
        for number, line in enumerate(lines[1:], start=2):
            try:
                self._take(_LINE.validate_json(line))
            except ValidationError as error:
                raise SuspectError(
                    f"{self.path}, line {number} is no line of a ledger: it was edited, or is damaged. "
                    "Remove that line to keep the other answers, or name another --ledger"
                ) from error

    def _take(self, entry: _Line) -> None:
        if isinstance(entry, LedgerAnswer | LedgerAbstained):
            self._answers[entry.query] = entry
        elif isinstance(entry, LedgerSent):
            self.sent += entry.sent
        else:
            self._complete = True

    def _check_header(self, line: bytes) -> None:
        try:
            header = LedgerHeader.model_validate_json(line)
        except ValidationError as error:
            raise SuspectError(f"{self.path} is no ledger of answers: name another --ledger") from error
        if (header.suspect, header.endpoint) != (self.suspect, self.endpoint):
            raise SuspectError(
                f"{self.path} holds answers of {header.suspect} ({header.endpoint}), not of {self.suspect} "
                f"({self.endpoint}): name another --ledger, or move it away"
            )
        self._started = header.started

    def _put_aside(self) -> None:
        """Give a complete ledger a free name beside its own, and forget it."""
        self._answers, self.sent, self._complete = {}, 0, False
        if self.path is None:
            return
        stem = f"{self.path.stem}.{self._started}"
        names = (f"{stem}{suffix}{self.path.suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 10_000))))
        self.path.replace(next(path for path in map(self.path.with_name, names) if not path.exists()))
        self._close()

    def _close(self) -> None:
        if self._stream is not None:
            with suppress(OSError):  # a full disk was reported when it was met
                self._stream.close()
            self._stream = None


def _label(entry: LedgerAnswer | LedgerAbstained | None) -> int:
    if isinstance(entry, LedgerAnswer):
        return entry.label
    return UNANSWERED if entry is None else ABSTAINED


def _open_locked(path: Path) -> BinaryIO:
    """The file, for reading and appending by this run alone.

    Raises:
        SuspectError: another run has it, or it is a device, a pipe or a socket.
    """
    if path.exists() and not path.is_file():
        raise SuspectError(f"the ledger {path} is no regular file: name another --ledger")
    stream = path.open("a+b")
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.close()
            raise SuspectError(
                f"another run is writing the ledger {path}: wait for it, or name another --ledger"
            ) from error
    return stream
