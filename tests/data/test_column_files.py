"""Parquet and Arrow files, with pictures in a column or with their paths, as Hugging Face's data sets are kept."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modelprint.core.errors import DataError, ModelprintError
from modelprint.data import column_files, on_disk
from modelprint.data.splits import load_data, load_raw, part_sizes

pa = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402 - where there is pyarrow

NAMES = ["dog", "cat", "eel"]


def picture(level: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (4, 3), level).save(stream, "PNG")
    return stream.getvalue()


def table(levels: range, *, struct: bool = True) -> Any:
    """Pictures of one level each, whose class is their level modulo three."""
    pictures: list[Any] = [picture(level) for level in levels]
    if struct:
        pictures = [{"bytes": data, "path": None} for data in pictures]
    columns = {"image": pictures, "label": [level % 3 for level in levels], "width": [4] * len(levels)}
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": NAMES}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.table(columns).replace_schema_metadata(metadata)


def shown(reference: str) -> set[tuple[int, str]]:
    data = load_data(reference)
    return {
        (int(image[0, 0, 0]), data.class_names[label]) for image, label in zip(data.stored, data.labels, strict=True)
    }


def expected(levels: range) -> set[tuple[int, str]]:
    return {(level, NAMES[level % 3]) for level in levels}


@pytest.mark.parametrize("struct", [True, False])
def test_a_file_of_pictures(struct: bool, tmp_path: Path) -> None:
    parquet.write_table(table(range(40), struct=struct), tmp_path / "x.parquet", row_group_size=7)
    name = str(tmp_path / "x.parquet")
    assert shown(f"{name}:train") | shown(f"{name}:test") == expected(range(40))
    assert load_data(name).class_names == ("dog", "cat", "eel")
    assert load_data(name).numbering == "names"


def test_a_folder_of_the_hub_has_its_parts(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, levels in (
        ("train-00000-of-00002", range(20)),
        ("train-00001-of-00002", range(20, 40)),
        ("validation-00000-of-00001", range(40, 50)),
        ("test-00000-of-00001", range(50, 63)),
    ):
        parquet.write_table(table(levels), tmp_path / "data" / f"{name}.parquet", row_group_size=6)
    (tmp_path / "README.md").write_text("a data set")
    assert shown(f"{tmp_path}:train") == expected(range(40))
    assert shown(f"{tmp_path}:val") == expected(range(40, 50))
    assert shown(f"{tmp_path}:test") == expected(range(50, 63))
    assert part_sizes(str(tmp_path))["val"] == 10


def test_rows_without_a_label_are_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    parquet.write_table(table(range(20)), tmp_path / "train-0.parquet")
    hidden = table(range(20, 30)).to_pydict() | {"label": [-1] * 9 + [1]}
    unlabelled = pa.table(hidden).replace_schema_metadata(table(range(1)).schema.metadata)
    parquet.write_table(unlabelled, tmp_path / "test-0.parquet")
    assert shown(f"{tmp_path}:test") == {(29, "cat")}
    assert "9 rows without a label (-1) are left out" in caplog.text


def test_a_folder_saved_to_disk(tmp_path: Path) -> None:
    for part, levels in (("train", range(30)), ("test", range(30, 40))):
        (tmp_path / part).mkdir()
        (tmp_path / part / "state.json").write_text("{}")
        for number, some in enumerate((levels[:15], levels[15:])):
            path = str(tmp_path / part / f"data-0000{number}-of-00002.arrow")
            if len(some):
                with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, table(some).schema) as writer:
                    writer.write_table(table(some), max_chunksize=4)
        (tmp_path / part / "cache-17.arrow").write_bytes(b"of the library's own")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert shown(f"{tmp_path}:train") == expected(range(30))
    assert shown(f"{tmp_path}:test") == expected(range(30, 40))


def test_large_files_are_the_same_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet.write_table(table(range(60)), tmp_path / "x.parquet", row_group_size=5)
    small = {split: load_data(f"{tmp_path / 'x.parquet'}:{split}").identity for split in ("train", "owner")}
    monkeypatch.setattr(on_disk, "LARGEST_IN_MEMORY", 4)
    monkeypatch.setattr(on_disk, "cache_folder", lambda: tmp_path / "arrays")
    load_raw.cache_clear()
    assert {split: load_data(f"{tmp_path / 'x.parquet'}:{split}").identity for split in small} == small
    load_raw.cache_clear()


def test_paths_and_names_in_columns(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for level in range(12):
        (tmp_path / "p" / f"{level}.png").write_bytes(picture(level))
    columns = {"file_name": [f"p/{n}.png" for n in range(12)], "kind": [NAMES[n % 3] for n in range(12)], "n": [1] * 12}
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    name = str(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="its columns are file_name, kind, n: say which by --label COLUMN"):
        load_data(name)
    assert shown(f"{name}:train?label=kind") | shown(f"{name}:test?label=kind") == expected(range(12))
    assert load_data(f"{name}?label=kind").class_names == ("cat", "dog", "eel")
    with pytest.raises(DataError, match="n holds neither pictures nor paths: say which column does by --path"):
        load_data(f"{name}?label=kind&path=n")


def test_rows_without_a_picture_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = table(range(30)).to_pydict()
    made["image"][4] = {"bytes": None, "path": "/etc/passwd"}
    made["image"][9] = {"bytes": b"no picture", "path": None}
    parquet.write_table(pa.table(made), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet, row 4, holds no picture.*; 2 of 30 pictures"):
        load_data(str(tmp_path / "x.parquet"))
    name = f"{tmp_path / 'x.parquet'}:train?skip-bad=yes"
    assert len(load_data(name)) == 23
    assert "2 of 30 pictures cannot be decoded and are left out" in caplog.text


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "x.parquet cannot be read"), (b"PAR1" + bytes(40) + b"PAR1", "x.parquet cannot be read|x.parquet: ")],
)
def test_what_is_no_file_of_columns_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(ModelprintError, match=reason):
        load_data(str(tmp_path / "x.parquet"))


def test_labels_that_make_no_sense(tmp_path: Path) -> None:
    for labels, reason in (
        ([None, 1, 2], "label must be class numbers or names"),
        ([0.5, 1.0, 2.0], "label must be class numbers or names"),
        ([-1, 0, 1], "no class has the number '-1'"),  # which no names of classes make a row without a label
    ):
        made = {"image": [picture(level) for level in range(3)], "label": labels}
        parquet.write_table(pa.table(made), tmp_path / "x.parquet")
        with pytest.raises(DataError, match=reason):
            load_data(str(tmp_path / "x.parquet"))


def test_without_pyarrow_the_way_round_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet.write_table(table(range(6)), tmp_path / "x.parquet")
    monkeypatch.setattr(column_files, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs pyarrow: pip install 'modelprint\[parquet\]', or save the pictures in"):
        load_data(str(tmp_path / "x.parquet"))


def test_class_folders_with_a_stray_file_stay_class_folders(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for level in range(6):
            (tmp_path / name / f"{level}.png").write_bytes(picture(level))
    parquet.write_table(table(range(6)), tmp_path / "a" / "x.parquet")
    data = load_data(str(tmp_path))
    assert data.class_names == ("a", "b")
    assert np.unique(data.stored).tolist() == [0, 1, 2, 3, 4, 5]
