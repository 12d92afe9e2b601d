"""Sets of texts: what is read, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.errors import DataError
from modelprint.data.splits import load_data, part_sizes
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.storage import texts_of

LONG = "x" * 5000


def lines(path: Path, *rows: object) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def labelled(count: int = 20) -> list[dict[str, str]]:
    return [{"text": f"un café {number}", "label": "ab"[number % 2]} for number in range(count)]


def test_json_lines(tmp_path: Path) -> None:
    data = load_data(lines(tmp_path / "t.jsonl", *labelled()) + ":train")
    assert data.modality is TEXT
    assert data.shape == (32,)
    assert data.class_names == ("a", "b")
    assert (len(data), data.numbering) == (16, "names")
    assert all(
        int(text.split()[-1]) % 2 == label for text, label in zip(texts_of(data.stored), data.labels, strict=True)
    )


def test_published_parts_stay_apart(tmp_path: Path) -> None:
    rows = [{**row, "split": "test" if number < 4 else "train"} for number, row in enumerate(labelled())]
    sizes = part_sizes(lines(tmp_path / "t.jsonl", *rows))
    assert (sizes["train"], sizes["test"]) == (16, 4)
    assert set(texts_of(load_data(f"{tmp_path}/t.jsonl:test").stored)) == {f"un café {number}" for number in range(4)}


def test_a_table_with_quoted_line_breaks_in_utf16(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('label;sentence\n1;"one; two\nthree"\n0;four\n1;five\n', encoding="utf-16")
    data = load_data(f"{tmp_path}/t.csv:owner")
    everything = load_data(f"{tmp_path}/t.csv:train"), load_data(f"{tmp_path}/t.csv[0:1]")
    assert data.modality is TEXT
    assert data.class_names == ("0", "1")
    assert data.numbering == "numbers"
    assert len(everything[0]) == 3
    assert "one; two\nthree" in texts_of(everything[0].stored)


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    for number in range(6):
        file = tmp_path / ("cold", "warm")[number % 2] / f"{number}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"text {number}\n")
    data = load_data(f"{tmp_path}:train")
    assert data.class_names == ("cold", "warm")
    assert sorted(texts_of(data.stored))[0].startswith("text ")


def test_options_name_columns_length_and_classes(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("b\na\n")
    path = lines(tmp_path / "t.jsonl", *({"body": row["text"], "kind": row["label"]} for row in labelled()))
    data = load_data(f"{path}:train?text=body&label=kind&length=9&classes={tmp_path}/classes.txt")
    assert (data.shape, data.class_names, data.numbering) == ((9,), ("b", "a"), "list")
    assert max(len(text) for text in texts_of(data.stored)) == 8  # cut at nine bytes, é has two
    with pytest.raises(DataError, match="length 'none' is no whole number"):
        load_data(f"{path}?length=none")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{text: 1}", "line 3: it is no JSON"),
        ([1], "line 3: expected {"),
        ({"label": "a"}, r"line 3: no field 'text' \(its fields are label\): say which by --text FIELD"),
        ({"text": "x"}, r"line 3: no field 'label' \(its fields are text\): say which by --label FIELD"),
        ({"text": 5, "label": "a"}, "line 3: expected a text, got int '5'"),
        ({"text": "x", "label": True}, "line 3: expected a name or a number as label, got 'True'"),
        ({"text": "x", "label": 10**30}, "line 3: the label 1000.* is no number of a class"),
        ({"text": " \n", "label": "a"}, "line 3: the text is empty"),
        ({"text": "\u200b", "label": "a"}, "line 3: the text is empty"),
        ({"text": "a\x00b", "label": "a"}, r"line 3: the text holds the control character U\+0000: remove it"),
        ({"text": "\ud800", "label": "a"}, "line 3: the text holds half a character"),
        ({"text": LONG, "label": "a"}, "line 3: the text has 5,000 bytes, more than 4,096: split it, or say --length"),
        ({"text": "un café 0", "label": "b"}, "line 1 and line 3 give one text two labels, 'a' and 'b': keep one"),
        ({"text": "x", "label": "a", "split": "rest"}, "line 3: 'rest' is no part of a set"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(lines(tmp_path / "t.jsonl", *labelled(2), row))


def test_other_encodings_are_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("text,label\none,a\ncafé,b\n".encode("latin-1"))
    with pytest.raises(DataError, match="line 3: the byte 0xe9 is no UTF-8: save the file as UTF-8"):
        load_data(f"{tmp_path}/t.csv")


def test_a_row_of_too_many_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\none,a\ntwo, three,b\n")
    with pytest.raises(DataError, match="line 3: 3 columns where the first line names 2: quote texts that hold ','"):
        load_data(f"{tmp_path}/t.csv")


def test_what_is_left_out_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [*labelled(12), {"text": "a\u200bb", "label": "a"}, labelled(1)[0], {"text": "once", "label": "c"}]
    data = load_data(lines(tmp_path / "t.jsonl", *rows) + ":train?length=10")
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "1 text held zero-width characters, which are left out" in said
    assert "texts had more than 10 bytes, and were cut" in said
    assert "of 'c' there is a single text" in said
    assert "ab" in texts_of(np.concatenate([data.stored, load_data(f"{tmp_path}/t.jsonl:test?length=10").stored]))


def test_one_class_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all texts are of class 'a'"):
        load_data(lines(tmp_path / "t.jsonl", labelled(1)[0]))


def test_a_list_of_pictures_stays_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,label,text\na.png,a,words\n")
    with pytest.raises(DataError, match=r"a\.png"):
        load_data(f"{tmp_path}/t.csv")
