"""One HTTP request, and what to do when it fails: wait, try again, or say what is wrong."""

from __future__ import annotations

import logging
import os
import secrets
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import httpx

from modelprint.core.errors import SuspectError

TOKEN_VARIABLE = "MODELPRINT_API_TOKEN"  # noqa: S105 - the name of a variable, not a secret
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_PAUSE = 30.0
_ADVICE = {
    400: "the server does not take such a request: check its protocol (--api) and input shape",
    401: f"set the environment variable {TOKEN_VARIABLE}",
    403: f"the credentials in {TOKEN_VARIABLE} do not allow this",
    404: "check the address and the model's name",
    405: "check the address and the protocol (--api)",
    413: "lower --batch-size",
    415: "the server wants another kind of request: check --api",
    422: "the server does not take such a request: check its protocol (--api) and input shape",
}
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request."""

    url: str
    method: str = "GET"
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"


class LostError(Exception):
    """A request without an answer, which may be tried again.

    Attributes:
        wait: seconds that the server asked to wait, where it did.
        sent: whether the request may have reached the server.
    """

    def __init__(self, message: str, *, wait: float | None = None, sent: bool = True) -> None:
        super().__init__(message)
        self.wait = wait
        self.sent = sent


class StatusError(SuspectError):
    """An answer with a status that trying again does not mend."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(kw_only=True)
