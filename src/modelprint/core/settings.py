"""Fields of a frozen dataclass set from text, as `--set key=value` gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from modelprint.core.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def with_settings(base: T, settings: Mapping[str, str], *, who: str) -> T:
    """A copy of a dataclass with some of its fields set from text; mappings are written as JSON objects.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Walk:
    ...     steps: int = 3
    >>> with_settings(Walk(), {"steps": "5"}, who="walk").steps
    5

    Raises:
        UsageError: no such field, or a value of another type; the message lists the fields.
    """
    hints = _hints(type(base))
    known = {entry.name for entry in fields(base)}
    values: dict[str, Any] = {}
    for key, text in settings.items():
        if key not in known:
            raise UsageError(f"{who} has no parameter {key!r}: it has {', '.join(sorted(known)) or 'none'}")
        values[key] = parse(key, text, hints[key])
    try:
        return replace(base, **values)
    except ValueError as error:
        raise UsageError(f"{who}: {error}") from error


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of a class's fields; a bench asks for those of one scheme thousands of times."""
    return get_type_hints(kind)


def parse(key: str, text: str, hint: Any) -> Any:
    """The value that a text stands for, by the field's type: a number, bool, string, literal, mapping, or one or none.

    >>> parse("rate", "0.5", float | None), parse("rate", "none", float | None)
    (0.5, None)
    >>> parse("walk", "long", Literal["short"] | Literal["long"] | None)
    'long'
    >>> parse("version", "2", Literal[1, 2])
    2

    Raises:
        UsageError: the text is not of that type.
    """
    if get_origin(hint) is Literal:
        choices = {str(choice): choice for choice in get_args(hint)}
        if text not in choices:
            raise UsageError(f"{key}={text!r}: use one of {', '.join(choices)}")
        return choices[text]
    if get_origin(hint) in (dict, Mapping):
        return _parse_object(key, text)
    if get_args(hint):
        return _parse_union(key, text, get_args(hint))
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise UsageError(f"{key}={text!r}: use true or false")
        return text.lower() == "true"
    try:
        return hint(text)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{key}={text!r} is not a {getattr(hint, '__name__', hint)}") from error


def _parse_union(key: str, text: str, options: tuple[Any, ...]) -> Any:
    """None, or a value of the other option; several options are literals."""
    if type(None) in options and text.lower() in ("none", "null"):
        return None
    options = tuple(option for option in options if option is not type(None))
    words = tuple(word for option in options for word in get_args(option) if get_origin(option) is Literal)
    return parse(key, text, Literal[words] if words else options[0])


def _parse_object(key: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"""{key}={text!r} is not JSON ({error}): write {key}='{{"name": 1}}'""") from error
    if not isinstance(value, dict):
        raise UsageError(f"""{key}={text!r}: expected a JSON object such as '{{"name": 1}}'""")
    return value
