"""What commands print, read as the committed schemas describe it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parents[1] / "docs" / "schemas"


@cache
def validator(name: str) -> Draft202012Validator:
    """Of docs/schemas/NAME-1.json."""
    schema = json.loads((SCHEMAS / f"{name}-1.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def printed(name: str, text: str) -> Any:
    """The object that a command printed; raises where its schema does not hold."""
    value = json.loads(text)
    validator(name).validate(value)
    return value
