"""JSON lines: an object on each, with the place that messages name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelprint.core.errors import DataError
from modelprint.data.text_files import text_of


@dataclass(frozen=True, kw_only=True)
class JsonLine:
    """One object.

    Attributes:
        place: "line 3".
        who: the file and the place, for messages.
        fields: of the object.
    """

    place: str
    who: str
    fields: dict[str, Any]


def json_lines(path: Path, *, expected: str) -> Iterator[JsonLine]:
    """The objects of a file, blank lines left out.

    Args:
        expected: such an object, for messages.

    Raises:
        DataError: the file cannot be read, or a line is no JSON object; the message names the line.
    """
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        who = f"{path}, {place}"
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{who}: it is no JSON ({str(error)[:80]})") from error
        if not isinstance(fields, dict):
            raise DataError(f"{who}: expected {expected}, got {line[:40]!a}")
        yield JsonLine(place=place, who=who, fields=fields)
