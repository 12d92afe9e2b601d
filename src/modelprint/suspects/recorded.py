"""Recorded answers: `answers.jsonl` or `answers.npz`, asked now and judged later.

A JSON Lines file starts with a header, then holds one line per answered query:

    {"format": "modelprint-answers", "access": "labels", "suspect": "https://...", "fingerprint": "sha256:...", ...}
    {"index": 0, "query": "9f86d08...", "label": 3, "scores": null}

A label of null says that the suspect abstained: it answered, but named no class. An npz file, where that is -2, holds
the same as arrays `header` (the JSON), `index`, `query`, `label` and, with scores, `scores`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from modelprint.core.access import Access
from modelprint.core.errors import DataError, MisfitError, SuspectError
from modelprint.core.files import write_bytes
from modelprint.core.identity import canonical_json, stored_hashes
from modelprint.core.records import Record
from modelprint.core.suspect import ABSTAINED, LARGEST_LABEL, UNANSWERED, Answers, Suspect
from modelprint.core.untrusted import read_regular
from modelprint.data.arrays import read_npz_arrays

RecordT = TypeVar("RecordT", bound=Record)
_HASH = r"^[0-9a-f]{64}$"


class RecordingHeader(Record):
    """What a recording says about itself.

    Attributes:
        access: what was asked for.
        suspect: who answered, "sha256:..." or a URL.
        fingerprint: whose queries were asked, where they are a fingerprint's.
        queries: how many were to be asked, plain inputs included; fewer answers mean that some are missing.
        budget: the most queries of these that were put, where not all were: judged by, too, unless a user says
            otherwise.
        lacking: classes of the fingerprint that the suspect cannot answer.
    """

    format: Literal["modelprint-answers"] = "modelprint-answers"
    schema_version: Literal[1] = 1
    access: Literal["labels", "scores"]
    suspect: str
    fingerprint: str | None = None
    queries: int = Field(ge=0)
    budget: int | None = Field(default=None, ge=1)
    lacking: tuple[int, ...] = ()

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What was added to the format later stands in a file only where it says something."""
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if name not in ("budget", "lacking") or value}


