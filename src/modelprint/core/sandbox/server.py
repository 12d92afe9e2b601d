"""The fork server: has the heavy libraries, and makes a child for each room in milliseconds.

`python -m modelprint.core.sandbox.server DESCRIPTOR` waits on a socket for orders. Each comes with one end of another
socket, over which the new child talks to the parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import import_module
from typing import Any

from modelprint.core.errors import ModelprintError
from modelprint.core.sandbox.frames import Arrays, receive, send
from modelprint.core.sandbox.limits import Confinement, Limits, confine

Handler = Callable[[Mapping[str, Any], Arrays], tuple[Mapping[str, Any], Arrays]]
LARGEST_ORDER = 2**16
PRELOADED = ("numpy", "torch", "safetensors.torch", "PIL.Image")  # and each handler, with what it imports


def serve(orders: socket.socket) -> None:
    """Make a child for each order, until the parent ends."""
    os.chdir("/")  # the folder that it was started in may be removed, and libraries ask where they are
    for name in PRELOADED:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended children leave nothing behind
    while True:
        data, descriptors, _, _ = socket.recv_fds(orders, LARGEST_ORDER, 1)
        if not data:
            return
        with contextlib.suppress(Exception):  # the child will say what is wrong
            import_module(json.loads(data)["handler"].partition(":")[0])
        child = os.fork()
        if child == 0:
            orders.close()
            _live(socket.socket(fileno=descriptors[0]), json.loads(data))
        for descriptor in descriptors:
            os.close(descriptor)
        orders.sendall(child.to_bytes(8, "big"))


def _live(stream: socket.socket, order: Mapping[str, Any]) -> None:
    """A child's life: confined, it answers messages; it never returns."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        limits = Limits(**order["limits"])
        place, _, name = order["handler"].partition(":")
        handler: Handler = getattr(import_module(place), name)()
        taken = confine(limits)
        while True:
            message, arrays = receive(stream, largest=limits.answer)
            send(stream, *_answered(handler, message, arrays, taken))
    except (EOFError, OSError):
        os._exit(0)  # the parent has what it wanted
    except BaseException:
        os._exit(1)


def _answered(
    handler: Handler, message: Mapping[str, Any], arrays: Arrays, taken: Confinement
) -> tuple[Mapping[str, Any], Arrays]:
    try:
        answer, returned = handler(message, arrays)
    except ModelprintError as error:
        return {"error": str(error), "kind": type(error).__name__}, {}
    except MemoryError:
        return {"error": "memory", "kind": "memory"}, {}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:500], "kind": "unexpected"}, {}
    return {"answer": answer, "taken": asdict(taken)}, returned


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when a child ends
    serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)  # at once, and its children with it
