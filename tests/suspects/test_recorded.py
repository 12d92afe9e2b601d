from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelprint.core.access import Access
from modelprint.core.errors import ModelprintError, SuspectError
from modelprint.core.suspect import ABSTAINED, UNANSWERED, Answers
from modelprint.suspects.recorded import RecordedSuspect, Recording, read_recording, record, write_recording

FINGERPRINT = "sha256:" + "f" * 64
finite = st.floats(-1e6, 1e6, width=32)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[np.ndarray, Answers]:
    """Distinct images and answers to them, some missing."""
    count = draw(st.integers(1, 8))
    images = draw(hnp.arrays(np.uint8, (count, 1, 2, 2)))
    images[:, 0, 0, 0] = np.arange(count)
    missing = draw(hnp.arrays(bool, count))
    if draw(st.booleans()):
        scores = draw(hnp.arrays(np.float32, (count, draw(st.integers(2, 4))), elements=finite))
        labels = scores.argmax(1).astype(np.int64)
        scores[missing] = np.nan
    else:
        scores, labels = None, draw(hnp.arrays(np.int64, count, elements=st.integers(0, 1000)))
    labels[missing] = draw(st.sampled_from([UNANSWERED, ABSTAINED]))
    return images, Answers(labels=labels, scores=scores)


@pytest.mark.parametrize("suffix", [".jsonl", ".npz"])
@given(case=recordings())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path: Path, suffix: str, case: tuple[np.ndarray, Answers]) -> None:
    images, answers = case
    path = tmp_path / f"answers{suffix}"
    write_recording(path, record(images, answers, suspect="http://api", fingerprint=FINGERPRINT))
    recording = read_recording(path)
    assert (recording.header.suspect, recording.header.fingerprint) == ("http://api", FINGERPRINT)
    suspect = RecordedSuspect(recording, fingerprint=FINGERPRINT)
    access = Access.LABELS if answers.scores is None else Access.SCORES
    assert suspect.access == access
    again = suspect.ask(images, access=access)
    assert (again.labels == answers.labels).all()
    if answers.scores is not None and answers.answered.any():
        np.testing.assert_array_equal(again.scores, answers.scores)


@pytest.fixture
def recording(images: np.ndarray) -> Recording:
    labels = np.arange(40) % 4
    return record(images, Answers(labels=labels), suspect="sha256:ab", fingerprint=FINGERPRINT)


def test_answers_are_found_whatever_the_order(recording: Recording, images: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(40)[:17]
    suspect = RecordedSuspect(recording)
    assert (suspect.ask(images[order]).labels == order % 4).all()
    assert suspect.identity == "sha256:ab"
    assert not suspect.free


def test_answers_to_other_queries_are_refused(recording: Recording, images: np.ndarray) -> None:
    suspect = RecordedSuspect(recording, who="answers.jsonl", fingerprint="sha256:" + "0" * 64)
    with pytest.raises(SuspectError, match=f"answers.jsonl holds answers to other queries: 40 .* 40 of {FINGERPRINT}"):
        suspect.ask(255 - images)
    mixed = np.concatenate([images[:39], 255 - images[:1]])
    with pytest.raises(SuspectError, match="1 of these 40 are not among"):
        suspect.ask(mixed)


def test_missing_answers_stay_missing(images: np.ndarray) -> None:
    labels = np.arange(40) % 4
    labels[10:] = -1
    recording = record(images, Answers(labels=labels), suspect="sha256:ab", fingerprint=FINGERPRINT)
    assert (RecordedSuspect(recording).ask(images).labels == labels).all()
    late = RecordedSuspect(recording, fingerprint=FINGERPRINT).ask(images[30:])
    assert not late.answered.any()
    with pytest.raises(SuspectError, match="other queries"):
        RecordedSuspect(recording).ask(images[30:])


def test_labels_do_not_give_scores(recording: Recording, images: np.ndarray) -> None:
    with pytest.raises(SuspectError, match="gives labels only, scores were asked for"):
        RecordedSuspect(recording).ask(images, access=Access.SCORES)


def test_a_truncated_file_names_the_line(tmp_path: Path, recording: Recording) -> None:
    path = tmp_path / "answers.jsonl"
    write_recording(path, recording)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SuspectError, match=r"answers\.jsonl, line 41 is no answer of a recording .*truncated"):
        read_recording(path)


@pytest.mark.parametrize(
    ("line", "change", "message"),
    [
        (1, {"format": "other"}, "line 1 is no header .*format"),
        (1, {"schema_version": 2}, "line 1 is no header .*schema_version"),
        (1, {"queries": 5}, "below the 5 queries"),
        (1, {"access": "scores"}, "line 2: its scores do not fit"),
        (3, {"label": -4}, "line 3 is no answer .*label"),
        (3, {"label": "one"}, "line 3 is no answer .*label"),
        (3, {"query": "abc"}, "line 3 is no answer .*query"),
        (3, {"index": 0}, "indices must be distinct"),
        (3, {"extra": 1}, "line 3 is no answer .*extra"),
        (3, {"scores": [1, 2]}, "line 3: its scores do not fit"),
    ],
)
def test_an_edited_line_is_named(
    tmp_path: Path, recording: Recording, line: int, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "answers.jsonl"
    write_recording(path, recording)
    lines = path.read_text().splitlines()
    lines[line - 1] = json.dumps({**json.loads(lines[line - 1]), **change})
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(SuspectError, match=message):
        read_recording(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".npz"])
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_gives_an_error_or_nothing_worse(
    tmp_path: Path, suffix: str, recording: Recording, data: st.DataObject
) -> None:
    path = tmp_path / f"answers{suffix}"
    write_recording(path, recording)
    whole = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start, min(start + 40, len(whole))))
    path.write_bytes(whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:])
    message = ""
    try:
        found = read_recording(path)
    except ModelprintError as error:
        message = str(error)
    else:
        assert len(found.queries) == len(found.answers) == len(found.index)
    assert not message or str(path) in message


def test_missing_files_and_other_suffixes(tmp_path: Path, recording: Recording) -> None:
    for name in ("no.jsonl", "no.npz"):
        with pytest.raises(ModelprintError, match=name):
            read_recording(tmp_path / name)
    with pytest.raises(SuspectError, match=r"\.jsonl or \.npz"):
        write_recording(tmp_path / "answers.csv", recording)
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(SuspectError, match="no recording of answers"):
        read_recording(tmp_path / "other.npz")


@pytest.mark.parametrize(("scores", "what"), [(np.zeros((2, 3, 2)), "shape"), (np.full((2, 3), 1e300), "infinite")])
def test_scores_that_are_no_rows_of_floats(tmp_path: Path, scores: np.ndarray, what: str) -> None:
    images = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
    whole = Answers(labels=np.array([0, 1]), scores=np.zeros((2, 3), np.float32))
    write_recording(tmp_path / "a.npz", record(images, whole, suspect="s"))
    with np.load(tmp_path / "a.npz") as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "a.npz", **{**arrays, "scores": scores})  # type: ignore[arg-type]
    with pytest.raises(SuspectError, match=what):
        read_recording(tmp_path / "a.npz")
