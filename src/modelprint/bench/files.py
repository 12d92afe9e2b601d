"""Where the results of a named benchmark are."""

from __future__ import annotations

from pathlib import Path

from modelprint.bench.benches import BENCHES, default_results
from modelprint.core.errors import ModelprintError, UsageError
from modelprint.results.files import read_results
from modelprint.results.records import Results


def find_results(name: str) -> Results:
    """The results of a named benchmark, or those in a file.

    Raises:
        UsageError: no benchmark and no file of that name.
        ModelprintError: the benchmark was not run yet, or the file holds something else.
    """
    path = Path(name)
    if path.is_file():
        return read_results(path)
    if name not in BENCHES and path.suffix == ".json":
        raise ModelprintError(f"{name} is not there: `modelprint bench run` writes results")
    if name not in BENCHES:
        raise UsageError(f"{name} is neither a benchmark ({', '.join(BENCHES)}) nor a file of results")
    path = default_results(name)
    if not path.is_file():
        raise ModelprintError(f"there are no results of {name} in {path}: run `modelprint bench run {name}`")
    return read_results(path)
