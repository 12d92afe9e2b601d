"""What must not be written down: tokens and the secret parts of addresses, in messages, files and logs.

`shown_url` alone decides what of an address is shown. The path is: it says which model was asked.
"""

from __future__ import annotations

import base64
import html
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from modelprint.core.errors import SuspectError

API_VARIABLES = "MODELPRINT_API_"  # how the names of variables begin that hold what APIs are to be told
TOKEN_VARIABLE = "MODELPRINT_API_TOKEN"  # noqa: S105 - the name of a variable, not a secret
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
NOT_SHOWN = "***"
LEAST = 8  # characters of a secret that is hidden wherever it stands; a shorter one may be part of any word or number
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks")
_SCHEME = re.compile(r"\s*(?!hf:/(?!/))[a-z][a-z0-9+.-]+:[/\\]", re.IGNORECASE)  # hf:/models/a is a folder here
_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]{1,20}:(?:\\?/){2}[^\s'\"<>`]+|https?:\\?/[^\s'\"<>`]+", re.IGNORECASE)
_CLOSING = ".,:;)]}"  # after an address in a sentence
_NAMED_SECRET = re.compile(r"key|token|secret|sig|pass|pwd|auth|code|cred|session", re.IGNORECASE)


def token() -> str:
    """The token in the environment; empty where there is none."""
    return os.environ.get(TOKEN_VARIABLE, "").strip()


def api_secrets() -> dict[str, str]:
    """What the environment holds for APIs, by the names of its variables; the token among it."""
    named = {name: value.strip() for name, value in os.environ.items() if name.startswith(API_VARIABLES)}
    return {name: value for name, value in named.items() if value}


def shown_url(url: str) -> str:
    """A URL fit for messages and files: without what may be secret, user, password, query values and fragment.

    >>> shown_url("https://me:secret@host/v2?key=secret"), shown_url("http://[::1/?key=secret")
    ('https://host/v2?...', 'http://...')
    """
    stated = re.match(r"\s*([a-z][a-z0-9+.-]*):", url, re.IGNORECASE)
    nothing = f"{stated.group(1) if stated else ''}://..."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # an address that cannot be taken apart may hold a secret anywhere
        return nothing
    host = parts.netloc.rpartition("@")[2]
    if not host or (port is not None and "@" in parts.path + parts.query + parts.fragment):
        return nothing  # "http:/me:secret@host", and "http://me:12/34@host", whose "12/34" is a password
    path = re.sub(r";[^/]*", ";...", parts.path)
    return urlunsplit((parts.scheme, host, path, "..." if parts.query else "", ""))


def check_address(url: str) -> None:
    """Nothing, if an address can be taken apart.

    Raises:
        SuspectError: it cannot; the message shows nothing of it that may be secret.
    """
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0) and url.isprintable()
        (parts.hostname or "").encode("idna")
    except ValueError:
        known = False
    if not known or parts.scheme.lower() not in ("http", "https"):
        raise SuspectError(f"{shown_url(url)} is not an address that can be asked: use http://host:port/...") from None
    if parts.port is not None and "@" in parts.path + parts.query + parts.fragment:
        raise SuspectError(f"{shown_url(url)} has an @ after its port, which could end a password: write it as %40")


def is_address(reference: str) -> bool:
    """Whether a SUSPECT argument means a server's address, well-formed or not.

    >>> [is_address(text) for text in ("HTTP://host", "http:/host?key=secret", "models/a.pt", "C:/a.pt", "hf:/a")]
    [True, True, False, False, False]
    """
    return _SCHEME.match(reference) is not None


def shown_reference(reference: str) -> str:
    """A SUSPECT argument fit for messages and reports: a file's path as it is, an address as `shown_url` gives it.

    >>> shown_reference("model.onnx"), shown_reference("http://host/x?key=secret"), shown_reference("host/x?key=secret")
    ('model.onnx', 'http://host/x?...', 'host/x?...')
    """
    if is_address(reference):
        return shown_url(reference)
    path, mark, query = reference.partition("?")
    kept = re.sub(r"^(//)?[^/\\@]*:[^/\\@]*@", r"\1", path)
    return kept + "?..." if mark and "=" in query else kept + mark + query


