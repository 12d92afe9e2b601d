"""A SavedModel's folder is read as bytes before TensorFlow sees it: no links, pipes or endless files among them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelprint.core.errors import ModelError
from modelprint.suspects.foreign.files import MOST_FILES, read_folder, read_one, read_with_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "saved"
    (place / "variables").mkdir(parents=True)
    (place / "assets").mkdir()
    (place / "saved_model.pb").write_bytes(b"graph")
    (place / "variables" / "variables.index").write_bytes(b"index")
    (place / "variables" / "variables.data-00000-of-00001").write_bytes(b"data")
    return place


def test_every_file_is_read_and_covered_by_the_identity(folder: Path) -> None:
    model = read_folder(folder)
    assert model.data == b"graph"
    assert model.outside == {
        "variables/variables.data-00000-of-00001": b"data",
        "variables/variables.index": b"index",
    }
    (folder / "variables" / "variables.index").write_bytes(b"other")
    assert read_folder(folder).identity != model.identity


def linked(name: str, target: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return change


def many(folder: Path) -> None:
    for number in range(MOST_FILES):
        (folder / "assets" / str(number)).touch()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (linked("variables/variables.index", "/etc/passwd"), "'variables/variables.index', which cannot be read"),
        (linked("variables/variables.index", "/dev/zero"), "which cannot be read"),
        (linked("variables/variables.index", "variables.index"), "which cannot be read"),
        (linked("saved_model.pb", "/dev/zero"), "saved_model.pb cannot be read: it is no regular file"),
        (lambda folder: os.mkfifo(folder / "assets" / "pipe"), "'assets/pipe', which cannot be read"),
        (lambda folder: (folder / "saved_model.pb").write_bytes(b""), "saved_model.pb is empty"),
        (lambda folder: (folder / "saved_model.pb").unlink(), "saved_model.pb does not exist"),
        (many, "holds more than 500 files"),
    ],
)
def test_what_leads_elsewhere_or_never_ends_is_refused(change: Callable[[Path], None], what: str, folder: Path) -> None:
    change(folder)
    with pytest.raises(ModelError) as caught:
        read_folder(folder)
    assert what in str(caught.value)


def test_folders_reached_over_a_link_are_not_entered(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("x")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    assert "more/secret" not in read_folder(folder).outside


def test_weights_beside_a_graph(tmp_path: Path) -> None:
    (tmp_path / "m.xml").write_text("<net/>")
    assert read_with_weights(tmp_path / "m.xml").outside == {}
    (tmp_path / "m.bin").write_bytes(b"weights")
    assert read_with_weights(tmp_path / "m.xml").outside == {"m.bin": b"weights"}
    with pytest.raises(ModelError, match="is a directory: name the model file in it"):
        read_one(tmp_path)
