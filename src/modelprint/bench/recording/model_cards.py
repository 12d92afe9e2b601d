"""Licence and origin of somebody's model: what `models.toml` or the front matter of its model card says.

A model card is a Markdown file that starts with YAML between two lines of `---`. Of that, keys at the left margin are
read, with a value or a list of values; everything else is left alone, so that no YAML of a stranger is interpreted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelprint.core.untrusted import open_regular
from modelprint.nn.folders import FolderModel

README = "README.md"
_MOST = 2**16  # bytes of a card that are read
_LONGEST = 200  # characters of a value that are kept


@dataclass(frozen=True, kw_only=True)
class Published:
    """Under which terms a model was published, and where; None: nobody says."""

    licence: str | None = None
    origin: str | None = None
    base_model: str | None = None


def published(one: FolderModel) -> Published:
    """What is said of a model: `models.toml` first, then its own card, then the card of its folder."""
    card: Mapping[str, str] = {}
    for path in reversed(_cards(one)):
        card = {**card, **front_matter(path)}
    licence = card.get("license") or card.get("licence")
    if licence == "other":
        licence = card.get("license_name") or card.get("license_link") or licence
    return Published(
        licence=one.entry.licence or licence,
        origin=one.entry.origin or card.get("origin") or card.get("model_name"),
        base_model=card.get("base_model"),
    )


def front_matter(path: Path) -> dict[str, str]:
    """The keys of a model card with a value; several values stand with commas between them. Empty without a card."""
    try:
        with open_regular(path) as stream:
            text = stream.read(_MOST).decode("utf-8-sig", errors="replace")
    except OSError:
        return {}
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != "---":
        return {}
    values: dict[str, list[str]] = {}
    key = None
    for line in lines[1:]:
        if line.rstrip() in ("---", "..."):
            break
        if pair := re.match(r"([A-Za-z_][\w-]*):(?:\s+(.*))?$", line.rstrip()):
            key = pair[1]
            values[key] = _values(pair[2] or "")
        elif key is not None and (item := re.match(r"\s*-\s+([^:]+)$", line)):
            values[key] += _values(item[1])
    return {key: ", ".join(items)[:_LONGEST] for key, items in values.items() if items}


def _cards(one: FolderModel) -> list[Path]:
    """Where a card may stand, the most particular first."""
    if one.path is None:
        return []
    if one.path.is_dir():
        return [one.path / README]
    return [one.path.with_suffix(".md"), one.path.parent / README]


def _values(text: str) -> list[str]:
    """The values of a line: one, or those of a list in brackets.

    >>> _values("[mit, 'a b'] # said"), _values('"CC BY 4.0"'), _values("|"), _values("")
    (['mit', 'a b'], ['CC BY 4.0'], [], [])
    """
    text = re.sub(r"\s+#.*$", "", text).strip()
    parts = text[1:-1].split(",") if text.startswith("[") and text.endswith("]") else [text]
    plain = [re.sub(r"\s+", " ", part.strip().strip("\"'")) for part in parts]
    return [part for part in plain if part and part not in ("|", ">", "null", "~", "{}")]
