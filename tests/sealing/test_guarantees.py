"""A check says what it did not show, and what would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelprint.cli.app import run
from modelprint.core.errors import IntegrityError, UsageError
from modelprint.ownership.bundle import EVIDENCE, NAMES, REPORT, bundle
from modelprint.ownership.check import check
from modelprint.ownership.guarantees import Examination, left_open, shown
from modelprint.ownership.rederive import Rederived
from modelprint.ownership.seal import seal
from modelprint.ownership.verify import examine
from modelprint.sealing.canonical import canonical
from modelprint.sealing.container import packed, unpacked
from modelprint.sealing.envelope import opened, sign
from modelprint.sealing.keys import make_key, read_private, read_public
from modelprint.sealing.statements import Evidence
from tests.printed import printed as as_described
from tests.sealing.test_check import GOLDEN, signed_again
from tests.sealing.world import bundled, fingerprint, suspect


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("keys") / "me.pem"
    make_key(place)
    return place


@pytest.fixture(scope="module")
def data(key: Path) -> bytes:
    return bundled(key)


def options_of(data: bytes, **how: object) -> str:
    found = check(data, **how)  # type: ignore[arg-type]
    return " | ".join(one.option for one in left_open(Examination(checked=found)))


def test_calibration_queries_images_and_answers_are_the_owner_s_word(data: bytes) -> None:
    options = options_of(data)
    for option in ("--key FILE.pub", "seal --timestamp", "--negatives FOLDER", "--rederive --source", "fresh challenge",
                   "ask the suspect yourself"):  # fmt: skip
        assert option in options


def test_what_was_checked_is_no_longer_open(data: bytes, key: Path) -> None:
    public = read_public(key.with_name("me.pem.pub"))
    assert "--key" not in options_of(data, key=public)
    found = check(data, key=public)
    assert "the key is the one that you named" in shown(Examination(checked=found))
    again = left_open(
        Examination(checked=found, rederived=Rederived(queries=4, differing=0, scores_off=0.0, exact=True))
    )
    assert not any("published algorithm" in one.what for one in again)
    assert any("chosen against somebody" in one.what for one in again)  # re-derivation repeats what the owner chose


def test_the_false_positive_rate_is_committed(data: bytes, key: Path) -> None:
    print_ = fingerprint()
    commitment = seal(print_, key, alpha=0.05)
    found = examine(print_, suspect, alpha=0.2, slice_plane=False)
    with pytest.raises(IntegrityError, match=r"accepts a false positive rate of 0\.2, the commitment says 0\.05"):
        bundle(print_, found, commitment=commitment, key=key)
    parts = unpacked(data, NAMES, who="bundle")
    stated = opened(json.loads(parts[EVIDENCE]), Evidence, who=EVIDENCE).model_copy(update={"alpha": 0.2})
    forged = packed({**parts, EVIDENCE: canonical(sign(stated, read_private(key)).to_json())})
    with pytest.raises(IntegrityError, match=r"the commitment says 0\.05"):
        check(forged)
    with pytest.raises(UsageError, match="between 0 and 1"):
        seal(print_, key, alpha=1.0)


def test_an_old_commitment_states_no_rate_and_that_is_said() -> None:
    found = check(GOLDEN / "evidence-v1.tar")
    assert found.commitment.alpha is None
    assert any("chosen before the suspect was asked" in one.what for one in left_open(Examination(checked=found)))


def test_a_page_that_says_something_else_than_the_records_is_named(
    tmp_path: Path, key: Path, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    print_, place = tmp_path / "mine.fp", tmp_path / "suspect.jsonl"
    fingerprint().save(print_)
    from modelprint.ownership.ask import record_answers

    record_answers(fingerprint(), suspect, out=place)
    commitment = tmp_path / "mine.commitment"
    assert run(["seal", str(print_), "--key", str(key), "--out", str(commitment)]) == 0
    whole = tmp_path / "whole.tar"
    words = ["bundle", str(print_), str(place), "--commitment", str(commitment), "--key", str(key), "--out", str(whole)]
    assert run(words) == 0
    capsys.readouterr()
    assert run(["check", str(whole), "--format", "json"]) == 0
    printed = as_described("check", capsys.readouterr().out)
    assert "the report page is what these records give" in printed["checked"]
    assert not any(one["what"] == "the report page" for one in printed["not_checked"])
    assert {"what", "why", "option"} == set(printed["not_checked"][0])

    page = unpacked(whole.read_bytes(), NAMES, who="bundle")[REPORT]
    forged = tmp_path / "forged.tar"
    forged.write_bytes(signed_again(whole.read_bytes(), key, {REPORT: page.replace(b"derived", b"proven")}))
    assert run(["check", str(forged), "--format", "json"]) == 0
    printed = as_described("check", capsys.readouterr().out)
    assert any(one["what"] == "the report page" for one in printed["not_checked"])
    assert "the report page is what these records give" not in printed["checked"]
    assert run(["check", str(forged)]) == 0
    assert "NOT checked" in capsys.readouterr().out
