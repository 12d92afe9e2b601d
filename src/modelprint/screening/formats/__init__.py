"""A screen as text: a table, JSON, SARIF for code scanning, CycloneDX for bills of materials."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from modelprint.screening.formats.cyclonedx import cyclonedx
from modelprint.screening.formats.sarif import sarif
from modelprint.screening.formats.table import table_text
from modelprint.screening.records import Screen
from modelprint.screening.registry import Entry


def written(screen: Screen, form: Literal["table", "json", "sarif", "cyclonedx"], *, entries: Sequence[Entry]) -> str:
    """A screen in one of the formats.

    Args:
        entries: of the registry, whose fingerprints other tools name by their hash.

    Raises:
        UsageError: a format whose extra is missing.
    """
    if form == "json":
        return screen.to_json()
    if form == "sarif":
        return json.dumps(sarif(screen, entries), indent=2)
    if form == "cyclonedx":
        return cyclonedx(screen, entries)
    return table_text(screen)
