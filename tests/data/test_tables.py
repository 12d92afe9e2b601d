"""Lists of pictures in CSV files: columns, parts, labels, paths, and what is wrong with them by its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from modelprint.core.errors import DataError
from modelprint.data import on_disk
from modelprint.data.splits import load_data, part_sizes

LINES = [(f"pictures/{number}.png", "cat" if number % 3 else "dog") for number in range(30)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(30):
        Image.new("L", (4, 3), number).save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path


def written(root: Path, header: str, rows: list[str], *, name: str = "set.csv", encoding: str = "utf-8") -> str:
    (root / name).write_bytes("\n".join([header, *rows]).encode(encoding))
    return str(root / name)


def pairs(reference: str) -> set[tuple[int, str]]:
    data = load_data(reference)
    return {
        (int(image[0, 0, 0]), data.class_names[label]) for image, label in zip(data.stored, data.labels, strict=True)
    }


@pytest.mark.parametrize(
    ("header", "separator", "encoding", "name"),
    [
        ("file_name,label", ",", "utf-8", "set.csv"),
        ("id;class;image", ";", "utf-8-sig", "semicolons.csv"),
        ("path\tcategory", "\t", "utf-16", "tabs.tsv"),
        ("Filename,Target,width", ",", "utf-8", "more.csv"),
    ],
)
def test_lists_of_every_writer_are_the_same_set(
    header: str, separator: str, encoding: str, name: str, root: Path
) -> None:
    columns = header.lower().split(separator)
    rows = [
        separator.join(
            label if column in ("label", "class", "category", "target") else "7" if column in ("id", "width") else path
            for column in columns
        )
        for path, label in LINES
    ]
    reference = written(root, header, rows, name=name, encoding=encoding)
    expected = {(number, label) for number, (_, label) in enumerate(LINES)}
    assert pairs(f"{reference}:train") | pairs(f"{reference}:test") == expected


def test_a_list_is_the_folder_that_it_lists(root: Path) -> None:
    folder = root / "sorted"
    for number, (path, label) in enumerate(LINES):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{number}.png").write_bytes((root / path).read_bytes())
    rows = [f"sorted/{label}/{number}.png,{label}" for number, (_, label) in enumerate(LINES)]
    reference = written(root, "path,label", rows[::-1])
    for split in ("train", "test", "owner", "queries"):
        assert load_data(f"{reference}:{split}").identity == load_data(f"{folder}:{split}").identity


def test_parts_and_columns_and_numbers(root: Path) -> None:
    rows = [
        f"{path},{number % 4},{number},{'valid' if number > 24 else 'train'}" for number, (path, _) in enumerate(LINES)
    ]
    reference = written(root, "picture,kind,label,split", rows)
    data = load_data(f"{reference}:val?path=picture&label=kind")
    assert data.class_names == ("0", "1", "2", "3")
    assert sorted(zip(data.stored[:, 0, 0, 0].tolist(), data.labels.tolist(), strict=True)) == [
        (number, number % 4) for number in range(25, 30)
    ]
    assert part_sizes(f"{reference}?path=picture&label=kind")["train"] == 25
    (root / "classes.txt").write_text("a\nb\nc\nd\ne\n")
    data = load_data(f"{reference}:val?path=picture&label=kind&classes={root / 'classes.txt'}")
    assert data.class_names == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    ("header", "rows", "reason"),
    [
        ("a,b", ["1,2"], r"no column is called path, file, filename .*its columns are a, b\): say which by --path"),
        ("path,kind", ["pictures/1.png,cat"], "say which by --label COLUMN"),
        ("path,image,label", ["x,y,z"], "several columns could be meant"),
        ("path,label", [], "lists no pictures"),
        ("path,label", ["pictures/1.png,cat", "pictures/2.png"], "line 3: a path or a label is missing"),
        (
            "path,label",
            ["pictures/1.png,cat", "pictures/1.png,dog"],
            r"lines 2 and 3 say different things of pictures/1",
        ),
        ("path,label", ["../../etc/x.png,cat"], r"line 2: '\.\./\.\./etc/x\.png' lies outside the folder of the list"),
        ("path,label", ["/etc/passwd,cat"], "lies outside the folder of the list"),
        ("path,label", ["pictures/1.png,cat", "pictures/none.png,dog"], r"none\.png cannot be read .*--skip-bad"),
        ("path,label,split", ["pictures/1.png,cat,3"], "'3' is no part of a set, use dev, test"),
        ("path,label", ["pictures/1.png," + "x" * 200_000], "it is no CSV"),
    ],
)
def test_what_is_wrong_is_said_by_line(header: str, rows: list[str], reason: str, root: Path) -> None:
    with pytest.raises(DataError, match=reason):
        load_data(written(root, header, rows))


@pytest.mark.parametrize("labels", [["cat", "dgo"], ["0", "7"]])
def test_labels_that_no_class_has(labels: list[str], root: Path) -> None:
    (root / "classes.txt").write_text("cat\ndog\n")
    reference = written(root, "path,label", [f"pictures/{n}.png,{label}" for n, label in enumerate(labels)])
    with pytest.raises(DataError, match=r"no class (is called 'dgo'|has the number '7')"):
        load_data(f"{reference}?classes={root / 'classes.txt'}")


def test_tables_that_cannot_be_read(root: Path) -> None:
    (root / "x.csv").write_bytes(b"path,label\n\xff\xfe\xfd")
    with pytest.raises(DataError, match=r"x\.csv, line \d+: the byte 0x[0-9a-f]{2} is no UTF-8"):
        load_data(str(root / "x.csv"))
    (root / "y.csv").mkdir()
    with pytest.raises(DataError, match="expected one folder of images per class"):
        load_data(str(root / "y.csv"))


def test_listed_files_that_are_missing_can_be_left_out(
    root: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_disk, "cache_folder", lambda: root / "arrays")
    (root / "loop.png").symlink_to("loop.png")
    rows = [f"{path},{label}" for path, label in LINES]
    reference = written(root, "path,label", [*rows, "pictures/none.png,cat", "loop.png,dog"])
    assert pairs(f"{reference}:train?skip-bad=yes") | pairs(f"{reference}:test?skip-bad=yes") == {
        (number, label) for number, (_, label) in enumerate(LINES)
    }
    assert "2 of 32 pictures cannot be decoded and are left out" in caplog.text
