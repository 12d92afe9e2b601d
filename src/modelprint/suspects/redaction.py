"""What must not be written down: tokens and the query values of addresses, in messages, files and logs."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

TOKEN_VARIABLE = "MODELPRINT_API_TOKEN"  # noqa: S105 - the name of a variable, not a secret
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks")
_QUERY = re.compile(r"(https?://[^\s?'\"]*)\?[^\s'\"]*")


def token() -> str:
    """The token in the environment; empty where there is none."""
    return os.environ.get(TOKEN_VARIABLE, "").strip()


def without_token(said: bytes) -> bytes:
    """What a server said, in case it echoes the token; tokens that could be part of a number are let be."""
    secret = token()
    return said.replace(secret.encode(), b"***") if len(secret) >= 8 and not secret.isdigit() else said


def shown_url(url: str) -> str:
    """A URL fit for messages and files: without what may be secret, user, password and query values.

    >>> shown_url("https://me:secret@host/v2?key=secret")
    'https://host/v2?...'
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "..." if parts.query else "", ""))


def shown_reference(reference: str) -> str:
    """A SUSPECT argument fit for messages and reports.

    >>> shown_reference("model.onnx"), shown_reference("http://host/x?key=secret")
    ('model.onnx', 'http://host/x?...')
    """
    return shown_url(reference) if reference.lower().startswith(("http://", "https://")) else reference


class _Redacting(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without secrets."""
        said = _QUERY.sub(r"\1?...", record.getMessage())
        record.msg, record.args = without_token(said.encode("utf-8", "replace")).decode(), ()
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
