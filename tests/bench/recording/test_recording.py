"""Answer tables of a folder of differently saved models: who stands in them, as what, and what is said of the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from modelprint.bench.recording import hearing, read_table_file, record_population
from modelprint.bench.recording.table_file import read_labels, read_scores
from modelprint.cli.app import main
from modelprint.core.access import Access
from modelprint.core.errors import DataError, ModelError
from modelprint.nn.files import save_model
from modelprint.nn.loading import of_module
from modelprint.training.loop import predict
from tests.bench.recording.conftest import UNKNOWN_FORMAT, Population, questions
from tests.conftest import Digits
from tests.printed import printed as as_described


def test_each_model_counts_once_and_every_file_is_named(population: Population) -> None:
    table = population.table
    assert [model.id for model in table.models] == [
        "a.safetensors", "b-tuned.safetensors", "b.safetensors", "c-noisy.pth", "c.pth", "d.jsonl",
    ]  # fmt: skip
    assert {(one.id, one.of, one.by) for one in table.duplicates} == {
        ("a-half.pt", "a.safetensors", "weights"),
        ("a.onnx", "a.safetensors", "scores"),
        ("b-again.safetensors", "b.safetensors", "file"),
        ("d-again.npz", "d.jsonl", "labels"),
    }
    named = {one.id for part in (table.models, table.duplicates, table.unread) for one in part}
    models = {path.name for path in population.folder.iterdir() if path.suffix not in (".md", ".csv", "")}
    assert named == models - {"models.toml"}
    assert population.said[0] == "no model lies at the top of runs: name files deeper down in a list"


def test_families_are_those_of_cards_and_of_weights(population: Population) -> None:
    families = {model.id: (model.family, model.made_from) for model in population.table.models}
    assert families == {
        "a.safetensors": ("a.safetensors", None),
        "b.safetensors": ("b.safetensors", None),
        "b-tuned.safetensors": ("b.safetensors", "b.safetensors"),  # its card names b
        "c.pth": ("c.pth", None),
        "c-noisy.pth": ("c.pth", None),  # nobody says so
        "d.jsonl": ("d.jsonl", None),
    }
    joined = {model.id: model.joined_by for model in population.table.models if model.joined_by}
    assert list(joined) == ["c-noisy.pth"]
    assert joined["c-noisy.pth"].startswith("weights, 0.05")
    assert json.loads((population.place / "families.json").read_text()) == population.table.parents


def test_licence_and_origin_are_kept_or_said_to_be_unknown(population: Population) -> None:
    said = {model.id: (model.licence, model.origin, model.kind) for model in population.table.models}
    assert said["a.safetensors"] == ("mit", None, None)  # of a.md
    assert said["b.safetensors"] == ("ours", None, None)  # of README.md
    assert said["d.jsonl"] == ("CC-BY-4.0", "https://api.example.com/terms", "OTHER")  # of models.toml
    assert all(one.licence is not None for one in population.table.duplicates)
    assert all(len(model.sha256) == 71 for model in population.table.models)


def test_answers_are_those_of_the_models_and_no_weights_are_stored(population: Population, digits: Digits) -> None:
    assert read_table_file(population.place) == population.table
    labels, scores = read_labels(population.place), read_scores(population.place)
    logits = predict(digits.strangers[1], torch.from_numpy(questions(digits).stored)).numpy()
    assert (labels["c.pth"] == logits.argmax(1)).all()
    np.testing.assert_allclose(scores["c.pth"], logits, atol=1e-5)
    assert (labels.pop("ground_truth") == questions(digits).labels).all()
    assert set(labels) == {model.id for model in population.table.models} == set(scores) | {"d.jsonl"}
    files = {path.name: path.stat().st_size for path in population.place.iterdir()}
    assert set(files) == {"table.json", "answers.npz", "families.json", "scores.safetensors"}
    assert files["scores.safetensors"] < 5 * 4 * 10 * len(questions(digits)) + 1000
    assert not list(population.place.parent.glob(".*"))  # nothing unfinished is left


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("e-cut.pth", "it is truncated, or of another format"),
        ("e-nan.pt", "holds NaN or infinite values"),
        ("e-overflows.pt", "e-overflows.pt gave NaN or infinite outputs for "),
        ("e-five.safetensors", "classes differ: 5 by the metadata of e-five.safetensors, 10 by the data"),
        ("e-untrained.pt", "no better than chance"),
        ("e-other.safetensors", "does not fit architecture cnn"),
        ("e-spec.toml", "e-spec.toml is not a model's spec file: weights"),
        (UNKNOWN_FORMAT, f"{UNKNOWN_FORMAT} is a Core ML model, which is not read"),
    ],
)
def test_what_cannot_be_recorded_is_a_row_with_its_error(population: Population, name: str, why: str) -> None:
    (row,) = [one for one in population.table.unread if one.id == name]
    assert why in row.error
    assert str(population.folder) not in row.error
    assert "\n" not in row.error


@pytest.fixture
def few(digits: Digits, tmp_path: Path) -> Path:
    folder = tmp_path / "few"
    folder.mkdir()
    card = digits.trained.card.model_copy(update={"recipe": {}})
    for number, module in enumerate(digits.strangers):
        save_model(folder / f"{number}.safetensors", module, card)
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that are asked."""
    names: list[str] = []
    ask: Callable[..., Mapping[str, np.ndarray]] = hearing._asked

    def counted(one: hearing.FolderModel, *rest: object) -> Mapping[str, np.ndarray]:
        names.append(one.name)
        return ask(one, *rest)

    monkeypatch.setattr(hearing, "_asked", counted)
    return names


