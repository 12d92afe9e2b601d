"""What must not be written down: tokens and the query values of addresses, in messages, files and logs."""

from __future__ import annotations

import html
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

from modelprint.core.errors import SuspectError

TOKEN_VARIABLE = "MODELPRINT_API_TOKEN"  # noqa: S105 - the name of a variable, not a secret
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks")
_QUERY = re.compile(r"(https?://[^\s?'\"]*)\?[^\s'\"]*")


def token() -> str:
    """The token in the environment; empty where there is none."""
    return os.environ.get(TOKEN_VARIABLE, "").strip()


def without_token(text: bytes) -> bytes:
    r"""What a server said, in case it echoes the token; tokens that could be part of a number are let be.

    An echo is found in the spellings of JSON, HTML and URLs, too: a\/b, a\u002fb, a&#47;b, a&#x2f;b, a%2fb.
    """
    secret = token()
    return _echo(secret).sub(b"***", text) if len(secret) >= 8 and not secret.isdigit() else text


@lru_cache(maxsize=4)
def _echo(secret: str) -> re.Pattern[bytes]:
    """Every spelling of a token, each of its characters in any of them."""
    return re.compile("".join(f"(?:{'|'.join(_spellings(letter))})" for letter in secret).encode())


def _spellings(letter: str) -> list[str]:
    code = ord(letter)
    named = html.escape(letter)
    return [
        re.escape(letter),
        rf"\\(?:u(?i:{code:04x}))",
        rf"&#0*{code};?",
        rf"&#[xX]0*(?i:{code:x});?",
        *([re.escape(named)] if named != letter else []),
        *(f"%(?i:{byte:02x})" for byte in letter.encode() if code < 128),
        *(["\\\\" + re.escape(letter)] if letter in '/"\\' else []),
    ]


def shown_url(url: str) -> str:
    """A URL fit for messages and files: without what may be secret, user, password and query values.

    >>> shown_url("https://me:secret@host/v2?key=secret"), shown_url("http://[::1/?key=secret")
    ('https://host/v2?...', 'http://...')
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # an address that cannot be taken apart may hold a secret anywhere
        return url.partition("://")[0] + "://..."
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "..." if parts.query else "", ""))


def check_address(url: str) -> None:
    """Nothing, if an address can be taken apart.

    Raises:
        SuspectError: it cannot; the message shows nothing of it that may be secret.
    """
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise SuspectError(f"{shown_url(url)} is not an address that can be asked: use http://host:port/...")


def shown_reference(reference: str) -> str:
    """A SUSPECT argument fit for messages and reports.

    >>> shown_reference("model.onnx"), shown_reference("http://host/x?key=secret")
    ('model.onnx', 'http://host/x?...')
    """
    return shown_url(reference) if reference.lower().startswith(("http://", "https://")) else reference


class _Redacting(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without secrets."""
        message = _QUERY.sub(r"\1?...", record.getMessage())
        record.msg, record.args = without_token(message.encode("utf-8", "replace")).decode(), ()
        return True


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Inside, what the HTTP libraries log of requests and responses holds no secrets."""
    filter_ = _Redacting()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(filter_)
    try:
        yield
    finally:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(filter_)
