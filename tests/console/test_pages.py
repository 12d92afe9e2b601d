"""What a user sees and does: the list, a scan with its progress and verdicts, a full check, exports, evidence."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from pathlib import Path

import pytest

from modelprint.cli.app import run
from modelprint.console.console import Console
from modelprint.console.jobs import Job
from modelprint.core.identity import digest
from modelprint.screening.records import Screen
from tests.console.client import TestClient, client_of, ended, post
from tests.console.world import ALPHA, World


@pytest.fixture
def client(console: Console) -> TestClient:
    return client_of(console)


def upload(*paths: Path) -> list[tuple[str, tuple[str, bytes]]]:
    return [("suspects", (path.name, path.read_bytes())) for path in paths]


def zip_of(folder: Path, *, inside: str = "", more: dict[str, bytes] | None = None) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.writestr(f"{inside}{file.name}", file.read_bytes())
        for name, data in (more or {}).items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_the_first_page_lists_the_fingerprints(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    for text in ("first", "second", "Alice", "lineage", "image 8 by 8 pixels, 1 channel, 10 classes", "1,024 MiB"):
        assert text in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/static/htmx.min.js").status_code == 200
    assert client.get("/nothing").status_code == 404


def test_pages_can_be_used_without_seeing_them(client: TestClient) -> None:
    page = client.get("/").text
    assert '<html lang="en">' in page
    assert 'name="viewport"' in page
    assert page.count("<h1>") == 1
    assert re.search(r'role="status" aria-live="polite"', page)
    fields = set(re.findall(r'<(?:input|select) id="([^"]+)"', page))
    assert len(fields) >= 10
    assert fields == set(re.findall(r'<label for="([^"]+)"', page))  # each field has its label
    assert len(re.findall(r"<th(?: |>)", page)) == len(re.findall(r'<th scope="', page))


def test_suspects_are_scanned_compared_checked_and_exported(
    console: Console, client: TestClient, world: World, tmp_path: Path
) -> None:
    files = [world.models / f"{name}.safetensors" for name in ("source", "tuned", "independent", "broken")]
    answer = post(client, "/scans", {"alpha": ALPHA, "submission": "once"}, upload(*files))
    assert answer.status_code == 303
    place = answer.headers["location"]
    assert post(client, "/scans", {"alpha": ALPHA, "submission": "once"}, upload(*files)).headers["location"] == place
    page = ended(client, place)
    assert re.findall(r'data-label="Verdict"><span class="badge ([a-z-]+)"', page) == [
        "derived", "derived", "not-shown", "unreadable",
    ]  # fmt: skip
    assert "byte for byte" in page
    assert "broken.safetensors is not a whole" in page
    assert str(console.store.folder) not in page
    progress = client.get(place.replace("scans", "jobs") + "/progress").text
    assert 'hx-swap-oob="innerHTML:#announcement">The scan is done: 4 suspects, 2 derived, 1 not shown' in progress
    assert "hx-get" not in progress

    owners = client.get(f"{place}/suspects/1").text
    assert re.findall(r'<th scope="row" class="title">([a-z]+)<', owners) == ["first", "second"]
    assert client.get(f"{place}/suspects/9").status_code == 404

    screen = Screen.model_validate_json(client.get(f"{place}/result/json").text)
    assert [one.suspect for one in screen.suspects] == [file.name for file in files]
    assert json.loads(client.get(f"{place}/result/sarif").text)["version"] == "2.1.0"
    assert "corrected over the owners" in client.get(f"{place}/result/table").text
    pytest.importorskip("cyclonedx")
    assert json.loads(client.get(f"{place}/result/cyclonedx").text)["bomFormat"] == "CycloneDX"

    for fingerprint in ("first", "second"):
        check = post(client, f"{place}/suspects/1/check", {"fingerprint": fingerprint}).headers["location"]
        assert "Open the full report" in ended(client, check)
        report = client.get(f"{check}/report")
        assert "tuned.safetensors" in report.text
        assert "sandbox" in report.headers["content-security-policy"]
        archive = zipfile.ZipFile(io.BytesIO(client.get(f"{check}/evidence").content))
        sums = dict(line.split("  ")[::-1] for line in archive.read("evidence/SHA256SUMS").decode().splitlines())
        assert {f"evidence/{name}" for name in (*sums, "SHA256SUMS")} == set(archive.namelist())
        for name, stated in sums.items():
            assert digest(archive.read(f"evidence/{name}")) == f"sha256:{stated}"
        assert ("answers.jsonl" in sums) == (fingerprint == "first")
        verdict = json.loads(archive.read("evidence/verdict.json"))["verdict"]
        assert verdict == {"first": "derived", "second": "not-shown"}[fingerprint]
        archive.extractall(tmp_path / fingerprint)
    evidence = tmp_path / "first" / "evidence"
    assert run(["verify", str(evidence / "fingerprint"), str(evidence / "answers.jsonl"), "--alpha", ALPHA]) == 0
    assert post(client, f"{place}/suspects/1/check", {"fingerprint": "none"}).status_code == 404

    kept = list(console.store.folder.rglob("*.safetensors"))
    assert len(kept) == 4
    assert post(client, f"{place}/remove", {}).status_code == 303
    assert not list(console.store.folder.rglob("*.safetensors"))
    assert client.get(place).status_code == 404
    assert client.get(check).status_code == 404


def test_a_path_is_scanned(client: TestClient, world: World) -> None:
    answer = post(client, "/scans", {"alpha": ALPHA, "path": str(world.models / "source.safetensors")})
    assert "Derived" in ended(client, answer.headers["location"])


def test_a_fingerprint_is_added_by_path_and_removed(client: TestClient, world: World) -> None:
    answer = post(client, "/fingerprints", {"path": str(world.third), "owner": "Bob"})
    assert answer.status_code == 303
    place = answer.headers["location"]
    assert "Bob" in client.get(place).text
    again = post(client, "/fingerprints", {"path": str(world.third)})
    assert again.status_code == 400
    assert "in the registry already, as third" in again.text
    assert post(client, f"{place}/remove", {}).status_code == 303
    assert client.get(place).status_code == 404
    assert "third" not in client.get("/").text


@pytest.mark.parametrize("inside", ["", "some/third.fp/"])
def test_a_fingerprint_is_added_as_a_zip(console: Console, client: TestClient, world: World, inside: str) -> None:
    data = zip_of(world.third, inside=inside, more={"note.py": b"raise SystemExit"})
    answer = post(client, "/fingerprints", {"name": "by zip"}, [("upload", ("third.zip", data))])
    assert answer.status_code == 303
    assert [entry.name for entry in console.registry.entries()] == ["by zip", "first", "second"]
    assert not list(console.store.folder.iterdir())  # what was unpacked is gone


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no zip", "cannot be read as a zip"),
        (b"PK\x05\x06" + bytes(18), "holds 0 files named"),
    ],
)
def test_what_is_no_fingerprint_is_refused_in_one_line(client: TestClient, data: bytes, reason: str) -> None:
    answer = post(client, "/fingerprints", {}, [("upload", ("third.zip", data))])
    assert answer.status_code == 400
    assert reason in answer.text
    assert "modelprint-console-" not in answer.text  # where it was unpacked
    assert 'role="alert"' in answer.text


def test_a_changed_fingerprint_is_refused(client: TestClient, world: World) -> None:
    data = zip_of(world.third).replace(b'"lineage"', b'"lineagf"')
    answer = post(client, "/fingerprints", {}, [("upload", ("third.zip", data))])
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


def test_no_suspect_no_scan(client: TestClient) -> None:
    answer = post(client, "/scans", {})
    assert answer.status_code == 400
    assert "no suspect was given" in answer.text


class Held(Job):
    """Runs until it is let go: what comes after it waits."""

    room = "held"

    def __init__(self) -> None:
        super().__init__("held")
        self.let_go = threading.Event()

    def _run(self) -> None:
        self.let_go.wait(60.0)


def test_a_job_that_waits_can_be_stopped(console: Console, client: TestClient, world: World) -> None:
    held = Held()
    console.worker.once("held", lambda: held)
    places = [
        post(client, "/scans", {"path": str(world.models), "submission": str(number)}).headers["location"]
        for number in range(2)
    ]
    stop = places[0].replace("scans", "jobs") + "/stop"
    assert post(client, stop, {}).headers["location"] == places[0]
    assert "Stopped." in ended(client, places[0])
    held.let_go.set()
    assert "Verdicts" in ended(client, places[1])
    assert "Stopped." in ended(client, places[0])
