"""Servers that mean harm: every one ends in an error that says so, in bounded time and memory, with nothing leaked."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import ipaddress
import logging
import os
import socket
import ssl
import tempfile
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from modelprint.core.errors import SuspectError
from modelprint.suspects.bodies import TooLargeError, UnreadableError, read_body
from modelprint.suspects.http import HttpSuspect
from tests.suspects.servers import Reply, Request, Scripted, mlflow_reply, truth

Connect = Callable[..., HttpSuspect]
SECRET = "s3cr3t-t0ken"


@lru_cache(maxsize=1)
def certificate() -> Path:
    """A certificate for 127.0.0.1, signed by itself, with its key; made anew for each run."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = Path(tempfile.mkdtemp()) / "loopback.pem"
    path.write_bytes(secret + made.public_bytes(pem))
    return path


@contextmanager
def raw(serve: Callable[[socket.socket], None], *, tls: bool = False) -> Iterator[str]:
    """A server that does what it likes with each connection; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate())

    def one(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) if tls else connection as stream:
                stream.recv(65536)
                serve(stream)
        except OSError:
            pass  # the client went away: part of the tests

    def loop() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}/invocations"
    finally:
        listener.close()


def drip(head: bytes, part: bytes) -> Callable[[socket.socket], None]:
    """Send a beginning, then a little for ever."""

    def serve(stream: socket.socket) -> None:
        stream.sendall(head)
        while True:
            stream.sendall(part)
            time.sleep(0.05)

    return serve


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"", b"H"),
    ],
)
def test_a_server_that_drips_holds_nobody_longer_than_the_timeout(
    connect: Connect, images: np.ndarray, monkeypatch: pytest.MonkeyPatch, head: bytes, part: bytes, tls: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate()))
    with raw(drip(head, part), tls=tls) as url:
        suspect = connect(url, timeout=0.4, retries=0)
        began = time.monotonic()
        with pytest.raises(SuspectError, match=r"no answer in 0\.4 s|broke off"):
            suspect.ask(images[:8])
        assert time.monotonic() - began < 5


def test_an_endless_body_ends_at_the_limit(connect: Connect, images: np.ndarray) -> None:
    sent = 0

    def pour(stream: socket.socket) -> None:
        nonlocal sent
        stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += stream.send(b" " * 65536)

    with raw(pour) as url, pytest.raises(SuspectError, match="larger than 16 MiB"):
        connect(url, timeout=20).ask(images[:8])
    assert sent < 40 * 2**20


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_bomb_is_not_unpacked_beyond_the_limit(connect: Connect, images: np.ndarray, encoding: str) -> None:
    pack: Callable[[bytes], bytes] = gzip.compress if encoding == "gzip" else zlib.compress
    bomb = pack(b" " * (16 * 2**20))
    with Scripted(lambda request, _: Reply(bomb, headers={"content-encoding": encoding})) as server:
        suspect = connect(server.url + "/invocations")
        suspect.wire.max_bytes = 2**20
        with pytest.raises(SuspectError, match="larger than 1 MiB"):
            suspect.ask(images[:8])


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip,gzip,gzip,gzip", "compress", "\x1b[2J"])
def test_encodings_that_nobody_asked_for_are_refused(connect: Connect, images: np.ndarray, encoding: str) -> None:
    body = gzip.compress(gzip.compress(b"{}"))
    with Scripted(lambda request, _: Reply(body, headers={"content-encoding": encoding})) as server:
        with pytest.raises(SuspectError, match=r"comes in encoding .*though none was asked|broke off") as caught:
            connect(server.url + "/invocations", retries=0).ask(images[:8])
        assert "\x1b" not in str(caught.value)


def test_an_honest_gzip_is_read(connect: Connect, images: np.ndarray) -> None:
    def script(request: Request, _: int) -> Reply:
        labels = truth(np.array(request.json["inputs"])).tolist()
        return Reply(gzip.compress(b'{"predictions": %s}' % str(labels).encode()), headers={"content-encoding": "gzip"})

    with Scripted(script) as server:
        assert (connect(server.url + "/invocations").ask(images).labels == truth(images)).all()


def test_bodies_at_their_limits() -> None:
    assert read_body([b"ab", b"c"], encoding="", limit=3) == b"abc"
    with pytest.raises(TooLargeError):
        read_body([b"ab", b"cd"], encoding="identity", limit=3)
    with pytest.raises(TooLargeError):
        read_body([zlib.compress(b"abcd" * 100)], encoding="gzip", limit=30)
    for broken in (b"no gzip", gzip.compress(b"abcd")[:-4]):
        with pytest.raises(UnreadableError, match="no whole gzip"):
            read_body([broken], encoding="gzip", limit=100)


def test_a_certificate_that_nobody_vouches_for_ends_the_run_at_once(connect: Connect, images: np.ndarray) -> None:
    answered: list[socket.socket] = []
    said = r"certificate is not valid \(self.signed certificate\).*SSL_CERT_FILE"
    with raw(answered.append, tls=True) as url, pytest.raises(SuspectError, match=said):
        connect(url, retries=5, backoff=5).ask(images[:8])
    assert not answered


def test_a_certificate_of_ones_own_authority_is_taken(
    connect: Connect, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate()))
    body = b'{"predictions": [0, 1, 2, 3, 0, 1, 2, 3]}'
    reply = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body)

    def serve(stream: socket.socket) -> None:
        stream.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while stream.recv(65536):
                pass
        stream.sendall(reply)

    with raw(serve, tls=True) as url:
        assert (connect(url).ask(images[:8]).labels == truth(images[:8])).all()


def test_https_to_a_plain_server_says_so(connect: Connect, images: np.ndarray) -> None:
    said = r"no secure connection .*is it an http:// address"
    with Scripted(lambda request, _: mlflow_reply(request)) as server, pytest.raises(SuspectError, match=said):
        connect(server.url.replace("http", "https") + "/invocations").ask(images[:8])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(connect: Connect, images: np.ndarray, status: int) -> None:
    elsewhere: list[Request] = []

    def note(request: Request, _: int) -> Reply:
        elsewhere.append(request)
        return mlflow_reply(request)

    with Scripted(note) as other:
        place = {"location": f"{other.url}/invocations"}
        refused = pytest.raises(SuspectError, match="redirects are not followed")
        with Scripted(lambda request, _: Reply(status=status, headers=place)) as server, refused:
            connect(server.url + "/invocations").ask(images[:8])
    assert not elsewhere


ODD: list[Any] = [
    b"",
    b"null",
    b"{",
    b'{"predictions": null}',
    b'{"predictions": {}}',
    b'{"predictions": []}',
    b'{"predictions": [[1e999, 0, 0, 0]]}',
    b'{"predictions": [[-Infinity, 0, 0, 0]]}',
    b'{"predictions": [[NaN, 0, 0, 0]]}',
    b'{"predictions": [1e400]}',
    b'{"predictions": [' + b"9" * 5000 + b"]}",
    b'{"predictions": [0.5]}',
    b'{"predictions": [true]}',
    b'{"predictions": [-1]}',
    b'{"predictions": [4]}',
    b'{"predictions": [[0, 1, 2]]}',
    b'{"predictions": [["0", "1", "2", "3"]]}',
    b'{"predictions": [{"label": {"e": 1}}]}',
    b'{"predictions": [{"label": "cat", "score": "high"}]}',
    b'{"predictions": [0, 1]}',
    b'{"predictions": "0"}',
    b'{"predictions": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "\ud800".encode("utf-8", "surrogatepass"),
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_answers_that_make_no_sense_are_refused_and_not_kept(
    connect: Connect, images: np.ndarray, tmp_path: Path, body: bytes
) -> None:
    with Scripted(lambda request, _: Reply(body)) as server:
        suspect = connect(server.url + "/invocations", class_names=tuple("abcd"))
        with pytest.raises(SuspectError, match="0 of 1 answers are kept"):
            suspect.ask(images[:1])
    assert '"query"' not in (tmp_path / "ledger.jsonl").read_text()


@pytest.mark.parametrize("status", [200, 401, 500])
def test_credentials_are_in_no_log_ledger_message_or_traceback(
    connect: Connect,
    images: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    monkeypatch.setenv("MODELPRINT_API_TOKEN", SECRET)
    key = "k3y-0f-the-address"

    def script(request: Request, number: int) -> Reply:
        assert request.headers["authorization"] == f"Bearer {SECRET}"
        assert request.path.endswith(f"?key={key}")
        echo = {"x-echo": SECRET, "set-cookie": f"session={SECRET}"}
        return mlflow_reply(request) if number < 1 else Reply(f"Bearer {SECRET}".encode(), status, echo)

    with Scripted(script) as server, caplog.at_level(logging.DEBUG):
        suspect = connect(f"{server.url}/invocations?key={key}")
        with pytest.raises(SuspectError) as caught:
            suspect.ask(images)
    told = "".join(traceback.format_exception(caught.value))
    places = [told, caplog.text, repr(suspect), repr(suspect.wire), suspect.identity]
    places += [path.read_text() for path in tmp_path.iterdir()]
    assert "POST" in caplog.text
    assert not any(SECRET in place or key in place for place in places)
    assert not logging.getLogger("httpx").filters


def test_the_command_shows_no_query_values(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from modelprint.cli.app import run
    from modelprint.core.suspect import Answers
    from modelprint.ownership.fingerprint import Fingerprint

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELPRINT_API_TOKEN", SECRET)
    reported: list[str] = []
    monkeypatch.setattr("modelprint.report.write_report", lambda *words, **more: reported.append(repr((words, more))))
    print_ = Fingerprint.bind(
        {
            "scheme": "adv-tra", "parameters": {}, "seed": 0, "codec": "uint8-image", "source": "s", "data": "d",
            "input": {"channels": 1, "height": 4, "width": 4, "class_names": list("abcd")}, "source_accuracy": 1.0,
            "data_name": "d", "report": {}, "calibration": [], "library": "test",
        },
        queries=images,
        true_labels=truth(images),
        source=Answers(labels=truth(images)),
        state={name: np.arange(40) // (10 if name == "group" else 1) for name in ("group", "position", "target")},
    )  # fmt: skip
    print_.save(tmp_path / "fp")
    with Scripted(lambda request, _: mlflow_reply(request)) as server:
        url = f"{server.url}/invocations?key={SECRET}"
        words = ["fp", url, "--ledger", "ledger.jsonl", "--debug"]
        for command in (["verify", *words], ["verify", *words, "--report", "r.html"], ["verify", *words, "--dry-run"]):
            assert run(command) == 0
        assert run(["record", *words, "--out", "answers.jsonl"]) == 0
        assert run(["identify", url, "fp", "--format", "json"]) == 0
    assert run(["verify", *words]) == 1
    said = capsys.readouterr()
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert len(reported) == 1
    assert "invocations?..." in reported[0]
    assert SECRET not in said.out + said.err + reported[0]
    assert not any(SECRET.encode() in data for data in files)
    assert os.environ["MODELPRINT_API_TOKEN"] == SECRET
