"""Real servers on loopback: uvicorn in a thread, and a scripted one that misbehaves on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import uvicorn


@contextmanager
def running(app: Any) -> Iterator[str]:
    """An ASGI application on a free port; its address."""
    # its logging is left alone: to configure it closes every handler, and absl's (of Keras) closes what pytest captures
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="warning", log_config=None, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@dataclass
class Reply:
    """What the scripted server sends; `drop` closes the connection instead, `drip` sends a byte at a time;
    `short` closes before the last byte."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    delay: float = 0.0
    drip: float = 0.0
    short: bool = False


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Scripted:
    """A server whose every reply is a function of the request and its number among the POSTs (from 0; -1 for GETs)."""

    def __init__(self, script: Callable[[Request, int], Reply], *, port: int = 0) -> None:
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                with outer._lock:
                    outer.requests.append(request)
                    number = len(outer.posts) - 1 if self.command != "GET" else -1
                reply = script(request, number)
                time.sleep(reply.delay)
                if reply.drop:
                    self.close_connection = True
                    return
                data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                self.send_header("content-length", str(len(data)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if reply.short:
                    self.close_connection = True
                    self.wfile.write(data[:-1])
                    return
                if not reply.drip:
                    self.wfile.write(data)
                    return
                for byte in data:
                    try:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                    except OSError:
                        return
                    time.sleep(reply.drip)

            do_GET = do_POST = do_PUT = _serve

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # with 5, the default, 32 clients at once are turned away unread

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the client went away: part of the tests

        self._server = Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.requests if request.method != "GET"]

    def __enter__(self) -> Scripted:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def truth(images: np.ndarray) -> np.ndarray:
    """What the scripted models answer: a label 0..3 read off the first pixel."""
    first = np.asarray(images).reshape(len(images), -1)[:, 0]
    return (np.rint(first * 255) if first.dtype.kind == "f" else first).astype(int) % 4


def mlflow_reply(request: Request) -> Reply:
    """A right answer over /invocations."""
    return Reply({"predictions": truth(np.array(request.json["inputs"])).tolist()})
