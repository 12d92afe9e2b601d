"""CSV files as people and spreadsheets write them: what they say, or why not, and in which line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprint.core.access import Access
from modelprint.core.errors import ModelprintError
from modelprint.core.identity import digest, stored_hashes
from modelprint.core.suspect import Answers
from modelprint.suspects.open import open_suspect
from modelprint.suspects.options import AskedInputs, SuspectOptions
from modelprint.suspects.recorded import RecordedSuspect

NAMES = ("cat", "dog", "owl")
IMAGES = np.arange(6 * 4, dtype=np.uint8).reshape(6, 1, 2, 2)
HASHES = stored_hashes(IMAGES)
LABELS = ["cat", "dog", "owl", "owl", "dog", "cat"]


def opened(
    path: Path, *, names: tuple[str, ...] = NAMES, aliases: dict[str, int | str] | None = None
) -> RecordedSuspect:
    options = SuspectOptions(
        class_names=names,
        class_aliases=aliases or {},
        fingerprint="sha256:ab",
        asked=lambda: [AskedInputs(queries=tuple(HASHES))],
    )
    suspect = open_suspect(str(path), options)
    assert isinstance(suspect, RecordedSuspect)
    return suspect


def answers(path: Path, data: bytes | str, access: Access = Access.LABELS, **how: object) -> Answers:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return opened(path, **how).ask(IMAGES, access=access)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "answers.csv"


ROWS = list(enumerate(LABELS))
WHOLE = "index,label\n" + "".join(f"{number},{label}\n" for number, label in ROWS)
SAME = {
    "plain": WHOLE,
    "in another order": "index,label\n" + "".join(f"{number},{label}\n" for number, label in reversed(ROWS)),
    "numbers": "index,label\n" + "".join(f"{number},{NAMES.index(label)}\n" for number, label in ROWS),
    "numbers as floats": "index,label\n" + "".join(f"{n}.0,{NAMES.index(label)}.0\n" for n, label in ROWS),
    "no newline at the end": WHOLE.rstrip("\n"),
    "CRLF": WHOLE.replace("\n", "\r\n"),
    "CR": WHOLE.replace("\n", "\r"),
    "byte order mark": b"\xef\xbb\xbf" + WHOLE.encode(),
    "UTF-16": WHOLE.encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + WHOLE.encode("utf-16-be"),
    "tabs": WHOLE.replace(",", "\t"),
    "semicolons": WHOLE.replace(",", ";"),
    "Excel's first line": "sep=;\r\n" + WHOLE.replace(",", ";"),
    "comments and blank lines": "# by hand, on Monday\n\n" + WHOLE.replace("\n", "\n\n") + "\n \n",
    "trailing separators": WHOLE.replace("\n", ",,\n"),
    "quotes and spaces": 'index , "Label"\n' + "".join(f' {number} , "{label}"\n' for number, label in ROWS),
    "capitals": WHOLE.upper(),
    "files": "file,label\n" + "".join(f"{number:06d}.png,{label}\n" for number, label in ROWS),
    "files in folders": "file,label\n" + "".join(f"C:\\png\\{n:06d}.PNG,{label}\n" for n, label in ROWS),
    "queries": "query,label\n" + "".join(f"{HASHES[number].upper()},{label}\n" for number, label in ROWS),
    "index.csv, filled in": "file,sha256,true_label,source_label,label\n"
    + "".join(f"{number:06d}.png,{HASHES[number]},cat,dog,{label}\n" for number, label in ROWS),
    "confidences": "index,label,confidence\n" + "".join(f"{number},{label},.9\n" for number, label in ROWS),
    "equal lines": WHOLE + "3,owl\n",
    "an empty line first": "index,label\n0,\n" + WHOLE.split("\n", 1)[1],
}


@pytest.mark.parametrize("how", SAME)
def test_every_spelling_says_the_same(place: Path, how: str) -> None:
    assert answers(place, SAME[how]).labels.tolist() == [0, 1, 2, 2, 1, 0]


@pytest.mark.parametrize("separator", [",", ";"])
def test_scores_by_class_name(place: Path, separator: str) -> None:
    scores = np.random.default_rng(0).dirichlet(np.ones(3), 6).astype(np.float32)
    lines = ["index,owl,cat,dog", *(f"{n},{row[2]:.7f},{row[0]:.7f},{row[1]:.7f}" for n, row in enumerate(scores))]
    text = "\n".join(lines)
    if separator == ";":  # as spreadsheets of several countries write
        text = text.replace(",", ";").replace(".", ",")
    heard = answers(place, text, Access.SCORES)
    assert heard.scores is not None
    np.testing.assert_allclose(heard.scores, scores, atol=1e-6)
    assert (heard.labels == scores.argmax(1)).all()


def test_scores_of_some_classes_are_labels(place: Path) -> None:
    heard = answers(place, "index,label,cat,dog\n" + "".join(f"{number},dog,.2,.7\n" for number in range(6)))
    assert heard.labels.tolist() == [1] * 6
    suspect = opened(place)
    assert suspect.access == Access.LABELS
    best = answers(place, "index,cat,dog,owl\n0,,.7,\n1,.3,,.5\n")  # the best of some classes, as lists of five are
    assert best.labels.tolist()[:2] == [1, 2]
    assert "labels alone are used" in " ".join(suspect.notes)


def test_scores_with_an_empty_line_between_are_scores(place: Path) -> None:
    heard = answers(place, "index,cat,dog,owl\n0,.1,.2,.7\n1,,,\n2,1,0,0\n", Access.SCORES)
    assert heard.labels.tolist()[:3] == [2, -2, 0]
    assert heard.scores is not None
    assert np.isnan(heard.scores[1]).all()


def test_empty_labels_and_missing_lines_are_no_answers(place: Path) -> None:
    heard = answers(place, "index,label\n0,cat\n2,\n4,dog\n")
    assert heard.labels.tolist() == [0, -1, -2, -1, 1, -1]
    notes = " ".join(opened(place).notes)
    assert "leaves 1 labels empty (abstained), and 3 queries have no line" in notes
    assert "was not checked" in notes


def test_a_file_that_names_queries_is_checked(place: Path) -> None:
    answers(place, SAME["index.csv, filled in"])
    assert opened(place).notes == ()


def test_the_identity_is_that_of_the_file(place: Path) -> None:
    answers(place, WHOLE)
    assert opened(place).identity == digest(WHOLE.encode())


def test_names_with_separators_and_line_breaks(place: Path) -> None:
    names = ("cat, small", 'dog "Rex"', "owl\nof the barn")
    text = 'index,label\n0,"cat, small"\n1,"dog ""Rex"""\n2,"owl\nof the barn"\n3,0\n'
    assert answers(place, text, names=names).labels.tolist() == [0, 1, 2, 0, -1, -1]


