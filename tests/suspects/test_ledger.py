from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.errors import SuspectError
from modelprint.core.suspect import ABSTAINED, Answers
from modelprint.suspects.ledger import Ledger

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def ledger(path: Path | None, endpoint: str = "http://api/v2/models/m") -> Ledger:
    return Ledger(path, suspect="http://api", endpoint=endpoint)


def labels(*values: int) -> Answers:
    return Answers(labels=np.array(values))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "ledger.jsonl"
    with ledger(path) as book:
        book.note_sent(2)
        book.keep([A, B], labels(3, 1))
    return path


def test_a_later_run_knows_what_an_earlier_one_was_told(path: Path) -> None:
    with ledger(path) as book:
        assert (len(book), book.sent) == (2, 2)
        assert book.answers([B, C, A], scores=False).labels.tolist() == [1, -1, 3]


def test_scores_are_asked_again_where_only_labels_are_known(path: Path) -> None:
    with ledger(path) as book:
        assert book.knows(A, scores=False)
        assert not book.knows(A, scores=True)
        book.keep([A], Answers(labels=np.array([0]), scores=np.array([[0.9, 0.1]], np.float32)))
    with ledger(path) as book:
        answers = book.answers([A, B], scores=True)
        assert answers.labels.tolist() == [0, -1]
        np.testing.assert_array_equal(answers.scores, np.array([[0.9, 0.1], [np.nan, np.nan]], np.float32))


def test_an_abstention_is_an_answer_that_is_kept(path: Path) -> None:
    with ledger(path) as book:
        book.keep([C], Answers(labels=np.array([ABSTAINED]), scores=np.full((1, 2), np.nan, np.float32)))
    assert '{"abstained":true,"query":"' + C in path.read_text()
    with ledger(path) as book:
        assert book.knows(C, scores=False)
        assert book.knows(C, scores=True)
        assert book.answers([A, C], scores=False).labels.tolist() == [3, ABSTAINED]
        book.keep([A], Answers(labels=np.array([0]), scores=np.array([[0.9, 0.1]], np.float32)))
        answers = book.answers([A, C, B], scores=True)
        assert answers.labels.tolist() == [0, ABSTAINED, -1]
        assert np.isnan(answers.scores[1:]).all()


def test_every_answer_is_on_disk_before_the_next_is_asked(path: Path) -> None:
    with ledger(path) as book:
        book.keep([C], labels(2))
        assert C in path.read_text()


def test_a_line_cut_by_a_crash_is_dropped(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])
    with ledger(path) as book:
        assert book.answers([A, B], scores=False).labels.tolist() == [3, -1]
        book.keep([B], labels(2))
    with ledger(path) as book:
        assert book.answers([A, B], scores=False).labels.tolist() == [3, 2]


def test_a_complete_ledger_is_put_aside_and_a_new_one_begins(path: Path) -> None:
    for runs in (1, 2):
        with ledger(path) as book:
            book.finish()
        with ledger(path) as book:
            assert (len(book), book.sent) == (0, 0)
        assert len(list(path.parent.iterdir())) == runs + 1
    aside = [entry for entry in path.parent.iterdir() if A in entry.read_text()]
    assert len(aside) == 1


def test_a_ledger_in_memory_forgets_when_it_is_complete() -> None:
    book = ledger(None)
    with book:
        book.keep([A], labels(3))
    with book:
        assert len(book) == 1
        book.finish()
    with book:
        assert len(book) == 0


def test_another_suspects_ledger_is_refused(path: Path) -> None:
    with pytest.raises(SuspectError, match=r"models/m\), not of http://api \(http://api/v2/models/other\)"):
        ledger(path, "http://api/v2/models/other").__enter__()


def test_damage_in_the_middle_is_named(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], "{garbage", *lines[2:]]) + "\n")
    with pytest.raises(SuspectError, match="line 3 is no line of a ledger"):
        ledger(path).__enter__()
    path.write_text("a shopping list\n")
    with pytest.raises(SuspectError, match="is no ledger"):
        ledger(path).__enter__()


def test_two_runs_cannot_write_one_ledger(path: Path) -> None:
    with ledger(path), pytest.raises(SuspectError, match="another run is writing"):
        ledger(path).__enter__()


def test_a_full_disk_is_said(path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with ledger(path) as book:
        assert book._stream is not None
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, book._stream.fileno())
        os.close(full)
        with pytest.raises(SuspectError, match=r"No space left on device\. Make room and run the same command"):
            book.keep([C], labels(2))


def test_a_place_that_cannot_be_written_is_said(path: Path) -> None:
    with pytest.raises(SuspectError, match="cannot be used"):
        ledger(path / "below-a-file.jsonl").__enter__()


def test_a_file_of_somebody_else_s_is_not_cut(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("one line that does not end")
    with pytest.raises(SuspectError, match="is no ledger"):
        ledger(other).__enter__()
    assert other.read_text() == "one line that does not end"


def test_a_date_that_is_a_path_names_no_file(path: Path) -> None:
    text = path.read_text()
    started = text.partition('"started":"')[2].partition('"')[0]
    path.write_text(text.replace(started, "/../../elsewhere") + '{"complete":true}\n')
    with pytest.raises(SuspectError, match="is no ledger"):
        ledger(path).__enter__()
