"""What the columns of a CSV file of answers are, and which query each of its lines is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from modelprint.core.errors import MisfitError, SuspectError
from modelprint.suspects.csv_table import Table
from modelprint.suspects.interpret import ClassIndex, class_of, whole_number
from modelprint.suspects.options import AskedInputs

TEMPLATE = "inspect FINGERPRINT --export-queries FOLDER writes one to fill in"
_KEYS = {"index": "index", "file": "file", "query": "query", "sha256": "query"}
_IGNORED = frozenset({"true_label", "source_label", "note"})
_CONFIDENCES = frozenset({"score", "confidence", "probability"})
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where what stands in a table.

    Attributes:
        keys: the column of each way of naming a query.
        label: the column of labels.
        scores: column and class of each score; the class is -2 where it is none of the fingerprint's.
        unused: names of columns that are not read.
    """

    keys: dict[str, int] = field(default_factory=dict)
    label: int | None = None
    scores: tuple[tuple[int, int], ...] = ()
    unused: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: Table, who: str, index: ClassIndex) -> Columns:
        """The columns that a header names.

        Raises:
            SuspectError: one that is not known, or that stands there twice; none for queries, or none for answers.
        """
        where = f"{who}, line {table.header_line}"
        keys: dict[str, int] = {}
        label, unused = None, []
        scores: dict[int, int] = {}
        if not any(name.casefold() in _KEYS for name in table.header):  # no such table: nothing of it is repeated
            raise SuspectError(
                f"{where} names no column index, file or query: expected a first line such as index,label or "
                f"file,label; {TEMPLATE}"
            )
        for column, name in enumerate(table.header):
            plain = name.casefold()
            if plain in _KEYS and _KEYS[plain] not in keys:
                keys[_KEYS[plain]] = column
            elif plain == "label" and label is None:
                label = column
            elif plain in _IGNORED or (not name and not any(row[column] for row in table.rows)):
                continue
            elif (number := class_of(name, index)) is not None and (number not in scores.values() or number < 0):
                scores[column] = number
            elif plain in _CONFIDENCES:
                unused.append(name)
            else:
                known = ", ".join(index.names[:10])
                raise SuspectError(
                    f"{where}: {name!a} is no column that is known, or stands there twice: expected index, file or "
                    f"query, and label, or class names ({known}) over scores; the first line names the columns; "
                    f"{TEMPLATE}"
                )
        if label is None and not scores:
            raise SuspectError(
                f"{where} names no column label, and no class: expected a first line such as index,label or "
                f"file,label; {TEMPLATE}"
            )
        needed = frozenset(range(index.classes or 0)) - index.outputs.lacking
        absent = sorted(needed - set(scores.values()))
        if label is None and absent and not index.outputs.single:
            raise SuspectError(
                f"{where} names no column label, and no score of class {index.names[absent[0]]!a}: without labels, "
                "every class needs a score, or nothing tells which is the highest"
            )
        return cls(
            keys=keys,
            label=label,
            scores=tuple(scores.items()),
            unused=tuple(unused),
        )


@dataclass(frozen=True, kw_only=True)
class Places:
    """Which query a line is about.

    Attributes:
        hashes: of all inputs that may be asked; `queries`: of those that are no mere plain inputs.
        by_hash: the place of each, the first of equal ones.
        checked: whether lines name queries by their hashes.
        whole: whether no line may be about another input.
    """

    hashes: tuple[str, ...]
    queries: frozenset[str]
    by_hash: dict[str, int]
    checked: bool
    whole: bool
    who: str

    @classmethod
    def among(cls, asked: Sequence[AskedInputs], *, checked: bool, who: str) -> Places:
        """The queries of the fingerprints that ask.

        Raises:
            SuspectError: several ask, and lines name queries by numbers.
        """
        if len(asked) != 1 and not checked:
            raise SuspectError(
                f"{who} names queries by their number, but {len(asked)} fingerprints ask: give it the column `query` "
                "(or sha256) of each export's index.csv, or verify one fingerprint at a time"
            )
        hashes = tuple(value for one in asked for value in (*one.queries, *one.further))
        queries = frozenset(value for one in asked for value in one.queries)
        by_hash = {value: place for place, value in reversed(list(enumerate(hashes)))}
        return cls(
            hashes=hashes,
            queries=queries,
            by_hash=by_hash,
            checked=checked,
            whole=all(one.whole for one in asked),
            who=who,
        )

    def named(self, cells: dict[str, str], where: str) -> int | None:
        """The place that a line names; None where it is about an input that is not asked, and may be.

        Raises:
            SuspectError: none, or two.
        """
        if not self.whole and self.checked and cells["query"].lower() not in self.by_hash:
            return None
        places = {key: self._place(key, value, where) for key, value in cells.items() if value}
        if not places or (self.checked and "query" not in places):
            raise SuspectError(f"{where} names no query: fill in {'query' if self.checked else ' or '.join(cells)}")
        if len({self.hashes[place] for place in places.values()}) != 1:
            named = ", ".join(f"{key} {cells[key][:12]} is number {place}" for key, place in places.items())
            raise MisfitError(f"{where} names two queries ({named}): these may be answers to another export")
        return next(iter(places.values()))

    def _place(self, key: str, value: str, where: str) -> int:
        if key == "query":
            value = value.lower()
            if not _HASH.fullmatch(value):
                raise SuspectError(
                    f"{where}: {value[:20]!a} is no SHA-256 of a query: copy the column from the export's index.csv"
                )
            if value not in self.by_hash:
                raise MisfitError(
                    f"{where}: query {value[:12]}... is none of this fingerprint's: these are answers to another "
                    "export; export its queries again and ask them"
                )
            return self.by_hash[value]
        text = PurePosixPath(value.replace("\\", "/")).stem if key == "file" else value
        digits = whole_number(text)
        if digits is None:
            wanted = "such as 000012.png" if key == "file" else "a whole number"
            raise SuspectError(f"{where}: {value[:40]!a} names no query: expected {wanted} in column {key}")
        if len(digits) > 9 or int(digits) >= len(self.hashes):
            raise MisfitError(f"{where}: there is no query {digits[:12]}: it has {len(self.hashes)}, numbered from 0")
        return int(digits)
