"""Against servers that misbehave: nothing is lost, nothing asked twice, every error says what to do."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError
from modelprint.core.suspect import ABSTAINED
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.proxies import check_carriers
from modelprint.suspects.wire import shown_url
from tests.suspects.servers import Reply, Request, Scripted, mlflow_reply, truth

Connect = Callable[..., HttpSuspect]


def asked(requests: list[Request]) -> Counter[str]:
    """How often each image was sent."""
    return Counter(json.dumps(image) for request in requests for image in request.json["inputs"])


def failing(times: int, reply: Reply) -> Callable[[Request, int], Reply]:
    return lambda request, number: reply if number < times else mlflow_reply(request)


def test_answers_arrive_in_order_and_are_kept(connect: Connect, images: np.ndarray, tmp_path: Path) -> None:
    with Scripted(lambda request, _: mlflow_reply(request)) as server:
        suspect = connect(server.url + "/invocations", max_in_flight=4)
        assert (suspect.ask(images).labels == truth(images)).all()
        assert sorted(len(request.json["inputs"]) for request in server.posts) == [8] * 5
        assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1 + 5 + 40
        assert not suspect.free
        assert suspect.identity == server.url + "/invocations"


def test_the_same_query_is_sent_once(connect: Connect, images: np.ndarray) -> None:
    with Scripted(lambda request, _: mlflow_reply(request)) as server:
        suspect = connect(server.url + "/invocations")
        twice = np.concatenate([images[:10], images[:10]])
        assert (suspect.ask(twice).labels == truth(twice)).all()
        assert (suspect.ask(images[5:15]).labels == truth(images[5:15])).all()
        assert set(asked(server.posts).values()) == {1}


def test_requests_in_flight_are_bounded(connect: Connect, images: np.ndarray) -> None:
    now, most, lock = 0, 0, threading.Lock()

    def slow(request: Request, _: int) -> Reply:
        nonlocal now, most
        with lock:
            now, most = now + 1, max(most, now + 1)
        time.sleep(0.02)
        with lock:
            now -= 1
        return mlflow_reply(request)

    with Scripted(slow) as server:
        connect(server.url + "/invocations", max_in_flight=3, batch_size=2).ask(images)
    assert most == 3


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(connect: Connect, images: np.ndarray, status: int, form: str) -> None:
    times: list[float] = []

    def script(request: Request, number: int) -> Reply:
        times.append(time.monotonic())
        if number:
            return mlflow_reply(request)
        value = "1" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)
        return Reply(b"slow down", status, {"Retry-After": value})

    with Scripted(script) as server:
        answers = connect(server.url + "/invocations").ask(images[:8])
    assert (answers.labels == truth(images[:8])).all()
    assert times[1] - times[0] >= 0.95


def test_a_pause_is_for_all_threads(connect: Connect, images: np.ndarray) -> None:
    refused_at: list[float] = []
    served_at: list[float] = []

    def script(request: Request, number: int) -> Reply:
        if not number:
            refused_at.append(time.monotonic())
            return Reply(status=429, headers={"Retry-After": "1"})
        if refused_at:
            served_at.append(time.monotonic())
        time.sleep(0.1)
        return mlflow_reply(request)

    with Scripted(script) as server:
        connect(server.url + "/invocations", max_in_flight=2, batch_size=4).ask(images)
    early = [moment for moment in served_at if moment - refused_at[0] < 0.9]
    assert len(early) <= 2  # what was on its way already


def test_too_long_a_wait_ends_the_run_instead(connect: Connect, images: np.ndarray) -> None:
    with Scripted(failing(9, Reply(status=429, headers={"Retry-After": "86400"}))) as server:
        with pytest.raises(SuspectError, match=r"answered 429 .*asks to wait 86400 s, run the same command again"):
            connect(server.url + "/invocations").ask(images)
        assert len(server.posts) == 1


@pytest.mark.parametrize("reply", [Reply(b"oops", 500), Reply(status=502), Reply(drop=True)])
def test_passing_failures_are_tried_again(connect: Connect, images: np.ndarray, reply: Reply) -> None:
    with Scripted(failing(2, reply)) as server:
        assert (connect(server.url + "/invocations").ask(images).labels == truth(images)).all()
        assert len(server.posts) == 5 + 2


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(b"oops", 500), r"answered 500 Internal Server Error \(oops\), after 3 attempts: run the same command"),
        (Reply(drop=True), "the connection broke off .*after 3 attempts"),
        (Reply(b"who?", 401), r"answered 401 .*who.*MODELPRINT_API_TOKEN"),
        (Reply(status=404), "answered 404 Not Found: check the address and the model's name"),
        (Reply(status=413), "answered 413 .*lower --batch-size"),
        (
            Reply(status=307, headers={"location": "http://elsewhere.example/x?key=1"}),
            r"points to http://elsewhere\S+\?",
        ),
        (Reply(b"<html>hello"), r"are not JSON, starting with '<html>hello': check"),
        (Reply(b"[" * 100_000), "are not JSON"),
        (Reply(b"\x1b[2J\xff", 500), r"answered 500 Internal Server Error \(\[2J\S\)"),
        (Reply({"answer": 1}), 'without "predictions"'),
        (Reply({"predictions": [1, 2]}), "2 answers to 8 images"),
        (Reply(b'{"predictions": [NaN, 1, 1, 1, 1, 1, 1, 1]}'), "NaN|class nan"),
        (Reply({"predictions": [[float("nan")] * 4] * 8}), "NaN or infinite outputs for 8 of 8"),
        (Reply({"predictions": [[0.1] * 7] * 8}), "7 classes apart, expected 4"),
        (Reply({"predictions": [9] * 8}), "class 9"),
        (Reply(b" " * 2_000_000), "larger than 1 MiB: lower --batch-size"),
        (Reply(b"x" * 100, drip=0.1), r"no answer in 0.5 s \(raise --timeout"),
        (Reply(delay=1.0), r"no answer in 0.5 s \(raise --timeout"),
    ],
)
def test_each_failure_says_what_is_wrong_and_that_nothing_is_lost(
    connect: Connect, images: np.ndarray, tmp_path: Path, reply: Reply, message: str
) -> None:
    def script(request: Request, number: int) -> Reply:
        return mlflow_reply(request) if number < 2 else reply

    timeout = 0.5 if reply.delay or reply.drip else 5.0
    with Scripted(script) as server:
        suspect = connect(server.url + "/invocations", class_names=("a", "b", "c", "d"), timeout=timeout)
        suspect.wire.max_bytes = 2**20
        with pytest.raises(SuspectError, match=message) as caught:
            suspect.ask(images)
        text = str(caught.value)
        assert text.startswith(f"{server.url}/invocations")
        assert text.endswith(f"16 of 40 answers are kept in {tmp_path}/ledger.jsonl: the same command resumes there")
        assert "\x1b" not in text


def refusing(bad: set[int], status: int) -> Callable[[Request, int], Reply]:
    """A server that answers 400 or the like to any batch that holds one of these images, by their first pixel."""

    def script(request: Request, _: int) -> Reply:
        first = np.rint(np.array(request.json["inputs"]).reshape(len(request.json["inputs"]), -1)[:, 0] * 255)
        return Reply(b"bad image", status) if bad & set(first.astype(int).tolist()) else mlflow_reply(request)

    return script


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_query_that_is_refused_stays_unanswered_and_the_others_do_not(
    connect: Connect, images: np.ndarray, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with Scripted(refusing({5, 30}, status)) as server:
        suspect = connect(server.url + "/invocations", max_in_flight=2)
        labels = suspect.ask(images).labels
        assert np.flatnonzero(labels == -1).tolist() == [5, 30]
        assert (labels[labels != -1] == truth(images)[labels != -1]).all()
        assert f"refused 2 queries (status {status}), which count as unanswered" in suspect.notes[-1]
        assert "refused 2 queries" in caplog.text
        assert "--max-sent" not in caplog.text
        assert len(server.posts) == 5 + 2 * 6  # each of the two batches in halves, quarters, one by one


def test_a_server_that_refuses_everything_is_not_asked_for_long(connect: Connect, images: np.ndarray) -> None:
    with Scripted(lambda request, _: Reply(b"no", 400)) as server:
        with pytest.raises(SuspectError, match=r"answered 400 .*check its protocol .*0 of 40 answers are kept"):
            connect(server.url + "/invocations").ask(images)
        assert len(server.posts) <= 8


def test_a_server_that_refuses_more_than_it_answers(connect: Connect, images: np.ndarray) -> None:
    with Scripted(refusing(set(range(40)) - {0, 1, 2, 3, 4}, 422)) as server:
        with pytest.raises(SuspectError, match=r"answered 422 .*5 of 40 answers are kept"):
            connect(server.url + "/invocations").ask(images)
        assert len(server.posts) <= 24


def test_no_proxy_reads_the_token(
    connect: Connect, images: np.ndarray, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Scripted(lambda request, _: mlflow_reply(request)) as server:  # stands for the proxy
        for name in ("http_proxy", "ALL_PROXY"):
            with monkeypatch.context() as patch:
                patch.setenv(name, server.url)
                patch.setenv("MODELPRINT_API_TOKEN", SECRET)
                with pytest.raises(
                    SuspectError, match=r"would read the token .*https://, or name the host in NO_PROXY"
                ):
                    connect("http://models.example/invocations")
                assert not server.requests
                check_carriers("https://models.example/invocations")
                patch.setenv("NO_PROXY", "models.example")
                check_carriers("http://models.example/invocations")
        assert "unencrypted" in caplog.text
        caplog.clear()
        monkeypatch.setenv("http_proxy", server.url)
        monkeypatch.delenv("NO_PROXY")
        suspect = connect(
            "http://models.example/invocations", api="mlflow"
        )  # without a token a proxy is the user's choice
        assert (suspect.ask(images).labels == truth(images)).all()
        assert not caplog.text


def test_a_run_that_broke_half_way_resumes_and_asks_nothing_twice(connect: Connect, images: np.ndarray) -> None:
    def dies(request: Request, number: int) -> Reply:
        return mlflow_reply(request) if number < 3 else Reply(drop=True)

    answered: list[Request] = []
    with Scripted(dies) as server:
        url, port = server.url + "/invocations", server._server.server_port
        with pytest.raises(SuspectError, match="24 of 40 answers are kept"):
            connect(url).ask(images)
        answered += server.posts[:3]
    with pytest.raises(SuspectError, match=r"no connection .*check the address, and that the server is up"):
        connect(url).ask(images)
    with Scripted(lambda request, _: mlflow_reply(request), port=port) as server:
        suspect = connect(url)
        assert (suspect.ask(images).labels == truth(images)).all()
        answered += server.posts
        assert set(asked(answered).values()) == {1}
        assert len(asked(answered)) == 40
        suspect.finish()
        assert (connect(url).ask(images).labels == truth(images)).all()  # a finished ledger: a new run, asked anew
        assert len(server.posts) == 2 + 5


def test_answers_on_their_way_are_kept_when_another_request_fails(connect: Connect, images: np.ndarray) -> None:
    def script(request: Request, number: int) -> Reply:
        time.sleep(0.0 if number else 0.2)
        return mlflow_reply(request) if number != 1 else Reply(b"garbage")

    with Scripted(script) as server:
        suspect = connect(server.url + "/invocations", max_in_flight=2)
        with pytest.raises(SuspectError, match="garbage"):
            suspect.ask(images)
        assert len(suspect.ledger) >= 8
        assert len(suspect.ledger) == 8 * (len(server.posts) - 1)


def test_interruption_keeps_what_came(connect: Connect, images: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with Scripted(lambda request, _: mlflow_reply(request)) as server:
        suspect = connect(server.url + "/invocations", progress=interrupt)
        with pytest.raises(KeyboardInterrupt):
            suspect.ask(images)
        assert "stopped. " in caplog.text
        assert "of 40 answers are kept in" in caplog.text
        again = connect(server.url + "/invocations")
        assert (again.ask(images).labels == truth(images)).all()
        assert set(asked(server.posts).values()) == {1}


@pytest.mark.parametrize("budget", [0, 1, 13, 40, 100])
def test_no_more_images_are_sent_than_the_budget(
    connect: Connect, images: np.ndarray, budget: int, caplog: pytest.LogCaptureFixture
) -> None:
    with Scripted(failing(1, Reply(drop=True))) as server, caplog.at_level(logging.WARNING):
        answers = connect(server.url + "/invocations", max_sent=budget).ask(images)
        sent = sum(len(request.json["inputs"]) for request in server.posts)
    assert sent <= budget
    assert answers.answered.sum() == min(40, max(0, budget - min(8, budget)))
    assert (answers.labels[answers.answered] == truth(images)[answers.answered]).all()
    assert ("the most allowed" in caplog.text) == (budget < 48)


def test_the_budget_counts_the_runs_that_are_resumed(connect: Connect, images: np.ndarray) -> None:
    with Scripted(lambda request, number: mlflow_reply(request) if number != 1 else Reply(b"garbage")) as server:
        with pytest.raises(SuspectError, match="garbage"):
            connect(server.url + "/invocations", max_sent=20).ask(images)
        answers = connect(server.url + "/invocations", max_sent=20).ask(images, access=Access.LABELS)
        assert sum(len(request.json["inputs"]) for request in server.posts) == 20
        assert answers.answered.sum() == 12


def test_a_spent_budget_leaves_scores_unanswered_too(connect: Connect, images: np.ndarray) -> None:
    with Scripted(lambda request, _: mlflow_reply(request)) as server:
        suspect = connect(server.url + "/invocations", max_sent=0, class_names=("a", "b", "c", "d"))
        answers = suspect.ask(images, access=Access.SCORES)
        assert answers.scores is not None
        assert answers.scores.shape == (40, 4)
        assert not answers.answered.any()
        assert not server.posts


def test_labels_are_kept_when_scores_were_asked_for(connect: Connect, images: np.ndarray) -> None:
    with Scripted(lambda request, _: mlflow_reply(request)) as server:
        with pytest.raises(SuspectError, match="gives labels only, scores were asked for: use --access labels"):
            connect(server.url + "/invocations").ask(images[:8], access=Access.SCORES)
        assert (connect(server.url + "/invocations").ask(images[:8]).labels == truth(images[:8])).all()
        assert len(server.posts) == 1


@pytest.mark.parametrize("access", [Access.LABELS, Access.SCORES])
def test_abstentions_are_kept_and_not_asked_again(connect: Connect, images: np.ndarray, access: Access) -> None:
    def script(request: Request, _: int) -> Reply:
        rows = np.eye(4)[truth(np.array(request.json["inputs"]))]
        return Reply({"predictions": [[] if row[3] else row.tolist() for row in rows]})

    with Scripted(script) as server:
        for _ in range(2):
            answers = connect(server.url + "/invocations").ask(images, access=access)
            assert (answers.labels == np.where(truth(images) == 3, ABSTAINED, truth(images))).all()
        assert set(asked(server.posts).values()) == {1}


def test_a_server_that_abstains_always_gives_no_answer(connect: Connect, images: np.ndarray) -> None:
    with Scripted(lambda request, _: Reply({"predictions": [None] * len(request.json["inputs"])})) as server:
        answers = connect(server.url + "/invocations", classes=4).ask(images, access=Access.SCORES)
    assert answers.abstained.all()
    assert np.isnan(answers.scores).all()


def test_progress_is_told(connect: Connect, images: np.ndarray) -> None:
    seen: list[tuple[int, int]] = []
    with Scripted(lambda request, _: mlflow_reply(request)) as server:
        connect(server.url + "/invocations", progress=lambda done, total: seen.append((done, total))).ask(images)
    assert seen == [(8, 40), (16, 40), (24, 40), (32, 40), (40, 40)]


SECRET = "s3cr3t-t0ken"


@pytest.mark.parametrize("status", [200, 307, 403, 500])
@pytest.mark.parametrize(("header", "value"), [("Authorization", f"Bearer {SECRET}"), ("X-Api-Key", SECRET)])
def test_the_token_goes_to_the_server_and_nowhere_else(
    connect: Connect,
    images: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    header: str,
    value: str,
    status: int,
) -> None:
    monkeypatch.setenv("MODELPRINT_API_TOKEN", SECRET)

    def script(request: Request, number: int) -> Reply:
        seen = request.headers.get(header.lower(), "")
        assert seen == value
        place = {"location": f"http://elsewhere/{SECRET}?{SECRET}"}
        return mlflow_reply(request) if number < 2 else Reply(f"no rights for {seen}".encode(), status, place)

    with Scripted(script) as server, caplog.at_level(logging.INFO):
        suspect = connect(server.url + "/invocations", token_header=header)
        with pytest.raises(SuspectError, match=r"\*\*\*") as caught:
            suspect.ask(images)
        assert len(suspect.ledger) == 16
    places = [str(caught.value), repr(caught.value), repr(suspect), repr(suspect.wire), caplog.text, suspect.identity]
    places += [path.read_text() for path in tmp_path.iterdir()]
    assert not any(SECRET in place for place in places)


def test_a_token_that_is_no_header_value_is_not_shown(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPRINT_API_TOKEN", f"{SECRET}\nx")
    with pytest.raises(SuspectError, match="MODELPRINT_API_TOKEN holds characters") as caught:
        connect("http://127.0.0.1:1")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://", "is not an address"),
        ("http://host:99999", "is not an address"),
        (f"http://me:{SECRET}@host/", "MODELPRINT_API_TOKEN instead"),
        (f"http://me:{SECRET}@host:99999/", "is not an address"),
        ("http://127.0.0.1:1", r"no connection .*after 3 attempts: check the address, and that the server is up"),
    ],
)
def test_addresses_that_cannot_be_asked(connect: Connect, url: str, message: str) -> None:
    with pytest.raises(SuspectError, match=message) as caught:
        connect(url)
    assert SECRET not in str(caught.value)


def test_query_values_of_an_address_are_sent_but_not_shown(
    connect: Connect, images: np.ndarray, tmp_path: Path
) -> None:
    with Scripted(lambda request, _: mlflow_reply(request)) as server:
        url = f"{server.url}/invocations?key={SECRET}"
        suspect = connect(url)
        suspect.ask(images[:8])
        assert server.posts[0].path == f"/invocations?key={SECRET}"
        assert suspect.identity == shown_url(url) == f"{server.url}/invocations?..."
    assert not re.search(SECRET, (tmp_path / "ledger.jsonl").read_text())
