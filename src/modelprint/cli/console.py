"""Progress on stderr, results on stdout."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from modelprint.core.durations import duration
from modelprint.core.printable import printable
from modelprint.core.redaction import hidden

if TYPE_CHECKING:
    from modelprint.core.records import Record

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


def print_record(record: Record) -> None:
    """A record on stdout, as one line of JSON."""
    out.print(json.dumps(record.model_dump(mode="json", by_alias=True)), markup=False)


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
        with Lines().beating() as lines:
            yield lines
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(printable(stage), total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


@dataclass(kw_only=True)
class _Stage:
    """How far a stage is: when it began and with how much of it done, and what was said of it last."""

    name: str
    began: float
    first: int
    done: int
    total: int
    said: int


class Lines:
    """Progress where there is no terminal: plain lines, for a log.

    A line comes when `every` seconds have passed since the last one, whether or not anything was finished meanwhile,
    and earlier, but not before `least` seconds, when another tenth of the stage is done.

    Args:
        every: the most seconds between two lines; what is over sooner than `least` leaves none.
        least: the fewest seconds between two lines.
        clock: seconds that only grow.
    """

    def __init__(self, every: float = 30.0, least: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.every = every
        self.least = least
        self.clock = clock
        self._stages: dict[str, _Stage] = {}
        self._current: _Stage | None = None
        self._spoke = clock()
        self._lock = threading.Lock()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take note of how much of a stage is done."""
        with self._lock:
            now = self.clock()
            current = self._stages.get(stage)
            if current is None or done < current.done:  # a stage that comes a second time begins anew
                current = _Stage(name=stage, began=now, first=done, done=done, total=total, said=done)
                self._stages[stage] = current
            current.done, current.total = done, total
            self._current = None if done >= total else current
            further = 10 * (done - current.said) >= total
            if now - self._spoke >= (self.least if further else self.every):
                self._say(current, now)

    def beat(self) -> None:
        """A line where none came for long, though nothing was finished."""
        with self._lock:
            now = self.clock()
            if self._current is not None and now - self._spoke >= self.every:
                self._say(self._current, now)

    @contextmanager
    def beating(self) -> Iterator[Lines]:
        """Inside, `beat` is called every second."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(1.0):
                self.beat()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            ended.set()
            thread.join()

    def _say(self, stage: _Stage, now: float) -> None:
        self._spoke = now
        stage.said = stage.done
        spent = now - stage.began
        if stage.done > stage.first:
            rest = f", about {duration(spent / (stage.done - stage.first) * (stage.total - stage.done))} left"
        else:
            rest = f", {duration(spent)} so far" if spent else ""
        say(f"{stage.name}: {stage.done} of {stage.total}{rest}")


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
