"""What a mapping file adds to requests: secrets of the environment, headers, larger pictures, later questions."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelprint.core.errors import SuspectError
from modelprint.core.redaction import TOKEN_VARIABLE, hidden
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.mapping_file import read_mapping
from tests.suspects.servers import Reply, Request, Scripted

Connect = Callable[..., HttpSuspect]
KEY, TOKEN = "correct-horse-0123456789", "a-token-0123456789"
PLAIN = '[request]\nkind = "png"\n[response]\nlabels = "label"\n'
POLLED = '[request]\nkind = "png"\n[response]\nlabels = "label"\n[poll]\nevery = 0.01\n'


def mapped(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "api.toml"
    path.write_text(text)
    return path


def answering(request: Request, _: int) -> Reply:
    return Reply({"label": 1})


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPRINT_API_KEY", KEY)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)


@pytest.mark.usefixtures("secrets")
class TestSecrets:
    def test_they_go_where_the_file_says_and_the_token_nowhere_else(
        self, connect: Connect, images: np.ndarray, tmp_path: Path
    ) -> None:
        text = 'query = { key = "${MODELPRINT_API_KEY}" }\nheaders = { X-Key = "Key ${MODELPRINT_API_KEY}" }\n' + PLAIN
        with Scripted(answering) as server:
            suspect = connect(server.url + "/x?v=1", mapping=mapped(tmp_path, text))
            suspect.ask(images[:2])
            for request in server.posts:
                assert request.path == f"/x?v=1&key={KEY}"
                assert request.headers["x-key"] == f"Key {KEY}"
                assert "authorization" not in request.headers
        written = (tmp_path / "ledger.jsonl").read_text() + suspect.identity + suspect.dialect.endpoint
        assert KEY not in written + repr(suspect.dialect.request(images[:1], suspect.access))

    def test_without_a_place_the_token_goes_as_before(
        self, connect: Connect, images: np.ndarray, tmp_path: Path
    ) -> None:
        with Scripted(answering) as server:
            connect(server.url, mapping=mapped(tmp_path, PLAIN)).ask(images[:1])
            assert server.posts[0].headers["authorization"] == f"Bearer {TOKEN}"

    @pytest.mark.parametrize("place", ["body", "header"])
    def test_a_server_that_echoes_them_gets_them_into_no_message(
        self, connect: Connect, images: np.ndarray, tmp_path: Path, place: str
    ) -> None:
        text = 'headers = { X-Key = "${MODELPRINT_API_KEY}" }\n[request]\nkind = "base64-json"\n'
        text += 'body = { i = "$image", s = "${MODELPRINT_API_KEY}" }\n[response]\nlabels = "label"\n'

        def echo(request: Request, _: int) -> Reply:
            said = request.json["s"] if place == "body" else request.headers["x-key"]
            assert said == KEY
            return Reply({"error": f"who is {said}?"}, status=401)

        with Scripted(echo) as server, pytest.raises(SuspectError, match="401") as caught:
            connect(server.url, mapping=mapped(tmp_path, text)).ask(images[:1])
        assert KEY not in str(caught.value)
        assert "***" in str(caught.value)
        assert hidden(f"x {KEY} y") == "x *** y"

    def test_other_variables_cannot_be_named(
        self, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
        for name, message in (
            ("AWS_SECRET_ACCESS_KEY", "names the environment variable AWS_SECRET_ACCESS_KEY: only variables whose"),
            ("MODELPRINT_API_ABSENT", "MODELPRINT_API_ABSENT, which is not set"),
        ):
            text = f'headers = {{ X-Key = "${{{name}}}" }}\n' + PLAIN
            with pytest.raises(SuspectError, match=message) as caught:
                connect("http://127.0.0.1:9", mapping=mapped(tmp_path, text))
            assert "very-secret" not in str(caught.value)

    def test_none_is_sent_where_a_file_names_the_address(self, connect: Connect, tmp_path: Path) -> None:
        text = 'headers = { X-Key = "${MODELPRINT_API_KEY}" }\n' + PLAIN
        with pytest.raises(SuspectError, match="no secret is sent to an address that a file names"):
            connect("http://127.0.0.1:9", mapping=mapped(tmp_path, text), send_token=False)

    def test_no_proxy_reads_them(self, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(TOKEN_VARIABLE)
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        text = 'query = { k = "${MODELPRINT_API_KEY}" }\n' + PLAIN
        with pytest.raises(SuspectError, match=r"would read the token in MODELPRINT_API_KEY"):
            connect("http://host.invalid", mapping=mapped(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('headers = { "a b" = "x" }\n' + PLAIN, "'a b' is no name of a header"),
        ('headers = { Host = "x" }\n' + PLAIN, "Host is set by modelprint"),
        ('headers = { X = "a\\nY: b" }\n' + PLAIN, "X holds characters that no header takes"),
        (PLAIN.replace('"png"', '"png"\ncontent_type = "text"'), r"request\.content_type"),
        (PLAIN.replace('"png"', '"multipart"\ncontent_type = "a/b"'), "holds its boundary"),
        (PLAIN.replace('"png"', '"tensor"\nleast_size = 9'), "least_size is for pictures"),
        (PLAIN + '[poll]\nstatus = "s"\n', "name the url's place"),
        (PLAIN + '[poll]\nurl = "u"\npath = "/$id"\nid = "i"\n', "name the url's place"),
        (PLAIN + '[poll]\npath = "/jobs"\nid = "i"\n', r'a path needs "\$id"'),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SuspectError, match=message):
        read_mapping(mapped(tmp_path, text))


def test_small_pictures_are_enlarged_and_that_is_said(connect: Connect, images: np.ndarray, tmp_path: Path) -> None:
    with Scripted(answering) as server:
        text = PLAIN.replace('"png"', '"png"\nleast_size = 10')
        suspect = connect(server.url, mapping=mapped(tmp_path, text), input_shape=(1, 4, 4))
        suspect.ask(images[:1])
        pixels = np.asarray(Image.open(io.BytesIO(server.posts[0].body)))
    assert (pixels == images[0, 0].repeat(3, 0).repeat(3, 1)).all()
    assert suspect.notes == (f"{server.url} gets images of 4 x 4 enlarged to 12 x 12, each pixel repeated",)


def job(*answers: Reply | None) -> Callable[[Request, int], Reply]:
    """A server that gives a receipt, then these answers to the questions about it."""
    questions = iter(answers)

    def script(request: Request, _: int) -> Reply:
        if request.method == "POST":
            return Reply({"id": "j-1", "urls": {"get": "/jobs/j-1?sig=abc"}, "status": "starting"}, status=202)
        return next(questions) or Reply({"status": "processing"})

    return script


DONE = Reply({"status": "SUCCEEDED", "label": 2})


class TestPolling:
    @pytest.mark.parametrize("how", ['url = "urls.get"', 'path = "/jobs/$id"\nid = "id"'])
    def test_the_answer_comes_after_questions_to_the_same_server(
        self, connect: Connect, images: np.ndarray, tmp_path: Path, how: str
    ) -> None:
        text = 'headers = { X-Who = "me" }\n' + POLLED + f'status = "status"\n{how}\n'
        with Scripted(job(None, Reply(b"busy", status=503), None, DONE)) as server:
            suspect = connect(server.url, mapping=mapped(tmp_path, text))
            assert suspect.ask(images[:1]).labels.tolist() == [2]
            assert len(server.posts) == 1
            questions = [request for request in server.requests if request.method == "GET"]
            assert {request.path for request in questions} == {"/jobs/j-1?sig=abc" if "url" in how else "/jobs/j-1"}
            assert all(request.headers["x-who"] == "me" and not request.body for request in questions)

    def test_a_receipt_with_the_answer_needs_no_question(
        self, connect: Connect, images: np.ndarray, tmp_path: Path
    ) -> None:
        text = POLLED + 'status = "status"\nurl = "urls.get"\n'
        with Scripted(lambda request, _: DONE) as server:
            assert connect(server.url, mapping=mapped(tmp_path, text)).ask(images[:1]).labels.tolist() == [2]
            assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "place",
        [
            "http://evil.invalid/x",
            "//evil.invalid/x",
            "https://127.0.0.1:{port}/x",
            "http://127.0.0.1:1/x",
            "http://127.0.0.1@evil.invalid/x",
            "http://evil.invalid@127.0.0.1:{port}/x",
            "file:///etc/passwd",
            "http://[::1/x",
            "http://169.254.169.254/latest",
        ],
    )
    def test_no_other_server_is_asked(self, connect: Connect, images: np.ndarray, tmp_path: Path, place: str) -> None:
        with Scripted(lambda request, _: Reply({"u": place.format(port=port), "label": 1})) as server:
            port = server.url.rpartition(":")[2]
            with pytest.raises(SuspectError, match=r"another server than the one that you named: nothing is sent"):
                connect(server.url, mapping=mapped(tmp_path, POLLED + 'url = "u"\n')).ask(images[:1])
            assert len(server.requests) == 1

    @pytest.mark.parametrize("name", ["../x", "..", "a/b", "a?b", "", "\x1b[2J", "x" * 300, 1.5, None, ["a"]])
    def test_an_id_is_a_word(self, connect: Connect, images: np.ndarray, tmp_path: Path, name: object) -> None:
        with Scripted(lambda request, _: Reply({"id": name})) as server:
            text = POLLED + 'path = "/jobs/$id"\nid = "id"\n'
            with pytest.raises(SuspectError, match=r"is no id: mend poll\.id") as caught:
                connect(server.url, mapping=mapped(tmp_path, text)).ask(images[:1])
            assert "\x1b" not in str(caught.value)

    @pytest.mark.parametrize(
        ("answers", "message"),
        [
            ([None] * 1000, "no answer 0.3 s after the receipt: raise poll.seconds"),
            ([Reply({"status": "Failed"})] * 3, "the server says 'Failed' of a query that it took"),
            ([Reply({"status": 3})], "the status at 'status' is 3, no word"),
            ([Reply({"state": "succeeded"})], "nothing at 'status'"),
            ([Reply(b"<html>")], "not JSON"),
            ([Reply(b"", status=307, headers={"location": "http://evil.invalid/"})], "redirects are not followed"),
            ([Reply(b"", status=404)], "404 Not Found"),
        ],
    )
    def test_what_goes_wrong_is_said(
        self, connect: Connect, images: np.ndarray, tmp_path: Path, answers: list[Reply | None], message: str
    ) -> None:
        text = POLLED + 'url = "urls.get"\nstatus = "status"\nseconds = 0.3\n'
        with Scripted(job(*answers)) as server, pytest.raises(SuspectError, match=message):
            connect(server.url, mapping=mapped(tmp_path, text), retries=0).ask(images[:1])

    def test_events_are_read_to_their_end(self, connect: Connect, images: np.ndarray, tmp_path: Path) -> None:
        text = '[request]\nkind = "png"\n[response]\nformat = "events"\nlabels = "0.label"\n'
        stream = (
            b"event: generating\r\ndata: null\r\n\r\nevent: complete\r\ndata: " + json.dumps([{"label": 3}]).encode()
        )
        with Scripted(lambda request, _: Reply(stream)) as server:
            assert connect(server.url, mapping=mapped(tmp_path, text)).ask(images[:1]).labels.tolist() == [3]
            assert server.posts[0].headers["accept"] == "text/event-stream"
        with Scripted(lambda request, _: Reply(b"event: error\ndata: null\n\n")) as server:
            (tmp_path / "ledger.jsonl").unlink()
            with pytest.raises(SuspectError, match="ended without the event 'complete'; its last events: 'error'"):
                connect(server.url, mapping=mapped(tmp_path, text)).ask(images[:1])


def test_another_mapping_file_has_another_ledger(tmp_path: Path) -> None:
    from modelprint.suspects.open import default_ledger
    from modelprint.suspects.options import SuspectOptions

    path = mapped(tmp_path, PLAIN)
    first = default_ledger("http://h", SuspectOptions(mapping=path))
    assert default_ledger("http://h", SuspectOptions(mapping=path)) == first
    assert default_ledger("http://h", SuspectOptions(mapping=path, class_aliases={"a": 1})) != first
    mapped(tmp_path, PLAIN + 'score = "certainty"\n')
    assert default_ledger("http://h", SuspectOptions(mapping=path)) != first