class Wire:
    """Sends requests while it is entered (`with wire:`); threads may share it.

    A server that asks for a pause (429 or 503 with Retry-After) gets it from all threads. Redirects are not followed.

    Attributes:
        timeout: seconds for one request, from connecting to the last byte.
        retries: how often a request is tried again.
        backoff: seconds before the first of these, doubled each time, with jitter, up to 30.
        longest_wait: seconds; a server that asks for more ends the run (which can be resumed).
        max_bytes: the largest answer that is read.
        connections: open at a time.
        token_header: the header that carries the token of the environment variable MODELPRINT_API_TOKEN; it goes as
            "Bearer ..." in `Authorization`, bare in any other.
    """

    timeout: float = 30.0
    retries: int = 5
    backoff: float = 0.5
    longest_wait: float = 300.0
    max_bytes: int = 64 * 2**20
    connections: int = 4
    token_header: str = "Authorization"  # noqa: S105 - a header's name, not a secret

    def __post_init__(self) -> None:
        self.stopped = threading.Event()
        self._resume_at = 0.0
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        self.stopped.clear()
        self._client = httpx.Client(
            timeout=self.timeout,
            headers={"user-agent": "modelprint", "accept": "application/json", "accept-encoding": "identity"},
            limits=httpx.Limits(max_connections=self.connections),
            verify=self._tls,
            follow_redirects=False,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._client is not None
        self._client.close()
        self._client = None

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    def once(self, call: Call) -> bytes:
        """The body of a good answer.

        Raises:
            LostError: no answer, or one that says to try again.
            SuspectError: anything else; the message names the URL and says what to do.
        """
        assert self._client is not None
        shown = shown_url(call.url)
        self.stopped.wait(max(0.0, self._resume_at - time.monotonic()))
        if self.stopped.is_set():
            raise LostError(f"{shown}: stopped", sent=False)
        deadline = time.monotonic() + self.timeout
        headers = {"content-type": call.content_type} if call.body is not None else {}
        try:
            with self._client.stream(
                call.method, call.url, content=call.body, headers={**headers, **self._credentials()}
            ) as response:
                body = self._read(response, deadline, shown)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise LostError(f"{shown}: no connection ({_text(str(error))})", sent=False) from error
        except httpx.TimeoutException as error:
            raise LostError(
                f"{shown}: no answer in {self.timeout:g} s (raise --timeout, or lower --batch-size)"
            ) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise SuspectError(f"{shown} is not an address that can be asked: use http://host:port/...") from error
        except httpx.HTTPError as error:
            raise LostError(f"{shown}: the connection broke off ({type(error).__name__})") from error
        return self._checked(response, _without_token(body), shown)

    def send(self, call: Call) -> bytes:
        """As `once`, tried again where that may help, but not for long: for questions before a run."""
        attempt = 0
        while True:
            try:
                return self.once(call)
            except LostError as error:
                attempt += 1
                self.pause(error, attempt, retries=min(2, self.retries))

    def pause(self, error: LostError, attempt: int, *, retries: int | None = None) -> None:
        """Wait before attempt number `attempt` (from 1) is repeated.

        Raises:
            SuspectError: the retries are used up, or the server asks for too long a wait.
        """
        retries = self.retries if retries is None else retries
        if attempt > retries:
            tried = f", after {attempt} attempts" if attempt > 1 else ""
            advice = (
                "run the same command again later" if error.sent else "check the address, and that the server is up"
            )
            raise SuspectError(f"{error}{tried}: {advice}") from error
        if error.wait is not None and error.wait > self.longest_wait:
            raise SuspectError(
                f"{error}: it asks to wait {error.wait:.0f} s, run the same command again then"
            ) from error
        longest = min(_LONGEST_PAUSE, self.backoff * 2 ** (attempt - 1))
        wait = longest * secrets.SystemRandom().uniform(0.5, 1.0)
        if error.wait is not None:
            wait = error.wait + self.backoff * secrets.SystemRandom().uniform(0.0, 1.0)
            self._resume_at = max(self._resume_at, time.monotonic() + wait)
        logger.info("%s; waiting %.1f s before attempt %d", error, wait, attempt + 1)
        self.stopped.wait(wait)

    def _read(self, response: httpx.Response, deadline: float, shown: str) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > self.max_bytes:
                raise SuspectError(
                    f"{shown}: the answer is larger than {self.max_bytes / 2**20:.0f} MiB: lower --batch-size, "
                    "or check that this is a model's address"
                )
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the answer drips")
        return b"".join(parts)

    def _checked(self, response: httpx.Response, body: bytes, shown: str) -> bytes:
        status = response.status_code
        if 200 <= status < 300:
            return body
        if 300 <= status < 400:
            target = _without_token(shown_url(response.headers.get("location", "nowhere")).encode()).decode()
            raise StatusError(
                f"{shown}: answered {status} and points to {_text(target)}: redirects are not followed, "
                "name that address if you trust it",
                status=status,
            )
        said = _text(body[:400].decode("utf-8", "replace"))
        message = f"{shown}: answered {status} {_phrase(status)}".rstrip() + (f" ({said})" if said else "")
        if status in _RETRIED:
            raise LostError(message, wait=retry_after(response.headers.get("retry-after"), now=datetime.now(UTC)))
        raise StatusError(f"{message}: {_ADVICE.get(status, 'look at what the server says')}", status=status)

    def _credentials(self) -> Mapping[str, str]:
        token = _token()
        if not token:
            return {}
        if not (token.isascii() and token.isprintable()):
            raise SuspectError(f"{TOKEN_VARIABLE} holds characters that no HTTP header takes: set it again")
        return {self.token_header: f"Bearer {token}" if self.token_header.lower() == "authorization" else token}


def _token() -> str:
    return os.environ.get(TOKEN_VARIABLE, "").strip()


def _without_token(said: bytes) -> bytes:
    """What a server said, in case it echoes the token; tokens that could be part of a number are let be."""
    token = _token()
    return said.replace(token.encode(), b"***") if len(token) >= 8 and not token.isdigit() else said


def _phrase(status: int) -> str:
    """What a status means, in the standard's words, not the server's."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for, given as a number or as an HTTP date (RFC 9110, 10.2.3).

    >>> retry_after("120", now=datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    >>> retry_after("Thu, 01 Jan 2026 00:00:07 GMT", now=datetime(2026, 1, 1, tzinfo=UTC))
    7.0
    >>> retry_after("soon", now=datetime(2026, 1, 1, tzinfo=UTC)) is None
    True
    """
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def shown_url(url: str) -> str:
    """A URL fit for messages and files: without what may be secret, user, password and query values.

    >>> shown_url("https://me:secret@host/v2?key=secret")
    'https://host/v2?...'
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return (
        urlunsplit((parts.scheme, host, parts.path, "...", ""))
        if parts.query
        else urlunsplit((parts.scheme, host, parts.path, "", ""))
    )


def with_path(url: str, path: str) -> str:
    """A URL with another path; its query stays."""
    return urlunsplit(urlsplit(url)._replace(path=path, fragment=""))


def extended(url: str, path: str) -> str:
    """A URL with more path; its query stays.

    >>> extended("http://host/api/?v=1", "/v2")
    'http://host/api/v2?v=1'
    """
    return with_path(url, urlsplit(url).path.rstrip("/") + path)


def _text(text: str) -> str:
    """A short, printable piece of what a server said."""
    clean = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return clean if len(clean) <= 160 else clean[:157] + "..."
