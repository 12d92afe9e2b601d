"""Folders and archives as people have them: parts, nested folders, leftovers, lists of classes, damaged pictures."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelprint.core.errors import DataError
from modelprint.data import folders, on_disk, splits
from modelprint.data.folders import list_image_folder, list_zip
from modelprint.data.layout import laid_out
from modelprint.data.references import Reading
from modelprint.data.splits import load_data, load_raw, part_sizes


def put(root: Path, levels: Mapping[str, int]) -> Path:
    """Pictures of one level each."""
    for name, level in levels.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 3), level).save(path)
    return root


def zipped(root: Path, path: Path, *, within: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*"), reverse=True):
            if file.is_file():
                archive.write(file, f"{within}{file.relative_to(root).as_posix()}")
    return path


def many(names: str, count: int, start: int) -> dict[str, int]:
    return {f"{names}/{number}.png": start + number for number in range(count)}


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    """Training, validation and test folders of two classes."""
    levels = many("train/cat", 6, 0) | many("train/dog", 6, 10) | many("val/cat", 3, 20) | many("val/dog", 2, 30)
    return put(tmp_path / "set", levels | many("test/dog", 4, 40))


def levels_of(reference: str) -> list[int]:
    return sorted(int(image[0, 0, 0]) for image in load_data(reference).stored)


def test_parts_are_those_of_the_folders(parted: Path) -> None:
    assert levels_of(f"{parted}:train") == [*range(6), *range(10, 16)]
    assert levels_of(f"{parted}:val") == [20, 21, 22, 30, 31]
    assert levels_of(f"{parted}:test") == [40, 41, 42, 43]
    assert load_data(f"{parted}:test").labels.tolist() == [1, 1, 1, 1]
    assert part_sizes(str(parted))["val"] == 5
    together = sorted(level for split in splits.SPLITS for level in levels_of(f"{parted}:{split}"))
    assert together == [*range(6), *range(10, 16), 20, 21, 22, 30, 31, 40, 41, 42, 43]


def test_a_validation_part_alone_is_the_test_part(parted: Path) -> None:
    shutil.rmtree(parted / "test")
    assert levels_of(f"{parted}:test") == levels_of(f"{parted}:val") == [20, 21, 22, 30, 31]


def test_large_sets_have_the_same_parts(parted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {split: load_data(f"{parted}:{split}").identity for split in ("train", "val", "test", "owner")}
    monkeypatch.setattr(on_disk, "LARGEST_IN_MEMORY", 4)
    monkeypatch.setattr(on_disk, "cache_folder", lambda: tmp_path / "arrays")
    load_raw.cache_clear()
    assert {split: load_data(f"{parted}:{split}").identity for split in small} == small
    assert list((tmp_path / "arrays").iterdir())
    load_raw.cache_clear()


def test_other_sets_have_no_validation_part(tmp_path: Path) -> None:
    root = put(tmp_path, many("a", 9, 0) | many("b", 9, 20))
    with pytest.raises(DataError, match="there is no validation part"):
        load_data(f"{root}:val")


def test_a_class_that_training_lacks_is_refused(parted: Path) -> None:
    put(parted, {"test/bird/0.png": 50})
    with pytest.raises(DataError, match=r"bird of the validation or test part is no class .* --classes FILE"):
        load_data(str(parted))


def test_test_pictures_without_classes_are_left_out(parted: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(parted / "test")
    put(parted, {"test/0.png": 50, "test/1.png": 51})
    assert levels_of(f"{parted}:test") == [20, 21, 22, 30, 31]
    assert "2 pictures lie in no class folder and are left out: test/0.png" in caplog.text


@pytest.mark.parametrize("within", ["", "photos/", "a/b/"])
def test_a_zip_is_the_folder_that_it_was_made_of(parted: Path, tmp_path: Path, within: str) -> None:
    flat = put(tmp_path / "flat", many("cat", 20, 0) | many("dog/more", 20, 100))
    for number, root in enumerate((parted, flat)):
        archive = zipped(root, tmp_path / f"{number}.zip", within=within)
        for split in ("train", "test", *splits.SPLITS):
            assert load_data(f"{archive}:{split}").identity == load_data(f"{root}:{split}").identity
        assert load_data(str(archive)).class_names == ("cat", "dog")


def test_large_zips_are_the_same(parted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = zipped(parted, tmp_path / "set.zip")
    small = load_data(f"{parted}:train").identity
    monkeypatch.setattr(on_disk, "LARGEST_IN_MEMORY", 4)
    monkeypatch.setattr(on_disk, "cache_folder", lambda: tmp_path / "arrays")
    load_raw.cache_clear()
    assert load_data(f"{archive}:train").identity == small
    load_raw.cache_clear()


def test_what_file_managers_leave_is_passed_over(tmp_path: Path) -> None:
    root = put(tmp_path / "set", many("cat", 3, 0) | many("dog", 3, 10))
    for name in ("cat/._0.png", "cat/Thumbs.db", "cat/.DS_Store", "__MACOSX/cat/._0.png", ".cache/x.png", "README.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"\0\5\x16\7")
    archive = zipped(root, tmp_path / "set.zip")
    for listed in (list_image_folder(root), list_zip(archive)):
        assert listed.class_names == ("cat", "dog")
        assert len(listed) == 6


def test_an_empty_class_folder_keeps_its_number_and_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = put(tmp_path, many("a", 3, 0) | many("c", 3, 10))
    (root / "b").mkdir()
    listed = list_image_folder(root)
    assert listed.class_names == ("a", "b", "c")
    assert listed.labels.tolist() == [0, 0, 0, 2, 2, 2]
    assert "there are no pictures of b: such classes keep their numbers" in caplog.text


def test_nested_folders_belong_to_the_topmost_or_to_the_list(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    levels = {"animals/cat/0.png": 1, "animals/dog/0.png": 2, "things/car/0.png": 3, "things/car/red/1.png": 4}
    root = put(tmp_path / "set", levels)
    listed = list_image_folder(root)
    assert listed.class_names == ("animals", "things")
    assert "of the class of the topmost (--classes says others)" in caplog.text
    chosen = tmp_path / "classes.txt"
    chosen.write_text("dog\ncar\n\ncat\n")
    listed = list_image_folder(root, Reading(classes=str(chosen)))
    assert listed.class_names == ("dog", "car", "cat")
    images = listed.read(np.arange(4))
    assert {(int(label), int(image[0, 0, 0])) for label, image in zip(listed.labels, images, strict=True)} == {
        (0, 2),
        (1, 3),
        (1, 4),
        (2, 1),
    }


def test_a_list_of_classes_gives_the_numbers(tmp_path: Path) -> None:
    root = put(tmp_path / "set", many("cat", 3, 0) | many("dog", 3, 10))
    lists = {
        "lines.txt": "dog\nbird\ncat\n",
        "list.json": json.dumps(["dog", "bird", "cat"]),
        "config.json": json.dumps({"model_type": "vit", "id2label": {"1": "bird", "0": "dog", "2": "cat"}}),
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        data = load_data(f"{root}?classes={tmp_path / name}")
        assert data.class_names == ("dog", "bird", "cat")
        of_cats = data.stored[:, 0, 0, 0] < 10
        assert data.labels.tolist() == [2 if cat else 0 for cat in of_cats]


def test_a_folder_of_no_class_is_named(tmp_path: Path) -> None:
    root = put(tmp_path / "set", many("cat", 3, 0) | many("dgo", 3, 10))
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(
        DataError, match=r"dgo/0\.png lies in no folder of a class, and with it 2 more: the classes are"
    ):
        load_data(f"{root}?classes={tmp_path / 'classes.txt'}")


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Pictures, three of which cannot be decoded; the first of all is one of these."""
    root = put(tmp_path / "set", many("train/cat", 12, 0) | many("train/dog", 12, 20) | many("test/dog", 5, 40))
    for name in ("train/cat/0.png", "train/dog/5.png", "test/dog/1.png"):
        (root / name).write_bytes((root / name).read_bytes()[:40])
    return root


