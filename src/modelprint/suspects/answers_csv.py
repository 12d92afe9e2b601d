"""Answers by hand: one CSV file with a line for each query, its label and, if there are any, its scores.

    index,label                     file,label                  query,label,cat,dog
    0,cat                           000000.png,cat              9f86d08...,cat,.9,.1
    1,dog                           000001.png,                 ab8c012...,dog,.2,.8

A query is named by its `index`, by the `file` that `inspect --export-queries` wrote, or by `query`, the SHA-256 of its
input, as `index.csv` of the export has it; with the last, answers to another export are noticed. A label is a class
name or a class number, empty where there was no answer. Columns that are called like classes hold scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from modelprint.core.errors import MisfitError, SuspectError
from modelprint.core.suspect import ABSTAINED, Answers
from modelprint.suspects.csv_columns import TEMPLATE, Columns, Places
from modelprint.suspects.csv_table import LARGEST, MOST_ROWS, Table, read_table
from modelprint.suspects.interpret import ClassIndex, class_of
from modelprint.suspects.options import AskedInputs
from modelprint.suspects.recorded import Recording, RecordingHeader

LARGEST_SCORE = 1e38
SCORE_BYTES = 32  # of one score as text, at most


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """What a CSV file says.

    Attributes:
        recording: the answers, by the hash of each query.
        notes: what a user should know of how it was read.
        checked: whether lines name queries by their hashes.
    """

    recording: Recording
    notes: tuple[str, ...]
    checked: bool


def read_answers_csv(
    path: Path, *, asked: Sequence[AskedInputs], index: ClassIndex, fingerprint: str | None = None
) -> ByHand:
    """The answers in a CSV file.

    Args:
        asked: what each fingerprint that is going to ask holds.
        index: how class names become class numbers.
        fingerprint: the identity of who is going to ask.

    Raises:
        SuspectError: no such file, no such table, or a line that makes no sense; the message names the line.
    """
    count = sum(len(one.queries) + len(one.further) for one in asked)
    largest = LARGEST + SCORE_BYTES * count * (index.classes or 0)
    table = read_table(path, largest=largest, most_rows=max(MOST_ROWS, 2 * count))
    return answers_of_table(table, who=str(path), asked=asked, index=index, fingerprint=fingerprint)


def answers_of_table(
    table: Table, *, who: str, asked: Sequence[AskedInputs], index: ClassIndex, fingerprint: str | None = None
) -> ByHand:
    """The answers in a table, as of `read_answers_csv`.

    >>> table = Table(identity="", separator=",", header=("index", "label"), header_line=1,
    ...     rows=(("1", "dog"), ("0", "")), lines=(2, 3))
    >>> by_hand = answers_of_table(table, who="a.csv", asked=[AskedInputs(queries=("ab", "cd"))],
    ...     index=ClassIndex(names=("cat", "dog")))
    >>> by_hand.recording.queries, by_hand.recording.answers.labels.tolist()
    (('ab', 'cd'), [-2, 1])
    """
    columns = Columns.of(table, who, index)
    places = Places.among(asked, checked="query" in columns.keys, who=who)
    lines = _Lines()
    for line, row in zip(table.lines, table.rows, strict=True):
        where = f"{who}, line {line}"
        place = places.named({key: row[column] for key, column in columns.keys.items()}, where)
        if place is None:
            continue
        lines.add(place, _given(row, columns, index, line=line, where=where, comma=table.separator != ","), index, who)
    if not lines.by_place:
        raise SuspectError(f"{who} holds no answers: it needs a line for each query; {TEMPLATE}")
    recording = _recording(
        lines, places, suspect=table.identity, fingerprint=fingerprint, lacking=index.outputs.lacking
    )
    notes = tuple(_remarks(lines, recording, places, columns, index))
    return ByHand(recording=recording, notes=notes, checked=places.checked)


@dataclass(frozen=True, kw_only=True)
class _Given:
    """What one line says: the label, -2 where it is empty, and the scores, where every class has one."""

    line: int
    label: int
    scores: tuple[float, ...] | None

    @property
    def answered(self) -> bool:
        return self.label != ABSTAINED


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """What the lines say of each query that they are about.

    Attributes:
        by_place: of each query, by its place.
        repeated: pairs of lines that answer one query in the same way.
    """

    by_place: dict[int, _Given] = field(default_factory=dict)
    repeated: list[tuple[int, int]] = field(default_factory=list)

    def add(self, place: int, one: _Given, index: ClassIndex, who: str) -> None:
        """Take one line more; an answer stands in the place of an empty label.

        Raises:
            SuspectError: it contradicts another line.
        """
        before = self.by_place.setdefault(place, one)
        if before is one:
            return
        if before.answered and one.answered and (one.label, one.scores) != (before.label, before.scores):
            raise SuspectError(
                f"{who}, lines {before.line} and {one.line} answer the same query in two ways "
                f"({_shown_class(before.label, index)} and {_shown_class(one.label, index)}): leave one of them out"
            )
        if one.answered and not before.answered:
            self.by_place[place] = one
        self.repeated.append((before.line, one.line))


def _given(row: tuple[str, ...], columns: Columns, index: ClassIndex, *, line: int, where: str, comma: bool) -> _Given:
    """What a line says; `comma`: whether decimals may have one."""
    cells = [(number, row[column]) for column, number in columns.scores]
    scores = [(number, _number(cell, where, comma=comma)) for number, cell in cells if cell]
    text = "" if columns.label is None else row[columns.label]
    if index.outputs.single and scores and not text:
        return _Given(line=line, label=_of_share(scores[0][1], index, where), scores=None)
    best, top = max(scores, key=lambda pair: pair[1], default=(ABSTAINED, 0.0))
    label = _label(text, index, where) if text else best
    if text and max((value for number, value in scores if number == label), default=top) < top:
        raise SuspectError(
            f"{where}: the label is {_shown_class(label, index)}, but {_shown_class(best, index)} has the highest "
            "score: mend the line, or leave the scores out"
        )
    least = index.outputs.threshold
    if least is not None and scores and top < least:
        return _Given(line=line, label=ABSTAINED, scores=None)
    whole = least is None and sorted(number for number, _ in scores) == list(range(index.classes or 0))
    return _Given(line=line, label=label, scores=tuple(value for _, value in sorted(scores)) if whole else None)


def _of_share(value: float, index: ClassIndex, where: str) -> int:
    """The label by the one output of two classes."""
    return int(index.outputs.of_single(np.array([value]), who=where).labels[0])


def _label(text: str, index: ClassIndex, where: str) -> int:
    label = class_of(text, index)
    if label is None:
        known = ", ".join(index.names[:10])
        raise MisfitError(
            f"{where}: label {text[:40]!a} is none of the {index.classes} classes (0 to {(index.classes or 0) - 1}: "
            f"{known}): write one of these, nothing where there was no answer, or map its names to yours with "
            "--class-names"
        )
    return label


def _number(cell: str, where: str, *, comma: bool) -> float:
    try:
        value = float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        value = math.nan
    if not abs(value) < LARGEST_SCORE:  # written so that NaN is refused, too
        raise SuspectError(f"{where}: {cell[:20]!a} is no score: expected a finite number")
    return value


def _shown_class(label: int, index: ClassIndex) -> str:
    return ascii(index.names[label]) if 0 <= label < len(index.names) else "none of the classes"


def _recording(
    lines: _Lines, places: Places, *, suspect: str, fingerprint: str | None, lacking: Iterable[int]
) -> Recording:
    """The answers, by the hash of each query."""
    places_named = sorted(lines.by_place)
    given = [lines.by_place[place] for place in places_named]
    width = next((len(one.scores) for one in given if one.scores is not None), 0)
    scored = width > 0 and all(one.scores is not None or not one.answered for one in given)
    return Recording(
        header=RecordingHeader(
            access="scores" if scored else "labels",
            suspect=suspect,
            fingerprint=fingerprint,
            queries=len(places.hashes),
            lacking=tuple(sorted(lacking)),
        ),
        index=np.array(places_named, dtype=np.int64),
        queries=tuple(places.hashes[place] for place in places_named),
        answers=Answers(
            labels=np.array([one.label for one in given], dtype=np.int64),
            scores=np.array([one.scores or (np.nan,) * width for one in given], dtype=np.float32) if scored else None,
        ),
    )


def _remarks(lines: _Lines, recording: Recording, places: Places, columns: Columns, index: ClassIndex) -> Iterator[str]:
    """What a user should know of how the file was read."""
    who = places.who
    yield from index.outputs.notes
    if not places.checked:
        yield f"{who} has no column query: whether it answers these queries, or another export's, was not checked"
    silent = int(recording.answers.abstained.sum())
    absent = len(places.queries - {places.hashes[place] for place in lines.by_place})
    if silent or absent:
        yield f"{who} leaves {silent} labels empty (abstained), and {absent} queries have no line"
    if lines.repeated:
        first, second = lines.repeated[0]
        yield f"{who} repeats {len(lines.repeated)} lines; the first are {first} and {second}"
    if columns.scores and recording.answers.scores is None:
        yield f"{who} does not have a score of every class in every line: its labels alone are used"
    if columns.unused:
        yield f"column {columns.unused[0]!a} of {who} is not used: it is the score of no class"
    if index.named_by_numbers:
        yield f"numbers in {who} are read as class names, since the fingerprint's classes are called by numbers"
