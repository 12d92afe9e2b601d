"""What a mapping file leaves open: places for pictures, and secrets that the environment holds.

"$image", "$images" and "$shape" stand for the pictures or tensors of a request and their shape; "${MODELPRINT_API_KEY}"
stands for the environment's variable of that name. No other variables than those of this beginning can be named: a
mapping file that somebody else wrote cannot send what is secret elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from modelprint.core.errors import SuspectError
from modelprint.core.redaction import API_VARIABLES, api_secrets

ONE, MANY, SHAPE = "$image", "$images", "$shape"
_WITHIN = re.compile(r"\$image(?![A-Za-z0-9_])")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def holds(value: Any, placeholder: str, *, within: bool = False) -> bool:
    """Whether a placeholder stands in a JSON value.

    >>> holds({"a": ["data:;base64,$image"]}, ONE), holds({"a": ["data:;base64,$image"]}, ONE, within=True)
    (False, True)

    Args:
        within: also as a part of a longer text.
    """
    return any(
        text == placeholder or (within and placeholder == ONE and _WITHIN.search(text) is not None)
        for _, text in texts(value)
    )


def filled(value: Any, items: Mapping[str, Any]) -> Any:
    """A JSON value with the placeholders replaced, by texts also where they are a part of a longer one.

    >>> filled({"url": "data:;base64,$image", "all": "$images"}, {ONE: "iVBO", MANY: ["iVBO"]})
    {'url': 'data:;base64,iVBO', 'all': ['iVBO']}
    """
    if isinstance(value, dict):
        return {key: filled(entry, items) for key, entry in value.items()}
    if isinstance(value, list):
        return [filled(entry, items) for entry in value]
    if not isinstance(value, str):
        return value
    if value in items:
        return items[value]
    one = items.get(ONE)
    return _WITHIN.sub(lambda _: one, value) if isinstance(one, str) else value


def texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The texts in a JSON value, each with the name of its field."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from texts(entry, key)
    elif isinstance(value, list):
        for entry in value:
            yield from texts(entry, name)
    elif isinstance(value, str):
        yield name, value


def variables(value: Any) -> tuple[str, ...]:
    """The names of the environment's variables that a JSON value names.

    >>> variables({"Authorization": "Key ${MODELPRINT_API_KEY}"})
    ('MODELPRINT_API_KEY',)
    """
    return tuple(dict.fromkeys(name for _, text in texts(value) for name in _VARIABLE.findall(text)))


def resolved(value: Any, *, who: str) -> Any:
    """A JSON value with the environment's variables in their places.

    Raises:
        SuspectError: a variable that is not set, or that is none of those which may be named.
    """
    known = api_secrets()
    for name in variables(value):
        if not name.startswith(API_VARIABLES):
            raise SuspectError(
                f"{who} names the environment variable {ascii(name)[1:-1][:60]}: only variables whose names begin with "
                f"{API_VARIABLES} are sent, so that a mapping file cannot read others; set ${{{API_VARIABLES}KEY}}"
            )
        if name not in known:
            raise SuspectError(f"{who} names {name}, which is not set: set this environment variable")
        if not (known[name].isascii() and known[name].isprintable()):
            raise SuspectError(f"{name} holds characters that no HTTP header takes: set it again")
    return _resolved(value, known)


def _resolved(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(entry, known) for key, entry in value.items()}
    if isinstance(value, list):
        return [_resolved(entry, known) for entry in value]
    return _VARIABLE.sub(lambda match: known[match[1]], value) if isinstance(value, str) else value
