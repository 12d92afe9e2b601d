"""Servers on loopback that send what they are given to send, byte for byte."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable

from tests.hostile.corpus import Make, Place

Serve = Callable[[socket.socket, bytes], None]


def serving(serve: Serve, path: str = "/invocations") -> Make:
    """Makes the address of a server that does that with each connection, after it has read a request."""

    def make(place: Place) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        place.stack.callback(listener.close)

        def one(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                connection.settimeout(30)
                serve(connection, _request(connection))

        def loop() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=loop, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}{path}"

    return make


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            break
        body += part
    return head + b"\r\n\r\n" + body


def http(
    body: bytes | object = b"", *, status: str = "200 OK", headers: str = "", length: int | str | None = None
) -> bytes:
    """A whole response."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    said = len(data) if length is None else length
    return (
        f"HTTP/1.1 {status}\r\ncontent-length: {said}\r\nconnection: close\r\n{headers}\r\n".encode(
            "latin-1", "replace"
        )
        + data
    )


def answering(response: bytes | Callable[[bytes], bytes], path: str = "/invocations") -> Make:
    """Makes the address of a server that sends this to every request."""
    return serving(lambda stream, request: stream.sendall(response(request) if callable(response) else response), path)


def dripping(head: bytes, part: bytes) -> Serve:
    """Sends a beginning, then a little for ever."""

    def serve(stream: socket.socket, request: bytes) -> None:
        stream.sendall(head)
        while True:
            stream.sendall(part)
            time.sleep(0.05)

    return serve


def pouring(head: bytes, part: bytes) -> Serve:
    """Sends a beginning, then as much as the client takes."""

    def serve(stream: socket.socket, request: bytes) -> None:
        stream.sendall(head)
        while True:
            stream.sendall(part)

    return serve
