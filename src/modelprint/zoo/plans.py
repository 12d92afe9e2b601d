"""The plans of zoos by name or file, and where their models are kept."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from modelprint.core.toml_files import committed, toml_file
from modelprint.core.untrusted import read_regular
from modelprint.zoo.checkpoint_plan_file import read_checkpoint_design
from modelprint.zoo.plan import Plan
from modelprint.zoo.plan_file import read_design

COMMITTED = Path("benchmarks") / "zoo"
_FOLDER = "plans"


def plan_names() -> tuple[str, ...]:
    """The committed plans, where there is a checkout."""
    return tuple(committed(_FOLDER))


def plan_of(name: str) -> Plan:
    """The plan of a zoo.

    Args:
        name: of a committed plan (`research/plans/NAME.toml`), or a TOML file.

    Raises:
        UsageError: neither, or a file that holds no plan; the message says where in it.
    """
    path = toml_file(name, folder=_FOLDER, what="zoo").resolve()
    return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> Plan:
    """The plan in a file; `changed` tells its versions apart."""
    if path.is_file() and re.search(rb"^\[\[checkpoints\]\]", read_regular(path), re.MULTILINE):
        return read_checkpoint_design(path).plan()
    return read_design(path).plan()


def default_folder(name: str) -> Path:
    """Where a zoo lies: `benchmarks/zoo/NAME` in a checkout that has it, else the user's cache."""
    import pooch

    committed_models = COMMITTED / name
    return committed_models if committed_models.is_dir() else Path(pooch.os_cache("modelprint")) / "zoo" / name
