"""Much at once: 100,000 recorded answers, and 10,000 queries of a server that fails in every way.

Slow. MODELPRINT_LOAD_LOG=FILE gets the figures as JSON; the last ones are in benchmarks/results/load.json.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError
from modelprint.core.identity import stored_hashes
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.options import SuspectOptions
from tests.suspects.recorded_load import QUERIES, write
from tests.suspects.servers import Reply, Request, Scripted

pytestmark = pytest.mark.slow

SECONDS, MEGABYTES = 5.0, 500
IN_FLIGHT, ASKED, SHARE = 32, 10_000, 0.01
TIMEOUT = 4.0  # long enough that no honest answer is late on a busy machine
JUDGE = """
import json, os, sys, time
os.environ["OMP_NUM_THREADS"] = "1"
import modelprint
import modelprint.ownership.verify, modelprint.suspects.recorded


def peak_megabytes():  # of this process alone: ru_maxrss begins with that of the process that started it
    (line,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


began, cpu = time.perf_counter(), time.process_time()
verdict = modelprint.verify(sys.argv[1], sys.argv[2])
print(json.dumps({
    "seconds": time.perf_counter() - began,
    "cpu_seconds": time.process_time() - cpu,
    "peak_megabytes": peak_megabytes(),
    "queries": verdict.queries,
    "score": verdict.score,
}))
"""


def noted(name: str, figures: dict[str, object]) -> None:
    """Keep figures where the environment says."""
    place = os.environ.get("MODELPRINT_LOAD_LOG")
    if place:
        path = Path(place)
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, name: figures}, indent=1) + "\n")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("load")
    write(folder)
    return folder


@pytest.mark.parametrize("name", ["a.jsonl", "a.npz"])
def test_a_hundred_thousand_recorded_answers(recorded: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, str(recorded / "fp"), str(recorded / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    noted(name, {"answers": QUERIES, **figures})
    assert figures["queries"] == QUERIES
    assert 0.5 < figures["score"] < 0.51
    assert figures["cpu_seconds"] < SECONDS
    assert figures["peak_megabytes"] < MEGABYTES


FAILURES = {
    "500": Reply(b"oops", 500),
    "502": Reply(b"<html>bad gateway", 502),
    "503, wait": Reply(status=503, headers={"Retry-After": "0"}),
    "429, wait": Reply(status=429, headers={"Retry-After": "0"}),
    "408": Reply(status=408),
    "dropped": Reply(drop=True),
    "cut short": Reply({"predictions": [0]}, short=True),
    "too late": Reply({"predictions": [0]}, delay=TIMEOUT + 1),
    "no JSON": Reply(b"<html>hello"),
    "too many": Reply({"predictions": [0, 0]}),
    "NaN": Reply(b'{"predictions": [[NaN, 0, 0, 0]]}'),
}
FATAL = {"no JSON", "too many", "NaN"}  # these end a run; the same command resumes it


@pytest.mark.parametrize("kinds", ["passing", "senseless"])
def test_every_answer_of_a_failing_server_is_accounted_for(tmp_path: Path, kinds: str) -> None:
    images = np.zeros((ASKED, 1, 2, 2), np.uint8)
    images.reshape(ASKED, 4)[:, :2] = np.arange(ASKED, dtype=">u2")[:, None].view(np.uint8)
    failures = {kind: reply for kind, reply in FAILURES.items() if (kind in FATAL) == (kinds == "senseless")}
    dice, lock = random.Random(0), threading.Lock()
    answered: Counter[int] = Counter()
    failed: Counter[str] = Counter()
    now = most = 0

    def script(request: Request, number: int) -> Reply:
        nonlocal now, most
        (image,) = request.json["inputs"]
        high, low = (round(value * 255) for value in image[0][0])
        query = 256 * high + low
        with lock:
            now, most = now + 1, max(most, now + 1)
            kind = next((kind for kind in failures if dice.random() < SHARE), None)
            if kind is None:
                answered[query] += 1
            else:
                failed[kind] += 1
        time.sleep(0.05)
        with lock:
            now -= 1
        return failures[kind] if kind is not None else Reply({"predictions": [query % 4]})

    options = SuspectOptions(
        batch_size=1, max_in_flight=IN_FLIGHT, retries=10, backoff=0.01, classes=4,
        timeout=TIMEOUT if kinds == "passing" else 60.0,
        class_names=tuple("abcd"), ledger=tmp_path / "ledger.jsonl",
    )  # fmt: skip
    runs, began = 0, time.perf_counter()
    said: set[str] = set()
    with Scripted(script) as server:
        while True:
            runs += 1
            assert runs < 1_000
            suspect = HttpSuspect.connect(server.url + "/invocations", options)
            try:
                answers = suspect.ask(images, access=Access.LABELS)
                break
            except SuspectError as error:
                said.add(str(error).rpartition(": ")[2])
        seconds = time.perf_counter() - began
        sent = len(server.posts)
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    kept = Counter(line["query"] for line in lines if "query" in line)
    figures = {"queries": ASKED, "in_flight": IN_FLIGHT, "most_in_flight": most, "requests": sent, "runs": runs}
    noted(f"server, {kinds}", {**figures, "failures": dict(failed), "seconds": round(seconds, 1)})
    assert (answers.labels == np.arange(ASKED) % 4).all()
    assert kept == Counter(stored_hashes(images))  # each answer is kept once
    assert set(answered.values()) == {1}  # no query that was answered is asked again
    assert sent == ASKED + sum(failed.values()) == sum(line.get("sent", 0) for line in lines)
    assert said <= {"the same command resumes there"}
    assert set(failed) == set(failures)
    assert all(count > 0.5 * SHARE * ASKED for count in failed.values())
    assert (runs == 1) if kinds == "passing" else (1 < runs <= 1 + sum(failed.values()))
    assert IN_FLIGHT // 4 < most <= IN_FLIGHT
