"""The tutorials name only commands that another page has, whose tests run them; the site's plan names every page.

The tutorial for platforms is typed as a whole, in an empty folder (`pytest -m slow`); the last result lies in
platform_tutorial.json.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
PLATFORM = TUTORIALS / "platform.md"
RESULT = Path(__file__).with_name("platform_tutorial.json")


def lines_of(page: Path) -> set[str]:
    """The commands on a page, one line each."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^(?:\$ |  +)(modelprint .*)$", text, re.MULTILINE)
    return {" ".join(line.partition("  #")[0].split()) for line in found}


def test_tutorials_name_commands_of_other_pages() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    known = set().union(*(lines_of(page) for page in (*pages, PLATFORM)))
    for tutorial in sorted(TUTORIALS.glob("*.md")):
        own = lines_of(tutorial)
        assert len(own) >= 3, tutorial
        assert own <= known, f"{tutorial}: {own - known}"


@pytest.mark.slow
def test_a_newcomer_follows_the_tutorial_for_platforms(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    lines = re.findall(r"^ {4}(modelprint .*)$", PLATFORM.read_text(encoding="utf-8"), re.MULTILINE)
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    printed: dict[str, str] = {}
    for line in lines:
        words = [sys.executable, "-m", *shlex.split(line)]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == (10 if "--exit-code" in line else 0), f"{line}: {done.stderr}"
        printed[line] = done.stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    (screen,) = (json.loads(text) for line, text in printed.items() if "--format json" in line)
    rows = {Path(row["suspect"]).stem: (row["verdict"], row["owner"]) for row in screen["suspects"]}
    assert rows == {"copy": ("derived", "first"), "other": ("not-shown", None)}
    for name in ("findings.sarif", "models.cdx.json"):
        assert json.loads((tmp_path / name).read_text())
    figures = {
        "commands": len(lines),
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "load": round(os.getloadavg()[0], 1),
        "date": datetime.now(UTC).date().isoformat(),
    }
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")


def places(entry: Any) -> set[str]:
    if isinstance(entry, str):
        return {entry}
    return set().union(*(places(one) for one in (entry if isinstance(entry, list) else entry.values())))


def test_the_site_shows_every_page() -> None:
    navigation = places(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert all((ROOT / page).is_file() for page in navigation)
    pages = {str(page.relative_to(ROOT).as_posix()) for page in (ROOT / "docs").rglob("*.md")}
    assert pages <= navigation
