"""Pieces of long work, kept until all of it is finished: what Ctrl-C, a crash or a power cut leaves is used again.

A piece is what some deterministic code computes, named tensors, with the state in which it left its generator. A piece
that was kept is read in place of being computed, so that the work ends with the same bits whether or not it was cut
off. The folder is named after a hash of everything that decides the work; each file says which work and which piece it
is of. Processes that do the same work at once write the same files, whole or not at all.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from modelprint.core.errors import FingerprintError, ModelprintError
from modelprint.core.files import write_bytes
from modelprint.core.identity import digest_arrays, digest_json

EVERY = 2.0  # seconds of computing that are kept together
EVERY_STATE = 30.0  # seconds between two states of a loop that are kept
SHARE = 20  # and at least so many times as long as keeping one took
ABOUT = "about.json"
_GENERATOR = "generator"
_KEY = "modelprint.unfinished"

Arrays = Mapping[str, np.ndarray]
Notice = Callable[[str], None]


def _unheard(text: str) -> None:
    """A notice that nobody reads."""


class Unfinished:
    """Where the pieces of one piece of work are kept.

    Args:
        place: its folder, made when something is kept; None: nothing is kept.
        work: everything that decides the pieces, as JSON.
        label: what a person should know of the work, as JSON; it decides nothing.
        notice: called with what a user should know.
        every, every_state: seconds between two times that something is kept.

    Attributes:
        used: pieces and states that were read in place of being computed.
    """

    def __init__(
        self,
        place: Path | None = None,
        *,
        work: object = None,
        label: Mapping[str, Any] | None = None,
        notice: Notice = _unheard,
        every: float | None = None,
        every_state: float | None = None,
    ) -> None:
        self.place = place
        self.used = 0
        self._work = work
        self._identity = digest_json(work)
        self._label = dict(label or {})
        self._notice = notice
        self._every = EVERY if every is None else every
        self._every_state = EVERY_STATE if every_state is None else every_state
        self._pending: dict[str, Arrays] = {}
        self._computed = 0.0
        self._kept_something = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            return
        if issubclass(kind, FingerprintError):  # it would end so again
            self.clear()
            return
        self.flush()
        if self._kept_something and self.place is not None:
            self._notice(f"what is finished is kept in {self.place}: the same command goes on from there")

    def piece(
        self, name: str, compute: Callable[[], Arrays], *, generator: torch.Generator | None = None
    ) -> dict[str, np.ndarray]:
        """What a function computes, or computed in a run that was cut off.

        Args:
            name: of the piece; no two pieces of the work have the same.
            compute: depends on nothing but the work, its name, and the state of the generator.
            generator: that it draws from; left as the function would leave it.
        """
        if self.place is None:
            return dict(compute())
        known = self._read(name, generator)
        if known is not None:
            return known
        started = time.monotonic()
        arrays = dict(compute())
        self._pending[name] = _with_generator(arrays, generator)
        self._computed += time.monotonic() - started
        if self._computed >= self._every:
            self.flush()
        return arrays

    def loop(self, name: str, key: str = "", *, generator: torch.Generator | None = None) -> LoopState:
        """Where a loop keeps its latest state, to go on from there.

        Args:
            name: of the loop.
            key: which of several loops of that name, one after the other; a state of another one is not read.
            generator: that the loop draws from; left as it was when the state was kept.
        """
        return LoopState(self, name, key, generator)

    def flush(self) -> None:
        """Keep what was computed since the last time."""
        pending, self._pending, self._computed = self._pending, {}, 0.0
        for name, arrays in pending.items():
            self._write(name, arrays)

    def clear(self) -> None:
        """Forget everything: the work is finished."""
        self._pending = {}
        if self.place is not None:
            shutil.rmtree(self.place, ignore_errors=True)

    def _file(self, name: str) -> Path:
        assert self.place is not None
        readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
        return self.place / f"{readable}-{digest_json(name).removeprefix('sha256:')[:12]}.safetensors"

    def _read(self, name: str, generator: torch.Generator | None) -> dict[str, np.ndarray] | None:
        path = self._file(name)
        if not path.is_file():
            return None
        try:
            with safe_open(str(path), framework="numpy") as file:
                said = json.loads((file.metadata() or {}).get(_KEY, "{}"))
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
        except (SafetensorError, OSError, ValueError) as error:
            self._refuse(path, f"cannot be read ({error})")
            return None
        if said.get("work") != self._identity or said.get("piece") != name:
            self._refuse(path, "is of other work")
            return None
        if said.get("sha256") != digest_arrays(arrays):
            self._refuse(path, "was changed since it was written")
            return None
        state = arrays.pop(_GENERATOR, None)
        if generator is not None and state is not None:
            generator.set_state(torch.from_numpy(state.copy()))
        self.used += 1
        self._kept_something = True
        return arrays

    def _refuse(self, path: Path, why: str) -> None:
        self._notice(f"{path} {why}: it is computed again")
        with suppress(OSError):
            path.unlink()

    def _write(self, name: str, arrays: Arrays) -> None:
        """Keep a file; where that fails (a full disk), the work goes on without keeping anything."""
        if self.place is None:
            return
        arrays = {key: np.asarray(value, order="C") for key, value in arrays.items()}  # of no axes, too
        said = {"work": self._identity, "piece": name, "sha256": digest_arrays(arrays)}
        try:
            if not (self.place / ABOUT).is_file():
                about = {"work": self._work, **self._label}
                write_bytes(self.place / ABOUT, json.dumps(about, indent=1).encode())
            write_bytes(self._file(name), save(arrays, {_KEY: json.dumps(said)}))
        except (ModelprintError, OSError) as error:
            self._notice(f"unfinished work is not kept from here on, and starts anew if it is cut off: {error}")
            self.place = None
        else:
            self._kept_something = True


class LoopState:
    """The latest state of one loop; made by `Unfinished.loop`."""

    def __init__(self, unfinished: Unfinished, name: str, key: str, generator: torch.Generator | None) -> None:
        self._unfinished = unfinished
        self._name, self._key = f"state of {name}", key
        self._generator = generator
        self._kept_at = time.monotonic()
        self._took = 0.0

    def latest(self) -> dict[str, np.ndarray] | None:
        """The state to go on from, and the generator as it was then; None: begin."""
        if self._unfinished.place is None:
            return None
        before = None if self._generator is None else self._generator.get_state()
        arrays = self._unfinished._read(self._name, self._generator)
        if arrays is None:
            return None
        key = arrays.pop("key").tobytes().decode()
        if key == self._key:
            return arrays
        if self._generator is not None and before is not None:
            self._generator.set_state(before)
        return None

    def offer(self, state: Callable[[], Arrays]) -> None:
        """Keep what the function gives, if it is time again.

        Args:
            state: of the loop between two rounds.
        """
        unfinished = self._unfinished
        if unfinished.place is None:
            return
        started = time.monotonic()
        if started - self._kept_at < max(unfinished._every_state, SHARE * self._took):
            return
        unfinished.flush()
        arrays = {**_with_generator(state(), self._generator), "key": np.frombuffer(self._key.encode(), np.uint8)}
        unfinished._write(self._name, arrays)
        self._kept_at = time.monotonic()
        self._took = self._kept_at - started


NOT_KEPT = Unfinished().loop("nothing")


def _with_generator(arrays: Arrays, generator: torch.Generator | None) -> dict[str, np.ndarray]:
    return {**arrays, **({} if generator is None else {_GENERATOR: generator.get_state().numpy().copy()})}
