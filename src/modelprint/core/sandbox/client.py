"""The parent's side: a room is one confined child that answers messages."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from modelprint.core import errors
from modelprint.core.errors import ModelprintError, first_line
from modelprint.core.redaction import API_VARIABLES, PROXY_VARIABLES
from modelprint.core.sandbox.frames import Arrays, FrameError, receive, send
from modelprint.core.sandbox.limits import Confinement, Limits
from modelprint.core.sandbox.server import Handler


class SandboxError(ModelprintError):
    """What a child did ended at a limit, or ended the child."""


def available() -> bool:
    """Whether this system can confine a child: Linux, whose kernel keeps the limits and ends children with parents."""
    return sys.platform == "linux" and hasattr(os, "fork") and hasattr(socket, "send_fds")


class Room:
    """A confined child, while it is entered (`with Room(...) as room:`).

    Args:
        handler: "module:function"; the function returns what answers messages.
        limits: of the child.
        who: what the child works on, for messages.
    """

    def __init__(self, handler: str, *, who: str, limits: Limits | None = None) -> None:
        self.handler, self.who, self.limits = handler, who, limits or Limits()
        self.taken = Confinement()
        self._stream: socket.socket | None = None
        self._child = 0

    def __enter__(self) -> Self:
        mine, other = socket.socketpair()
        try:
            self._child = _SERVER.child(other, {"handler": self.handler, "limits": asdict(self.limits)})
        except BaseException:
            mine.close()
            raise
        finally:
            other.close()
        self._stream = mine
        mine.settimeout(self.limits.seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the child, whatever it does."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            self._child = 0

    def call(self, message: Mapping[str, Any], arrays: Arrays | None = None) -> tuple[Mapping[str, Any], Arrays]:
        """What the child answers to a message.

        Raises:
            SandboxError: it took too long or too much memory, or ended.
            ModelprintError: its own error, of the same class.
        """
        if self._stream is None:
            raise SandboxError(f"{self.who}: it was ended at a limit before")
        try:
            send(self._stream, message, arrays)
            answer, received = receive(self._stream, largest=self.limits.answer)
        except TimeoutError as error:
            self.end()
            raise SandboxError(
                f"{self.who}: it took more than {self.limits.seconds:g} s and was stopped: raise --timeout if you "
                "trust its maker"
            ) from error
        except (EOFError, ConnectionError) as error:
            self.end()
            time = "" if self.limits.processor is None else f"{self.limits.processor:.0f} s of processor time or "
            raise SandboxError(
                f"{self.who}: reading it ended the process that read it: it needs more than {time}"
                f"{self.limits.memory / 2**30:.1f} GiB, or is made to crash its reader; nothing else was touched"
            ) from error
        except FrameError as error:
            self.end()
            raise SandboxError(
                f"{self.who}: the process that read it gave no answer that can be used ({error})"
            ) from error
        except BaseException:
            self.end()
            raise
        if "error" in answer:
            self._refuse(str(answer["error"]), str(answer.get("kind")))
        self.taken = Confinement(**{name: bool(value) for name, value in answer.get("taken", {}).items()})
        inner = answer.get("answer")
        return (inner if isinstance(inner, dict) else {}), received

    def _refuse(self, text: str, kind: str) -> None:
        if kind == "memory":
            raise SandboxError(
                f"{self.who}: it needs more than {self.limits.memory / 2**30:.1f} GiB of memory to be read: refused"
            )
        known = getattr(errors, kind, None)
        if isinstance(known, type) and issubclass(known, ModelprintError):
            raise known(text)
        raise SandboxError(f"{self.who}: it cannot be read ({text})")


class Unconfined:
    """The same face on systems that cannot confine a child: the handler runs in this process, without limits."""

    taken = Confinement()

    def __init__(self, handler: str, *, who: str) -> None:
        self.who = who
        place, _, name = handler.partition(":")
        self._handler: Handler = getattr(import_module(place), name)()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Nothing runs."""

    def call(self, message: Mapping[str, Any], arrays: Arrays | None = None) -> tuple[Mapping[str, Any], Arrays]:
        """What the handler answers.

        Raises:
            SandboxError: it needs more memory than there is, or fails.
            ModelprintError: its own error.
        """
        try:
            return self._handler(message, arrays or {})
        except ModelprintError:
            raise
        except MemoryError as error:
            raise SandboxError(f"{self.who}: there is too little memory to read it: refused") from error
        except Exception as error:
            raise SandboxError(
                f"{self.who}: it cannot be read ({type(error).__name__}: {first_line(error)})"
            ) from error


def room(handler: str, *, who: str, limits: Limits | None = None) -> Room | Unconfined:
    """A confined child, where this system can make one; enter it with `with`."""
    return Room(handler, who=who, limits=limits) if available() else Unconfined(handler, who=who)


def warm() -> None:
    """Start what makes children, where this system can: a caller soon reads a file of somebody else's."""
    if available():
        _SERVER.warm()


def environment() -> dict[str, str]:
    """What a child finds in its environment: nothing secret, for which a reader of files has no use."""
    secret = (API_VARIABLES, *PROXY_VARIABLES)
    return {name: value for name, value in os.environ.items() if not name.startswith(secret)} | {"OMP_NUM_THREADS": "1"}


class _Server:
    """The fork server of this process, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def warm(self) -> None:
        """Start it now, so that it loads its libraries while this process loads its own."""
        with self._lock, contextlib.suppress(OSError):  # who needs it will say what is wrong
            self._started()

    def child(self, stream: socket.socket, order: Mapping[str, Any]) -> int:
        """The process id of a new child that talks over a stream."""
        with self._lock:
            for attempt in range(2):
                try:
                    orders = self._started()
                    socket.send_fds(orders, [json.dumps(order).encode()], [stream.fileno()])
                    reply = orders.recv(8)
                    if len(reply) == 8:
                        return int.from_bytes(reply, "big")
                except OSError as error:
                    if attempt:
                        raise SandboxError(f"no process could be started to read files in: {error}") from error
                except BaseException:  # its answer would be taken for that to the next order
                    self._forget()
                    raise
                self._forget()
        raise SandboxError("no process could be started to read files in: the fork server ended")

    def stop(self) -> None:
        """End the server; its children end with it."""
        with self._lock:
            self._forget()

    def _started(self) -> socket.socket:
        if self._orders is not None and self._owner == os.getpid():
            return self._orders
        mine, other = socket.socketpair()
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, this package
            [sys.executable, "-m", "modelprint.core.sandbox.server", str(other.fileno())],
            pass_fds=(other.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment(),
        )
        other.close()
        self._orders, self._owner = mine, os.getpid()
        return mine

    def _forget(self) -> None:
        if self._orders is not None:
            self._orders.close()
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
        self._orders = self._process = None


_SERVER = _Server()
atexit.register(_SERVER.stop)
