"""A run that is killed outright resumes; what is asked, and how fast, is said before and kept to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.access import Access
from modelprint.core.errors import UsageError
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.options import SuspectOptions
from tests.suspects.servers import Reply, Request, Scripted, mlflow_reply, truth

Connect = Callable[..., HttpSuspect]
ASK = """
import sys
from pathlib import Path
import numpy as np
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.options import SuspectOptions

options = SuspectOptions(batch_size=2, max_in_flight=3, ledger=Path(sys.argv[2]))
images = np.load(sys.argv[3])
print(HttpSuspect.connect(sys.argv[1], options).ask(images).labels.tolist())
"""


def test_after_a_kill_no_answered_query_is_asked_again(images: np.ndarray, tmp_path: Path) -> None:
    """Killed with three requests on their way, whose queries alone are asked a second time."""
    np.save(tmp_path / "images.npy", images)
    held, release = threading.Semaphore(0), threading.Event()
    answered: Counter[str] = Counter()

    def script(request: Request, number: int) -> Reply:
        if number >= 8 and not release.is_set():
            held.release()
            release.wait(60)
            return Reply(drop=True)
        answered.update(json.dumps(image) for image in request.json["inputs"])
        return mlflow_reply(request)

    with Scripted(script) as server:
        words = [
            sys.executable,
            "-c",
            ASK,
            server.url + "/invocations",
            tmp_path / "ledger.jsonl",
            tmp_path / "images.npy",
        ]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3):
            assert held.acquire(timeout=90)
        kept = (tmp_path / "ledger.jsonl").read_text().count('"query"')
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL
        assert kept == 16
        before = len(server.posts)
        release.set()
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == truth(images).tolist()
        assert "continues the run whose answers are in" in done.stderr
        again = sum(len(request.json["inputs"]) for request in server.posts[before:])
    assert again == 40 - kept
    assert set(answered.values()) == {1}
    assert len(answered) == 40


def test_only_a_run_that_was_broken_off_is_continued(
    connect: Connect, images: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    """A run asks several times; that is said of the next run alone, and once."""

    def said() -> int:
        return caplog.text.count("continues the run")

    with Scripted(lambda request, number: mlflow_reply(request)) as server:
        url = server.url + "/invocations"
        first = connect(url)
        for stop in (10, 20):
            first.ask(images[:stop])
        assert said() == 0
        second = connect(url)
        for stop in (20, 30, 40):
            second.ask(images[:stop])
        assert said() == 1


def test_what_it_takes_is_said_before_anything_is_asked(connect: Connect, images: np.ndarray, tmp_path: Path) -> None:
    with Scripted(lambda request, number: mlflow_reply(request) if number != 3 else Reply(b"garbage")) as server:
        url = server.url + "/invocations"
        cost = connect(url).cost(images, access=Access.LABELS)
        assert (cost.queries, cost.answered, cost.requests, cost.seconds) == (40, 0, 5, None)
        assert not server.posts
        assert not (tmp_path / "ledger.jsonl").exists()
        with pytest.raises(Exception, match="24 of 40 answers are kept"):
            connect(url).ask(images)
        before = (tmp_path / "ledger.jsonl").read_bytes()
        left = connect(url, rate=0.5).cost(images, access=Access.LABELS)
        assert (left.answered, left.requests, left.seconds) == (24, 2, 2.0)
        assert connect(url, max_sent=40).cost(images, access=Access.LABELS).requests == 1  # 8 of 40 were sent in vain
        assert connect(url).cost(images, access=Access.SCORES).requests == 5
        assert (tmp_path / "ledger.jsonl").read_bytes() == before
        suspect = connect(url)
        suspect.ask(images)
        assert suspect.cost(images, access=Access.LABELS).requests == 0
        bodies = sum(len(request.body) for request in server.posts)
        suspect.finish()
        assert connect(url).cost(images, access=Access.LABELS).requests == 5  # a finished ledger: a new run
        assert cost.bytes == pytest.approx(bodies * 40 / 48, rel=0.1)


def test_a_round_trip_without_images_tells_the_least_time(connect: Connect) -> None:
    def script(request: Request, number: int) -> Reply:
        shape = [-1, 1, 4, 4]
        return Reply({"name": "m", "inputs": [{"name": "x", "datatype": "UINT8", "shape": shape}]}, delay=0.1)

    with Scripted(script) as server:
        cost = connect(f"{server.url}/v2/models/m", max_in_flight=2).cost(
            np.zeros((1, 1, 4, 4), np.uint8).repeat(160, 0) + np.arange(160, dtype=np.uint8)[:, None, None, None],
            access=Access.LABELS,
        )
        assert not server.posts
    assert cost.requests == 20
    assert cost.seconds is not None
    assert cost.seconds >= 20 * 0.1 / 2


def test_a_rate_is_kept_to_over_all_connections(connect: Connect, images: np.ndarray) -> None:
    times: list[float] = []

    def script(request: Request, number: int) -> Reply:
        times.append(time.monotonic())
        return mlflow_reply(request)

    with Scripted(script) as server:
        connect(server.url + "/invocations", rate=20, max_in_flight=4, batch_size=4).ask(images)
    assert len(times) == 10
    assert max(times) - min(times) >= 9 / 20 - 0.1


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_rates_that_cannot_be(rate: float) -> None:
    with pytest.raises(UsageError, match="rate must be more than 0"):
        SuspectOptions(rate=rate)
