"""Several tables read as one, and the judge on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprint.bench.answers import judge, read_tables
from modelprint.bench.answers.protocol import split
from modelprint.bench.recording.combining import read_recorded
from modelprint.cli.app import main
from modelprint.core.errors import DataError, UsageError
from tests.bench.recording.synthetic import copy_of, founder, others, table_of, zoo
from tests.printed import printed as as_described


def test_a_model_of_two_tables_counts_once(tmp_path: Path) -> None:
    one, two = founder(1), founder(2)
    first = table_of(tmp_path / "first", {"a": one, "b": two, "a-copy": copy_of(one, 1)}, {"a-copy": "a"})
    again = {"a": one + 1e-5, "c": founder(3), "c-near": copy_of(founder(3), 3, by=1.0), "d": founder(4)}
    second = table_of(tmp_path / "second", again, families={"c-near": "c"}, labels_only=("d",))
    third = table_of(tmp_path / "third", {"d": founder(4), "e": founder(5)}, labels_only=("d",))
    both = read_recorded([first, second, third])
    assert [model.id for model in both.table.models] == ["a", "a-copy", "b", "c", "c-near", "d", "e"]
    assert {(one.id, one.of, one.by) for one in both.table.duplicates} == {
        ("second/a", "a", "scores"),
        ("third/d", "d", "labels"),
    }
    families = {model.id: (model.family, model.made_from) for model in both.table.models}
    assert families["a-copy"] == ("a", "a")
    assert families["c-near"] == ("c", None)
    assert set(both.scores) == set(both.labels) - {"d"}


def test_the_first_of_a_family_may_stand_in_another_table(tmp_path: Path) -> None:
    first = table_of(tmp_path / "first", {"x": founder(1), "b": founder(2)})
    copies = {"a": founder(1), "a-copy": copy_of(founder(1), 1), "a-near": copy_of(founder(1), 2, by=1.0)}
    second = table_of(tmp_path / "second", copies, {"a-copy": "a"}, families={"a-near": "a"})
    table = read_recorded([first, second]).table
    assert {model.id: (model.family, model.made_from) for model in table.models} == {
        "a": ("a", None), "a-copy": ("a", "a"), "a-near": ("a", None), "b": ("b", None),
    }  # fmt: skip


def test_no_family_is_split_whatever_joined_it(tmp_path: Path) -> None:
    logits = {"s": founder(0), "s-copy": copy_of(founder(0), 0), "s-near": copy_of(founder(0), 1, by=1.0)}
    logits |= {f"o{number}": founder(1 + number) for number in range(8)}
    table = read_tables([table_of(tmp_path / "t", logits, {"s-copy": "s"}, families={"s-near": "s"})])
    place = {name: number for number, name in enumerate(table.ids)}
    assert [table.ids[source] for source in table.sources] == ["s"]
    parts = split(table, place["s"], seed=0)
    assert parts.copies.tolist() == [place["s-copy"]]
    judged = np.concatenate([parts.copies, parts.selection, parts.calibration, parts.independent])
    assert set(judged.tolist()) == set(place.values()) - {place["s"], place["s-near"]}


def test_third_party_models_are_independents_of_ones_own_sources(tmp_path: Path) -> None:
    own, theirs = zoo(tmp_path / "own"), others(tmp_path / "theirs")
    with pytest.raises(DataError, match="was made from another: there is no copy to be found"):
        judge(read_tables([theirs]), ["akh"], budget=50)
    results = judge(read_tables([own, theirs]), ["akh", "contrast"], budget=100)
    assert len(results.sources) == 6
    assert all(row.n_independent > 40 for row in results.rows if row.source == "all")
    assert all((row.auc or 0) > 0.9 for row in results.rows if row.source == "all")
    names = {model.model for model in results.suspects if model.role == "independent"}
    assert sum(name.startswith("theirs") for name in names) >= 25


def test_what_does_not_fit_together_ends_in_one_line(tmp_path: Path) -> None:
    own = zoo(tmp_path / "own", families=2, copies=1)
    other = table_of(tmp_path / "other", {"a": founder(1)}, data="digits")
    with pytest.raises(DataError, match=r"holds answers to digits .300 inputs., .*own to made up"):
        read_tables([own, other])
    with pytest.raises(UsageError, match="says itself which model came from which; leave it out"):
        read_tables([own], tmp_path / "families.json")
    with pytest.raises(UsageError, match="say with --families"):
        read_tables([own / "answers.npz"])
    with pytest.raises(UsageError, match="several tables are read as one where each is a folder"):
        read_tables([own, own / "answers.npz"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty.table\.json cannot be read"):
        read_tables([tmp_path / "empty"])
    (own / "scores.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(DataError, match=r"scores\.safetensors cannot be read"):
        read_tables([own])
    (own / "scores.safetensors").unlink()
    with pytest.raises(DataError, match="name different models: record the table again"):
        read_tables([own])


def test_a_table_is_the_two_files_of_before_too(tmp_path: Path) -> None:
    own = zoo(tmp_path / "own")
    whole, parts = read_tables([own]), read_tables([own / "answers.npz"], own / "families.json")
    assert whole.ids == parts.ids
    assert (whole.labels == parts.labels).all()
    assert (whole.founders == parts.founders).all()


def test_the_command_judges_several_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, theirs = zoo(tmp_path / "own"), others(tmp_path / "theirs", count=5)
    with pytest.raises(SystemExit, match="0"):
        main(["bench", "answers", str(own), str(theirs), "--scheme", "akh", "--budget", "60", "--format", "json"])
    results = as_described("bench-answers", capsys.readouterr().out)
    assert results["name"] == "own + theirs"
    assert results["provenance"]["models"] == 29
