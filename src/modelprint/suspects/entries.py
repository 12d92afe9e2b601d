"""One input's answer as classes with scores: records in a list, lists side by side, or scores by class name.

The place in a list says nothing unless the user says so: servers sort by name, by number, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from modelprint.core.errors import SuspectError

NAMES = (
    "label",
    "class",
    "prediction",
    "class_name",
    "classname",
    "name",
    "tagname",
    "displayname",
    "display_name",
    "displaynames",
    "description",
    "category",
)
SCORES = ("score", "confidence", "probability", "prob", "value", "p")
_LISTS = ("scores", "confidences", "probabilities", "probs", "values")  # beside a list of names
_ANY_VALUE = ("label", "class", "prediction")  # under these, a number is a class as well


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a user says of the entries of an answer.

    Attributes:
        name, score: their keys, exactly as the server writes them; None: those that are known, in any case.
        ranked: the best class comes first, and no score says so.
        others: what an answer is that names no class of the fingerprint: an error, or no answer.
    """

    name: str | None = None
    score: str | None = None
    ranked: bool = False
    others: Literal["refused", "abstained"] = "refused"


PLAIN = Reading()


@dataclass(frozen=True, kw_only=True)
class Entries:
    """Classes as a server calls them, each with its score.

    Attributes:
        pairs: name and score of each, as they came; the score may be no number.
        scored: whether these are scores, and not places in a list.
    """

    pairs: tuple[tuple[object, Any], ...]
    scored: bool = True


def entries(row: Any, reading: Reading, *, who: str) -> Entries | None:
    """The classes that one input's answer names; None where it has none of these forms.

    >>> entries([{"Name": "cat", "Confidence": 8.5}, {"Name": "dog", "Confidence": 91}], PLAIN, who="api").pairs
    (('cat', 8.5), ('dog', 91))
    >>> entries({"displayNames": ["cat"], "confidences": [0.5]}, PLAIN, who="api").pairs
    (('cat', 0.5),)

    Raises:
        SuspectError: several entries, and nothing says which number is the score.
    """
    if isinstance(row, dict):
        return _of_object(row, reading, who)
    if not isinstance(row, list) or not row:
        return None
    if all(isinstance(entry, dict) and name_key(entry, reading) is not None for entry in row):
        return _records(row, reading, who)
    pairs = [row] if _is_pair(row) else row
    return Entries(pairs=tuple((name, score) for name, score in pairs)) if all(map(_is_pair, pairs)) else None


def name_key(entry: Mapping[str, Any], reading: Reading) -> str | None:
    """The key under which an entry names its class.

    >>> name_key({"tagId": "1", "tagName": "cat"}, PLAIN), name_key({"cat": 0.9}, PLAIN)
    ('tagName', None)
    """
    if reading.name is not None:
        return reading.name if reading.name in entry else None
    keys = sorted((NAMES.index(key.casefold()), key) for key in entry if key.casefold() in NAMES)
    for _, key in keys:
        if isinstance(entry[key], str) or (isinstance(entry[key], list) and entry[key] and _texts(entry[key])):
            return key
    return next((key for _, key in keys if key in _ANY_VALUE and is_number(entry[key])), None)


def _of_object(row: Mapping[str, Any], reading: Reading, who: str) -> Entries | None:
    name = name_key(row, reading)
    if name is None:
        return _by_class(row, reading, who)
    if not isinstance(row[name], list):
        return _records([row], reading, who)
    scores = _key([row], reading.score, _LISTS)
    return None if scores is None else _side_by_side(row[name], row[scores], who)


def _records(rows: Sequence[Mapping[str, Any]], reading: Reading, who: str) -> Entries:
    keys = [name_key(row, reading) or "" for row in rows]
    names = [row[key] for key, row in zip(keys, rows, strict=True)]
    key = _score_key(rows, keys[0], reading, who)
    if key is None:
        return Entries(pairs=tuple((name, -rank) for rank, name in enumerate(names)), scored=False)
    return Entries(pairs=tuple((name, row.get(key)) for name, row in zip(names, rows, strict=True)))


def _score_key(rows: Sequence[Mapping[str, Any]], name: str, reading: Reading, who: str) -> str | None:
    """The key of the score; None where the order is all that there is, and it suffices.

    Raises:
        SuspectError: it does not.
    """
    if reading.score is not None and reading.score not in rows[0]:
        raise SuspectError(
            f"{who} gave entries without {reading.score!a}, but {_listed(rows[0])}: mend score in the mapping file"
        )
    known = [reading.score] if reading.score is not None else _known(rows[0], SCORES)
    numeric = [key for key in known if all(is_number(row.get(key)) for row in rows)]
    if len(numeric) == 1 or (known and not numeric):
        return (numeric or known)[0]
    if len(rows) == 1 or (reading.ranked and not numeric):
        return None
    unknown = [key for key, value in rows[0].items() if is_number(value) and key != name]
    if numeric or unknown:
        raise SuspectError(
            f"{who} gave {len(rows)} classes with {_listed(numeric or unknown)}: say in a mapping file which is the "
            f'score, [response] score = "{_safe((numeric or unknown)[0])}"'
        )
    raise SuspectError(
        f"{who} gave {len(rows)} classes without scores ({_listed(rows[0])}): if the best comes first, say so in a "
        "mapping file, [response] ranked = true"
    )


def _by_class(row: Mapping[str, Any], reading: Reading, who: str) -> Entries | None:
    """Scores by class name, each a number or an object with one."""
    if not row:
        return None
    values = list(row.values())
    if all(isinstance(value, dict) for value in values):
        key = _score_key(values, "", reading, who)
        return Entries(pairs=tuple((name, value.get(key)) for name, value in row.items()), scored=key is not None)
    return Entries(pairs=tuple(row.items()))


def _side_by_side(names: Any, scores: Any, who: str) -> Entries:
    if not isinstance(names, list) or not isinstance(scores, list) or len(names) != len(scores):
        raise SuspectError(f"{who} gave lists of names and scores that differ in length: nothing tells which belong")
    return Entries(pairs=tuple(zip(names, scores, strict=True)))


def _key(rows: Sequence[Mapping[str, Any]], said: str | None, known: Sequence[str]) -> str | None:
    keys = [said] if said is not None else _known(rows[0], known)
    return keys[0] if len(keys) == 1 and keys[0] in rows[0] else None


def _known(row: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    return [key for key in row if key.casefold() in known]


def is_number(value: object) -> bool:
    """Whether a JSON value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_pair(entry: object) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and is_number(entry[1])


def _texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(ascii(key)[:40] for key in list(keys)[:8])


def _safe(key: str) -> str:
    return ascii(key)[1:-1][:40]
