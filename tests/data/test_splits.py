"""Parts of a set: disjoint, covering, and the same for everybody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modelprint.core.errors import DataError
from modelprint.data.labelled import LabelledSet, shared_inputs
from modelprint.data.splits import (
    SPLITS,
    fixed_order,
    load_data,
    load_raw,
    parse_reference,
    part_sizes,
    split_sizes,
)


def numbered(path: Path, *, train: int, test: int, classes: int = 4) -> str:
    """An npz whose n-th image (test images after training ones) holds n in its first two pixels."""

    def images(numbers: np.ndarray) -> np.ndarray:
        made = np.zeros((len(numbers), 3, 3), np.uint8)
        made[:, 0, 0], made[:, 0, 1] = numbers // 256, numbers % 256
        return made

    every = np.arange(train + test)
    parts = {"x_train": images(every[:train]), "y_train": every[:train] % classes}
    if test:
        parts |= {"x_test": images(every[train:]), "y_test": every[train:] % classes}
    np.savez(path, **parts)
    return str(path)


def numbers(part: LabelledSet) -> list[int]:
    return [int(image[0, 0, 0]) * 256 + int(image[0, 0, 1]) for image in part.stored]


@pytest.mark.parametrize(("train", "test"), [(60, 0), (61, 13), (600, 100), (13, 500)])
def test_the_splits_of_any_set_are_disjoint_and_cover_it(train, test, tmp_path):
    name = numbered(tmp_path / "set.npz", train=train, test=test)
    parts = [load_data(f"{name}:{split}") for split in SPLITS]
    together = [number for part in parts for number in numbers(part)]
    assert sorted(together) == list(range(train + test))
    for part in parts:
        assert part.labels.tolist() == [number % 4 for number in numbers(part)]


@pytest.mark.parametrize(("train", "test"), [(60, 0), (61, 13)])
def test_the_standard_parts_are_disjoint_and_cover_it(train, test, tmp_path):
    name = numbered(tmp_path / "set.npz", train=train, test=test)
    first, second = numbers(load_data(f"{name}:train")), numbers(load_data(f"{name}:test"))
    assert sorted(first + second) == list(range(train + test))
    if test:
        assert sorted(first) == list(range(train))
    else:
        assert len(second) == train // 5
        assert np.bincount(load_data(f"{name}:test").labels).tolist() == [3, 3, 3, 3]


@given(st.integers(12, 10_000))
def test_the_sizes_of_the_splits_add_up(count):
    sizes = split_sizes("anything", count)
    assert tuple(sizes) == SPLITS
    assert sum(sizes.values()) == count
    assert min(sizes.values()) >= 1


@given(st.integers(0, 3000), st.integers(0, 5))
def test_an_order_is_a_permutation_and_always_the_same(count, salt):
    order = fixed_order(count, salt=salt)
    assert np.array_equal(np.sort(order), np.arange(count))
    assert np.array_equal(order, fixed_order(count, salt=salt))


def test_an_order_does_not_touch_the_global_generator():
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    fixed_order(10)
    assert np.random.rand() == expected


@given(st.data())
def test_a_slice_is_that_part_of_the_whole(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "sliced.npz"
    name = str(path) if path.exists() else numbered(path, train=60, test=20)
    split = data.draw(st.sampled_from(["train", "test", *SPLITS]))
    whole = load_data(f"{name}:{split}")
    start, stop = sorted(data.draw(st.lists(st.integers(0, len(whole)), min_size=2, max_size=2, unique=True)))
    part = load_data(f"{name}:{split}[{start}:{stop}]")
    assert numbers(part) == numbers(whole)[start:stop]
    assert part.labels.tolist() == whole.labels.tolist()[start:stop]
    assert part.name == f"{name}:{split}[{start}:{stop}]"


@pytest.mark.parametrize(
    ("reference", "parsed"),
    [
        ("digits", ("digits", "train", None, None)),
        ("digits:test", ("digits", "test", None, None)),
        ("cifar10:train[0:20000]", ("cifar10", "train", 0, 20000)),
        ("a.npz:owner[:5]", ("a.npz", "owner", None, 5)),
        ("photos/cats and dogs[7:]", ("photos/cats and dogs", "train", 7, None)),
        ("C:\\photos:test", ("C:\\photos", "test", None, None)),
    ],
)
def test_references_are_read(reference, parsed):
    assert parse_reference(reference) == parsed


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (":owners", "unknown split, use train, test, owner, stranger"),
        (":test[0:21]", r"\[0:21\] is not a part of the 20 images"),
        (":test[5:5]", r"\[5:5\] is not a part"),
        ("[30:20]", r"\[30:20\] is not a part of the 60 images"),
    ],
)
def test_parts_that_are_not_there_are_refused(part, what, tmp_path):
    with pytest.raises(DataError, match=what):
        load_data(numbered(tmp_path / "set.npz", train=60, test=20) + part)


@pytest.mark.parametrize("reference", ["", "mnist", "no/such/folder", "weights.safetensors"])
def test_what_is_no_data_set_is_refused(reference):
    with pytest.raises(DataError, match=r"is no data set: use digits, fashion-mnist, cifar10|is not NAME"):
        load_data(reference)


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"images": np.zeros((2, 4, 4), np.uint8)}, "expected Keras' layout, x_train, y_train"),
        ({"x_train": np.zeros((2, 4, 4), np.uint8), "y_train": np.zeros(2)}, "labels must be class numbers"),
        ({"x_train": np.zeros((2, 4, 4), np.uint8), "y_train": np.array([0, 1, 2])}, "images but 3 labels"),
        ({"x_train": np.zeros((2, 4, 4), np.uint8), "y_train": np.array([-1, 1])}, "labels run from -1 to 1"),
        ({"x_train": np.full((2, 4, 4), 2.0), "y_train": np.array([0, 1])}, "expected inputs in"),
    ],
)
def test_npz_files_with_mistakes_are_refused(arrays, what, tmp_path):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(DataError, match=what):
        load_data(f"{tmp_path}/set.npz:train[0:2]")


def test_class_names_and_column_labels_of_an_npz(tmp_path):
    images = np.zeros((30, 4, 4, 3), np.uint8)
    labels = np.arange(30)[:, None] % 2
    np.savez(tmp_path / "set.npz", x_train=images, y_train=labels, class_names=["cat", "dog"])
    part = load_data(f"{tmp_path}/set.npz")
    assert part.class_names == ("cat", "dog")
    assert part.labels.shape == (24,)
    assert part.shape == (3, 4, 4)


def test_a_folder_of_images_has_splits_like_any_set(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(30):
            Image.new("L", (4, 4), number + (100 if label == "dog" else 0)).save(tmp_path / label / f"{number}.png")
    parts = [load_data(f"{tmp_path}:{split}") for split in SPLITS]
    levels = [int(image[0, 0, 0]) for part in parts for image in part.stored]
    assert sorted(levels) == [*range(30), *range(100, 130)]
    for part in parts:
        assert [level >= 100 for level in part.stored[:, 0, 0, 0].tolist()] == [bool(v) for v in part.labels]


def test_images_that_two_sets_share_are_counted(tmp_path):
    name = numbered(tmp_path / "set.npz", train=60, test=20)
    assert shared_inputs(load_data(f"{name}:train[0:30]"), load_data(f"{name}:train[20:50]")) == 10
    assert shared_inputs(load_data(f"{name}:owner"), load_data(f"{name}:queries")) == 0
    assert shared_inputs(load_data(f"{name}:train"), load_data("digits:train")) == 0


def test_a_set_is_identified_by_images_and_labels(tmp_path):
    whole = load_data(numbered(tmp_path / "set.npz", train=60, test=20))
    assert whole.take(slice(0, 60)).identity == whole.identity
    assert whole.take(slice(0, 59)).identity != whole.identity
    assert whole.take(np.arange(59, -1, -1)).identity != whole.identity


@pytest.mark.parametrize(
    ("images", "labels", "what"),
    [
        (np.zeros((2, 4, 4), np.uint8), [0, 1], r"expected uint8 \(n, c, h, w\)"),
        (np.zeros((2, 1, 4, 4), np.float32), [0, 1], "got float32"),
        (np.zeros((2, 1, 4, 4), np.uint8), [0, 2], "labels run from 0 to 2, expected 0 to 1"),
    ],
)
def test_a_set_that_cannot_be_is_refused(images, labels, what):
    with pytest.raises(DataError, match=what):
        LabelledSet(name="x", stored=images, labels=np.array(labels), class_names=("a", "b"))


def test_digits_have_their_standard_parts():
    train, test = load_data("digits:train"), load_data("digits:test")
    assert (len(train), len(test), train.shape, train.classes) == (1297, 500, (1, 8, 8), 10)
    assert train.stored.max() == 255
    raw = load_raw("digits")
    assert np.array_equal(np.bincount(train.labels) + np.bincount(test.labels), np.bincount(raw.train_labels))
    shares = np.bincount(test.labels) / np.bincount(raw.train_labels)
    assert np.abs(shares - 500 / 1797).max() < 0.01
    assert len({image.tobytes() for image in np.concatenate([train.stored, test.stored])}) == 1797


def test_the_splits_of_digits_share_no_image():
    parts = [load_data(f"digits:{split}") for split in SPLITS]
    assert [len(part) for part in parts] == [600, 600, 297, 150, 150]
    for number, part in enumerate(parts):
        for other in parts[number + 1 :]:
            assert shared_inputs(part, other) == 0


def test_sizes_of_parts_are_those_of_the_parts(tmp_path: Path) -> None:
    name = numbered(tmp_path / "set.npz", train=30, test=10)
    sizes = part_sizes(name)
    assert sizes == {split: len(load_data(f"{name}:{split}")) for split in ("train", "test", *SPLITS)}


def test_a_set_too_small_for_some_part_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from modelprint.cli.app import run

    name = numbered(tmp_path / "set.npz", train=3, test=0)
    assert part_sizes(name)["test"] == 0
    assert run(["data", name]) == 0
    assert "test 0" in capsys.readouterr().out
