"""Dotted paths into JSON."""

from __future__ import annotations

from typing import Any

from modelprint.core.errors import SuspectError


def at_path(value: Any, path: str, *, who: str) -> Any:
    """What stands at a dotted path of a JSON value; None where a step that ends in "?" is absent.

    >>> at_path({"a": [{"b": 1}, {"b": 2}]}, "a.*.b", who="api")
    [1, 2]
    >>> at_path([{"tags": ["cat"]}, {}], "*.tags?.0", who="api")
    ['cat', None]

    Raises:
        SuspectError: nothing there; the message says how far it went.
    """
    head, _, rest = path.partition(".")
    if not head:
        return value
    if head == "*":
        if isinstance(value, list):
            return [at_path(entry, rest, who=who) for entry in value]
    else:
        name = head.removesuffix("?")
        if isinstance(value, dict) and name in value:
            return at_path(value[name], rest, who=who)
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            return at_path(value[int(name)], rest, who=who)
        if name != head and isinstance(value, dict | list):
            return None
    reached = f"an object with {ascii(sorted(value))[:120]}" if isinstance(value, dict) else ascii(value)[:60]
    raise SuspectError(f"{who}: the answer has nothing at {path!r}, but {reached}: mend the mapping file's path")
