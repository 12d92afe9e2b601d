"""Pipes, links in a circle and nests of brackets where a file is expected: an error at once, in every reader."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelprint.cli.app import run
from modelprint.core.errors import ModelError, ModelprintError
from modelprint.core.records import Record
from modelprint.core.toml_files import read_toml
from modelprint.nn.models_file import read_models_file
from modelprint.nn.places import model_files
from modelprint.nn.weight_files import read_weights
from modelprint.ownership.seal import read_file
from modelprint.results.files import read_results
from modelprint.sealing.container import read
from modelprint.sealing.keys import read_private, read_public
from modelprint.suspects.mapping import read_mapping

READERS: dict[str, Callable[[Path], object]] = {
    "a bundle": read,
    "a private key": read_private,
    "a public key": read_public,
    "a commitment": read_file,
}


@pytest.mark.parametrize("what", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_never_ends_is_not_read(tmp_path: Path, what: str, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ModelprintError, match="cannot be read"):
        READERS[what](path)


class Nothing(Record):
    """No fields."""


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "9" * 100_000])
def test_toml_that_no_parser_takes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ModelprintError, match=r"x\.toml is not TOML"):
        read_toml(path, Nothing)
    with pytest.raises(ModelprintError, match=r"x\.toml is not TOML"):
        read_mapping(path)


def test_results_that_no_parser_takes(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ModelprintError, match=r"r\.json does not hold results"):
        read_results(path)


def test_a_folder_s_models_toml_is_a_file_or_absent(tmp_path: Path) -> None:
    assert read_models_file(tmp_path).models == {}
    os.mkfifo(tmp_path / "models.toml")
    with pytest.raises(ModelError, match="cannot be read"):
        read_models_file(tmp_path)


def test_links_in_a_circle_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to("round")
    assert model_files(tmp_path, empty=True) == []


@pytest.mark.parametrize("name", [1, None, ["a"], True])
def test_an_index_of_shards_that_are_no_names(tmp_path: Path, name: object) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ModelError, match=r"no shard beside it|no index of shards"):
        read_weights(path)


def test_a_name_that_the_system_refuses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "x" * 100_000]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: File name too long")
    assert len(said.err.splitlines()) == 1
    assert len(said.err) < 1100
