"""Making a fingerprint in the background, in a process of its own: pages stay quick, and it can be ended at once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from modelprint.console.jobs import Job
from modelprint.console.uploads import Store
from modelprint.console.work import checked_arch
from modelprint.core.devices import on_threads
from modelprint.core.errors import ModelprintError, UsageError, first_line
from modelprint.data.labelled import LabelledSet
from modelprint.data.references import read_reference
from modelprint.data.sets import NAMED_SETS
from modelprint.data.splits import load_data
from modelprint.nn.options import ModelOptions
from modelprint.ownership.enroll import enroll
from modelprint.schemes import SCHEMES
from modelprint.screening.registry import Entry, Registry, checked_name
from modelprint.zoo.pool import end_with_parent
from modelprint.zoo.reference_models.training import HowTrained

FINGERPRINT = "made.fp"  # in the private folder of an enrollment
_PART = re.compile(r"(?:[a-z]+)?(?:\[\d*:\d*\])?")
_MOST_MODELS = 1000
_OF_TRANSFORMERS = "hf:"
_ROUND = 0.2  # seconds between two looks at whether to stop


@dataclass(frozen=True, kw_only=True)
class EnrollSettings:
    """What the form of an enrollment says, beside the files.

    Attributes:
        scheme: registered.
        independent: how many independent models are trained to calibrate the verdict.
        shadows: how many surrogates, and as many reference models, are trained.
        from_scratch: whether the owner declares that the model started from no checkpoint.
        accuracy: that the model is known to have; None: not said.
        arch: of weights that do not say what they are; a name alone, never code.
    """

    scheme: str = "auto"
    independent: int = 0
    shadows: int = 0
    from_scratch: bool = False
    accuracy: float | None = None
    arch: str | None = None

    @classmethod
    def parse(cls, words: Mapping[str, str]) -> EnrollSettings:
        """The settings of a form's fields.

        Raises:
            UsageError: one is none that the console takes.
        """
        scheme = words.get("scheme") or "auto"
        if scheme not in schemes():
            raise UsageError(f"{scheme!a} is no scheme: it is one of {', '.join(schemes())}")
        return cls(
            scheme=scheme,
            independent=_count(words.get("independent", ""), "independent models"),
            shadows=_count(words.get("shadows", ""), "shadow models of each sort"),
            from_scratch=bool(words.get("from_scratch")),
            accuracy=_share(words.get("accuracy", "")),
            arch=checked_arch(words.get("arch", "")),
        )

    def check(self, *, trains: bool, init: bool) -> None:
        """Nothing, if these settings fit the files.

        Args:
            trains: whether training data were given.
            init: whether a public checkpoint was.

        Raises:
            UsageError: they do not.
        """
        if not trains and (self.independent or self.shadows):
            raise UsageError(
                "independent and shadow models are trained on the model's training data: give these data, or let 0 be "
                "trained"
            )
        if self.from_scratch and init:
            raise UsageError("either the model started from a public checkpoint, or from none: say one of them")


def schemes() -> dict[str, str]:
    """The schemes that a form offers, with their titles; `auto` first."""
    names = sorted((name for name in SCHEMES if SCHEMES[name].control is None), key=lambda name: (name != "auto", name))
    return {name: SCHEMES[name].title for name in names}


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """A data set.

    Attributes:
        reference: where it lies, as `load_data` takes it; uploads lie below the enrollment's private folder.
        name: what the fingerprint calls it.
    """

    reference: str
    name: str

    @classmethod
    def of(cls, reference: str, *, part: str = "", name: str | None = None) -> DataSource:
        """A data set, or a part of it.

        Args:
            part: "test", "train[0:1000]"; the whole training part where empty.
            name: without the part; the reference itself unless given.

        Raises:
            UsageError: there is no such form of a part.
        """
        if not _PART.fullmatch(part):
            raise UsageError(f"{part!a} is no part of a data set: write test, or train[0:1000]")
        end = "" if not part else part if part.startswith("[") else f":{part}"
        return cls(reference=f"{reference}{end}", name=f"{name or reference}{end}")

    @classmethod
    def at(cls, text: str, *, part: str = "") -> DataSource:
        """A data set of this machine, as the command line names it.

        Raises:
            UsageError: nothing is there, or the part is said twice, or is none.
        """
        asked = read_reference(text)
        place = text if asked.name in NAMED_SETS else f"{_found(asked.name)}{text[len(asked.name) :]}"
        if part and text != asked.name:
            raise UsageError(f"{text!a} says a part already: leave the part out")
        return cls.of(place, part=part, name=text)

    def load(self) -> LabelledSet:
        """Its inputs and labels."""
        return replace(load_data(self.reference), name=self.name)


def found_model(path: str) -> str:
    """The whole path of a model of this machine; a folder of Hugging Face may be named with hf: before it.

    Raises:
        UsageError: nothing is there, or it is a program.
    """
    if path.lower().endswith(".py"):
        raise UsageError(f"{path} is a program: the console runs none. Export the model, for example as ONNX")
    folder = path.removeprefix(_OF_TRANSFORMERS)
    return f"{_OF_TRANSFORMERS if folder != path else ''}{_found(folder)}"


def _found(path: str) -> Path:
    place = Path(path).expanduser().resolve()
    if not place.exists():
        raise UsageError(f"{path}: nothing of this name is on this machine")
    return place


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be made of what.

    Attributes:
        folder: the private one, in which uploads lie and the fingerprint is written.
        model: a path; relative to the folder where it was uploaded.
        data: that the model was not trained on.
        training: that it was trained on.
        init: the path of the public checkpoint that it started from.
        jobs: processes that train models.
    """

    folder: Path
    model: str
    data: DataSource
    training: DataSource | None
    init: str | None
    settings: EnrollSettings
    jobs: int = 1


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


def _count(word: str, what: str) -> int:
    if not word:
        return 0
    if not word.isdecimal() or int(word) > _MOST_MODELS:
        raise UsageError(f"{what}: a whole number from 0 to {_MOST_MODELS:,} is expected, got {word!a}")
    return int(word)


def _share(word: str) -> float | None:
    if not word:
        return None
    try:
        share = float(word)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise UsageError(f"the accuracy is a share such as 0.97, got {word!a}")
    return share
