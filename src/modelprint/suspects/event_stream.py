"""Event streams (WHATWG HTML, "Server-sent events"), once they have ended."""

from __future__ import annotations

from collections import deque

from modelprint.core.errors import SuspectError


def data_of_event(body: bytes, event: str, *, who: str) -> bytes:
    r"""The data of the last event of that name.

    >>> data_of_event(b"event: heartbeat\ndata: null\n\nevent: done\ndata: [1,\ndata: 2]\n\n", "done", who="api")
    b'[1,\n2]'

    Raises:
        SuspectError: the stream ended without it.
    """
    data: bytes | None = None
    names: deque[str] = deque(maxlen=5)
    for block in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        name, lines = "message", []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            if field == b"event":
                name = value.strip().decode("utf-8", "replace")
            elif field == b"data":
                lines.append(value.removeprefix(b" "))
        if lines:
            names.append(name)
        if name == event and lines:
            data = b"\n".join(lines)
    if data is None:
        heard = ", ".join(ascii(name)[:40] for name in names) or "none"
        raise SuspectError(f"{who}: the event stream ended without the event {event!a}; its last events: {heard}")
    return data
