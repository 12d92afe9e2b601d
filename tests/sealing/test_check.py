from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprint.cli.app import run
from modelprint.core.errors import IntegrityError, UsageError
from modelprint.core.identity import digest
from modelprint.ownership import seal as sealing
from modelprint.ownership.bundle import ANSWERS, EVIDENCE, NAMES, VERDICT
from modelprint.ownership.check import check
from modelprint.ownership.seal import COMMITMENT, read_commitment, seal
from modelprint.sealing.canonical import canonical, parse
from modelprint.sealing.container import LARGEST, packed, unpacked
from modelprint.sealing.envelope import opened, sign
from modelprint.sealing.keys import encoded, make_key, public_bytes, read_private, read_public
from modelprint.sealing.statements import Commitment, Evidence, now
from tests.printed import printed as as_described
from tests.sealing.world import bundled, fingerprint

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("keys") / "me.pem"
    make_key(place)
    return place


@pytest.fixture(scope="module")
def data(key: Path) -> bytes:
    return bundled(key)


def signed_again(data: bytes, key: Path, changes: dict[str, bytes]) -> bytes:
    """A bundle whose parts its own owner changed, and signed again."""
    parts = {**unpacked(data, NAMES, who="bundle"), **changes}
    stated = opened(json.loads(parts.pop(EVIDENCE)), Evidence, who=EVIDENCE)
    fresh = stated.model_copy(update={"parts": {name: digest(part) for name, part in parts.items()}})
    return packed({EVIDENCE: canonical(sign(fresh, read_private(key)).to_json()), **parts})


def test_a_whole_bundle_fits(data: bytes, key: Path) -> None:
    found = check(data, key=read_public(key.with_name("me.pem.pub")))
    assert (found.verdict.verdict, found.verdict.p_value, found.key_compared) == ("derived", 0.05, True)
    assert found.fingerprint.identity == fingerprint().identity


def test_bundles_of_the_first_format_are_read_for_ever() -> None:
    found = check(GOLDEN / "evidence-v1.tar", key=read_public(GOLDEN / "evidence-v1.pub"))
    assert (found.verdict.verdict, found.verdict.score) == ("derived", 1.0)


def test_a_bound_that_another_scipy_gives_in_its_last_bits_fits(data: bytes, key: Path) -> None:
    stated = json.loads(unpacked(data, NAMES, who="bundle")[VERDICT])
    bound = stated["false_accusations"]["upper_95"]
    for off, fits in ((math.nextafter(bound, 1), True), (bound + 0.001, False)):
        stated["false_accusations"]["upper_95"] = off
        changed = signed_again(data, key, {VERDICT: canonical(stated)})
        if fits:
            assert check(changed).verdict.verdict == "derived"
        else:
            with pytest.raises(IntegrityError, match="false_accusations"):
                check(changed)


@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@settings(max_examples=150)
def test_no_byte_can_be_changed(data: bytes, where: float, flip: int) -> None:
    changed = bytearray(data)
    changed[int(where * len(data))] ^= flip
    with pytest.raises(IntegrityError):
        check(bytes(changed))


@pytest.mark.parametrize("cut", [0, 100, 512, 3000, -1, -512, -1024])
def test_nothing_can_be_cut_or_added(data: bytes, cut: int) -> None:
    for changed in (data[:cut], data + bytes(512)):
        with pytest.raises(IntegrityError):
            check(changed)


def test_a_wrong_key_is_named(data: bytes, tmp_path: Path) -> None:
    make_key(tmp_path / "other.pem")
    with pytest.raises(IntegrityError, match="not by the one you named"):
        check(data, key=read_public(tmp_path / "other.pem.pub"))
    with pytest.raises(IntegrityError, match="different keys"):
        check(signed_by_another(data, tmp_path / "other.pem"))


def signed_by_another(data: bytes, key: Path) -> bytes:
    parts = unpacked(data, NAMES, who="bundle")
    stated = opened(json.loads(parts[EVIDENCE]), Evidence, who=EVIDENCE)
    private = read_private(key)
    fresh = stated.model_copy(update={"key": encoded(public_bytes(private))})
    return packed({**parts, EVIDENCE: canonical(sign(fresh, private).to_json())})


def test_a_verdict_that_the_owner_signed_must_follow_from_the_answers(data: bytes, key: Path) -> None:
    parts = unpacked(data, NAMES, who="bundle")
    said: dict[str, Any] = json.loads(parts[VERDICT])
    with pytest.raises(IntegrityError, match=r"p_value is 0\.05"):
        check(signed_again(data, key, {VERDICT: canonical({**said, "p_value": 0.01})}))


def test_missing_answers_are_seen(data: bytes, key: Path) -> None:
    lines = unpacked(data, NAMES, who="bundle")[ANSWERS].splitlines(keepends=True)
    with pytest.raises(IntegrityError, match=r"score|verdict|follow"):
        check(signed_again(data, key, {ANSWERS: b"".join(lines[:2])}))


def test_a_clock_in_the_future_is_refused(data: bytes, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "now", lambda: now() + timedelta(days=2))
    late = seal(fingerprint(), key)
    with pytest.raises(IntegrityError, match="a clock was wrong"):
        check(signed_again(data, key, {COMMITMENT: late}))


def test_an_unknown_version_is_refused(key: Path) -> None:
    stated, sealed = read_commitment(seal(fingerprint(), key), who="it")
    newer = sign(stated.model_copy(update={"schema_version": 2}), read_private(key))
    with pytest.raises(IntegrityError, match="schema version 2, this modelprint reads 1"):
        opened(newer.to_json(), Commitment, who="it")
    assert sealed.timestamp is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a":1,"a":1}', "twice"),
        (b'{"b":1,"a":1}', "canonical form"),
        (b'{"a": 1}', "canonical form"),
        (b"[1]", "no JSON object"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":' + b"[" * 100_000, "damaged"),
        (b"\xff", "damaged"),
    ],
)
def test_json_has_one_spelling(text: bytes, message: str) -> None:
    with pytest.raises(IntegrityError, match=message):
        parse(text, who="it")


def test_ten_gigabytes_are_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.tar"
    with large.open("wb") as stream:
        stream.truncate(10 * LARGEST)
    with pytest.raises(IntegrityError, match="it was not read"):
        check(large)


def test_a_key_is_never_overwritten(key: Path) -> None:
    assert key.stat().st_mode & 0o077 == 0
    with pytest.raises(UsageError, match="never overwritten"):
        make_key(key)


def test_the_command_exits_with_3_and_says_what(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, damaged = tmp_path / "whole.tar", tmp_path / "damaged.tar"
    whole.write_bytes(data)
    place = data.index(b'{"access"')
    damaged.write_bytes(data[:place] + b"{ " + data[place + 2 :])
    assert run(["check", str(whole), "--format", "json"]) == 0
    assert as_described("check", capsys.readouterr().out)["fits"] is True
    assert run(["check", str(damaged)]) == 3
    assert run(["check", str(whole), "--rederive"]) == 2
    assert run(["check", str(tmp_path / "none.tar")]) == 1
