"""The one spelling of a JSON object (RFC 8785), read strictly: what has two spellings can be changed unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import rfc8785

from modelprint.core.errors import IntegrityError, UsageError

LARGEST_JSON = 16 * 2**20  # bytes; a manifest of 1,000 calibration models has 0.2 MB


def canonical(value: Mapping[str, Any]) -> bytes:
    """The bytes of a JSON object: keys sorted by UTF-16 code units, no spaces, shortest numbers.

    >>> canonical({"b": 1.0, "a": [True, None]})
    b'{"a":[true,null],"b":1}'

    Raises:
        UsageError: a value that JSON has no safe spelling for, such as an integer of more than 53 bits.
    """
    try:
        return rfc8785.dumps(dict(value))
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise UsageError(f"this cannot be sealed: {error}; integers above 2^53 need a smaller --seed") from error


def parse(data: bytes, *, who: str) -> dict[str, Any]:
    """The object that canonical bytes spell.

    Args:
        who: the part's name, for messages.

    >>> parse(b'{"a":1,"b":2}', who="manifest")
    {'a': 1, 'b': 2}
    >>> parse(b'{"b":2,"a":1}', who="manifest")
    Traceback (most recent call last):
    modelprint.core.errors.IntegrityError: manifest is not in canonical form (RFC 8785: sorted keys, one spelling): ...

    Raises:
        IntegrityError: no JSON object, keys given twice, another spelling, or too large.
    """
    if len(data) > LARGEST_JSON:
        raise IntegrityError(
            f"{who} has {len(data)} bytes, at most {LARGEST_JSON} are read: it was not made by modelprint"
        )
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_refused)
        again = rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{who} is damaged: {str(error) or type(error).__name__}") from error
    if not isinstance(value, dict):
        raise IntegrityError(f"{who} is damaged: it holds no JSON object")
    if again != data:
        raise IntegrityError(
            f"{who} is not in canonical form (RFC 8785: sorted keys, one spelling): it was written again after it was "
            "sealed"
        )
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise ValueError(f"the key {twice!r} stands there twice")
    return members


def _refused(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")
