"""Making a fingerprint in the background, in a process of its own: pages stay quick, and it can be ended at once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from modelprint.console.enroll_form import Order
from modelprint.console.jobs import Job
from modelprint.console.uploads import Store
from modelprint.core.devices import on_threads
from modelprint.core.errors import ModelprintError, first_line
from modelprint.nn.options import ModelOptions
from modelprint.ownership.enroll import enroll
from modelprint.screening.registry import Entry, Registry, checked_name
from modelprint.zoo.pool import end_with_parent
from modelprint.zoo.reference_models.training import HowTrained

FINGERPRINT = "fingerprint.fp"  # in the private folder of an enrollment
_ROUND = 0.2  # seconds between two looks at whether to stop


class EnrollJob(Job):
    """The fingerprint of a model, made and put into the registry.

    Attributes:
        notices: what the owner should know.
        entry: of the registry; None until it is made.
    """

    room = "enrollments"

    def __init__(self, registry: Registry, store: Store, order: Order, *, name: str, owner: str | None) -> None:
        super().__init__(name, hidden=f"{order.folder}{os.sep}")
        self.registry, self.store, self.order = registry, store, order
        self.name, self.owner = checked_name(name), owner
        self.notices: list[str] = []
        self.entry: Entry | None = None

    def _run(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would take the server's threads along
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_make, args=(self.order, sender), name="console-enrollment")
        process.start()
        sender.close()
        try:
            self._hear(receiver)
        finally:
            _end(process)
        self.entry = self.registry.add(self.order.folder / FINGERPRINT, name=self.name, owner=self.owner)

    def _hear(self, receiver: Connection) -> None:
        """Take in what the process says until the fingerprint is written.

        Raises:
            ModelprintError: it cannot be made, or the process died.
            StoppedError: the user stopped the job.
        """
        while True:
            self.report(self.stage, self.done, self.total)
            if not receiver.poll(_ROUND):
                continue
            try:
                kind, *said = receiver.recv()
            except EOFError:
                raise ModelprintError(
                    "the process that made the fingerprint died: it was killed, or out of memory"
                ) from None
            if kind == "progress":
                self.report(*said)
            elif kind == "notice":
                self.notices.append(self.shown(said[0]))
            elif kind == "failed":
                raise ModelprintError(said[0])
            else:
                return

    def _tidy(self) -> None:
        self.store.remove(self.order.folder / FINGERPRINT)


def _make(order: Order, sender: Connection) -> None:
    """In the process of its own: make the fingerprint, and say how far it is."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the console, which ends this
    sys.stdout = sys.stderr  # stdout is for results
    os.chdir(order.folder)
    try:
        _enroll(order, lambda *said: sender.send(said))
    except ModelprintError as error:
        sender.send(("failed", str(error)))
    except Exception as error:  # whatever a library does with somebody's file
        sender.send(("failed", f"unexpected {type(error).__name__}: {first_line(error)}"))
    else:
        sender.send(("made",))


def _enroll(order: Order, say: Callable[..., None]) -> None:
    settings, data = order.settings, order.data.load()
    with on_threads(None, data.shape):
        enroll(
            order.model,
            data,
            scheme=settings.scheme,
            negatives=f"auto:{settings.independent}" if settings.independent else (),
            train_data=None if order.training is None else order.training.load(),
            shadows=str(settings.shadows) if settings.shadows else None,
            how=HowTrained(init=order.init),
            from_scratch=settings.from_scratch,
            accuracy=settings.accuracy,
            options=ModelOptions(arch=settings.arch),
            jobs=order.jobs,
            out=FINGERPRINT,
            notice=lambda text: say("notice", text),
            progress=lambda stage, done, total: say("progress", stage, done, total),
        )


def _end(process: BaseProcess) -> None:
    process.terminate()
    process.join(5)
    if process.is_alive():
        process.kill()
        process.join()
    with contextlib.suppress(ValueError):
        process.close()