class RecordedAnswer(Record):
    """One answer.

    Attributes:
        index: of the query, from 0.
        query: SHA-256 of the stored query, in hexadecimal.
        label: the class; null where the suspect abstained.
        scores: as given; null where only labels were asked for.
    """

    index: int = Field(ge=0, le=LARGEST_LABEL)
    query: str = Field(pattern=_HASH)
    label: int | None = Field(ge=0, le=LARGEST_LABEL)
    scores: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Answers to queries that are known by their hashes.

    Attributes:
        index: int64 (k,), of the answered queries.
        queries: the SHA-256 of each.
        answers: k answers.
    """

    header: RecordingHeader
    index: np.ndarray
    queries: tuple[str, ...]
    answers: Answers


def record(
    images: np.ndarray,
    answers: Answers,
    *,
    suspect: str,
    fingerprint: str | None = None,
    budget: int | None = None,
    further: tuple[np.ndarray, Answers] | None = None,
    lacking: Iterable[int] = (),
) -> Recording:
    """The recording of the answers to stored inputs (n, ...); unanswered ones are left out.

    Args:
        budget: the most queries that were put, where that is not all.
        further: stored inputs that are no queries, and the answers to them; numbered after the queries.
        lacking: classes that the suspect cannot answer.
    """
    index = np.flatnonzero(answers.answered | answers.abstained)
    queries = stored_hashes(images[index])
    total, heard = len(images), answers.take(index)
    if further is not None and (beside := np.flatnonzero(further[1].answered | further[1].abstained)).size:
        index = np.concatenate([index, total + beside])
        queries += stored_hashes(further[0][beside])
        total, heard = total + len(further[0]), heard.joined(further[1].take(beside))
    return Recording(
        header=RecordingHeader(
            access="labels" if answers.scores is None else "scores",
            suspect=suspect,
            fingerprint=fingerprint,
            queries=total,
            budget=budget,
            lacking=tuple(sorted(lacking)),
        ),
        index=index,
        queries=tuple(queries),
        answers=heard,
    )


def write_recording(path: Path | str, recording: Recording) -> None:
    """Write a recording, whole or not at all; the suffix, .jsonl or .npz, says how.

    Raises:
        ModelprintError: the place cannot be written.
        SuspectError: another suffix.
    """
    path = Path(path)
    if path.suffix == ".jsonl":
        write_bytes(path, recording_bytes(recording))
    elif path.suffix == ".npz":
        arrays = {
            "header": np.array(recording.header.model_dump_json()),
            "index": recording.index.astype(np.int64),
            "query": np.array(recording.queries, dtype="S64"),
            "label": recording.answers.labels.astype(np.int64),
        }
        if recording.answers.scores is not None:
            arrays["scores"] = recording.answers.scores.astype(np.float32)
        stream = io.BytesIO()
        np.savez_compressed(stream, allow_pickle=False, **arrays)
        write_bytes(path, stream.getvalue())
    else:
        raise SuspectError(f"{path}: recorded answers are .jsonl or .npz files")


def recording_bytes(recording: Recording) -> bytes:
    """The recording as JSON Lines, always the same bytes for the same answers."""
    return b"".join(canonical_json(line.model_dump()) + b"\n" for line in _lines(recording))


def read_recording(path: Path | str) -> Recording:
    """Read a recording.

    Raises:
        SuspectError: missing, truncated or garbled; the message names the line.
    """
    path = Path(path)
    return _read_jsonl(path) if path.suffix == ".jsonl" else _read_npz(path)


class RecordedSuspect(Suspect):
    """A suspect that answers from a recording, by the hash of each query.

    Args:
        recording: what was recorded.
        who: the file, for messages.
        fingerprint: the identity of the fingerprint that is going to ask, where there is one.
        notes: what a user should know of how it was read.
        checked: whether each answer names its query by hash, and not only by number.
    """

    free = False  # other images than the recorded ones cannot be asked

    def __init__(
        self,
        recording: Recording,
        *,
        who: str = "the recording",
        fingerprint: str | None = None,
        notes: tuple[str, ...] = (),
        checked: bool = True,
    ) -> None:
        self.notes = notes
        self.checked = checked
        self._same_set = fingerprint is not None and recording.header.fingerprint == fingerprint
        self.recording = recording
        self.who = who
        self.identity = recording.header.suspect
        self.access = Access.parse(recording.header.access)
        self.budget = recording.header.budget
        self.lacking = frozenset(recording.header.lacking)
        self._place = {query: place for place, query in reversed(list(enumerate(recording.queries)))}

    def knows(self, stored: np.ndarray) -> np.ndarray:
        """A mask (n,) of the stored inputs that it holds an answer to."""
        return np.array([query in self._place for query in stored_hashes(stored)], dtype=bool)

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        places = np.array([self._place.get(query, UNANSWERED) for query in stored_hashes(images)], dtype=np.int64)
        recorded = places != UNANSWERED
        header = self.recording.header
        complete = len(self.recording.queries) == header.queries
        if not recorded.all() and not self._same_set and (complete or not recorded.any()):
            raise MisfitError(
                f"{self.who} holds answers to other queries: {(~recorded).sum()} of these {len(images)} are not among "
                f"the {header.queries} of {header.fingerprint or 'an unnamed set'} that it was recorded for. "
                "Use that fingerprint, or record again"
            )
        labels = np.full(len(images), UNANSWERED, dtype=np.int64)
        labels[recorded] = self.recording.answers.labels[places[recorded]]
        if self.recording.answers.scores is None:
            return Answers(labels=labels)
        scores = np.full((len(images), self.recording.answers.scores.shape[1]), np.nan, dtype=np.float32)
        scores[recorded] = self.recording.answers.scores[places[recorded]]
        return Answers(labels=labels, scores=scores)


def _lines(recording: Recording) -> list[Record]:
    scores = recording.answers.scores
    labels = [None if label == ABSTAINED else label for label in recording.answers.labels.tolist()]
    rows = [
        None if scores is None or label is None else tuple(scores[place].tolist()) for place, label in enumerate(labels)
    ]
    columns = zip(recording.index.tolist(), recording.queries, labels, rows, strict=True)
    return [
        recording.header,
        *(RecordedAnswer(index=index, query=query, label=label, scores=row) for index, query, label, row in columns),
    ]


def _read_jsonl(path: Path) -> Recording:
    try:
        data = read_regular(path)
    except OSError as error:
        raise SuspectError(f"{path} cannot be read: {error.strerror or error}") from error
    return parse_recording(data, path)


def parse_recording(data: bytes, path: Path) -> Recording:
    """A recording from JSON Lines; `path` is its place, for messages.

    Raises:
        SuspectError: truncated or garbled; the message names the line.
    """
    lines = data.split(b"\n")
    header = _parse(RecordingHeader, lines[0], path, 1)
    entries = [
        _parse(RecordedAnswer, line, path, number)
        for number, line in enumerate(lines[1:], start=2)
        if line or number < len(lines)  # the last newline ends the last line
    ]
    width = next((len(entry.scores) for entry in entries if entry.scores is not None), 0)
    for number, entry in enumerate(entries, start=2):
        without = header.access == "labels" or entry.label is None
        if (entry.scores is None) != without or (entry.scores is not None and len(entry.scores) != width):
            raise SuspectError(f"{path}, line {number}: its scores do not fit the header's access or the first line's")
    rows = [entry.scores or (np.nan,) * width for entry in entries]
    return _assembled(
        path,
        header,
        index=np.array([entry.index for entry in entries], dtype=np.int64),
        queries=tuple(entry.query for entry in entries),
        labels=np.array([ABSTAINED if entry.label is None else entry.label for entry in entries], dtype=np.int64),
        scores=None
        if header.access == "labels"
        else _as_floats(np.array(rows, dtype=np.float64)).reshape(len(rows), width),
    )


def _parse(kind: type[RecordT], line: bytes, path: Path, number: int) -> RecordT:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SuspectError(
            f"{path}, line {number} is no {'header' if number == 1 else 'answer'} of a recording "
            f"({where + ': ' if where else ''}{first['msg']}): the file is truncated or garbled, record again"
        ) from error


def _read_npz(path: Path) -> Recording:
    try:
        arrays = read_npz_arrays(path)
        header = RecordingHeader.model_validate_json(str(arrays["header"]))
        queries = tuple(name.decode("ascii") for name in arrays["query"].astype("S64").tolist())
        return _assembled(
            path,
            header,
            index=arrays["index"].astype(np.int64, casting="safe"),
            queries=queries,
            labels=arrays["label"].astype(np.int64, casting="safe"),
            scores=_as_floats(arrays["scores"]) if header.access == "scores" else None,
        )
    except DataError as error:
        raise SuspectError(str(error)) from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise SuspectError(f"{path} is no recording of answers ({reason}): it is garbled, record again") from error


def _as_floats(scores: np.ndarray) -> np.ndarray:
    """The scores as float32; those that are too large for it become infinite, and are refused as these are."""
    with np.errstate(over="ignore"):
        return scores.astype(np.float32, casting="same_kind")


def _assembled(
    path: Path,
    header: RecordingHeader,
    *,
    index: np.ndarray,
    queries: tuple[str, ...],
    labels: np.ndarray,
    scores: np.ndarray | None,
) -> Recording:
    """The recording, if its parts fit together."""
    count = len(queries)
    if index.shape != (count,) or labels.shape != (count,) or (scores is not None and len(scores) != count):
        raise SuspectError(f"{path}: {count} queries, but {len(index)} indices and {len(labels)} labels")
    if scores is not None and scores.ndim != 2:
        raise SuspectError(f"{path}: scores are of shape {scores.shape}, expected a row of classes for each answer")
    if count and (index.min() < 0 or index.max() >= header.queries or len(np.unique(index)) != count):
        raise SuspectError(f"{path}: indices must be distinct and below the {header.queries} queries of its header")
    top = np.inf if scores is None else scores.shape[1] - 1
    answers = Answers(labels=labels, scores=scores)
    named = labels[~answers.abstained]
    if len(named) and (named.min() < 0 or named.max() > top):
        raise SuspectError(f"{path}: labels run from {named.min()} to {named.max()}, expected classes from 0 to {top}")
    if scores is not None and not np.isfinite(scores[~answers.abstained]).all():
        raise SuspectError(f"{path}: scores hold NaN or infinite values")
    return Recording(header=header, index=index, queries=queries, answers=answers)
