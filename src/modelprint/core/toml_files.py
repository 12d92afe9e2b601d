"""Plans in TOML: read, with errors that name the file and the place in it; and where the committed ones lie."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from modelprint.core.errors import ModelprintError, UsageError
from modelprint.core.records import Record
from modelprint.core.untrusted import read_regular

R = TypeVar("R", bound=Record)
Value = str | int | float | bool | dict[str, Any]


def read_toml(path: Path, kind: type[R]) -> R:
    """The record that a TOML file holds.

    Raises:
        UsageError: no such file, not TOML, or keys and values that the record does not have; the message says which.
    """
    try:
        content = tomllib.loads(read_regular(path).decode())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # tables within tables, numbers of thousands of digits
        raise UsageError(f"{path} is not TOML: {error}") from error
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        known = f"; it may have {', '.join(kind.model_fields)}" if first["type"] == "extra_forbidden" else ""
        raise UsageError(f"{path}: {_place(first['loc'])}: {first['msg']}{known}") from error


def as_text(value: Value) -> str:
    """A setting as text, as `--set key=value` gives it.

    >>> [as_text(value) for value in (0.5, 3, True, "jpeg", {"width": 8})]
    ['0.5', '3', 'true', 'jpeg', '{"width": 8}']
    """
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict) else str(value)


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Errors that say where in a file they arose.

    Raises:
        UsageError: what was raised inside, with the place before it.
    """
    try:
        yield
    except (ModelprintError, ValueError) as error:
        raise UsageError(f"{place}: {error}") from error


def committed(folder: str) -> dict[str, Path]:
    """The TOML files of a folder of `research/`, by name, in this directory or in the checkout that runs."""
    for root in (Path.cwd(), Path(__file__).parents[3]):
        place = root / "research" / folder
        if place.is_dir():
            return {path.stem: path for path in sorted(place.glob("*.toml"), key=lambda path: path.stem)}
    return {}


def toml_file(name: str, *, folder: str, what: str) -> Path:
    """The file of that name: a committed one, or a path.

    Raises:
        UsageError: neither.
    """
    known = committed(folder)
    if name in known:
        return known[name]
    if Path(name).suffix == ".toml":
        return Path(name)
    listed = f"one of {', '.join(known)}, or a TOML file" if known else "a TOML file, as in the repository's research/"
    raise UsageError(f"unknown {what} {name!r}: use {listed}")


def _place(location: tuple[int | str, ...]) -> str:
    """Where in a file: numbers count from 1.

    >>> _place(("contenders", 2, "budgets"))
    'contenders 3, budgets'
    """
    parts: list[str] = []
    for part in location:
        if isinstance(part, int) and parts:
            parts[-1] += f" {part + 1}"
        else:
            parts.append(str(part))
    return ", ".join(parts)
