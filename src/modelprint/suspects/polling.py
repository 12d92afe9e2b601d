"""APIs that give a receipt first: ask until the answer is there, on the same server and no other."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from modelprint.core.errors import SuspectError
from modelprint.core.redaction import check_address, shown_reference
from modelprint.suspects.dialects import from_json
from modelprint.suspects.mapping_file import MappingPoll
from modelprint.suspects.paths import at_path
from modelprint.suspects.wire import Call, LostError, Wire, extended

_FIRST_PAUSE = 0.05
_ID = re.compile(r"[A-Za-z0-9_~:-][A-Za-z0-9._~:-]{0,199}")
_PORTS = {"http": 80, "https": 443}


def awaited(wire: Wire, asked: Call, receipt: bytes, poll: MappingPoll, *, server: str, who: str) -> bytes:
    """The body of the answer that a receipt promises.

    Args:
        asked: what the receipt answers; its headers go out with every question.
        server: the address that the user named, to which the file's paths are added.

    Raises:
        LostError: no answer in time, or the server says that it failed.
        SuspectError: the receipt names no address on the same server.
    """
    parsed = from_json(receipt, who=who)
    if poll.status is not None and _is_done(parsed, poll, who):
        return receipt
    call = replace(asked, url=_address(parsed, server, poll, who), method="GET", body=None)
    deadline, pause, trouble = time.monotonic() + poll.seconds, min(_FIRST_PAUSE, poll.every), ""
    while True:
        wait = pause
        try:
            body = wire.once(call)
        except LostError as error:
            if wire.stopped.is_set():
                raise LostError(f"{who}: stopped") from error  # the picture was sent, whatever became of this question
            trouble, wait = f" ({error})", max(pause, error.wait or 0.0)
        else:
            if poll.status is None or _is_done(from_json(body, who=who), poll, who):
                return body
        if time.monotonic() + wait > deadline:
            raise LostError(f"{who}: no answer {poll.seconds:g} s after the receipt{trouble}: raise poll.seconds")
        wire.stopped.wait(wait)
        pause = min(2 * pause, poll.every)


def _is_done(parsed: Any, poll: MappingPoll, who: str) -> bool:
    """Whether the answer is there.

    Raises:
        LostError: it will never be.
    """
    status = at_path(parsed, poll.status or "", who=who)
    if not isinstance(status, str):
        raise SuspectError(f"{who}: the status at {poll.status!r} is {ascii(status)[:60]}, no word: mend poll.status")
    if status.casefold() in map(str.casefold, poll.failed):
        raise LostError(f"{who}: the server says {ascii(status)[:40]} of a query that it took")
    return status.casefold() in map(str.casefold, poll.done)


def _address(parsed: Any, url: str, poll: MappingPoll, who: str) -> str:
    """Where to ask for the answer.

    Raises:
        SuspectError: another server, or no address.
    """
    if poll.path is not None:
        name = at_path(parsed, poll.id or "", who=who)
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        if not isinstance(name, str) or not _ID.fullmatch(name):
            raise SuspectError(f"{who}: {ascii(name)[:60]} at {poll.id!r} is no id: mend poll.id")
        return extended(url, "/" + poll.path.lstrip("/").replace("$id", quote(name, safe="")))
    place = at_path(parsed, poll.url or "", who=who)
    if not isinstance(place, str) or not place.isprintable() or len(place) > 2000:
        raise SuspectError(f"{who}: {ascii(place)[:60]} at {poll.url!r} is no address: mend poll.url")
    try:
        address = urljoin(url, place)
        check_address(address)
        same = _server(address) == _server(url)
    except (SuspectError, ValueError):
        same = False
    if not same:
        raise SuspectError(
            f"{who}: the receipt points to {ascii(shown_reference(place))[1:-1][:120]}, another server than the one "
            "that you named: nothing is sent there; if the answers are on that one, too, use poll.path and poll.id"
        )
    return address


def _server(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError(url)
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme.lower())
