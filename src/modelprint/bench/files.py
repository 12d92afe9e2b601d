"""Results on disk: JSON, one row, suspect or run per line, so that versions can be compared."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from modelprint.bench.benches import BENCHES, default_results
from modelprint.core.errors import ModelprintError, UsageError
from modelprint.core.files import write_text
from modelprint.core.results import Results


def write_results(results: Results, path: Path) -> None:
    """Write the results, whole or not at all."""
    parts = []
    for key, value in results.model_dump(mode="json", by_alias=True, exclude_defaults=False).items():
        if isinstance(value, list) and value:
            lines = ",\n".join(json.dumps(item, separators=(",", ":"), ensure_ascii=False) for item in value)
            parts.append(f"{json.dumps(key)}: [\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    write_text(path, "{" + ",\n".join(parts) + "}\n")


def find_results(name: str) -> Results:
    """The results of a named benchmark, or those in a file.

    Raises:
        UsageError: no benchmark and no file of that name.
        ModelprintError: the benchmark was not run yet, or the file holds something else.
    """
    path = Path(name)
    if not path.is_file():
        if name not in BENCHES and path.suffix == ".json":
            raise ModelprintError(f"{name} is not there: `modelprint bench run` writes results")
        if name not in BENCHES:
            raise UsageError(f"{name} is neither a benchmark ({', '.join(BENCHES)}) nor a file of results")
        path = default_results(name)
        if not path.is_file():
            raise ModelprintError(f"there are no results of {name} in {path}: run `modelprint bench run {name}`")
    try:
        return Results.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ModelprintError(f"{path} does not hold results that this version reads: {error}") from error
