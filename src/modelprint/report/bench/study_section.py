"""A study as the page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.report.drawing.figure import Figure
from modelprint.report.drawing.text import plain_name


@dataclass(frozen=True, kw_only=True)
class StudySection:
    """What it says, its figures, and the command that makes it again."""

    title: str
    reading: str
    figures: Sequence[Figure]
    command: str


def command_of(command: object) -> str:
    """A recorded command, harmless to show."""
    return plain_name(str(command), longest=300) if command else "not recorded"
