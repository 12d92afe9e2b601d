"""Work in the background: one job after another in a thread, so that pages stay quick."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal, final

from modelprint.core.errors import ModelprintError, first_line

JobState = Literal["waiting", "running", "done", "failed", "stopped"]
ENDED: tuple[JobState, ...] = ("done", "failed", "stopped")
_MOST_WAITING = 100


class StoppedError(ModelprintError):
    """The user stopped a job, or the console ends."""


class Job(ABC):
    """One piece of work.

    Attributes:
        room: of its kind, the first part of its page's address.
        id: which names it in addresses.
        title: in one line.
        stage, done, total: how far it is.
        error: why it failed.
        hidden: a folder's path, that messages leave out: where uploads lie concerns nobody.
    """

    room: ClassVar[str]

    def __init__(self, title: str, *, hidden: str = "") -> None:
        self.hidden = hidden
        self.id = secrets.token_urlsafe(12)
        self.title = title
        self.state: JobState = "waiting"
        self.stage, self.done, self.total = "", 0, 0
        self.error: str | None = None
        self._started: float | None = None
        self._ended: float | None = None
        self._stop = threading.Event()
        self._turn = threading.Lock()  # of starting, or of being stopped before that: one comes first

    @abstractmethod
    def _run(self) -> None:
        """Do the work; calls `report` as it goes.

        Raises:
            ModelprintError: it cannot be done.
        """

    def _tidy(self) -> None:  # noqa: B027 - most keep what they have
        """Remove what is of no use once the job has ended."""

    @final
    def run(self) -> None:
        """Do the work; an error ends this job alone."""
        with self._turn:
            stopped = self._stop.is_set()
            self.state = "stopped" if stopped else "running"
        if stopped:
            self._tidy()
            return
        self._started = time.monotonic()
        state: JobState = "done"
        try:
            self._run()
        except StoppedError:
            state = "stopped"
        except ModelprintError as error:
            state, self.error = "failed", self.shown(str(error))
        except Exception as error:  # whatever a library does with somebody's file: this job fails, the console goes on
            state, self.error = "failed", f"unexpected {type(error).__name__}: {self.shown(first_line(error))}"
        self._tidy()
        self._ended = time.monotonic()
        self.state = state

    @final
    def report(self, stage: str, done: int, total: int) -> None:
        """Take note of how far the work is.

        Raises:
            StoppedError: it should stop.
        """
        self.stage, self.done, self.total = stage, done, total
        if self._stop.is_set():
            raise StoppedError("stopped")

    @final
    def shown(self, text: str) -> str:
        """A message without the path of the folder that uploads lie in."""
        return text.replace(self.hidden, "") if self.hidden else text

    @final
    def stop(self) -> None:
        """Ask it to stop; it does at the next report."""
        with self._turn:
            self._stop.set()
            if self.state == "waiting":
                self.state = "stopped"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop, and has not yet."""
        return self._stop.is_set() and not self.ended

    @property
    def seconds(self) -> float:
        """Since it started; 0 while it waits."""
        if self._started is None:
            return 0.0
        return (self._ended or time.monotonic()) - self._started


class Worker:
    """A thread that does jobs in their order."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="console-worker", daemon=True)
        self._thread.start()

    def once(self, key: str, make: Callable[[], Job]) -> Job:
        """The job of that key; made and queued where there is none: a form that is sent twice starts one job.

        Raises:
            ModelprintError: too many wait already.
        """
        with self._lock:
            if key not in self._jobs:
                if sum(not job.ended for job in self._jobs.values()) >= _MOST_WAITING:
                    raise ModelprintError(f"{_MOST_WAITING} jobs wait already: try again when some are done")
                self._jobs[key] = make()
                self._waiting.put(self._jobs[key])
            return self._jobs[key]

    def named(self, key: str) -> Job | None:
        """The job of that key."""
        with self._lock:
            return self._jobs.get(key)

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def get(self, id_: str) -> Job | None:
        """The job of that id."""
        return next((job for job in self.all() if job.id == id_), None)

    def forget(self, job: Job) -> None:
        """Stop a job, and know nothing of it any more."""
        job.stop()
        with self._lock:
            self._jobs = {key: one for key, one in self._jobs.items() if one is not job}

    def end(self, patience: float = 5.0) -> None:
        """Stop all jobs; waits so many seconds for the one that runs."""
        for job in self.all():
            job.stop()
        self._waiting.put(None)
        self._thread.join(patience)

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            job.run()
