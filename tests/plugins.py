"""Packages as pip would install them: a module, and metadata with an entry point."""

from __future__ import annotations

from pathlib import Path


def install(place: Path, *, module: str, code: str, group: str, name: str) -> None:
    """Put a package of one module into a folder that is on the path of modules.

    Args:
        group, name: of the entry point, which names the module.
    """
    (place / f"{module}.py").write_text(code)
    about = place / f"{module}-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
