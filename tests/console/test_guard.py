"""Who is answered: the host's name, other sites' forms, the token, sizes, names of uploads, the end of the console."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from fastapi import FastAPI

from modelprint.cli.app import run
from modelprint.console.app import create_app
from modelprint.console.console import Console
from modelprint.console.guard import COOKIE, Guard
from modelprint.console.uploads import Store
from modelprint.core.errors import ModelprintError, UsageError
from modelprint.screening.registry import Registry
from tests.console.client import BROWSER, client_of, csrf_of, post

TOKEN = "0123456789abcdef"


@pytest.fixture
def empty(tmp_path: Path) -> Registry:
    return Registry.init(tmp_path / "registry")


def test_every_form_needs_its_csrf_token(empty: Registry) -> None:
    console = Console(registry=empty)
    application = create_app(console).app
    assert isinstance(application, FastAPI)
    posts = [
        route.path
        for router in application.routes
        for route in getattr(getattr(router, "original_router", None), "routes", [router])
        if "POST" in (getattr(route, "methods", None) or ())
    ]
    assert len(posts) >= 7
    client = client_of(console)
    for path in posts:
        address = path.replace("{place}", "0").replace("{digest}", "0").replace("{id_}", "0")
        for fields in ({}, {"csrf": "0" * 64}):
            answer = client.post(address, data=fields)
            assert answer.status_code == 403, path
            assert "another start of the console" in answer.text
    console.end()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_forms_of_other_sites_are_refused(empty: Registry, headers: dict[str, str]) -> None:
    console = Console(registry=empty)
    client = client_of(console)
    answer = client.post("/scans", data={"csrf": csrf_of(client.get("/"))}, headers=headers)
    assert (answer.status_code, "another site" in answer.text) == (403, True)
    own = client.post("/scans", data={"csrf": console.guard.csrf}, headers={"origin": "http://127.0.0.1:8321"})
    assert (own.status_code, "holds no fingerprint" in own.text) == (400, True)
    console.end()


def test_a_page_of_another_name_sees_nothing(empty: Registry) -> None:
    console = Console(registry=empty)
    answer = client_of(console, host="rebound.example").get("/")
    assert answer.status_code == 421
    assert client_of(console, host="localhost:8321").get("/").status_code == 200
    console.end()


def test_another_address_needs_a_token() -> None:
    with pytest.raises(UsageError, match="MODELPRINT_CONSOLE_TOKEN"):
        Guard(host="0.0.0.0")
    with pytest.raises(UsageError, match="16 or more"):
        Guard(host="0.0.0.0", token="short")
    assert Guard(host="::1").on_loopback


def test_the_command_refuses_an_open_address_in_one_line(
    empty: Registry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODELPRINT_CONSOLE_TOKEN", raising=False)
    assert run(["console", str(empty.folder), "--host", "0.0.0.0"]) == 2
    assert run(["console", str(empty.folder / "none")]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert "needs a token" in lines[0]
    assert "is no registry" in lines[1]


def test_with_a_token_nothing_is_shown_before_it(empty: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelprint.console.app._WRONG_TOKEN", 0.0)
    console = Console(registry=empty, guard=Guard(host="0.0.0.0", token=TOKEN))
    client = client_of(console, host="box.example:8321")
    first = client.get("/")
    assert (first.status_code, first.headers["location"]) == (303, "/login")
    line = client.get("/", headers={"accept": "*/*"})
    assert (line.status_code, line.text.count("\n")) == (401, 1)
    assert client.post("/scans", content=b"x" * 1000).status_code == 401
    page = client.get("/login")
    csrf = csrf_of(page)
    assert client.post("/login", data={"csrf": csrf, "token": "wrong"}).status_code == 401
    answer = client.post("/login", data={"csrf": csrf, "token": TOKEN})
    assert answer.status_code == 303
    assert TOKEN not in answer.headers["set-cookie"]
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert client.get("/").status_code == 200
    refused = post(client, "/scans", {"path": "/etc/passwd"})
    assert (refused.status_code, "uploads alone" in refused.text) == (400, True)
    assert 'name="path"' not in client.get("/").text
    fresh = client_of(console, host="box.example:8321")
    assert fresh.get("/", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert fresh.get("/", headers={"cookie": f"{COOKIE}=ab"}).status_code == 303
    console.end()


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_that_is_too_large_is_refused(empty: Registry, chunked: bool) -> None:
    console = Console(registry=empty, guard=Guard(most_upload=1 << 20))
    client = client_of(console)
    body = (
        b'--b\r\ncontent-disposition: form-data; name="suspects"; filename="a.onnx"\r\n\r\n'
        + bytes(1 << 20)
        + b"\r\n--b--\r\n"
    )
    parts = (body[start : start + 65536] for start in range(0, len(body), 65536))
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/scans", content=parts if chunked else body, headers=headers)
    assert answer.status_code == 413
    assert "larger than 1 MiB" in answer.text
    assert not list(console.store.folder.rglob("*.onnx"))
    console.end()


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["evil.py"], "is a program"),
        (["notes.txt"], "is no model file by its name"),
        (["models.toml"], "is no model file by its name"),
        (["a.onnx", "x/../a.onnx"], "two uploads are named a.onnx"),
        (["..."], "is no model file by its name"),
        (["a.onnx_data"], "upload both together"),
    ],
)
def test_uploads_that_are_no_models_are_refused(names: list[str], reason: str) -> None:
    store = Store()
    with pytest.raises(UsageError, match=reason):
        store.suspects([(name, io.BytesIO(b"data")) for name in names])
    assert not list(store.folder.iterdir())
    store.end()


def test_uploads_stay_in_a_private_folder_under_plain_names() -> None:
    store = Store()
    assert store.folder.stat().st_mode & 0o077 == 0
    names = ["../../up.onnx", "C:\\x\\line\nbreak\x1b[2J.pt", ".hidden.h5", "net.xml", "net.bin", "big.onnx_data"]
    kept = store.suspects([(name, io.BytesIO(b"data")) for name in names])
    assert [path.name for path in kept] == ["up.onnx", "line_break_[2J.pt", "hidden.h5", "net.xml"]
    assert {path.parent.parent for path in kept} == {store.folder}
    with pytest.raises(UsageError, match="empty"):
        store.suspects([("a.onnx", io.BytesIO(b""))])
    store.end()
    assert not store.folder.exists()


def test_programs_and_addresses_are_no_suspects(empty: Registry, tmp_path: Path) -> None:
    from modelprint.console.work import ScanSettings, targets_at

    for word, reason in (
        ("net.py", "is a program"),
        ("http://127.0.0.1:1/", "files and folders"),
        ("@list.txt", "files and folders"),
        ("models:/a/1", "files and folders"),
    ):
        with pytest.raises(UsageError, match=reason):
            targets_at(word, ScanSettings())
    for arch in ("net.py:make", "os:system", "hf:folder"):
        with pytest.raises(UsageError, match="runs nobody's code"):
            ScanSettings.parse(access="weights", method="holm", alpha="0.05", arch=arch)
    for wrong in ({"alpha": "2"}, {"alpha": "x"}, {"access": "gradients"}, {"method": "none"}):
        with pytest.raises(UsageError):
            ScanSettings.parse(**{"access": "weights", "method": "holm", "alpha": "0.05", "arch": "", **wrong})


def test_uploads_are_removed_when_the_console_ends(empty: Registry) -> None:
    console = Console(registry=empty)
    with client_of(console) as client:
        assert client.get("/", headers=BROWSER).status_code == 200
        assert console.store.folder.is_dir()
    assert not console.store.folder.exists()


def test_a_damaged_fingerprint_is_a_row_with_its_error(console: Console) -> None:
    entry = console.registry.entries()[0]
    folder = console.registry.folder / "fingerprints" / entry.identity.removeprefix("sha256:")
    (folder / "manifest.json").write_text("{}")
    page = client_of(console).get("/")
    assert page.status_code == 200
    assert "was changed after enrollment" in page.text
    with pytest.raises(ModelprintError):
        console.registry.listed()
