"""The tutorials name only commands that another page has, whose tests run them; the site's plan names every page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"


def lines_of(page: Path) -> set[str]:
    """The commands on a page, one line each."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^(?:\$ |  +)(modelprint .*)$", text, re.MULTILINE)
    return {" ".join(line.partition("  #")[0].split()) for line in found}


def test_tutorials_name_commands_of_other_pages() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    known = set().union(*(lines_of(page) for page in pages))
    for tutorial in sorted(TUTORIALS.glob("*.md")):
        own = lines_of(tutorial)
        assert len(own) >= 3, tutorial
        assert own <= known, f"{tutorial}: {own - known}"


def places(entry: Any) -> set[str]:
    if isinstance(entry, str):
        return {entry}
    return set().union(*(places(one) for one in (entry if isinstance(entry, list) else entry.values())))


def test_the_site_shows_every_page() -> None:
    navigation = places(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert all((ROOT / page).is_file() for page in navigation)
    pages = {str(page.relative_to(ROOT).as_posix()) for page in (ROOT / "docs").rglob("*.md")}
    assert pages <= navigation