def test_classes_that_are_called_by_numbers(place: Path) -> None:
    names = ("3", "1", "7")
    assert answers(place, "index,label\n0,1\n1,7\n2,3\n", names=names).labels.tolist()[:3] == [1, 2, 0]
    assert "read as class names" in " ".join(opened(place, names=names).notes)
    with pytest.raises(ModelprintError, match="line 2: label '0' is none of the 3 classes"):
        answers(place, "index,label\n0,0\n", names=names)


def test_other_names_are_mapped(place: Path) -> None:
    heard = answers(place, "index,label\n0,Katze\n1,5\n", aliases={"Katze": "cat", "5": 2})
    assert heard.labels.tolist()[:2] == [0, 2]


BAD = {
    "contradiction": ("index,label\n0,cat\n1,dog\n0,dog\n", r"lines 2 and 4 answer .* two ways \('cat' and 'dog'\)"),
    "contradicting files": ("file,label\n000000.png,cat\n0.png,dog\n", "lines 2 and 3 answer the same query"),
    "out of range": ("index,label\n6,cat\n", "line 2: there is no query 6: it has 6, numbered from 0"),
    "huge index": (f"index,label\n{'9' * 400},cat\n", "line 2: there is no query 999999999999:"),
    "negative index": ("index,label\n-1,cat\n", "line 2: '-1' names no query"),
    "index of another alphabet": ("index,label\n\u0663,cat\n", "line 2: '.u0663' names no query"),
    "another file": ("file,label\nphoto.png,cat\n", "line 2: 'photo.png' names no query: .*000012.png"),
    "no key": ("index,label\n,cat\n", "line 2 names no query: fill in index"),
    "unknown class": (
        "index,label\n0,cat\n1,horse\n",
        r"line 3: label 'horse' is none of the 3 classes .*--class-names",
    ),
    "counted from 1": ("index,label\n0,3\n", r"line 2: label '3' is none of the 3 classes \(0 to 2"),
    "two labels": ('index,label\n0,"cat;dog"\n', "line 2: label 'cat;dog' is none"),
    "label is no number": ("index,label\n0,NaN\n", "line 2: label 'NaN' is none"),
    "label is a fraction": ("index,label\n0,1.5\n", "line 2: label '1.5' is none"),
    "NaN": ("index,cat,dog,owl\n0,.1,nan,.2\n", "line 2: 'nan' is no score"),
    "infinite": ("index,cat,dog,owl\n0,.1,1e400,.2\n", "line 2: '1e400' is no score"),
    "score is text": ("index,cat,dog,owl\n0,.1,high,.2\n", "line 2: 'high' is no score"),
    "label against scores": ("index,label,cat,dog,owl\n0,cat,.1,.8,.1\n", "line 2: the label is 'cat', but 'dog' has"),
    "unknown column": ("index,label,horse\n0,cat,1\n", "line 1: 'horse' is no column that is known"),
    "column twice": (
        "index,label,label\n0,cat,dog\n",
        "line 1: 'label' is no column that is known, or stands there twi",
    ),
    "no header": ("0,cat\n1,dog\n", "line 1 names no column index, file or query: expected a first line"),
    "scores of some classes alone": (
        "index,cat,dog\n0,.1,.2\n",
        "line 1 names no column label, and no score of class 'owl'",
    ),
    "no label": ("index\n0\n", "line 1 names no column label, and no class"),
    "no query": ("label\ncat\n", "line 1 names no column index, file or query"),
    "empty": ("", "is empty: its first line names the columns"),
    "only a header": ("index,label\n", "holds no answers"),
    "too many cells": ("index,label\n0,cat,small\n", "line 2 has 3 cells, the header has 2 columns: put a cell"),
    "too few cells": ("index,label\n0\n", "line 2 has 1 cells"),
    "open quote": ('index,label\n0,"cat\n1,dog\n', "line 2 is no row of a CSV file: unexpected end of data"),
    "Latin-1": ("index,label\n0,K\u00e4tzchen\n".encode("latin-1"), "line 2 is no text in UTF-8"),
    "UTF-16 without a mark": (WHOLE.encode("utf-16-le"), "line 1 holds a zero byte"),
    "odd UTF-16": (WHOLE.encode("utf-16")[:-1], "is no text in UTF-8 or UTF-16"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(60), "line 1 is no text"),
    "long cell": (f"index,label\n0,{'x' * 200_000}\n", "line 2 is no row of a CSV file: field larger"),
    "another export": (
        f"query,label\n{'0' * 64},cat\n",
        "line 2: query 000000000000... is none of this fingerprint's: these are answers to another export",
    ),
    "another export, by file": (
        f"index,query,label\n0,{HASHES[1]},cat\n",
        "line 2 names two queries .* another export",
    ),
    "cut hash": ("query,label\n1.2E+15,cat\n", "line 2: '1.2e.15' is no SHA-256 of a query"),
    "no hash": (f"index,query,label\n0,{HASHES[0]},cat\n1,,cat\n", "line 3 names no query: fill in query"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_makes_no_sense_is_refused_with_its_line(place: Path, what: str) -> None:
    data, message = BAD[what]
    with pytest.raises(ModelprintError, match=message) as raised:
        answers(place, data)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


def test_large_files_are_refused_before_they_are_read(place: Path) -> None:
    place.write_bytes(b"index,label\n" + b"0,cat\n" * 2 * 2**20)
    with pytest.raises(ModelprintError, match="has more than 10 MB"):
        opened(place)


def test_missing_files_and_folders(place: Path) -> None:
    with pytest.raises(ModelprintError, match="cannot be read: No such file"):
        opened(place)
    place.mkdir()
    with pytest.raises(ModelprintError, match="cannot be read: Is a directory"):
        opened(place)


def test_without_a_fingerprint_there_is_nothing_to_answer(place: Path) -> None:
    place.write_text(WHOLE)
    with pytest.raises(ModelprintError, match="answers by hand, to the queries of a fingerprint"):
        open_suspect(str(place), SuspectOptions(class_names=NAMES))


def test_of_several_fingerprints_queries_are_named_by_hash(place: Path) -> None:
    others = stored_hashes(255 - IMAGES)
    options = SuspectOptions(
        class_names=NAMES,
        fingerprint="both",
        asked=lambda: [AskedInputs(queries=tuple(one)) for one in (HASHES, others)],
    )
    place.write_text(WHOLE)
    with pytest.raises(ModelprintError, match="2 fingerprints ask: give it the column"):
        open_suspect(str(place), options)
    place.write_text("query,label\n" + "".join(f"{value},dog\n" for value in [*HASHES, *others]))
    suspect = open_suspect(str(place), options)
    assert suspect.ask(255 - IMAGES).labels.tolist() == [1] * 6


def test_plain_inputs_are_numbered_after_the_queries(place: Path) -> None:
    plain = stored_hashes(255 - IMAGES[:2])
    asked = AskedInputs(queries=tuple(HASHES), further=tuple(plain))
    options = SuspectOptions(class_names=NAMES, fingerprint="sha256:ab", asked=lambda: [asked])
    place.write_text(WHOLE + "6,owl\n7,dog\n")
    suspect = open_suspect(str(place), options)
    assert suspect.ask(255 - IMAGES[:2]).labels.tolist() == [2, 1]
    place.write_text(WHOLE)
    suspect = open_suspect(str(place), options)
    assert isinstance(suspect, RecordedSuspect)
    assert suspect.knows(255 - IMAGES[:2]).tolist() == [False, False]
    assert "no line" not in " ".join(suspect.notes)
