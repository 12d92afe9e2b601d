"""One HTTP request, and what to do when it fails: wait, try again, or say what is wrong."""

from __future__ import annotations

import logging
import re
import secrets
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import httpx

from modelprint.core.errors import SuspectError, UsageError
from modelprint.core.lifeline import Lifeline, tls_failure
from modelprint.core.redaction import (
    TOKEN_VARIABLE,
    api_secrets,
    like_secret,
    named_secrets,
    names_secret,
    quiet_logs,
    secrets_in,
    shown_reference,
    shown_url,
    token,
    without,
)
from modelprint.suspects.bodies import TooLargeError, UnreadableError, read_body

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_PAUSE = 30.0
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.1
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
class Said:
    """A text that the user put into requests."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request.

    Attributes:
        headers: what the user adds, some of which may be secret; they win over modelprint's own.
        accept: the kinds of answer that are wanted; None: JSON.
        token_placed: whether the user said where secrets go, so that the token is sent nowhere else.
        said: texts in the body that the user wrote, some of which may be secret.
    """

    url: str = field(repr=False)
    method: str = "GET"
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    accept: str | None = None
    token_placed: bool = False
    said: tuple[Said, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is hidden wherever the server says it."""
        named = (one.text for one in self.said if names_secret(one.name))
        headers = (value for name, value in self.headers.items() if names_secret(name) or like_secret(value))
        return (*api_secrets().values(), *named_secrets(self.url), *named, *headers)

    def quoted(self, text: str) -> str:
        """A piece of what the server said, fit for a message: nothing in it that was said to the server."""
        data = without(text.encode("utf-8", "replace"), self.secrets)
        data = without(data, (*secrets_in(self.url), *(one.text for one in self.said)), least=4)
        return _text(data.decode("utf-8", "replace"))


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
        rate: the most requests a second, over all connections; None: as fast as the server answers.
        send_token: whether the token goes out at all.
        token_header: the header that carries the token of the environment variable MODELPRINT_API_TOKEN; it goes as
            "Bearer ..." in `Authorization`, bare in any other.
    """

    timeout: float = 30.0
    retries: int = 5
    backoff: float = 0.5
    longest_wait: float = 300.0
    max_bytes: int = 16 * 2**20
    connections: int = 4
    rate: float | None = None
    send_token: bool = True
    token_header: str = "Authorization"  # noqa: S105 - a header's name, not a secret

    def __post_init__(self) -> None:
        if not _HEADER.fullmatch(self.token_header):  # not repeated: it may hold the token
            raise UsageError("--token-header takes the name of a header, such as X-API-Key, without its value")
        self.stopped = threading.Event()
        self.round_trip: float | None = None
        self._resume_at = 0.0
        self._next_at = 0.0
        self._lock = threading.Lock()
        self._lifelines: dict[int, Lifeline] = {}  # by thread
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        self.stopped.clear()
        self._entered.enter_context(quiet_logs())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            for lifeline in self._lifelines.values():
                lifeline.close()
            self._lifelines.clear()
        self._entered.close()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    def once(self, call: Call) -> bytes:
        """The body of a good answer.

        Raises:
            LostError: no answer, or one that says to try again.
            SuspectError: anything else; the message names the URL and says what to do.
        """
        shown = shown_url(call.url)
        self._wait_for_turn()
        if self.stopped.is_set():
            raise LostError(f"{shown}: stopped", sent=False)
        headers = self._headers(call)
        began = time.monotonic()
        try:
            with self._lifeline().stream(call.method, call.url, call.body, headers) as response:
                body = self._read(response, call)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            _refuse_bad_tls(error, shown)
            raise LostError(f"{shown}: no connection ({_text(str(error))})", sent=False) from error
        except httpx.TimeoutException as error:
            raise LostError(
                f"{shown}: no answer in {self.timeout:g} s (raise --timeout, or lower --batch-size)"
            ) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):  # their messages hold pieces of it
            raise SuspectError(f"{shown} is not an address that can be asked: use http://host:port/...") from None
        except httpx.HTTPError as error:
            raise LostError(f"{shown}: the connection broke off ({type(error).__name__})") from error
        self.round_trip = time.monotonic() - began
        return self._checked(response, without(body, call.secrets), call)

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

    def _lifeline(self) -> Lifeline:
        """This thread's connection."""
        mine = threading.get_ident()
        with self._lock:
            if mine not in self._lifelines:
                self._lifelines[mine] = Lifeline(timeout=self.timeout, tls=self._tls)
            return self._lifelines[mine]

    def _wait_for_turn(self) -> None:
        """Sleep out the pause that the server asked for, and keep to the rate."""
        self.stopped.wait(max(0.0, self._resume_at - time.monotonic()))
        if self.rate is None:
            return
        with self._lock:
            turn = max(self._next_at, time.monotonic())
            self._next_at = turn + 1 / self.rate
        self.stopped.wait(max(0.0, turn - time.monotonic()))

    def _read(self, response: httpx.Response, call: Call) -> bytes:
        shown = shown_url(call.url)
        encoding = response.headers.get("content-encoding", "")
        try:
            return read_body(response.iter_raw(), encoding=encoding, limit=self.max_bytes)
        except TooLargeError as error:
            raise SuspectError(
                f"{shown}: the answer is larger than {self.max_bytes / 2**20:.0f} MiB: lower --batch-size, "
                "or check that this is a model's address"
            ) from error
        except UnreadableError as error:
            raise SuspectError(
                f"{shown}: the answer {call.quoted(str(error))}: check that this is a model's address"
            ) from None

    def _checked(self, response: httpx.Response, body: bytes, call: Call) -> bytes:
        shown = shown_url(call.url)
        status = response.status_code
        if 200 <= status < 300:
            return body
        if 300 <= status < 400:
            target = call.quoted(shown_reference(response.headers.get("location", "nowhere")))
            raise StatusError(
                f"{shown}: answered {status} and points to {target}: redirects are not followed, "
                "name that address if you trust it",
                status=status,
            )
        reason = call.quoted(body[:20_000].decode("utf-8", "replace"))
        message = f"{shown}: answered {status} {_phrase(status)}".rstrip() + (f" ({reason})" if reason else "")
        if status in _RETRIED:
            raise LostError(message, wait=retry_after(response.headers.get("retry-after"), now=datetime.now(UTC)))
        raise StatusError(f"{message}: {_ADVICE.get(status, 'look at what the server says')}", status=status)

    def _headers(self, call: Call) -> dict[str, str]:
        headers = {"content-type": call.content_type} if call.body is not None else {}
        headers |= {} if call.accept is None else {"accept": call.accept}
        headers |= {} if call.token_placed else self._credentials()
        own = {name.lower() for name in call.headers}
        return {**{name: value for name, value in headers.items() if name.lower() not in own}, **call.headers}

    def _credentials(self) -> dict[str, str]:
        secret = token()
        if not secret or not self.send_token:
            return {}
        if not (secret.isascii() and secret.isprintable()):
            raise SuspectError(f"{TOKEN_VARIABLE} holds characters that no HTTP header takes: set it again")
        return {self.token_header: f"Bearer {secret}" if self.token_header.lower() == "authorization" else secret}


def _refuse_bad_tls(error: Exception, shown: str) -> None:
    """Say what is wrong with a server's certificate; trying again would not mend it.

    Raises:
        SuspectError: the error came from TLS.
    """
    cause = tls_failure(error)
    if cause is None:
        return
    if isinstance(cause, ssl.SSLCertVerificationError):
        raise SuspectError(
            f"{shown}: its certificate is not valid ({_text(cause.verify_message)}), so that anybody could be "
            "answering: check the address and this machine's clock; a private authority's certificate goes into the "
            "file that the environment variable SSL_CERT_FILE names"
        ) from error
    raise SuspectError(
        f"{shown}: no secure connection ({_text(cause.reason or str(cause))}): is it an http:// address?"
    ) from error


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