def test_pictures_that_cannot_be_decoded_are_named_and_counted(damaged: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"0\.png cannot be read .*; 3 of 29 pictures of .* cannot be decoded: --skip-bad leaves them out",
    ):
        load_data(str(damaged))
    (damaged / "train/cat/0.png").unlink()
    (damaged / "test/dog/1.png").unlink()
    with pytest.raises(DataError, match=r"5\.png cannot be read .*, or leave it out with --skip-bad"):
        load_data(str(damaged))


@pytest.mark.parametrize("container", ["folder", "zip"])
def test_with_the_option_they_are_left_out_and_said(
    container: str, damaged: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_disk, "cache_folder", lambda: tmp_path / "arrays")
    place = damaged if container == "folder" else zipped(damaged, tmp_path / "set.zip")
    for _ in range(2):  # the second time from what was kept
        caplog.clear()
        load_raw.cache_clear()
        splits._listed.cache_clear()
        assert levels_of(f"{place}:train?skip-bad=yes") == [*range(1, 12), *range(20, 25), *range(26, 32)]
        assert levels_of(f"{place}:test?skip-bad=yes") == [40, 42, 43, 44]
        assert "3 of 29 pictures cannot be decoded and are left out" in caplog.text
        assert "train/cat/0.png" in caplog.text
    assert len(list((tmp_path / "arrays").glob("*.bad.json"))) == 1


