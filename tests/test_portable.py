"""What only some systems have is imported where it is used, or on a branch for those systems."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
OF_SOME_SYSTEMS = {"fcntl", "grp", "msvcrt", "pwd", "resource", "syslog", "termios", "tty", "winreg"}


def test_no_module_of_one_system_alone_is_imported_everywhere() -> None:
    everywhere = [
        f"{file.relative_to(SOURCE)}: {name}"
        for file in SOURCE.rglob("*.py")
        if any(name in (text := file.read_text(encoding="utf-8")) for name in OF_SOME_SYSTEMS)
        for node in ast.parse(text).body  # of the module itself: not within functions, nor `if sys.platform`
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
        if name in OF_SOME_SYSTEMS
    ]
    assert not everywhere
