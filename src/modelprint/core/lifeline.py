"""One connection of one thread, cut at a deadline however slowly the server drips."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import httpx

from modelprint.core.errors import SuspectError

UNUSABLE_PROXY = (
    "the proxy that the environment names cannot be used: HTTP_PROXY, HTTPS_PROXY and ALL_PROXY take "
    "http://user:password@host:port"
)


class Lifeline:
    """A client for one thread. httpx limits each wait for bytes; this limits the whole request.

    Args:
        timeout: seconds for one request, from connecting to the last byte.
        tls: how certificates are checked.

    Raises:
        SuspectError: the environment names a proxy that cannot be used.
    """

    def __init__(self, *, timeout: float, tls: ssl.SSLContext) -> None:
        self.timeout = timeout
        try:
            self.client = httpx.Client(
                timeout=timeout,
                headers={"user-agent": "modelprint", "accept": "application/json", "accept-encoding": "identity"},
                limits=httpx.Limits(max_connections=1),
                verify=tls,
                follow_redirects=False,
            )
        except (ValueError, httpx.InvalidURL, ImportError):  # their messages hold pieces of the proxy's address
            raise SuspectError(UNUSABLE_PROXY) from None
        self._socket: socket.socket | None = None
        self._cut = threading.Event()

    @contextlib.contextmanager
    def stream(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """The response, whose body is still to be read.

        Raises:
            httpx.ReadTimeout: also when the time was over while the caller read.
        """
        self._cut.clear()
        timer = threading.Timer(self.timeout, self._end)
        timer.daemon = True
        timer.start()
        try:
            with self.client.stream(
                method, url, content=body, headers=headers, extensions={"trace": self._trace}
            ) as response:
                yield response
        except httpx.TransportError as error:
            if self._cut.is_set():
                raise httpx.ReadTimeout("the answer drips") from error
            raise
        finally:
            timer.cancel()
        if self._cut.is_set():  # a body without a length looks whole when its connection ends
            raise httpx.ReadTimeout("the answer drips")

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        """Told by httpcore (its "trace" extension) of every connection that is made."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _end(self) -> None:
        self._cut.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # wakes the thread that waits for bytes


def tls_failure(error: BaseException) -> ssl.SSLError | None:
    """The TLS error behind an error, if there is one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