def secrets_in(url: str) -> tuple[str, ...]:
    """The values in an address that may be secret, each as it is written and as it is meant.

    >>> secrets_in("http://host/x?api-version=2&key=a%2Fbcdefgh")
    ('2', 'a%2Fbcdefgh', 'a/bcdefgh')
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    written = [pair.partition("=")[2] for pair in parts.query.split("&")]
    meant = [value for _, value in parse_qsl(parts.query)]
    values = (*written, *meant, parts.username or "", parts.password or "", parts.fragment)
    return tuple(dict.fromkeys(value for value in values if value))


def named_secrets(url: str) -> tuple[str, ...]:
    """The values in an address whose names say that they are secret, and those that do not look like words.

    These are hidden in good answers, too, where hiding any word of an address could change what the answer means.

    >>> named_secrets("http://host/x?format=probabilities&key=correcthorse&id=a1b2c3d4")
    ('correcthorse', 'a1b2c3d4')
    """
    try:
        query = urlsplit(url).query
    except ValueError:
        return ()
    named = [value for name, value in parse_qsl(query) if names_secret(name)]
    return tuple(dict.fromkeys([*named, *(value for value in secrets_in(url) if like_secret(value))]))


def like_secret(value: str) -> bool:
    """Whether a value looks like a token, not like a word or a number.

    >>> [like_secret(value) for value in ("probabilities", "2024-02-01", "golden retriever 3", "gh0x81hd7")]
    [False, False, False, True]
    """
    letters, digits = any(letter.isalpha() for letter in value), any(letter.isdigit() for letter in value)
    long = len(value) >= (LEAST if digits else 2 * LEAST)
    return letters and long and not any(letter.isspace() or letter == "," for letter in value)


def names_secret(name: str) -> bool:
    """Whether a field's name says that its value is secret.

    >>> names_secret("X-API-Key"), names_secret("candidate_labels")
    (True, False)
    """
    return _NAMED_SECRET.search(name) is not None


def without_token(text: bytes) -> bytes:
    r"""What a server said, in case it echoes the token; tokens that could be part of a number are let be.

    An echo is found in the spellings of JSON, HTML and URLs, too: a\/b, a\u002fb, a&#47;b, a&#x2f;b, a%2fb; and in
    base64.
    """
    return without(text, api_secrets().values())


def without(text: bytes, secrets: Iterable[str], *, least: int = LEAST) -> bytes:
    """The text with every spelling of the secrets hidden; those shorter than `least` characters are let be."""
    for secret in dict.fromkeys(secrets):
        if len(secret) < least or secret.isdigit():
            continue
        text = _echo(secret).sub(NOT_SHOWN.encode(), text)
        for piece in _in_base64(secret):
            if piece in text:
                text = re.sub(rb"[A-Za-z0-9+/_-]?" + re.escape(piece) + rb"[A-Za-z0-9+/_-]?", NOT_SHOWN.encode(), text)
    return text


def hidden(text: str) -> str:
    """A text of any origin, fit to be printed: addresses as `shown_url` gives them, the environment's secrets hidden.

    >>> hidden("no route to http://me:secret@host/x?key=secret (tried twice)")
    'no route to http://host/x?... (tried twice)'
    >>> hidden("(http://host/x?...)")
    '(http://host/x?...)'
    """
    if ":/" in text or ":\\/" in text:
        text = _IN_TEXT.sub(_shown_match, text)
    secrets = tuple(_of_environment())
    return without(text.encode("utf-8", "surrogatepass"), secrets).decode("utf-8", "surrogatepass") if secrets else text


def _shown_match(match: re.Match[str]) -> str:
    address = match.group()
    body = address.rstrip(_CLOSING)
    if body.endswith("?") and address.startswith(body + "..."):
        body += "..."  # as `shown_url` writes it
    if "?" not in body and "@" not in body and "#" not in body and ";" not in body:
        return address
    return shown_url(body.replace("\\/", "/")) + address[len(body) :]


def _of_environment() -> Iterator[str]:
    yield from api_secrets().values()
    for name in PROXY_VARIABLES:
        value = os.environ.get(name, "")
        if "@" in value:
            user, _, password = value.rpartition("@")[0].rpartition("//")[2].partition(":")
            yield from {password, unquote(password), *([] if password else [user])} - {""}


@lru_cache(maxsize=32)
def _echo(secret: str) -> re.Pattern[bytes]:
    """Every spelling of a secret, each of its characters in any of them."""
    return re.compile(b"".join(b"(?:" + b"|".join(_spellings(letter)) + b")" for letter in secret))


def _spellings(letter: str) -> list[bytes]:
    code, data = ord(letter), letter.encode("utf-8", "surrogatepass")
    entity = html.escape(letter)
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    texts = [
        "".join(rf"\\+u(?i:{units[place : place + 4]})" for place in range(0, len(units), 4)),
        rf"&#0*{code};?",
        rf"&#[xX]0*(?i:{code:x});?",
        "".join(f"%(?i:{byte:02x})" for byte in data),
        *([re.escape(entity)] if entity != letter else []),
        *([r"\\+" + re.escape(letter)] if letter in "/\"'\\" else []),
        *([r"\+"] if letter == " " else []),
    ]
    return [re.escape(data), *(text.encode() for text in texts)]


@lru_cache(maxsize=32)
def _in_base64(secret: str) -> tuple[bytes, ...]:
    """The characters that a secret's base64 surely has, however many bytes stand before it, in both alphabets."""
    data = secret.encode("utf-8", "surrogatepass")
    pieces = []
    for before in range(3):
        written = base64.b64encode(bytes(before) + data)
        first = (8 * before + 5) // 6  # the first character of which all six bits are the secret's
        last = 8 * (before + len(data)) // 6
        pieces += [written[first:last], written[first:last].translate(bytes.maketrans(b"+/", b"-_"))]
    return tuple(dict.fromkeys(pieces))


class _Redacting(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without secrets; of the headers of an answer, nothing."""
        message = record.getMessage()
        if message.startswith("receive_response_headers.complete"):
            message = message.partition(" return_value=")[0]
        record.msg, record.args = hidden(message), ()
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
