"""Servers that drip, pour, lie, redirect, echo the token, and call their classes by escape sequences."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import time
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile.corpus import ANY, READ, REFUSED, Command, HostileInput, Place, family, hostile
from tests.hostile.payloads import ESCAPES, MARKUP, RICH, TOKEN
from tests.hostile.servers import Serve, answering, dripping, http, pouring, serving

SHORT = ("--timeout", "1", "--retries", "0", "--max-in-flight", "1")


def asked(*more: str, api: str = "mlflow") -> Command:
    """An address as the suspect, its ledger in the input's folder."""
    return lambda place, made: [
        "verify",
        place.seeds.fingerprint_folder,
        made,
        "--api",
        api,
        "--ledger",
        str(place.root / "ledger.jsonl"),
        *SHORT,
        *more,
    ]


SAYS = "127.0.0.1|answers are kept|no answer"
OK = b"HTTP/1.1 200 OK\r\n"


def rows(request: bytes) -> int:
    """Images in a request to /invocations."""
    return len(json.loads(request.partition(b"\r\n\r\n")[2] or b'{"inputs": []}').get("inputs", []))


@family
def slow() -> Iterator[HostileInput]:
    """Servers that keep the client waiting, or send without an end."""
    serves: dict[str, Serve] = {
        "drip-headers": dripping(OK, b"x: y\r\n"),
        "drip-body": dripping(OK + b"\r\n", b" "),
        "drip-chunks": dripping(OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        "drip-status": dripping(b"", b"H"),
        "drip-continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "drip-processing": dripping(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        "silence": lambda stream, request: time.sleep(8),
        "half-an-answer": lambda stream, request: (stream.sendall(http(b"{", length=1000)), time.sleep(8)),  # type: ignore[func-returns-value]
        "pour-body": pouring(OK + b"\r\n", b" " * 65536),
        "pour-headers": pouring(OK, b"x: " + b"y" * 60000 + b"\r\n"),
        "pour-status": pouring(b"HTTP/1.1 200 ", b"x" * 65536),
        "pour-chunks": pouring(OK + b"transfer-encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
        "pour-one-header": pouring(OK + b"x: ", b"y" * 65536),
        "pour-chunk-extension": pouring(OK + b"transfer-encoding: chunked\r\n\r\n1;", b"a" * 65536),
        "pour-trailers": pouring(OK + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n" * 1000),
        "pour-brackets": pouring(OK + b"\r\n", b"[" * 65536),
        "pour-gzip": pouring(OK + b"content-encoding: gzip\r\n\r\n", gzip.compress(bytes(2**20))),
        "pour-continue": pouring(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    }
    for name, serve in serves.items():
        yield hostile(
            f"http_servers/slow/{name}",
            serving(serve),
            asked(),
            SAYS,
            seconds=8,
            quick=name in ("drip-body", "pour-body"),
        )
        if name in ("drip-headers", "drip-body", "silence", "pour-body"):
            yield hostile(
                f"http_servers/slow-discovery/{name}", serving(serve, "/"), asked(api="auto"), SAYS, seconds=12
            )


@family
def broken() -> Iterator[HostileInput]:
    """Responses that are no HTTP, or break off."""
    texts: dict[str, bytes] = {
        "nothing": b"",
        "garbage": bytes(range(256)),
        "http-9": b"HTTP/9.9 200 OK\r\n\r\n",
        "no-status": b"HTTP/1.1\r\n\r\n",
        "status-text": b"HTTP/1.1 abc OK\r\n\r\n",
        "status-999": http(b"{}", status="999 x"),
        "status-99999": http(b"{}", status="99999 x"),
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "ssh": b"SSH-2.0-x\r\n",
        "http-2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "length-negative": http(b"{}", length=-1),
        "length-text": http(b"{}", length="x"),
        "length-huge": http(b"{}", length=10**18),
        "length-overflow": http(b"{}", length=10**30),
        "length-twice": http(b"{}", headers="content-length: 5\r\n"),
        "chunk-size-text": OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        "chunk-size-huge": OK + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\n",
        "chunk-size-negative": OK + b"transfer-encoding: chunked\r\n\r\n-5\r\n",
        "header-without-colon": OK + b"nocolon\r\n\r\n",
        "header-nul": OK + b"x: \x00\r\n\r\n",
        "header-folded": OK + b"x: a\r\n b\r\n\r\n{}",
        "headers-10000": OK + b"".join(b"h%d: x\r\n" % n for n in range(10_000)) + b"\r\n{}",
        "upgrade": http(b"", status="101 Switching Protocols", headers="upgrade: websocket\r\n"),
        "no-content": http(b"", status="204 No Content"),
        "not-modified": http(b"", status="304 Not Modified"),
        "partial": http(b"{}", status="206 Partial Content"),
        "teapot": http(b"short and stout", status="418 I'm a teapot"),
        "early-hints": b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n" + http(b"{}"),
    }
    for name, text in texts.items():
        yield hostile(f"http_servers/broken/{name}", answering(text), asked(), SAYS, seconds=8)
    for status in (300, 301, 302, 303, 307, 308):
        for target in (
            "http://127.0.0.1:9/x",
            "/invocations",
            "file:///etc/passwd",
            "//evil.invalid/",
            "http://evil.invalid@127.0.0.1:9/",
            "gopher://x",
        ):
            text = http(b"", status=f"{status} x", headers=f"location: {target}\r\n")
            yield hostile(
                f"http_servers/redirects/{status}-{target.replace('/', '_')}", answering(text), asked(), SAYS, seconds=8
            )
    for status in (
        400,
        401,
        402,
        403,
        404,
        405,
        406,
        408,
        409,
        411,
        413,
        414,
        415,
        422,
        426,
        429,
        451,
        500,
        501,
        502,
        503,
        504,
        507,
        511,
    ):
        says = SAYS if status != 400 else "127.0.0.1|answers|refus"
        yield hostile(
            f"http_servers/statuses/{status}",
            answering(http(b"no", status=f"{status} No")),
            asked(),
            says,
            ANY if status in (400, 413, 415, 422) else REFUSED,
            seconds=8,
        )
        yield hostile(
            f"http_servers/statuses-page/{status}",
            answering(http(b"<html>" + b"x" * 100_000, status=f"{status} No", headers="content-type: text/html\r\n")),
            asked(),
            says,
            ANY if status in (400, 413, 415, 422) else REFUSED,
            seconds=8,
        )
    for value in ("-1", "1e9", "99999999999", "soon", "Wed, 21 Oct 2099 07:28:00 GMT", "nan", "\x1b[2J"):
        text = http(b"", status="429 Wait", headers=f"retry-after: {value}\r\n")
        yield hostile(f"http_servers/retry-after/{value!a}", answering(text), asked(), SAYS, seconds=8)
    for coding in (
        "br",
        "zstd",
        "compress",
        "gzip, gzip",
        "gzip,gzip,gzip,gzip",
        "identity, gzip",
        "\x1b[2J",
        "x" * 5000,
    ):
        text = http(gzip.compress(gzip.compress(b"{}")), headers=f"content-encoding: {coding}\r\n")
        yield hostile(f"http_servers/encodings/{coding[:20]!a}", answering(text), asked(), SAYS, seconds=8)
    for name, pack in {"gzip": gzip.compress, "deflate": zlib.compress}.items():
        text = lambda request, name=name, pack=pack: http(pack(b" " * 2**27), headers=f"content-encoding: {name}\r\n")  # noqa: E731
        yield hostile(f"http_servers/bombs/{name}", answering(text), asked(), SAYS, seconds=8, quick=True)
        for damage in ("cut", "garbage"):
            data = pack(b"{}")[:-5] if damage == "cut" else b"garbage"
            yield hostile(
                f"http_servers/bombs/{name}-{damage}",
                answering(http(data, headers=f"content-encoding: {name}\r\n")),
                asked(),
                SAYS,
                seconds=8,
            )


# An answer without a class is an abstention: it is kept, and counts against derivation.
ABSTAINED, ABSTAINED_OF_ONE = {"labels-objects"}, {"null", "object", "empty", "empty-row"}
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "text": "0",
    "object": {},
    "empty": [],
    "empty-row": [[]],
    "one": [0],
    "five": [0] * 5,
    "negative": [-1] * 4,
    "beyond": [99] * 4,
    "fraction": [0.5] * 4,
    "huge": [10**30] * 4,
    "rows-of-two": [[0.5, 0.5]] * 4,
    "rows-of-many": [[0.1] * 1000] * 4,
    "ragged": [[1, 0, 0], [1, 0], [1], [1, 0, 0]],
    "rows-text": [["0", "1", "2"]] * 4,
    "rows-null": [[None] * 3] * 4,
    "rows-nested": [[[[1, 0, 0]]]] * 4,
    "labels-objects": [{"label": {}}] * 4,
    "scores-text": [{"label": "a", "score": "high"}] * 4,
    "labels-long": ["x" * 10**6] * 4,
    "labels-unknown": ["no such class"] * 4,
    "mixed": [0, "a", [1, 0, 0], None],
    "booleans": [True, False, True, False],
    "million": [0] * 10**6,
    "keys-many": {str(n): 0 for n in range(50_000)},
    "labels-twice": [[{"label": "a", "score": 1}, {"label": "a", "score": 0}]] * 4,
}
RAW: dict[str, bytes] = {
    "nan": b'{"predictions": [[NaN, 0, 0]]}',
    "infinity": b'{"predictions": [[1e999, 0, 0]]}',
    "minus-infinity": b'{"predictions": [[-Infinity, 0, 0]]}',
    "deep": b'{"predictions": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep-objects": b'{"predictions": ' * 20_000 + b"1" + b"}" * 20_000,
    "long-number": b'{"predictions": [' + b"9" * 5000 + b"]}",
    "long-fraction": b'{"predictions": [0.' + b"9" * 10**6 + b"]}",
    "exponent": b'{"predictions": [1e99999999]}',
    "empty": b"",
    "cut": b"{",
    "null": b"null",
    "list": b"[]",
    "surrogate": b'"\xed\xa0\x80"',
    "escaped-surrogate": b'{"predictions": ["\\ud800"]}',
    "latin-1": b'{"predictions": ["\xe9"]}',
    "utf-16": '{"predictions": [0]}'.encode("utf-16"),
    "twice": b'{"predictions": [0], "predictions": [1]}',
    "trailing": b'{"predictions": [0]}x',
    "nul": b"\x00" * 100,
    "html": b"<!doctype html><html>",
    "xml-bomb": b'<!DOCTYPE l [<!ENTITY a "aa">]><l>&a;</l>',
    "pickle": b"\x80\x02cos\nsystem\n(X\x01\x00\x00\x00xtR.",
    "other-key": b'{"outputs": [0]}',
    "escape": b'{"predictions": ["\\u001b[2J"]}',
    "key-escape": b'{"\\u001b[2J": []}',
}


@family
def answers() -> Iterator[HostileInput]:
    """Answers that make no sense."""
    harmless = {"booleans", "labels-twice", "million", "rows-nested", "rows-text"}
    for name, value in VALUES.items():
        yield hostile(
            f"http_servers/answers/{name}",
            answering(http({"predictions": value})),
            asked(),
            SAYS,
            READ if name in ABSTAINED else ANY if name in harmless else REFUSED,
            seconds=8,
        )
        output = {"outputs": [{"name": "y", "datatype": "FP32", "shape": [4, 3], "data": value}]}
        yield hostile(
            f"http_servers/answers-oip/{name}",
            answering(_oip(output), "/v2/models/m"),
            asked(api="oip"),
            SAYS,
            ANY if name in harmless else REFUSED,
            seconds=8,
        )
        yield hostile(
            f"http_servers/answers-image/{name}",
            answering(http(value), "/"),
            asked(api="image"),
            SAYS,
            READ
            if name in ABSTAINED_OF_ONE
            else ANY
            if name in {*harmless, "negative", "one", "text", "fraction", "ragged"}
            else REFUSED,
            seconds=8,
        )
    for name, data in RAW.items():
        yield hostile(
            f"http_servers/bodies/{name}",
            answering(http(data)),
            asked(),
            SAYS,
            ANY if name == "twice" else REFUSED,
            seconds=8,
        )
        yield hostile(
            f"http_servers/bodies-discovery/{name}", answering(http(data), "/"), asked(api="auto"), SAYS, seconds=12
        )
    outputs: dict[str, Any] = {
        "shape-huge": {"shape": [10**18, 3]},
        "shape-negative": {"shape": [-1, 3]},
        "shape-text": {"shape": "x"},
        "datatype": {"datatype": "PICKLE"},
        "bytes": {"datatype": "BYTES"},
        "no-data": {"data": None},
        "name-escape": {"name": "\x1b[2J"},
        "parameters": {"parameters": {"binary_data_size": 10**12}},
    }
    for name, changes in outputs.items():
        output = {"outputs": [{"name": "y", "datatype": "FP32", "shape": [4, 3], "data": [0.5] * 12, **changes}]}
        yield hostile(
            f"http_servers/outputs/{name}",
            answering(_oip(output), "/v2/models/m"),
            asked(api="oip"),
            SAYS,
            ANY if name in ("name-escape", "parameters", "datatype") else REFUSED,
            seconds=8,
        )


def _oip(output: object) -> Callable[[bytes], bytes]:
    """The metadata to a GET, and an output to a POST."""
    metadata = {
        "name": "m",
        "platform": "x",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 1, 2, 2]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}],
    }
    return lambda request: http(metadata if request.startswith(b"GET") else output)


@family
def batches() -> Iterator[HostileInput]:
    """Servers that refuse some requests, for ever."""

    def some(status: str, least: int) -> Callable[[bytes], bytes]:
        return lambda request: (
            http(b"too many", status=status) if rows(request) >= least else http({"predictions": [0] * rows(request)})
        )

    for status in ("400 Bad Request", "413 Too Large", "422 Unprocessable", "500 Error", "503 Busy"):
        for least in (2, 4):
            yield hostile(
                f"http_servers/batches/{status[:3]}-from-{least}",
                answering(some(status, least)),
                asked(),
                SAYS,
                ANY,
                seconds=10,
                quick=status.startswith("400") and least == 2,
            )

    def one_image(request: bytes) -> bytes:
        count = rows(request)
        first = json.loads(request.partition(b"\r\n\r\n")[2])["inputs"]
        return (
            http(b"no", status="400 Bad Request")
            if first[0][0][0][0] < 0.01 and count
            else http({"predictions": [0] * count})
        )

    yield hostile(
        "http_servers/batches/400-to-one-image", answering(one_image), asked("--batch-size", "1"), SAYS, ANY, seconds=10
    )


@family
def echoes() -> Iterator[HostileInput]:
    """Servers that send the token back, in every spelling."""
    spellings = {
        "plain": TOKEN,
        "bearer": f"Bearer {TOKEN}",
        "url": urllib.parse.quote(TOKEN, safe=""),
        "plus": urllib.parse.quote_plus(TOKEN),
        "html": html.escape(TOKEN),
        "json": json.dumps(TOKEN),
        "unicode": "".join(f"\\u{ord(c):04x}" for c in TOKEN),
        "base64": base64.b64encode(TOKEN.encode()).decode(),
        "twice-url": urllib.parse.quote(urllib.parse.quote(TOKEN, safe=""), safe=""),
        "numeric": "".join(f"&#{ord(c)};" for c in TOKEN),
        "slash": TOKEN.replace("/", "\\/"),
        "upper": TOKEN.upper(),
    }
    for name, text in spellings.items():
        for where, response in {
            "body": http(text.encode(), status="401 Unauthorized"),
            "error": http({"error": text}, status="500 x"),
            "reason": http(b"", status=f"403 {text}"),
            "header": http(b"", status="401 x", headers=f"www-authenticate: {text}\r\n"),
            "label": http({"predictions": [text] * 4}),
            "location": http(
                b"", status="302 x", headers=f"location: http://evil.invalid/{urllib.parse.quote(text)}\r\n"
            ),
        }.items():
            yield hostile(f"http_servers/echoes-{where}/{name}", answering(response), asked(), SAYS, seconds=8)


@family
def names() -> Iterator[HostileInput]:
    """Names with escapes and markup, wherever a server may put one."""
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        latin = escape.replace("\n", " ").replace("\r", " ")
        for where, response in {
            "body": http(f"no: {escape}".encode(), status="500 x"),
            "reason": http(b"", status=f"404 {latin}"),
            "label": http({"predictions": [escape] * 4}),
            "error": http({"error": {"message": escape}}, status="422 x"),
        }.items():
            yield hostile(
                f"http_servers/names-{where}/{name}",
                answering(response),
                asked(),
                SAYS,
                ANY if where == "error" else REFUSED,
                seconds=8,
            )

        def models(request: bytes, escape: str = escape) -> bytes:
            return http(
                {
                    "name": escape,
                    "versions": [escape],
                    "platform": escape,
                    "inputs": [{"name": escape, "datatype": escape, "shape": [-1, 1, 2, 2]}],
                    "outputs": [],
                }
            )

        yield hostile(
            f"http_servers/names-metadata/{name}", answering(models, "/v2/models/m"), asked(api="oip"), SAYS, seconds=8
        )


@family
def addresses() -> Iterator[HostileInput]:
    """Addresses that are none, or hold secrets."""
    key = urllib.parse.quote(TOKEN, safe="")
    words = {
        "no-host": "http://",
        "port": "http://127.0.0.1:99999/",
        "port-text": "http://127.0.0.1:x/",
        "port-closed": "http://127.0.0.1:9/",
        "unresolvable": "http://no-such-host.invalid/",
        "brackets": "http://[::1",
        "brackets-text": "http://[x]/",
        "space": "http://127.0.0.1:9/a b",
        "newline": "http://127.0.0.1:9/\r\nHost: evil",
        "escape": "http://127.0.0.1:9/\x1b[2J",
        "user": f"http://user:{key}@127.0.0.1:9/",
        "query": f"http://127.0.0.1:9/?key={key}",
        "query-broken": f"http://127.0.0.1:x/?key={key}",
        "fragment": f"http://127.0.0.1:9/#{key}",
        "user-broken": f"http://user:{key}@127.0.0.1:x/",
        "file": "file:///etc/passwd",
        "ftp": "ftp://127.0.0.1:9/",
        "upper": "HTTP://127.0.0.1:9/",
        "rich": "http://127.0.0.1:9/[/x]",
        "unicode": "http://xn--/",
        "long": "http://127.0.0.1:9/" + "x" * 50_000,
        "dots": "http://127.0.0.1:9/" + "../" * 100,
        "idn": "http://\u2100.invalid/",
    }
    for name, word in words.items():
        for command, make in {"verify": asked(), "discovery": asked(api="auto")}.items():
            yield hostile(
                f"http_servers/addresses-{command}/{name}",
                lambda place, word=word: word,
                make,
                "127.0.0.1|http|ftp|file|address|invalid|no model|passwd",
                frozenset({1, 2, 3}),
                seconds=12,
            )


@family
def ledgers() -> Iterator[HostileInput]:
    """Ledgers that were edited, are other things, or cannot be written."""
    honest = answering(lambda request: http({"predictions": [0] * rows(request)}))

    def with_ledger(text: Callable[[bytes], bytes]) -> Command:
        def command(place: Place, made: str) -> list[str]:
            path = place.file("ledger.jsonl", text(place.seeds.ledger(made, made)))
            return ["verify", place.seeds.fingerprint_folder, made, "--api", "mlflow", "--ledger", path, *SHORT]

        return command

    def line(text: bytes) -> Callable[[bytes], bytes]:
        return lambda whole: whole + text + b"\n"

    cases: dict[str, Callable[[bytes], bytes]] = {
        "other-suspect": lambda whole: whole.replace(b"127.0.0.1", b"127.0.0.2"),
        "format": lambda whole: whole.replace(b"modelprint-ledger", b"x"),
        "version": lambda whole: whole.replace(b'"schema_version":1', b'"schema_version":9'),
        "garbage": line(b"garbage"),
        "nested": line(b"[" * 100_000),
        "nul": line(bytes(100)),
        "not-utf8": line(b'{"query": "\xff"}'),
        "negative": line(b'{"query": "a", "label": -1}'),
        "huge": line(b'{"query": "a", "label": 99999999999999999999}'),
        "sent-huge": line(b'{"sent": 99999999999999999999999}'),
        "sent-negative": line(b'{"sent": -5}'),
        "sent-text": line(b'{"sent": "x"}'),
        "scores-nan": line(b'{"query": "a", "label": 0, "scores": [NaN]}'),
        "surplus": line(b'{"query": "a", "label": 0, "x": 1}'),
        "complete-false": line(b'{"complete": false}'),
        "complete-twice": line(b'{"complete": true}\n{"complete": true}'),
        "after-complete": line(b'{"complete": true}\n{"sent": 1}'),
        "half-a-line": lambda whole: whole + b'{"query": "',
        "empty": lambda whole: b"",
        "one-newline": lambda whole: b"\n",
        "header-twice": lambda whole: whole.splitlines(keepends=True)[0] + whole,
        "no-header": lambda whole: b"".join(whole.splitlines(keepends=True)[1:]),
        "many": lambda whole: whole + b'{"sent": 1}\n' * 50_000,
        "binary": lambda whole: bytes(range(256)) * 10,
        "query-escape": line(b'{"query": "\\u001b[2J", "label": 0}'),
        "started-escape": lambda whole: (
            whole.replace(b"20260101T000000Z", b"../../x\\u001b[2J") + b'{"complete": true}\n'
        ),
        "started-path": lambda whole: whole.replace(b"20260101T000000Z", b"/../../evil") + b'{"complete": true}\n',
        "started-long": lambda whole: whole.replace(b"20260101T000000Z", b"x" * 5000) + b'{"complete": true}\n',
        "suspect-escape": lambda whole: whole.replace(b'"suspect":"', b'"suspect":"\\u001b[2J[/x]'),
    }
    harmless = {
        "sent-negative",
        "half-a-line",
        "empty",
        "complete-twice",
        "after-complete",
        "many",
        "sent-huge",
        "query-escape",
        "started-escape",
        "started-path",
        "started-long",
        "scores-nan",
        "header-twice",
    }
    for name, change in cases.items():
        yield hostile(
            f"http_servers/ledgers/{name}",
            honest,
            with_ledger(change),
            "ledger",
            ANY if name in harmless else REFUSED,
            seconds=8,
        )
    for name, target in {
        "full": "/dev/full",
        "null": "/dev/null",
        "zero": "/dev/zero",
        "tty": "/dev/tty",
        "folder": "/",
        "missing-folder": "/proc/none/x",
        "proc": "/proc/self/mem",
        "read-only": "/sys/x",
    }.items():
        yield hostile(
            f"http_servers/ledger-places/{name}",
            honest,
            lambda place, made, target=target: [
                "verify",
                place.seeds.fingerprint_folder,
                made,
                "--api",
                "mlflow",
                "--ledger",
                target,
                *SHORT,
            ],
            "ledger|write|regular",
            quick=name == "full",
            seconds=8,
        )

    def fifo(place: Place, made: str) -> list[str]:

        os.mkfifo(place.root / "l")
        return [
            "verify",
            place.seeds.fingerprint_folder,
            made,
            "--api",
            "mlflow",
            "--ledger",
            str(place.root / "l"),
            *SHORT,
        ]

    def link(place: Place, made: str) -> list[str]:
        (place.root / "l").symlink_to(place.secret)
        return [
            "verify",
            place.seeds.fingerprint_folder,
            made,
            "--api",
            "mlflow",
            "--ledger",
            str(place.root / "l"),
            *SHORT,
        ]

    yield hostile("http_servers/ledger-places/fifo", honest, fifo, "ledger", seconds=8)
    yield hostile("http_servers/ledger-places/link-to-another-file", honest, link, "ledger", seconds=8)
    for name in ("--out",):
        for target in ("/dev/full", "/proc/none/x.jsonl", "/sys/x.jsonl", "/"):
            yield hostile(
                f"http_servers/out-places/{target.replace('/', '_')}",
                honest,
                lambda place, made, target=target, name=name: [
                    "record",
                    place.seeds.fingerprint_folder,
                    made,
                    "--api",
                    "mlflow",
                    name,
                    target,
                    "--ledger",
                    str(place.root / "l.jsonl"),
                    *SHORT,
                ],
                "write|jsonl|npz",
                seconds=8,
            )
