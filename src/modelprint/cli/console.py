"""Progress on stderr, results on stdout."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from modelprint.core.durations import duration
from modelprint.core.printable import printable
from modelprint.core.redaction import hidden

Report = Callable[[str, int, int], None]


class PlainConsole(Console):
    """A console that shows text as it is: no markup, no emoji codes, no escape sequences of strangers, no secrets."""

    def render_str(self, text: str, **options: Any) -> Text:
        """The text, every character seen; words in square brackets or between colons mean nothing."""
        return super().render_str(printable(hidden(text)), **{**options, "markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The pieces that reach the terminal: those of libraries' panels and bars, too, have every character seen."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


out = PlainConsole(highlight=False, soft_wrap=True)
err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)


def print_table(table: Table) -> None:
    """A table on stdout, as wide as it is: nothing in it is cut, hashes and key ids can be compared."""
    wide = Measurement.get(out, out.options.update(max_width=10_000), table).maximum
    PlainConsole(file=out.file, width=max(wide, out.width), highlight=False).print(table)


@contextmanager
def results_only() -> Iterator[None]:
    """Inside, stdout is for results: what somebody's model or recipe prints goes to stderr."""
    kept = sys.stdout
    out.file = kept
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        out.file = None  # type: ignore[assignment]  # stdout, whatever it is then


@contextmanager
def progress() -> Iterator[Report]:
    """A callback (stage, done, total) that draws a bar per stage with the time left; `Lines` without a terminal."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(printable(stage), total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


class Lines:
    """Progress where there is no terminal: a line now and then, for a log.

    Args:
        every: seconds between two lines; what is over sooner leaves none.
        clock: seconds that only grow.
    """

    def __init__(self, every: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.every = every
        self.clock = clock
        self._stages: dict[str, tuple[float, int]] = {}  # when each began, and with how much of it done
        self._spoke = clock()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take note of how much of a stage is done."""
        now = self.clock()
        began, before = self._stages.setdefault(stage, (now, done))
        if now - self._spoke < self.every:
            return
        self._spoke = now
        left = "" if done <= before else f", about {duration((now - began) / (done - before) * (total - done))} left"
        say(f"{stage}: {done} of {total}{left}")


class _OnConsole(logging.Handler):
    """Writes what is logged to stderr, as everything else is written there."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line, and a traceback where the record has one."""
        say(self.format(record))


@contextmanager
def plain_logs() -> Iterator[None]:
    """Inside, warnings of the library and of Python reach stderr through the console, unless the caller logs them."""
    handler = _OnConsole(logging.WARNING)
    loggers = [logging.getLogger(name) for name in ("modelprint", "py.warnings")]
    reaches_somebody = bool(logging.getLogger().handlers)
    for logger in loggers if not reaches_somebody else ():
        logger.addHandler(handler)
    logging.captureWarnings(not reaches_somebody)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for logger in loggers:
            logger.removeHandler(handler)


def say(text: str) -> None:
    """A line about what is going on, on stderr."""
    err.print(text, markup=False)
