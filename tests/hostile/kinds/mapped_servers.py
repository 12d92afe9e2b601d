"""Servers behind a mapping file: receipts that lead elsewhere or nowhere, event streams, texts, lists of entries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile.corpus import ANY, READ, REFUSED, Command, HostileInput, family, hostile
from tests.hostile.kinds.http_servers import OK, SHORT
from tests.hostile.payloads import ESCAPES, RICH
from tests.hostile.servers import Serve, answering, dripping, http, pouring, serving

PICTURE = '[request]\nkind = "png"\nleast_size = 8\n'
LABEL = '[response]\nlabels = "label"\n'
POLL = '[poll]\nstatus = "status"\nseconds = 1.0\nevery = 0.2\n'
BY_URL, BY_ID = POLL + 'url = "get"\n', POLL + 'path = "/jobs/$id"\nid = "id"\n'
SAYS = "127.0.0.1|answers are kept"


def mapped(text: str, *more: str) -> Command:
    """An address as the suspect, with a mapping of that text."""
    return lambda place, made: [
        "verify",
        place.seeds.fingerprint_folder,
        made,
        "--mapping",
        place.file("api.toml", text),
        "--ledger",
        str(place.root / "ledger.jsonl"),
        *SHORT,
        *more,
    ]


def job(receipt: Any, later: bytes) -> Callable[[bytes], bytes]:
    """A receipt to whoever sends a picture, and that to whoever asks later."""
    return lambda request: http(receipt) if request.startswith(b"POST") else later


def job_then(receipt: Any, serve: Serve) -> Serve:
    """A receipt, then a server that does that."""

    def each(stream: Any, request: bytes) -> None:
        if request.startswith(b"POST"):
            stream.sendall(http(receipt))
        else:
            serve(stream, request)

    return each


@family
def receipts() -> Iterator[HostileInput]:
    """Receipts that lead to other servers, or to no answer."""
    places: dict[str, Any] = {
        "other-host": "http://evil.invalid/x",
        "no-scheme": "//evil.invalid/x",
        "other-port": "http://127.0.0.1:9/x",
        "tls": "https://127.0.0.1/x",
        "metadata-service": "http://169.254.169.254/latest/meta-data/",
        "user": "http://127.0.0.1@evil.invalid/x",
        "backslash": "http:\\\\evil.invalid\\x",
        "file": "file:///etc/passwd",
        "gopher": "gopher://127.0.0.1:9/x",
        "bracket": "http://[::1/x",
        "escape": "http://evil.invalid/\x1b[2J",
        "newline": "/x\r\nHost: evil.invalid",
        "long": "/" + "x" * 100_000,
        "number": 3,
        "list": ["/x"],
        "null": None,
        "surrogate": "http://\ud800/x",
        "markup": "http://evil.invalid/[/x]:cat:",
    }
    for name, place in places.items():
        yield hostile(
            f"http_servers/receipt-urls/{name}",
            answering(job({"get": place, "status": "starting"}, http({"status": "done", "label": 0})), "/"),
            mapped(PICTURE + LABEL + BY_URL),
            "" if name == "backslash" else SAYS,
            ANY if name == "backslash" else REFUSED,  # a path on the same server
            seconds=8,
            quick=name in ("other-host", "metadata-service"),
        )
    for name, value in {
        "up": "../../x",
        "dots": "..",
        "slash": "a/b",
        "query": "a?b=c",
        "empty": "",
        "escape": "\x1b[2J",
        "long": "x" * 100_000,
        "float": 1.5,
        "boolean": True,
        "object": {"a": 1},
    }.items():
        yield hostile(
            f"http_servers/receipt-ids/{name}",
            answering(job({"id": value, "status": "starting"}, http({"status": "done", "label": 0})), "/"),
            mapped(PICTURE + LABEL + BY_ID),
            SAYS,
            seconds=8,
        )
    waiting, receipt = {"status": "processing"}, {"id": "j", "status": "starting"}
    laters: dict[str, bytes] = {
        "never": http(waiting),
        "other-receipt": http({"status": "processing", "get": "http://evil.invalid/", "id": "k"}),
        "failed": http({"status": "failed", "error": "\x1b[2J"}),
        "status-number": http({"status": 3}),
        "status-escape": http({"status": "\x1b[2J"}),
        "status-list": http({"status": ["done"]}),
        "no-status": http({"label": 0}),
        "no-label": http({"status": "done"}),
        "text": http(b"<html>"),
        "redirect": http(b"", status="302 Found", headers="location: http://evil.invalid/\r\n"),
        "gone": http(b"", status="410 Gone"),
        "busy": http(b"", status="503 Busy"),
        "wait-long": http(b"", status="429 Wait", headers="retry-after: 99999\r\n"),
        "accepted": http(b"", status="202 Accepted"),
        "gzip-bomb": http(b"\x1f\x8b" + b"\x00" * 100, headers="content-encoding: gzip\r\n"),
    }
    for name, later in laters.items():
        yield hostile(
            f"http_servers/polls/{name}",
            answering(job(receipt, later), "/"),
            mapped(PICTURE + LABEL + BY_ID),
            SAYS,
            seconds=8,
            quick=name in ("never", "redirect"),
        )
    serves: dict[str, Serve] = {
        "drip": dripping(OK + b"\r\n", b" "),
        "pour": pouring(OK + b"\r\n", b" " * 65536),
        "hang-up": lambda stream, request: None,
    }
    for name, serve in serves.items():
        yield hostile(
            f"http_servers/polls-slow/{name}",
            serving(job_then(receipt, serve), "/"),
            mapped(PICTURE + LABEL + BY_ID),
            SAYS,
            seconds=12,
            quick=name == "pour",
        )


@family
def streams() -> Iterator[HostileInput]:
    """Event streams and texts."""
    events = '[response]\nformat = "events"\nlabels = "0"\n'
    bodies: dict[str, bytes] = {
        "empty": b"",
        "no-complete": b"event: error\ndata: null\n\n",
        "name-escape": b"event: \x1b[2J\ndata: null\n\n",
        "no-json": b"event: complete\ndata: {{{\n\n",
        "no-data": b"event: complete\n\n",
        "json-not-events": b'{"label": 0}',
        "many": b"event: x\ndata: 1\n\n" * 200_000,
        "long-line": b"event: complete\ndata: " + b"[" * 2**20 + b"\n\n",
        "returns": b"event: complete\rdata: [9]\r\r",
        "nul": bytes(1000),
        "path-beyond": b"event: complete\ndata: []\n\n",
    }
    for name, body in bodies.items():
        yield hostile(
            f"http_servers/event-streams/{name}",
            answering(http(body), "/"),
            mapped(PICTURE + events),
            SAYS,
            seconds=8,
            quick=name == "many",
        )
    yield hostile(
        "http_servers/event-streams/endless",
        serving(dripping(OK + b"content-type: text/event-stream\r\n\r\n", b"event: heartbeat\ndata: null\n\n"), "/"),
        mapped(PICTURE + events),
        SAYS,
        seconds=8,
        quick=True,
    )
    text = '[response]\nformat = "text"\nlabels = ""\n'
    for name, said in {**ESCAPES, **RICH, "html": "<html>", "long": "x" * 10**6, "json": '{"label": 0}'}.items():
        yield hostile(
            f"http_servers/texts/{name}",
            answering(http(said.encode("utf-8", "surrogatepass")), "/"),
            mapped(PICTURE + text),
            SAYS,
            seconds=8,
            quick=name in ("title", "emoji"),
        )
    yield hostile("http_servers/texts/utf-16", answering(http("0".encode("utf-16")), "/"), mapped(PICTURE + text), SAYS)
    yield hostile(
        "http_servers/texts/nothing", answering(http(b" \n"), "/"), mapped(PICTURE + text), exits=READ, quick=True
    )


@family
def entries() -> Iterator[HostileInput]:
    """Lists of classes with scores, as JSON; of other content types, too."""
    command = mapped(PICTURE + '[response]\nlabels = ""\n')
    values: dict[str, Any] = {
        "unknown-key": [{"label": 0, "x": 1}, {"label": 1, "x": 2}],
        "key-escape": [{"label": 0, "\x1b[2J": 1}, {"label": 1, "\x1b[2J": 2}],
        "key-markup": [{"label": 0, "[/x]:cat:": 1}, {"label": 1, "[/x]:cat:": 2}],
        "two-scores": [{"label": 0, "score": 1, "p": 2}, {"label": 1, "score": 2, "p": 1}],
        "no-scores": [{"label": 0}, {"label": 1}],
        "score-text": [{"label": 0, "score": "high"}],
        "score-huge": [{"label": 0, "score": 10**400}, {"label": 1, "score": 1}],
        "score-boolean": [{"label": 0, "score": True}, {"label": 1, "score": False}],
        "score-list": [{"label": 0, "score": [1]}, {"label": 1, "score": [2]}],
        "name-list": [{"label": [0], "score": 1}, {"label": [1], "score": 2}],
        "name-object": {"label": {"a": 1}, "score": 1},
        "side-by-side": {"displayNames": ["0", "1"], "confidences": [1]},
        "side-by-side-text": {"displayNames": ["0"], "confidences": ["x"]},
        "pairs": [["0", float(10**30)], ["1", 1e39]],
        "objects": {"0": {"p": 1}, "1": {"q": 1}},
        "many-keys": [{f"k{n}": n for n in range(10_000)} | {"label": 0}, {"label": 1}],
        "label-minus-two": -2,
        "label-minus-one": {"label": -1},
    }
    for name, value in values.items():
        yield hostile(
            f"http_servers/entries/{name}",
            answering(http(value), "/"),
            command,
            "" if name == "name-object" else SAYS,
            ANY if name == "name-object" else REFUSED,  # a score for class "a", which there is
            seconds=8,
            quick=name in ("key-escape", "unknown-key"),
        )
    for kind in ("text/html", "image/png", "application/octet-stream", "multipart/mixed", "\x1b[2J", "x" * 5000):
        yield hostile(
            f"http_servers/content-types/{kind[:20]!a}",
            answering(http({"label": 0}, headers=f"content-type: {kind}\r\n"), "/"),
            command,
            SAYS,
            ANY,
            seconds=8,
        )
    for name, nothing in {"list": [], "object": {}, "null": None, "text": ""}.items():
        yield hostile(
            f"http_servers/abstentions/{name}", answering(http(nothing), "/"), command, exits=READ, quick=name == "list"
        )


@family
def echoes() -> Iterator[HostileInput]:
    """Servers that say the user's secrets back, wherever the mapping file put them."""
    for place, text in {
        "header": 'headers = { X-Key = "Key ${MODELPRINT_API_TOKEN}" }\n' + PICTURE + LABEL,
        "query": 'query = { k = "${MODELPRINT_API_TOKEN}" }\n' + PICTURE + LABEL,
        "body": '[request]\nkind = "base64-json"\nbody = { i = "$image", s = "${MODELPRINT_API_TOKEN}" }\n' + LABEL,
        "form": '[request]\nkind = "multipart"\nform = { s = "${MODELPRINT_API_TOKEN}" }\n' + LABEL,
    }.items():
        for how in ("status", "json", "redirect"):

            def echo(request: bytes, how: str = how) -> bytes:
                said = request.decode("latin-1").replace("\r\n", " ")
                if how == "status":
                    return http(said.encode(), status="401 No")
                if how == "redirect":
                    return http(b"", status="307 x", headers=f"location: /{said[:3000]}\r\n")
                return http(json.dumps({"label": said}).encode())

            yield hostile(
                f"http_servers/mapped-echoes/{place}-{how}",
                answering(echo, "/"),
                mapped(text),
                SAYS,
                REFUSED,
                seconds=8,
                quick=place == "header",
            )
    yield hostile(
        "http_servers/mapped-echoes/other-variables",
        answering(http({"label": 0}), "/"),
        mapped('headers = { X-Key = "${HOME}" }\n' + PICTURE + LABEL),
        "names the environment variable HOME",
    )
