"""What the classes of a set are called, and which number each has: by a list, by the set, or by its labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.untrusted import open_regular

MOST_CLASSES = 100_000
_LONGEST = 2**24  # bytes of a list


def read_class_list(text: str) -> tuple[str, ...]:
    """The classes in the order of their numbers.

    Args:
        text: how many there are; or a file that lists them: one a line, a JSON list, or a JSON object from numbers to
            names ({"0": "cat"}), also as `id2label` of a model's config.json.

    Raises:
        DataError: no such file, no list, a class that is listed twice, or more classes than may be.
    """
    if text.isascii() and text.isdigit() and len(text) < 10 and not Path(text).exists():
        if not 2 <= int(text) <= MOST_CLASSES:
            raise DataError(f"{text} classes: expected 2 to {MOST_CLASSES:,}, or a file that lists them")
        return numbered(int(text))
    try:
        with open_regular(Path(text)) as stream:
            data = stream.read(_LONGEST + 1)
    except OSError as error:
        raise DataError(f"the list of classes {text} cannot be read: {error.strerror}") from error
    if len(data) > _LONGEST:
        raise DataError(f"the list of classes {text} has more than {_LONGEST:,} bytes")
    try:
        lines = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"the list of classes {text} is not UTF-8: save it so") from error
    names = _by_json(lines, text) if lines.lstrip()[:1] in ("[", "{") else [line.strip() for line in lines.splitlines()]
    names = [name for name in names if name]
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise DataError(f"the list of classes {text} has {twice!r} twice: each class once, in the order of its number")
    if not 2 <= len(names) <= MOST_CLASSES:
        raise DataError(f"the list of classes {text} has {len(names):,} classes: expected 2 to {MOST_CLASSES:,}")
    return tuple(names)


def numbered(count: int, *, who: str = "the data") -> tuple[str, ...]:
    """Names of classes that have none.

    >>> numbered(3)
    ('0', '1', '2')

    Raises:
        DataError: more than may be.
    """
    if count > MOST_CLASSES:
        raise DataError(f"{who}: labels run to {count - 1}: number the classes from 0 on, up to {MOST_CLASSES - 1}")
    return tuple(str(number) for number in range(count))


def numbers_of(labels: Sequence[str], classes: Sequence[str], *, who: str) -> np.ndarray:
    """The class number of each label, int64 (n,), where labels are names.

    Raises:
        DataError: labels that no class has.
    """
    number = {name: at for at, name in enumerate(classes)}
    strange = sorted({label for label in labels if label not in number})
    if strange:
        raise DataError(f"{who}: no class is called {_some(strange)}; the classes are {_some(classes)}")
    return np.array([number[label] for label in labels], dtype=np.int64)


def check_numbers(labels: np.ndarray, classes: Sequence[str], *, who: str) -> None:
    """Refuse class numbers that no class has.

    Raises:
        DataError: there are some.
    """
    wrong = np.unique(labels[(labels < 0) | (labels >= len(classes))])
    if len(wrong):
        raise DataError(
            f"{who}: no class has the number {_some([str(one) for one in wrong])}: "
            f"there are {len(classes)} classes, from 0 to {len(classes) - 1}"
        )


def _by_json(text: str, who: str) -> list[str]:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the list of classes {who} is not JSON ({str(error)[:100]})") from error
    if isinstance(value, dict):
        value = value.get("id2label", value)
    if isinstance(value, dict):
        try:
            by_number = {int(key): name for key, name in value.items()}
        except ValueError as error:
            raise DataError(f"the list of classes {who}: expected numbers as keys, as in id2label") from error
        if sorted(by_number) != list(range(len(by_number))):
            raise DataError(f"the list of classes {who}: its numbers are not 0 to {len(by_number) - 1}")
        value = [by_number[number] for number in range(len(by_number))]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DataError(f"the list of classes {who}: expected a list of names")
    return [name.strip() for name in value]


def _some(names: Sequence[str], most: int = 5) -> str:
    """The first few of some names.

    >>> _some(["a", "b"], most=1)
    "'a' and 1 more"
    """
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
