"""Lists of classes, and labels of npz files as names, numbers and one-hot rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprint.core.errors import DataError
from modelprint.data.class_lists import read_class_list
from modelprint.data.splits import load_data, load_raw

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 3, 4), dtype=np.uint8)
LABELS = np.arange(30) % 3
NAMES = np.array(["dog", "cat", "eel"])[LABELS]  # sorted: cat, dog, eel


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cat\ndog\ncat\n", "has 'cat' twice"),
        ("cat\n", "has 1 classes: expected 2 to"),
        ("", "has 0 classes"),
        ('["cat", 3]', "expected a list of names"),
        ('{"0": "cat", "2": "dog"}', "its numbers are not 0 to 1"),
        ('{"cat": 0}', "expected numbers as keys"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_lists_that_make_no_sense_are_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "classes").write_text(text)
    with pytest.raises(DataError, match=reason):
        read_class_list(str(tmp_path / "classes"))


def test_a_number_is_a_list_of_numbers() -> None:
    assert read_class_list("3") == ("0", "1", "2")
    with pytest.raises(DataError, match="expected 2 to 100,000, or a file"):
        read_class_list("1")
    with pytest.raises(DataError, match="the list of classes absent cannot be read"):
        read_class_list("absent")


@pytest.mark.parametrize(
    "labels",
    [NAMES, NAMES.astype("S3"), NAMES[:, None]],
    ids=["text", "bytes", "column"],
)
def test_names_as_labels(labels: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x_train=IMAGES, y_train=labels, x_test=IMAGES[:6], y_test=labels[:6])
    raw = load_raw(str(tmp_path / "set.npz"))
    assert raw.class_names == ("cat", "dog", "eel")
    assert raw.train_labels.tolist() == [1, 0, 2] * 10
    assert raw.test_labels.tolist() == [1, 0, 2] * 2


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, bool])
def test_one_hot_rows_as_labels(dtype: type, tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x_train=IMAGES, y_train=np.eye(5)[LABELS].astype(dtype))
    assert load_raw(str(tmp_path / "set.npz")).train_labels.tolist() == LABELS.tolist()


def test_rows_that_are_not_one_hot_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x_train=IMAGES, y_train=np.full((30, 3), 1 / 3))
    with pytest.raises(DataError, match="labels must be class numbers, names, or one-hot rows, got float64"):
        load_data(str(tmp_path / "set.npz"))


def test_a_list_says_how_many_classes_there_are_and_in_which_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "numbers.npz", x_train=IMAGES, y_train=LABELS)
    assert load_data(f"{tmp_path / 'numbers.npz'}?classes=10").classes == 10
    with pytest.raises(DataError, match="no class has the number '2': there are 2 classes"):
        load_data(f"{tmp_path / 'numbers.npz'}?classes=2")
    (tmp_path / "classes.txt").write_text("eel\ncat\nnewt\ndog\n")
    np.savez(tmp_path / "named.npz", x_train=IMAGES, y_train=LABELS, class_names=["dog", "cat", "eel"])
    np.savez(tmp_path / "names.npz", x_train=IMAGES, y_train=NAMES)
    for name in ("named", "names"):
        data = load_data(f"{tmp_path / name}.npz?classes={tmp_path / 'classes.txt'}")
        assert data.class_names == ("eel", "cat", "newt", "dog")
        plain = load_data(f"{tmp_path / name}.npz")
        assert [data.class_names[label] for label in data.labels] == [
            plain.class_names[label] for label in plain.labels
        ]


def test_class_names_that_contradict_are_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    np.savez(tmp_path / "set.npz", x_train=IMAGES, y_train=LABELS, class_names=["dog", "cat", "eel"])
    with pytest.raises(DataError, match=r"class_names: no class is called 'eel'; the classes are 'cat', 'dog'"):
        load_data(f"{tmp_path / 'set.npz'}?classes={tmp_path / 'classes.txt'}")
    np.savez(tmp_path / "few.npz", x_train=IMAGES, y_train=LABELS, class_names=["dog", "cat"])
    with pytest.raises(DataError, match="no class has the number '2': there are 2 classes"):
        load_data(str(tmp_path / "few.npz"))
    np.savez(tmp_path / "both.npz", x_train=IMAGES, y_train=NAMES, x_test=IMAGES, y_test=LABELS)
    with pytest.raises(DataError, match="names in one part and numbers in the other"):
        load_data(str(tmp_path / "both.npz"))
