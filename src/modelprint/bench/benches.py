"""Benchmarks by name or file, and where their cells and results are kept."""

from __future__ import annotations

from pathlib import Path

from modelprint.bench.bench_file import Planned, read_bench
from modelprint.bench.records import FINGERPRINTS
from modelprint.core.toml_files import committed, toml_file
from modelprint.zoo.plans import COMMITTED as COMMITTED_ZOOS

COMMITTED = Path("benchmarks") / "results"
_FOLDER = "benches"


def bench_names() -> tuple[str, ...]:
    """The committed benchmarks, where there is a checkout."""
    return tuple(committed(_FOLDER))


def bench_of(name: str) -> Planned:
    """A benchmark and the plan of its zoo.

    Args:
        name: of a committed benchmark (`research/benches/NAME.toml`), or a TOML file.

    Raises:
        UsageError: neither, or a file that holds no benchmark; the message says where in it.
    """
    return read_bench(toml_file(name, folder=_FOLDER, what="benchmark"))


def default_folder(name: str) -> Path:
    """Where fingerprints and cells are kept: in its zoo, where fingerprints lie with records, else the user's cache."""
    import pooch

    recorded = COMMITTED_ZOOS / name
    if (recorded / FINGERPRINTS).is_dir():
        return recorded
    return Path(pooch.os_cache("modelprint")) / "bench" / name


def default_results(name: str) -> Path:
    """Where results are written: of a committed benchmark `benchmarks/results/NAME.json`, else beside the cells."""
    place = COMMITTED if COMMITTED.is_dir() and name in bench_names() else default_folder(name)
    return place / f"{name}.json"
