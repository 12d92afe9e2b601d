"""A secret is planted wherever one can stand; then all that each command printed, logged or wrote is searched."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import numpy as np
import pytest

from modelprint.cli.app import run as command
from modelprint.core.access import Access
from modelprint.ownership.seal import seal
from modelprint.sealing.keys import make_key
from modelprint.suspects.local import CallableSuspect
from modelprint.suspects.serving import create_app
from tests.contract.spellings import CORE, ENCODINGS, SECRET, leaking_files, leaks
from tests.sealing.world import fingerprint
from tests.suspects.servers import Reply, Request, Scripted, mlflow_reply, running

TOKEN, WRITTEN = "MODELPRINT_API_TOKEN", quote(SECRET, safe="")
QUICK = ("--retries", "0", "--timeout", "5")
BY_USER = frozenset({"map.toml", "models.toml"})  # these hold the secret because the user wrote it there
MAPPING = """
[request]
kind = "base64-json"
body = {{ image = "$image", api_key = {secret} }}
[response]
labels = "label"
"""


@dataclass
class World:
    """A folder with a fingerprint, a key and a commitment; and what a command left.

    Attributes:
        logs: what the root logger got, from DEBUG on.
    """

    folder: Path
    logs: io.StringIO

    def run(self, *words: str) -> tuple[int, str]:
        """A command's exit code, and what it printed; fails if it leaks."""
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = command(words)
        printed = stdout.getvalue() + stderr.getvalue()
        assert not leaks(printed.encode()), printed
        assert not leaks(self.logs.getvalue().encode()), self.logs.getvalue()
        assert not leaking_files(self.folder, besides=BY_USER), words
        return code, printed


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fingerprint of four queries, a key, a commitment, and a data set; nothing is trained."""
    folder = tmp_path_factory.mktemp("prepared")
    fingerprint().save(folder / "fp")
    make_key(folder / "key")
    seal(fingerprint(), folder / "key", out=folder / "commitment")
    labels = np.arange(12) % 4  # as the scripted server answers: the first pixel
    images = np.repeat(labels.astype(np.uint8), 4).reshape(12, 2, 2)
    np.savez(folder / "set.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return folder


@pytest.fixture
def world(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in (TOKEN, "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    logs = io.StringIO()
    handler, root = logging.StreamHandler(logs), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield World(folder=tmp_path, logs=logs)
    root.removeHandler(handler)
    root.setLevel(before)


def answering(request: Request, number: int) -> Reply:
    """MLflow, whose answers under /scores are scores, and a JSON API under /label."""
    path = urlsplit(request.path).path
    if request.method == "GET":
        return Reply({}, status=200 if path.endswith("/ping") else 404)
    if path.startswith("/scores/"):
        return Reply({"predictions": [[0.2, 0.5, 0.3]] * len(request.json["inputs"])})
    return Reply({"label": 1}) if path.endswith("/label") else mlflow_reply(request)


def commands(address: str, *more: str) -> dict[str, tuple[str, ...]]:
    """Every command that asks an address."""
    asks = (address, *QUICK, *more)
    return {
        "verify": ("verify", "fp", *asks, "--report", "page.html"),
        "verify-json": ("verify", "fp", *asks, "--format", "json", "--debug"),
        "dry-run": ("verify", "fp", *asks, "--dry-run", "--format", "json"),
        "record": ("record", "fp", *asks, "--out", "answers.jsonl", "--ledger", "ledger.jsonl"),
        "record-npz": ("record", "fp", *asks, "--out", "answers.npz"),
        "identify": ("identify", address, "fp", *QUICK, *more),
        "map-classes": ("map-classes", address, "set.npz:train", *QUICK, *more, "--out", "names.toml"),
        "bundle": ("bundle", "fp", *asks, "--commitment", "commitment", "--key", "key", "--out", "evidence.tar"),
    }


NAMES = tuple(commands(""))


@pytest.mark.parametrize("name", NAMES)
def test_a_query_value_and_a_token_are_sent_and_written_nowhere(
    name: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    with Scripted(answering) as server:
        words = commands(f"{server.url}/invocations;v={WRITTEN}?key={WRITTEN}&token={CORE}#{WRITTEN}")[name]
        code, printed = world.run(*words)
        asked = [request for request in server.requests if request.method == "POST"]
    assert code == 0, printed
    if name != "dry-run":
        assert all(request.headers["authorization"] == f"Bearer {SECRET}" for request in asked)
        assert all(parse_qs(urlsplit(request.path).query)["key"] == [SECRET] for request in asked)
    if name == "bundle":
        assert world.run("check", "evidence.tar", "--format", "json")[0] == 0
        assert world.run("check", "evidence.tar")[0] == 0
    if name == "record":
        assert world.run("verify", "fp", "answers.jsonl", "--report", "page.html")[0] == 0


MALFORMED = (
    "http://[::1/v2?key={}",
    "http://host:port/v2?key={}",
    "http://host:{}/v2",
    "https://?key={}",
    "http:/host/v2?key={}",
    "http:host/v2?key={}",
    "HTTP:\\\\host\\v2?key={}",
    "htp://host/v2?key={}",
    "//user:{}@host/v2",
    "host:8000/v2?key={}",
    "host/v2?key={}",
    "user:{}@host/v2",
    "http://user:{}@[::1",
    "http://user:{}@host:99999999/v2",
    "http://user:1/{}@host/v2",
    "http://user:1?{}@host/v2",
    "http://user:1#{}@host/v2",
    "http://" + "a" * 70 + ".example/v2?key={}",
    "http://xn--/v2?key={}",
    "http://ho\x01st/v2?key={}",
    "http://host/v2?key={}\n",
    " http://user:{}@host/v2",
)


@pytest.mark.parametrize("address", MALFORMED)
@pytest.mark.parametrize("name", ["verify-json", "map-classes"])
def test_a_malformed_address_is_refused_without_being_repeated(address: str, name: str, world: World) -> None:
    code, printed = world.run(*commands(address.format(WRITTEN))[name])
    assert code in (1, 2)
    assert "unexpected" not in printed


@pytest.mark.parametrize("name", NAMES)
def test_a_user_name_and_password_are_refused_without_being_repeated(name: str, world: World) -> None:
    code, printed = world.run(*commands(f"http://{WRITTEN}:{WRITTEN}@127.0.0.1:9/invocations")[name])
    assert code == 1
    assert "MODELPRINT_API_TOKEN" in printed


ELSEWHERE = (
    ("train", "{}", "--out", "m.safetensors"),
    ("train", "digits", "--arch", "{}", "--out", "m.safetensors"),
    ("train", "digits", "--init", "{}", "--out", "m.safetensors"),
    ("attack", "{}", "digits", "--kind", "ftal", "--out", "m.safetensors"),
    ("enroll", "{}", "digits", "--out", "other"),
    ("inspect", "{}"),
    ("verify", "{}", "answers.jsonl"),
    ("verify", "fp", "answers.jsonl", "--negatives", "{}"),
    ("verify", "fp", "http://127.0.0.1:9/invocations", *QUICK, "--mapping", "{}"),
    ("verify", "fp", "http://127.0.0.1:9/invocations", *QUICK, "--budget", "{}"),
    ("verify", "fp", "http://127.0.0.1:9/invocations", *QUICK, "--{}"),
    ("verify", "fp", "http://127.0.0.1:9/invocations", *QUICK, "--class-names", "{}"),
    ("verify", "fp", "http://127.0.0.1:9/invocations", *QUICK, "--ledger", "{}"),
    ("check", "{}"),
    ("check", "{}", "--negatives", "{}"),
    ("seal", "{}", "--key", "key", "--out", "sealed"),
    ("serve-model", "{}", "--port", "0"),
    ("data", "{}"),
    ("bench", "run", "{}"),
    ("bench", "show", "{}"),
    ("bench", "answers", "{}", "--families", "{}"),
    ("report", "{}"),
    ("zoo", "build", "{}"),
    ("zoo", "status", "{}"),
    ("{}",),
)


@pytest.mark.parametrize("words", ELSEWHERE, ids=" ".join)
def test_an_address_where_none_belongs_is_not_repeated_in_full(words: tuple[str, ...], world: World) -> None:
    address = f"https://me:{WRITTEN}@host.example/v2?key={WRITTEN}"
    code, printed = world.run(*(word.format(address) for word in words), "--debug")
    assert code in (1, 2)
    assert "unexpected" not in printed


FEW = ("plain", "json", "json-codes", "html", "url", "base64-1")
CLOSELY = ("status-400", "label", "location")
CHANNELS = ("body", "status-400", "status-503", "page", "packed", "location", "encoding", "late", "label", "metadata")


def echo(channel: str, encoding: str) -> Scripted:
    """A server that says whatever secrets it was sent, in a spelling, at one place of its answers."""

    def heard(request: Request) -> str:
        sent = [request.headers.get("authorization", "").removeprefix("Bearer ")]
        sent += parse_qs(urlsplit(request.path).query).get("key", [])
        if request.body[:1] == b"{":
            sent.append(str(request.json.get("api_key", "")))
        return " ".join(ENCODINGS[encoding](text) for text in sent if text)

    def script(request: Request, number: int) -> Reply:
        text = heard(request)
        if request.method == "GET" and channel != "metadata":
            return Reply({}, status=200 if urlsplit(request.path).path.endswith("/ping") else 404)
        if channel == "metadata":
            inputs = [{"name": text, "datatype": text, "shape": [-1, 1, 2, 2]}]
            return Reply({"name": text, "inputs": inputs, "outputs": []})
        whole = f'{{"error": "{text}"}}'.encode()
        replies = {
            "body": Reply(whole),
            "status-400": Reply(whole, status=400),
            "status-503": Reply(whole, status=503),
            "page": Reply(f"<p title='{text}'>{text}</p>".encode(), status=403),
            "packed": Reply(gzip.compress(whole), status=422, headers={"content-encoding": "gzip"}),
            "location": Reply(b"", status=302, headers={"location": f"https://u:{text}@host/{text}?key={text}"}),
            "encoding": Reply(b"x", headers={"content-encoding": text}),
            "late": Reply(b"x" * 30 + text.encode()),
            "label": Reply({"predictions": [text] * 4, "label": text}),
        }
        return replies[channel]

    return Scripted(script)


@pytest.mark.parametrize(
    ("channel", "encoding"),
    [(channel, encoding) for channel in CHANNELS for encoding in (ENCODINGS if channel in CLOSELY else FEW)],
)
def test_what_a_server_echoes_is_hidden(
    channel: str, encoding: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    with echo(channel, encoding) as server:
        path = "/v2/models/m" if channel == "metadata" else "/invocations"
        code, printed = world.run("verify", "fp", f"{server.url}{path}?key={WRITTEN}", *QUICK, "--debug")
    assert code == 1
    assert "unexpected" not in printed


@pytest.mark.parametrize("encoding", ["plain", "json", "html", "url", "base64-1"])
@pytest.mark.parametrize("channel", ["body", "status-400", "location", "late", "label"])
def test_what_a_mapping_file_sends_is_hidden_when_it_is_echoed(channel: str, encoding: str, world: World) -> None:
    (world.folder / "map.toml").write_text(MAPPING.format(secret=json.dumps(SECRET)))
    with echo(channel, encoding) as server:
        words = ("verify", "fp", f"{server.url}/label", "--mapping", "map.toml", *QUICK, "--debug")
        code, printed = world.run(*words)
        assert server.posts[0].json["api_key"] == SECRET
    assert code == 1
    assert "unexpected" not in printed


FAULTY = (
    MAPPING.format(secret="1") + "secret = SECRET\n",
    MAPPING.format(secret="SECRET").replace('"$image"', "SECRET"),
    "[request]\nkind = SECRET\n[response]\nlabels = 'x'\n",
    "[request]\nkind = 'multipart'\nform = { key = SECRET, more = 3 }\n[response]\nlabels = 'x'\n",
    "[request]\nkind = SECRETSECRET\n",
    "path = SECRET\n[request]\nkind = 'png'\n[response]\n",
)


@pytest.mark.parametrize("text", FAULTY)
def test_a_faulty_mapping_file_is_refused_without_being_repeated(text: str, world: World) -> None:
    (world.folder / "map.toml").write_text(text.replace("SECRET", json.dumps(SECRET)))
    code, printed = world.run(*commands("http://127.0.0.1:9/", "--mapping", "map.toml", "--debug")["verify"])
    assert code == 1
    assert "map.toml" in printed


@pytest.mark.parametrize(
    "address", ["{}/scores/invocations?key=WRITTEN", "http://me:WRITTEN@127.0.0.1:9/", "http://[::1?k=WRITTEN"]
)
def test_a_folder_of_calibration_models_that_names_addresses(
    address: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    (world.folder / "others").mkdir()
    with Scripted(answering) as server:
        url = address.format(server.url).replace("WRITTEN", WRITTEN)
        (world.folder / "others" / "models.toml").write_text(f'[models.rival]\nurl = "{url}"\napi = "mlflow"\n')
        words = ("verify", "fp", f"{server.url}/invocations", *QUICK, "--negatives", "others", "--report", "page.html")
        code, printed = world.run(*words, "--debug")
        assert all("authorization" not in request.headers for request in server.posts if WRITTEN in request.path)
    assert code == (0 if address.startswith("{}") else 1), printed


def test_a_fingerprint_whose_calibration_models_are_addresses(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, SECRET)

    def guessing(request: Request, number: int) -> Reply:
        answers = np.random.default_rng(0).random((len(request.json["inputs"]), 10))
        return Reply({"predictions": answers.tolist()})

    world.run("train", "digits:owner", "--arch", "mlp", "--epochs", "8", "--out", "source.safetensors")
    (world.folder / "others").mkdir()
    with Scripted(guessing) as server:
        url = f"{server.url}/invocations?key={WRITTEN}"
        (world.folder / "others" / "models.toml").write_text(f'[models.rival]\nurl = "{url}"\napi = "mlflow"\n')
        words = ("enroll", "source.safetensors", "digits:queries", "--scheme", "akh", "--negatives", "others")
        code, printed = world.run(*words, "--out", "made", "--trust-code", "--set", "queries=20")
    assert code == 0, printed
    assert f"{server.url}/invocations?..." in (world.folder / "made" / "manifest.json").read_text()
    assert world.run("inspect", "made", "--format", "json")[0] == 0


def test_a_served_model_logs_nothing_of_what_clients_send(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    suspect = CallableSuspect(lambda images: np.zeros(len(images), dtype=np.int64))
    app = create_app(suspect, name="m", input_shape=(1, 2, 2), classes=3, access=Access.LABELS)
    headers = {"authorization": f"Bearer {SECRET}", "cookie": WRITTEN}
    with running(app) as url, httpx.Client(headers=headers, params={"key": SECRET}, trust_env=False) as client:
        statuses = [
            client.get(f"{url}/v2/models/m").status_code,
            client.get(f"{url}/v2/models/{WRITTEN}").status_code,
            client.post(f"{url}/v2/models/m/infer", content=SECRET).status_code,
            client.post(f"{url}/v2/models/m/infer", json={"inputs": [{"name": SECRET, "data": [SECRET]}]}).status_code,
        ]
    assert statuses == [200, 404, 400, 400]
    served = [
        line for line in world.logs.getvalue().splitlines() if "HTTP Request" not in line
    ]  # these are the client's
    printed = capfd.readouterr()
    assert not leaks("\n".join([*served, printed.out, printed.err]).encode())


PROXIES = (
    "http://me:{}@127.0.0.1:9",
    "http://me:{}@127.0.0.1:port",
    "http://me:{}@[::1",
    "foo://me:{}@127.0.0.1:9",
    "socks5://me:{}@127.0.0.1:9",
    "me:{}@127.0.0.1:9",
    "http://{}@127.0.0.1:9",
)


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("words", [
    ("verify", "fp", "http://model.example/invocations", *QUICK, "--debug"),
    ("seal", "fp", "--key", "key", "--out", "sealed", "--timestamp", "http://stamp.example/", "--debug"),
], ids=["verify", "seal"])  # fmt: skip
def test_a_proxys_password(proxy: str, words: tuple[str, ...], world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.format(WRITTEN))
    code, printed = world.run(*words)
    assert code == 1
    assert "unexpected" not in printed


def test_what_a_proxy_says_of_its_password(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(request: Request, number: int) -> Reply:
        said = request.headers["proxy-authorization"].removeprefix("Basic ")
        password = base64.b64decode(said).decode().partition(":")[2]
        assert password == SECRET
        return Reply(f"{said} {password}".encode(), status=407)

    with Scripted(refusing) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url.replace("http://", f"http://me:{WRITTEN}@"))
        code, printed = world.run("verify", "fp", "http://model.example/invocations", *QUICK, "--debug")
    assert (code, "407" in printed) == (1, True)


STAMPS = {
    "refused": "http://me:{}@127.0.0.1:9/stamp?key={}",
    "malformed": "http://me:{}@[::1/stamp?key={}",
    "no-address": "stamp.example/stamp?key={}",
}


@pytest.mark.parametrize("how", STAMPS)
def test_the_address_of_a_time_stamping_server(how: str, world: World) -> None:
    address = STAMPS[how].replace("{}", WRITTEN)
    code, printed = world.run("seal", "fp", "--key", "key", "--out", "sealed", "--timestamp", address, "--debug")
    assert code == 1
    assert "unexpected" not in printed


@pytest.mark.parametrize("status", [200, 302, 403])
def test_the_address_of_a_time_stamping_server_that_gives_no_stamp(status: int, world: World) -> None:
    with Scripted(lambda request, number: Reply(request.path.encode(), status=status)) as server:
        address = server.url.replace("http://", f"http://me:{WRITTEN}@") + f"/stamp?key={WRITTEN}"
        code, printed = world.run("seal", "fp", "--key", "key", "--out", "sealed", "--timestamp", address, "--debug")
    assert code == 1
    assert f"{server.url}/stamp?..." in printed


@pytest.mark.parametrize("header", [f"X-Key: {SECRET}", f"X-{SECRET}", f"{SECRET}\r\nX-More"])
def test_a_token_where_a_headers_name_belongs(header: str, world: World) -> None:
    with Scripted(answering) as server:
        words = commands(f"{server.url}/invocations", "--token-header", header, "--debug")["verify"]
        code, printed = world.run(*words)
        assert not server.posts
    assert code == 2
    assert "--token-header" in printed


@pytest.mark.parametrize("token", [f"{SECRET}\nX: y", f"{SECRET}ü"])
def test_a_token_that_no_header_takes(token: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, token)
    with Scripted(answering) as server:
        code, printed = world.run(*commands(f"{server.url}/invocations")["verify"], "--debug")
    assert code == 1
    assert TOKEN in printed
