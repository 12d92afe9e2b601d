"""Time stamps, by openssl behind a server on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from modelprint.core.errors import IntegrityError, ModelprintError
from modelprint.ownership.seal import read_commitment, seal, stamped
from modelprint.sealing.keys import decoded, make_key
from modelprint.sealing.timestamp import fetch, verified_time
from tests.sealing.world import fingerprint

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")

CONFIG = """
[tsa]
default_tsa = t
[t]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
ess_cert_id_alg = sha256
"""


def openssl(place: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=place, check=True, capture_output=True)


def authority(place: Path) -> Path:
    """A root and a time-stamping certificate."""
    place.mkdir()
    (place / "tsa.cnf").write_text(CONFIG)
    (place / "serial").write_text("01\n")
    (place / "eku").write_text("extendedKeyUsage=critical,timeStamping\nbasicConstraints=CA:FALSE\n")
    new = ("req", "-newkey", "rsa:2048", "-nodes")
    openssl(place, *new, "-x509", "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=root", "-days", "30")
    openssl(place, *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=tsa")
    sign = ("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial")
    openssl(place, *sign, "-out", "tsa.pem", "-days", "30", "-extfile", "eku")
    return place


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    place = authority(tmp_path_factory.mktemp("authority") / "one")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (place / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            openssl(place, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply")
            body = (place / "reply").read_bytes() if self.path == "/" else b"no stamp"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", place
        http.shutdown()
        thread.join()


def test_a_stamp_is_fetched_once_and_verified_offline(server: tuple[str, Path], tmp_path: Path) -> None:
    url, place = server
    make_key(tmp_path / "key")
    commitment, sealed = read_commitment(seal(fingerprint(), tmp_path / "key", timestamp_url=url + "/"), who="it")
    token = decoded(str(sealed.timestamp), who="it")
    moment = verified_time(token, stamped(sealed), place / "root.pem", who="it")
    assert abs(moment.timestamp() - place.joinpath("reply").stat().st_mtime) < 60
    other = authority(tmp_path / "other")
    with pytest.raises(IntegrityError, match="vouches for"):
        verified_time(token, stamped(sealed), other / "root.pem", who="it")
    with pytest.raises(IntegrityError, match="a stamp of something else"):
        verified_time(token, b"another commitment", place / "root.pem", who="it")
    assert commitment.seed == 7


def certificate(place: Path, begins: timedelta, ends: timedelta) -> datetime:
    """The authority's certificate anew, valid from and until so long from now; the second in which it ends."""
    root = x509.load_pem_x509_certificate((place / "root.pem").read_bytes())
    keys = [
        serialization.load_pem_private_key((place / name).read_bytes(), password=None)
        for name in ("root.key", "tsa.key")
    ]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tsa")]))
        .issuer_name(root.subject)
        .public_key(keys[1].public_key())  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .sign(keys[0], hashes.SHA256())  # type: ignore[arg-type]
    )
    (place / "tsa.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return made.not_valid_after_utc


def stamp(place: Path, message: bytes) -> bytes:
    asked = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).cert_request(cert_request=True)
    (place / "query").write_bytes(asked.build().as_bytes())
    openssl(place, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply")
    return (place / "reply").read_bytes()


def test_a_stamp_outlives_its_certificate_but_an_expired_one_makes_none(tmp_path: Path) -> None:
    place, day = authority(tmp_path / "authority"), timedelta(days=1)
    ends = certificate(place, -day, timedelta(seconds=5))
    token = stamp(place, b"message")
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 1)
    assert verified_time(token, b"message", place / "root.pem", who="it") <= ends
    for begins, until in ((-3 * day, -day), (day, 3 * day)):
        certificate(place, begins, until)
        with pytest.raises(IntegrityError, match="vouches for, at its time"):
            verified_time(stamp(place, b"message"), b"message", place / "root.pem", who="it")


def test_what_is_no_stamp_seals_nothing(server: tuple[str, Path]) -> None:
    with pytest.raises(ModelprintError, match="nothing was sealed"):
        fetch(server[0] + "/garbage", b"message")
    with pytest.raises(ModelprintError, match="gave no stamp"):
        fetch("http://127.0.0.1:9/", b"message")


def test_a_server_that_drips_holds_nobody_longer_than_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    connection.sendall(b"0")
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(ModelprintError, match="gave no stamp"):
            fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"message", timeout=0.5)
        assert time.monotonic() - began < 5
