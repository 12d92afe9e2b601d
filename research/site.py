"""Build the documentation site: `python -m research.site [--strict]`, or `make docs`.

Pages link to each other, to the README and to files of the repository as they stand there. The site is built from a
tree of the same shape: all pages, and every file that one of them links to.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "build" / "site" / "pages"
WHOLE = ("README.md", "SECURITY.md", "CHANGELOG.md", "docs", "examples/nightly-scan")
_LINK = re.compile(r"\]\(([^)#\s:]+)(#[^)]*)?\)")


def linked(page: Path) -> Iterator[Path]:
    """The files of the repository that a page links to."""
    for target, _ in _LINK.findall(page.read_text(encoding="utf-8")):
        file = (page.parent / target).resolve()
        if file.is_file() and file.is_relative_to(ROOT):
            yield file


def copy_pages() -> None:
    """The tree that the site is built from."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for name in WHOLE:
        source, target = ROOT / name, PAGES / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    for copied in list(PAGES.rglob("*.md")):
        for file in linked(ROOT / copied.relative_to(PAGES)):
            target = PAGES / file.relative_to(ROOT)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)


if __name__ == "__main__":
    copy_pages()
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", *sys.argv[1:]], cwd=ROOT, check=False)
    raise SystemExit(done.returncode)