def test_a_set_of_no_whole_picture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_disk, "cache_folder", lambda: tmp_path / "arrays")
    for name in ("a/0.png", "b/0.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        (tmp_path / "set" / name).write_bytes(b"x")
    with pytest.raises(DataError, match=r"none of its 2 pictures can be decoded: .*0\.png"):
        load_data(f"{tmp_path / 'set'}?skip-bad=yes")


def test_archives_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK no")
    with pytest.raises(DataError, match=r"x\.zip cannot be read from its archive"):
        load_data(str(tmp_path / "x.zip"))
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as archive:
        archive.writestr("../a/0.png", b"x")
    with pytest.raises(DataError, match=r"y\.zip is refused: its part '\.\./a/0\.png' leads out of the archive"):
        load_data(str(tmp_path / "y.zip"))


def test_names_alone_make_a_layout() -> None:
    layout = laid_out([("b", "2.png"), ("a", "1.png"), ("b", "1.png")], ["a", "b"], who="x")
    assert layout.order.tolist() == [1, 2, 0]
    assert layout.labels.tolist() == [0, 1, 1]
    assert layout.counts == {"train": 3, "val": 0, "test": 0}
    with pytest.raises(DataError, match="expected one folder of images per class, found 1 folders"):
        laid_out([("a", "1.png")], who="x")
    classes = laid_out([("train", "1.png"), ("bus", "1.png")], who="x")
    assert classes.class_names == ("bus", "train")  # of vehicles


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("train/cat/0.png", "train/dog/0.png", "more/cat/0.png"), "train are parts .*, more are none: move one"),
        (
            ("val/cat/0.png", "test/cat/0.png"),
            "test, val hold class folders, but there is no folder train: .* x/test",
        ),
        (("images/0.png", "labels/0.txt"), "found images in one folder only, images"),
    ],
)
def test_folders_that_are_no_classes_are_not_taken_for_them(names: tuple[str, ...], reason: str) -> None:
    pictures = [tuple(name.split("/")) for name in names if name.endswith("png")]
    with pytest.raises(DataError, match=reason):
        laid_out(pictures, sorted({name.split("/")[0] for name in names}), who="x")
    listed = laid_out(pictures, who="x", classes=["cat", "dog", "images"])
    assert len(listed.order) == len(pictures)


def test_a_class_may_be_called_test() -> None:
    layout = laid_out([("test", "deep", "0.png"), ("control", "0.png")], who="x")
    assert layout.class_names == ("control", "test")


def test_a_folder_of_other_things_is_not_walked_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_OTHERS", 70)
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(60):
            (tmp_path / "set" / name / f"{number}.dat").touch()
    with pytest.raises(DataError, match=r"no images .* among its first 70 files: name the folder of class folders"):
        load_data(str(tmp_path / "set"))
    put(tmp_path / "bare", many("a", 50, 0) | many("b", 50, 100))
    for path in (tmp_path / "bare").rglob("*.png"):
        path.rename(path.with_suffix(""))
    assert len(load_data(f"{tmp_path / 'bare'}:train")) == 80


def test_links_are_followed_at_the_root_alone_and_not_far(tmp_path: Path) -> None:
    far = put(tmp_path / "far", {"cat/0.png": 1, "dog/0.png": 2, "dog/deep/1.png": 3})
    root = put(tmp_path / "set", {"val/cat/0.png": 4, "val/dog/0.png": 5})
    (root / "train").symlink_to(far)
    (root / "val" / "cat" / "out").symlink_to(far)
    listed = list_image_folder(root)
    assert [file.place.relative_to(root).as_posix() for file in listed.files] == [
        "train/cat/0.png", "train/dog/0.png", "val/cat/0.png", "val/dog/0.png",
    ]  # fmt: skip
