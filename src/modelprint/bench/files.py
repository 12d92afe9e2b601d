"""Where the results of a benchmark are."""

from __future__ import annotations

from pathlib import Path

from modelprint.bench.benches import bench_names, bench_of, default_results
from modelprint.core.errors import ModelprintError, UsageError
from modelprint.results.files import read_results
from modelprint.results.records import Results


def find_results(name: str) -> Results:
    """The results of a benchmark, or those in a file.

    Args:
        name: of a committed benchmark, its TOML file, or a file of results.

    Raises:
        UsageError: no benchmark and no file of that name.
        ModelprintError: the benchmark was not run yet, or the file holds something else.
    """
    path = Path(name)
    if path.is_file() and path.suffix != ".toml":
        return read_results(path)
    if path.suffix == ".json":
        raise ModelprintError(f"{name} is not there: `modelprint bench run` writes results")
    if path.suffix != ".toml" and name not in bench_names():
        known = f" ({', '.join(bench_names())}, or a TOML file)" if bench_names() else "'s TOML file"
        raise UsageError(f"{name} is neither a benchmark{known} nor a file of results")
    path = default_results(bench_of(name).bench.name if path.suffix == ".toml" else name)
    if not path.is_file():
        raise ModelprintError(f"there are no results of {name} in {path}: run `modelprint bench run {name}`")
    return read_results(path)
