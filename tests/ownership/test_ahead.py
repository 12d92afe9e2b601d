"""An address is asked few queries by itself, and what that takes is said first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError
from modelprint.ownership.ask import cost, record_answers
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.identify import identify
from modelprint.ownership.opening import opened
from modelprint.ownership.verify import examine
from modelprint.schemes.adv_tra import AdvTra
from modelprint.suspects.local import TorchSuspect
from modelprint.suspects.recorded import read_recording
from modelprint.suspects.serving import create_app
from tests.conftest import Digits
from tests.suspects.servers import running


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    """20 trajectories of 13 queries."""
    return enroll(digits.source, digits.queries, scheme=AdvTra(trajectories=20, m=3), negatives=digits.strangers)


@pytest.fixture
def address(digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    suspect = TorchSuspect(digits.source, "sha256:x")
    app = create_app(suspect, name="net", input_shape=digits.queries.shape, classes=10, access=Access.SCORES)
    with running(app) as url:
        yield url


def test_an_address_is_asked_whole_trajectories_of_at_most_200_queries(
    digits: Digits, fingerprint: Fingerprint, address: str
) -> None:
    heard: list[str] = []
    served = examine(fingerprint, address, alpha=0.25, notice=heard.append)
    file = examine(fingerprint, digits.source, alpha=0.25)
    same = examine(fingerprint, digits.source, alpha=0.25, budget=200)
    assert (len(fingerprint), served.verdict.asked, file.verdict.asked) == (260, 195, 260)
    assert (served.verdict.verdict, served.budget, file.budget) == ("derived", 200, None)
    # Calibration models are ranked by the same queries, so that the threshold is that of the budget.
    assert served.verdict.threshold == same.verdict.threshold
    assert (served.calibration_scores == same.calibration_scores).all()
    assert (
        "195 of the 260 queries (--budget sets how many) and 5 unperturbed images, 8 queries twice, 0 answered"
        in heard[0]
    )
    assert "; 9 requests are sent" in heard[0]


def test_more_is_asked_where_the_user_says_so(fingerprint: Fingerprint, address: str) -> None:
    verification = examine(fingerprint, address, alpha=0.25, budget=260)
    assert (verification.verdict.asked, verification.budget) == (260, 260)


def test_what_an_interrupted_run_heard_is_counted_and_not_asked_again(fingerprint: Fingerprint, address: str) -> None:
    opened(address, fingerprint).ask(fingerprint.queries[:64])  # and ended before the rest
    assert cost(fingerprint, address).answered == 64
    heard: list[str] = []
    examine(fingerprint, address, alpha=0.25, notice=heard.append)
    assert (
        "195 of the 260 queries (--budget sets how many) and 5 unperturbed images, 8 queries twice, 64 answered"
        in heard[0]
    )
    assert "; 6 requests are sent" in heard[0]


def test_identify_asks_as_many_of_each_and_says_so(fingerprint: Fingerprint, address: str) -> None:
    heard: list[str] = []
    identified = identify(address, fingerprint, alpha=0.25, notice=heard.append)
    assert identified.candidates[0].queries == 195
    assert "195 of the 260 queries" in heard[0]


def test_a_recording_of_part_of_the_queries_is_judged_by_that_part(
    fingerprint: Fingerprint, address: str, tmp_path: Path
) -> None:
    heard: list[str] = []
    assert record_answers(fingerprint, address, out=tmp_path / "a.jsonl", notice=heard.append) == 195
    assert read_recording(tmp_path / "a.jsonl").header.budget == 195
    judged = examine(fingerprint, str(tmp_path / "a.jsonl"), alpha=0.25)
    served = examine(fingerprint, address, alpha=0.25)
    assert (judged.verdict.asked, judged.verdict.answered) == (195, 195)
    assert (judged.verdict.score, judged.verdict.p_value) == (served.verdict.score, served.verdict.p_value)
    assert "195 of the 260 queries" in heard[0]


def test_recordings_of_all_queries_are_written_as_before(
    digits: Digits, fingerprint: Fingerprint, tmp_path: Path
) -> None:
    record_answers(fingerprint, digits.source, out=tmp_path / "a.jsonl")
    first = (tmp_path / "a.jsonl").read_text().splitlines()[0]
    assert "budget" not in first


def test_a_trajectory_longer_than_the_budget_is_refused_with_the_budget_that_holds_it(
    digits: Digits, address: str
) -> None:
    long = enroll(digits.source, digits.queries, scheme=AdvTra(trajectories=2, m=9, l=12))
    assert len(np.unique(long.state["group"])) == 2
    with pytest.raises(FingerprintError, match=r"200 queries, as many as an address .* --budget 217"):
        examine(long, address)
    with pytest.raises(FingerprintError, match=r"a budget of 216 is less .* --budget 217 or more"):
        examine(long, digits.source, budget=216)
