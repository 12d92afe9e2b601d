"""Progress on stderr, results on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from modelprint.core.printable import printable

Report = Callable[[str, int, int], None]


class PlainConsole(Console):
    """A console that shows text as it is: no markup, no emoji codes, and no escape sequences of strangers."""

    def render_str(self, text: str, **options: Any) -> Text:
        """The text, every character seen; words in square brackets or between colons mean nothing."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})


out = PlainConsole(highlight=False, soft_wrap=True)
err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)


def print_table(table: Table) -> None:
    """A table on stdout, as wide as it is: nothing in it is cut, hashes and key ids can be compared."""
    wide = Measurement.get(out, out.options.update(max_width=10_000), table).maximum
    PlainConsole(file=out.file, width=max(wide, out.width), highlight=False).print(table)


@contextmanager
def progress() -> Iterator[Report]:
    """A callback (stage, done, total) that draws a bar per stage, with the time left; silent where nobody looks."""
    if not sys.stderr.isatty():
        yield _quiet
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


def _quiet(stage: str, done: int, total: int) -> None:
    """Nobody looks."""


def say(text: str) -> None:
    """A line about what is going on, on stderr."""
    err.print(text, markup=False)
