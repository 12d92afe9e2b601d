"""Tables of vectors: CSV, Parquet, KEEL, arrays; every fault is named with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprint.cli.app import run
from modelprint.core.errors import DataError
from modelprint.data.references import Reading
from modelprint.data.splits import load_data, load_raw
from modelprint.modalities.vector.wire import rows_of

HEADER = "width,rooms,colour,label"
LINES = [
    f"{0.5 + 0.25 * (n % 7)},{n % 4},{'red' if n % 3 else 'blue'},{'house' if n % 2 else 'hut'}" for n in range(40)
]


def written(folder: Path, lines: list[str], *, header: str = HEADER, name: str = "t.csv") -> str:
    (folder / name).write_text("\n".join([header, *lines]) + "\n")
    return str(folder / name)


def test_a_table_is_read_column_by_column(tmp_path: Path) -> None:
    raw = load_raw(written(tmp_path, LINES))
    width, rooms, colour = raw.modality.columns
    assert (width.name, width.low, width.step, width.levels, width.decimals) == ("width", 0.5, 0.01, 151, 2)
    assert (rooms.low, rooms.levels, rooms.whole) == (0, 4, True)
    assert colour.categories == ("blue", "red")
    assert raw.class_names == ("house", "hut")
    assert rows_of(raw.train_images[:2], raw.modality.columns) == [[0.5, 0, "blue"], [0.75, 1, "red"]]
    assert raw.train_labels[:2].tolist() == [1, 0]


def test_the_order_of_rows_moves_nothing_to_another_split(tmp_path: Path) -> None:
    one, other = written(tmp_path, LINES), written(tmp_path, LINES[::-1], name="turned.csv")
    for split in ("owner", "queries", "train", "test"):
        first, second = load_data(f"{one}:{split}"), load_data(f"{other}:{split}")
        assert sorted(first.stored.tolist()) == sorted(second.stored.tolist())
    assert len(load_data(f"{one}:train")) + len(load_data(f"{one}:test")) == 40


def test_published_parts_separators_and_quotes(tmp_path: Path) -> None:
    lines = [f'"{n}.5";{n % 3};"a ""b"""; {"test" if n > 30 else "train"};{n % 2}' for n in range(40)]
    raw = load_raw(written(tmp_path, lines, header="x;z;note;split;target"))
    assert (len(raw.train_labels), len(raw.test_labels)) == (31, 9)
    assert [column.name for column in raw.modality.columns] == ["x", "z", "note"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*LINES, ",1,red,hut"], "t.csv, line 42, column width: a value is missing"),
        ([*LINES, "NaN,1,red,hut"], "t.csv, line 42, column width: 'NaN' is no value"),
        ([*LINES, "wide,1,red,hut"], "t.csv, line 42, column width: 'wide' is no number"),
        ([*LINES, "1,1,?,hut"], r"t.csv, line 42, column colour: '\?' is no value"),
        ([*LINES, "1,1,red"], "t.csv, line 42: 3 cells, where the first line names 4 columns"),
        ([*LINES, "1,1,red,"], "t.csv, line 42: no label in column label"),
        ([*LINES, "\u0661,1,red,hut"], "t.csv, line 42, column width: .* is no number"),
        ([*LINES, "1,1,red,palace"], "t.csv, line 42: the label 'palace' occurs once"),
        ([line.replace("hut", "house") for line in LINES], "all rows are of class 'house'"),
        ([line.replace("red", f"name {n}").replace("blue", f"n {n}") for n, line in enumerate(LINES)],
         "column colour has 40 different names in 40 rows"),
    ],
)  # fmt: skip
def test_each_fault_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_raw(written(tmp_path, lines))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("w" * 201 + ",rooms,colour,label", "a column's name has 201 characters, more than 200: shorten it"),
        ("width,width,colour,label", "two columns are called 'width'"),
        ("width,rooms,colour,kind", r"no column 'label' \(its columns are width, rooms, colour, kind\): say which by"),
    ],
)
def test_headers_that_cannot_be_are_named(tmp_path: Path, header: str, message: str) -> None:
    path = written(tmp_path, LINES, header=header)
    with pytest.raises(DataError, match=message):
        load_raw(path, Reading(label="label"))


def test_an_attribute_without_a_name(tmp_path: Path) -> None:
    (tmp_path / "t.dat").write_text("@attribute a real\n@attribute {x, y}\n@data\n1,x\n")
    with pytest.raises(DataError, match="line 2: an @attribute without a name"):
        load_raw(str(tmp_path / "t.dat"))


def test_options_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog) -> None:
    path = written(tmp_path, [*LINES, ",1,red,hut"], header="width,rooms,colour,kind of house")
    assert run(["data", path, "--modality", "vector"]) == 1
    assert "say which by --label COLUMN" in capsys.readouterr().err
    assert run(["data", path, "--label", "kind of house"]) == 1
    assert "line 42, column width: a value is missing" in capsys.readouterr().err
    assert run(["data", path, "--label", "kind of house", "--skip-bad"]) == 0
    assert "1 rows with missing or damaged cells are left out, the first is line 42" in caplog.text
    assert "32 vectors of 3, 2 classes" in capsys.readouterr().out


def test_parquet_arrays_and_keel_say_the_same(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    want = load_raw(written(tmp_path, LINES))
    cells = [line.split(",") for line in LINES]
    colours = arrow.array([one[2] for one in cells]).dictionary_encode()
    numbers = {"width": [float(one[0]) for one in cells], "rooms": [int(one[1]) for one in cells]}
    columns = {**numbers, "colour": colours, "label": [one[3] for one in cells]}
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    read = load_raw(str(tmp_path / "t.parquet"))
    assert read.modality == want.modality
    assert np.array_equal(read.train_images, want.train_images)
    keel = "@relation t\n@attribute width real [0, 2]\n@attribute rooms integer [0, 3]\n@attribute colour {red, blue}\n"
    (tmp_path / "t.dat").write_text(f"{keel}@attribute label {{house, hut}}\n@data\n" + "\n".join(LINES))
    assert load_raw(str(tmp_path / "t.dat")).modality == want.modality
    values = np.array([[float(a), int(b)] for a, b, *_ in cells])
    names = np.array(["width", "rooms"])
    np.savez(tmp_path / "t.npz", x_train=values, y_train=np.arange(40) % 2, feature_names=names)

    arrays = load_raw(str(tmp_path / "t.npz"), Reading(modality="vector"))
    assert arrays.modality.columns == want.modality.columns[:2]
    columns["colour"] = [[1.0]] * 40
    parquet.write_table(arrow.table(columns), tmp_path / "lists.parquet")
    with pytest.raises(DataError, match="column colour holds neither numbers nor texts"):
        load_raw(str(tmp_path / "lists.parquet"), Reading(modality="vector"))


def test_named_sets_are_found() -> None:
    wine = load_data("wine:owner")
    assert (wine.shape, wine.classes, wine.modality.columns[0].name) == ((13,), 3, "alcohol")
    cancer = load_data("breast-cancer")
    assert cancer.modality.columns[0].name == "mean radius"