def test_a_run_that_was_cut_off_goes_on_and_a_table_grows(
    digits: Digits, few: Path, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    opened = hearing.open_folder_model

    def interrupted(one: hearing.FolderModel, *rest: object, **options: object) -> object:
        if one.name == "2.safetensors":
            raise KeyboardInterrupt
        return opened(one, *rest, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(hearing, "open_folder_model", interrupted)
        with pytest.raises(KeyboardInterrupt):
            record_population(few, digits.queries, tmp_path / "table", notice=said.append)
    assert "the same command goes on from there" in said[-1]
    assert not (tmp_path / "table").exists()
    resumed = record_population(few, digits.queries, tmp_path / "table")
    assert asked == ["0.safetensors", "1.safetensors", "2.safetensors"]
    whole = record_population(few, digits.queries, tmp_path / "other")
    assert whole.models == resumed.models
    for name in ("answers.npz", "families.json", "scores.safetensors"):
        assert (tmp_path / "table" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    asked.clear()
    save_model(few / "3.safetensors", digits.source, digits.trained.card)
    grown = record_population(few, digits.queries, tmp_path / "table")
    assert asked == ["3.safetensors"]
    assert [model.id for model in grown.models] == [f"{number}.safetensors" for number in range(4)]


def test_labels_alone_where_scores_are_not_wanted(digits: Digits, few: Path, tmp_path: Path) -> None:
    table = record_population(few, digits.queries, tmp_path / "table", access=Access.LABELS)
    assert {model.access for model in table.models} == {"labels"}
    assert read_scores(tmp_path / "table") == {}


def test_a_list_names_files_anywhere(digits: Digits, few: Path, tmp_path: Path) -> None:
    deeper = few / "runs" / "best"
    deeper.mkdir(parents=True)
    (few / "0.safetensors").rename(deeper / "1.safetensors")
    listing = tmp_path / "models.txt"
    listing.write_text("# of two runs\nfew/1.safetensors\nfew/runs/best/1.safetensors\n\nfew/absent.onnx\n")
    table = record_population(listing, digits.queries, tmp_path / "table")
    assert [model.id for model in table.models] == ["best/1.safetensors", "few/1.safetensors"]
    (row,) = table.unread
    assert row.id == "absent.onnx"
    assert "does not exist: paths start at the list's folder" in row.error


def test_classes_by_name_stand_in_the_order_of_the_data(digits: Digits) -> None:
    names = tuple(f"number {name}" for name in "abcdefghij")
    data = replace(digits.queries, class_names=names, numbering="names")
    loaded = replace(of_module(digits.source), class_names=tuple(reversed(names)))
    order = hearing._class_order(loaded, data)
    assert order is not None
    assert order.tolist() == list(range(9, -1, -1))
    assert hearing._class_order(replace(loaded, class_names=names), data) is None
    with pytest.raises(DataError, match=r"its files name other classes \('cat' \.\.\.\)"):
        hearing._class_order(replace(loaded, class_names=("cat", *names[1:])), data)


def test_bad_places_end_in_one_line(digits: Digits, few: Path, population: Population, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "text.json").write_text("{}")
    for place, message in (
        (tmp_path / "empty", "holds no models: put model files"),
        (tmp_path / "absent", "is neither a folder nor a list"),
        (tmp_path / "empty.txt", "names no model: write one path a line"),
        (tmp_path / "text.json", "is neither a folder nor a list"),
    ):
        with pytest.raises((ModelError, DataError), match=message):
            record_population(place, digits.queries, tmp_path / "table")
    with pytest.raises(DataError, match=r"is a table of the answers to digits:noisy, not to digits:holdout"):
        record_population(few, digits.attacker.take(slice(0, 50), name="digits:holdout"), population.place)
    only = tmp_path / "only"
    only.mkdir()
    (only / "m.mlmodel").write_bytes(b"\x08\x01")
    with pytest.raises(DataError, match=r"no model of .* could be recorded: m.mlmodel: m.mlmodel is a Core ML model"):
        record_population(only, digits.queries, tmp_path / "table")


def test_a_table_of_a_newer_version_is_said_to_be_one(few: Path, digits: Digits, tmp_path: Path) -> None:
    place = tmp_path / "table"
    record_population(few, digits.queries, place)
    fields = json.loads((place / "table.json").read_text())
    (place / "table.json").write_text(json.dumps({**fields, "schema_version": 2, "more": 1}))
    with pytest.raises(DataError, match="is an answer table of version 2, this modelprint reads up to version 1"):
        read_table_file(place)
    for broken, message in (({**fields, "models": 3}, "is no answer table"), ([], "is no answer table")):
        (place / "table.json").write_text(json.dumps(broken))
        with pytest.raises(DataError, match=message):
            read_table_file(place)
    (place / "table.json").write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        read_table_file(place)


def test_the_command_shows_who_stands_in_the_table(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (few / "0-again.safetensors").write_bytes((few / "0.safetensors").read_bytes())
    (few / "m.mlmodel").write_bytes(b"\x08\x01")
    words = ["bench", "record", str(few), "--data", "digits:queries", "--out", str(tmp_path / "table")]
    with pytest.raises(SystemExit, match="0"):
        main(words)
    shown = capsys.readouterr()
    assert "digits:queries: 3 models, 150 inputs, 3 families" in shown.out
    assert "1 are one of these, saved again" in shown.out
    assert "0-again.safetensors" in shown.out
    assert "m.mlmodel is a Core ML model" in shown.out
    assert "holds the answers of 3 models to 150 images" in shown.err
    with pytest.raises(SystemExit, match="0"):
        main([*words, "--format", "json"])
    described = as_described("bench-record", capsys.readouterr().out)
    assert described == json.loads((tmp_path / "table" / "table.json").read_text())
