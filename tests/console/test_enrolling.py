"""A fingerprint that is made in the page: of a model at a path or uploaded, with progress, stopped, refused."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

import numpy as np
import pytest

from modelprint.console.console import Console
from modelprint.console.enroll_form import DataSource, EnrollSettings, model_at
from modelprint.console.guard import Guard
from modelprint.core.errors import ModelprintError, UsageError
from modelprint.data.splits import load_data
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.screening.registry import Registry
from tests.console.client import Files, TestClient, client_of, ended, post
from tests.console.world import World

MODEL = "a model that is there"


@pytest.fixture
def client(console: Console) -> TestClient:
    return client_of(console)


def npz_of(reference: str) -> bytes:
    data, stream = load_data(reference), io.BytesIO()
    np.savez(
        stream, x_train=data.stored[:-20], y_train=data.labels[:-20], x_test=data.stored[-20:], y_test=data.labels[-20:]
    )
    return stream.getvalue()


def errors(page: str) -> list[str]:
    return re.findall(r'<p class="error".*?</p>', page)


def file_of(world: World, name: str) -> tuple[str, tuple[str, bytes]]:
    return "model", (f"{name}.safetensors", (world.models / f"{name}.safetensors").read_bytes())


def test_a_fingerprint_is_made_of_uploads(console: Console, client: TestClient, world: World, tmp_path: Path) -> None:
    files: Files = [
        file_of(world, "independent"),
        ("data", ("que?ries.npz", npz_of("digits:queries"))),
        ("training", ("owner.npz", npz_of("digits:owner"))),
    ]
    fields = {
        "independent": "3",
        "scheme": "akh",
        "data_part": "owner",
        "owner": "Carol",
        "submission": "once",
        "accuracy": "",
    }
    answer = post(client, "/enrollments", fields, files)
    assert answer.status_code == 303
    place = answer.headers["location"]
    assert post(client, "/enrollments", fields, files).headers["location"] == place
    page = ended(client, place)
    assert "The fingerprint is in the registry." in page, errors(page)
    assert str(console.store.folder) not in page
    entry = console.registry.entry("independent")
    assert entry.owner == "Carol"
    fingerprint = console.registry.load(entry)
    assert len(fingerprint.manifest.calibration) == 3
    assert fingerprint.manifest.data_name == "que_ries.npz:owner"
    assert "modelprint-console-" not in fingerprint.manifest.model_dump_json()
    assert not list(console.store.folder.iterdir())  # the uploads are gone

    digest = entry.identity.removeprefix("sha256:")
    saved = client.get(f"/fingerprints/{digest}/zip")
    client.post(f"/fingerprints/{digest}/remove", data={"csrf": console.guard.csrf})
    again = post(client, "/fingerprints", {"name": "again"}, [("upload", ("saved.zip", saved.content))])
    assert again.headers["location"] == f"/fingerprints/{digest}"
    assert "independent" in client.get("/").text  # in the list of those made since the start


def test_a_fingerprint_is_made_of_paths_as_the_command_makes_it(
    console: Console, client: TestClient, world: World, tmp_path: Path
) -> None:
    from modelprint.cli.app import run

    model = world.models / "tuned.safetensors"
    fields = {
        **{"model_path": str(model), "data_path": "digits:queries", "training_path": "digits:owner"},
        **{"independent": "2", "scheme": "lineage", "name": "by path"},
    }
    page = ended(client, post(client, "/enrollments", fields).headers["location"])
    assert "The fingerprint is in the registry." in page
    assert "What to know" in page  # what is trained, and what that takes
    command = ["enroll", str(model), "digits:queries", "--out", str(tmp_path / "mine.fp"), "--scheme", "lineage"]
    assert run([*command, "--train-data", "digits:owner", "--negatives", "auto:2"]) == 0
    assert console.registry.entry("by path").identity == Fingerprint.load(tmp_path / "mine.fp").identity


def test_what_cannot_be_enrolled_fails_in_one_line(client: TestClient, world: World) -> None:
    fields = {"data_path": "digits:queries"}
    place = post(client, "/enrollments", fields, [file_of(world, "broken")]).headers["location"]
    page = ended(client, place)
    assert "broken.safetensors is not a whole" in page
    assert "modelprint-console-" not in page
    place = post(client, "/enrollments", {}, [file_of(world, "tuned"), ("data", ("no.npz", b"no"))]).headers["location"]
    page = ended(client, place)
    assert "no.npz" in page
    assert "modelprint-console-" not in page


def test_an_enrollment_stops_at_once(console: Console, client: TestClient, world: World) -> None:
    fields = {"data_path": "digits:queries", "training_path": "digits:owner", "independent": "1000"}
    places = [
        post(client, "/enrollments", {**fields, "name": name}, [file_of(world, "tuned")]).headers["location"]
        for name in ("running", "waiting")
    ]
    until = time.monotonic() + 60
    while "calibration models" not in client.get(places[0]).text and time.monotonic() < until:
        time.sleep(0.1)
    assert "calibration models" in client.get(places[0]).text
    for place in reversed(places):
        stop = place.replace("enrollments", "jobs") + "/stop"
        assert post(client, stop, {}).headers["location"] == place
    started = time.monotonic()
    for place in places:
        assert "No fingerprint was made." in ended(client, place)
    assert time.monotonic() - started < 10
    while list(console.store.folder.iterdir()) and time.monotonic() - started < 10:
        time.sleep(0.1)
    assert not list(console.store.folder.iterdir())


@pytest.mark.parametrize(
    ("fields", "uploads", "reason"),
    [
        ({}, [], "no model given"),
        ({"model_path": MODEL}, [], "no data that the model was not trained on given"),
        ({"model_path": "none.pt", "data_path": "digits"}, [], "none.pt: nothing of this name"),
        ({"model_path": MODEL, "data_path": "none.npz:test"}, [], "none.npz: nothing of this name"),
        ({"model_path": "a.py", "data_path": "digits"}, [], "is a program"),
        ({"model_path": MODEL, "data_path": "digits", "independent": "3"}, [], "give these data"),
        ({"model_path": MODEL, "data_path": "digits", "independent": "-3"}, [], "whole number"),
        ({"model_path": MODEL, "data_path": "digits", "scheme": "../x"}, [], "is no scheme"),
        ({"model_path": MODEL, "data_path": "digits", "arch": "mine.py:make"}, [], "runs nobody"),
        ({"model_path": MODEL, "data_path": "digits", "accuracy": "97"}, [], "a share such as 0.97"),
        ({"model_path": MODEL, "data_path": "digits", "from_scratch": "yes", "init_path": "b.pt"}, [], "one of them"),
        ({"model_path": MODEL, "data_path": "digits:test", "data_part": "test"}, [], "says a part already"),
        ({"model_path": MODEL, "data_path": "digits", "data_part": "te st"}, [], "no part of a data set"),
        ({"model_path": MODEL, "data_path": "digits", "name": "first"}, [], "give another name"),
        ({"model_path": MODEL, "data_path": "digits", "name": "two\nlines"}, [], "is no name"),
        ({"data_path": "digits"}, [("model", ("answers.jsonl", b"x"))], "is no model file by its name"),
        ({"data_path": "digits"}, [("model", ("a.pt", b"x")), ("model", ("b.pt", b"x"))], "one model"),
        ({"model_path": MODEL}, [("data", ("a.pt", b"x"))], "is no data set by its name"),
        ({"model_path": MODEL}, [("data", ("a.npz", b""))], "is empty"),
        ({"model_path": MODEL, "data_path": "digits"}, [("model", ("a.pt", b"x"))], "either an upload or a path"),
    ],
)
def test_a_form_that_does_not_fit_is_refused_with_its_words(
    console: Console, client: TestClient, world: World, fields: dict[str, str], uploads: Files, reason: str
) -> None:
    if fields.get("model_path") == MODEL:
        fields = {**fields, "model_path": str(world.models / "tuned.safetensors")}
    answer = post(client, "/enrollments", fields, uploads)
    assert answer.status_code == 400
    assert reason in answer.text.replace("&#39;", "'")
    assert 'role="alert"' in answer.text
    for word in fields.values():
        assert word.replace("\n", "") in answer.text.replace("\\n", "").replace("\n", "")  # nothing is typed twice
    assert not list(console.store.folder.iterdir())
    assert not console.enroller.all()


def test_a_name_in_the_making_is_taken(console: Console, client: TestClient, world: World) -> None:
    fields = {"model_path": str(world.models / "tuned.safetensors"), "data_path": "digits:queries", "name": "mine"}
    first = post(client, "/enrollments", fields).headers["location"]
    assert "give another name" in post(client, "/enrollments", fields).text
    post(client, first.replace("enrollments", "jobs") + "/stop", {})


def test_a_console_for_other_machines_takes_uploads_alone(tmp_path: Path) -> None:
    token = "0123456789abcdef"
    console = Console(registry=Registry.init(tmp_path / "registry"), guard=Guard(host="0.0.0.0", token=token))
    client = client_of(console, host="box.example:8321", authorization=f"Bearer {token}")
    assert 'name="model_path"' not in client.get("/enroll").text
    answer = post(client, "/enrollments", {"model_path": "/etc/passwd", "data_path": "digits"})
    assert (answer.status_code, "uploads alone" in answer.text) == (400, True)
    console.end()


def test_a_data_set_keeps_its_name_and_finds_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert DataSource.at("digits:queries") == DataSource(reference="digits:queries", name="digits:queries")
    (tmp_path / "shots.npz").touch()
    here = DataSource.at("shots.npz", part="[0:9]")
    assert (here.reference, here.name) == (f"{tmp_path.resolve()}/shots.npz[0:9]", "shots.npz[0:9]")
    assert DataSource.of("data/a.npz", part="test", name="a.npz").name == "a.npz:test"
    (tmp_path / "tuned").mkdir()
    assert model_at("hf:tuned") == f"hf:{tmp_path.resolve()}/tuned"
    with pytest.raises(UsageError, match="no scheme"):
        EnrollSettings.parse({"scheme": "accuracy"})  # a control, which finds nothing
    with pytest.raises(ModelprintError):
        EnrollSettings.parse({"accuracy": "nan"})
