"""A set of possible ancestors: its coverage by simulation, and the use case on models that are functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelprint.cli.app import run
from modelprint.core.access import Access
from modelprint.core.errors import UsageError
from modelprint.core.suspect import UNANSWERED, Answers, Suspect
from modelprint.ownership.ancestry import Enrolled, inclusion_p_value, provenance_set
from modelprint.ownership.ask import record_answers
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.stats.multiple import holm
from tests.printed import printed

QUERIES, CLASSES, COPIES = 30, 3, 9
COVERAGE = 0.8  # over two models 9 copies of each are just enough
Model = Callable[[np.ndarray], np.ndarray]


def enrolled(seed: int) -> Fingerprint:
    """By AKH; its queries say their number and the seed, its source answers at random, as 19 others do."""
    draw = np.random.default_rng(seed)
    images = np.stack([np.full((1, 2, 2), number, dtype=np.uint8) for number in range(QUERIES)])
    images[:, 0, 1, 1] = seed
    labels = draw.integers(CLASSES, size=QUERIES)
    others = tuple(Answers(labels=draw.integers(CLASSES, size=QUERIES)) for _ in range(19))
    return Fingerprint.bind(
        {
            "scheme": "akh", "parameters": {"queries": QUERIES}, "seed": seed,
            "input": {"channels": 1, "height": 2, "width": 2, "class_names": ["a", "b", "c"]},
            "codec": "uint8-image", "source": f"sha256:{seed:064x}", "source_accuracy": 0.9,
            "data": "sha256:" + "2" * 64, "data_name": "tiny", "report": {},
            "calibration": [{"name": f"m{n}", "identity": f"sha256:{n:064x}"} for n in range(19)],
            "library": "modelprint 0.1.0, torch 2.13.0",
        },
        queries=images,
        true_labels=labels,
        source=Answers(labels=labels),
        state={"group": np.zeros(QUERIES, dtype=np.int64)},
        calibration=others,
    )  # fmt: skip


def made_from(*parents: Fingerprint, seed: int, keeps: float = 0.8) -> Model:
    """A model that repeats most answers of its parents' sources, and gives others at random."""
    draw = np.random.default_rng(seed)
    table = {
        parent.manifest.seed: np.where(
            draw.random(QUERIES) < keeps, parent.source.labels, draw.integers(CLASSES, size=QUERIES)
        )
        for parent in parents
    }
    rest = draw.integers(CLASSES, size=QUERIES)

    def model(images: np.ndarray) -> np.ndarray:
        return np.array([table.get(int(one[0, 1, 1]), rest)[int(one[0, 0, 0])] for one in images])

    return model


def population(*prints: Fingerprint, count: int = COPIES) -> list[Enrolled]:
    return [
        Enrolled(fingerprint=one, copies=[made_from(one, seed=100 * number + copy) for copy in range(count)])
        for number, one in enumerate(prints, 1)
    ]


def test_every_ancestor_is_in_the_set_as_often_as_stated() -> None:
    """Two ancestors of three, whose scores depend on each other as much as they can."""
    draw, left_out, rounds = np.random.default_rng(0), 0, 4000
    for _ in range(rounds):
        copies = draw.normal(size=(3, 29))
        own = draw.normal()
        p_values = np.array([inclusion_p_value(own, copies[0]), inclusion_p_value(own, copies[1]), 0.01])
        left_out += bool((holm(p_values)[:2] <= 0.1).any())
    assert left_out / rounds <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / rounds)
    assert left_out > 0


def test_the_parent_stays_and_the_stranger_goes() -> None:
    one, other = enrolled(1), enrolled(2)
    found = provenance_set(made_from(one, seed=7), population(one, other), coverage=COVERAGE)
    assert [model.included for model in found.models] == [True, False]
    assert [model.verdict for model in found.models] == ["derived", "not-shown"]
    assert found.models[1].p_value == 1 / (COPIES + 1)
    assert f"may be made from 1 of 2 models: {one.identity}" in found.message
    assert "less like it than copies of it are (p = 0.1 among 9 copies)" in found.models[1].message


def test_both_parents_of_a_mixture_are_in_the_set() -> None:
    one, other = enrolled(1), enrolled(2)
    found = provenance_set(made_from(one, other, seed=7), population(one, other), coverage=COVERAGE)
    assert [model.included for model in found.models] == [True, True]
    assert found.included == found.models


def test_a_model_of_its_own_has_no_ancestor_here() -> None:
    one, other = enrolled(1), enrolled(2)
    found = provenance_set(made_from(seed=8), population(one, other), coverage=COVERAGE)
    assert not found.included
    assert found.message.startswith("made from none of the 2 models")


def test_too_few_copies_leave_nobody_out() -> None:
    one, other = enrolled(1), enrolled(2)
    found = provenance_set(made_from(seed=8), population(one, other, count=8), coverage=COVERAGE)
    assert all(model.included for model in found.models)
    assert "by 8 copies: a coverage of 0.8 over 2 models needs at least 9" in found.models[0].message


class Reticent(Suspect):
    """Leaves the first three queries unanswered."""

    identity = "reticent"
    access = Access.LABELS

    def __init__(self, model: Model) -> None:
        self.model = model

    def _ask(self, inputs: np.ndarray, access: Access) -> Answers:
        return Answers(labels=np.where(inputs[:, 0, 0, 0] < 3, UNANSWERED, self.model(inputs)))


def test_silence_leaves_no_model_out() -> None:
    one, other = enrolled(1), enrolled(2)
    found = provenance_set(Reticent(made_from(seed=8)), population(one, other), coverage=COVERAGE)
    assert all(model.included for model in found.models)
    assert all(model.p_value is None for model in found.models)
    assert "left queries unanswered" in found.models[0].message


def test_what_makes_no_sense_is_refused() -> None:
    one = enrolled(1)
    with pytest.raises(UsageError, match="no fingerprint"):
        provenance_set(made_from(seed=1), [])
    with pytest.raises(UsageError, match="coverage must lie between 0 and 1, got 1"):
        provenance_set(made_from(seed=1), population(one), coverage=1)
    with pytest.raises(UsageError, match="named twice"):
        provenance_set(made_from(seed=1), population(one, one))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A fingerprint, recorded answers of a suspect, and a folder of those of copies."""
    one = enrolled(1)
    one.save(tmp_path / "one.fp")
    (tmp_path / "copies").mkdir()
    for copy in range(4):
        record_answers(one, made_from(one, seed=copy), out=tmp_path / "copies" / f"{copy}.jsonl")
    record_answers(one, made_from(one, seed=7), out=tmp_path / "suspect.jsonl")
    return tmp_path


def test_the_command_reads_folders_of_copies(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["ancestors", str(folders / "suspect.jsonl"), str(folders / "one.fp"), "--coverage", "0.8"]
    assert run([*command, "--copies", str(folders / "copies"), "--format", "json"]) == 0
    shown = printed("ancestors", capsys.readouterr().out)
    assert [(one["copies"], one["included"], one["verdict"]) for one in shown["models"]] == [(4, True, "derived")]
    assert shown["coverage"] == 0.8
    assert run([*command, "--copies", str(folders / "copies")]) == 0
    table = capsys.readouterr().out
    assert "may be made from 1 of 1 models" in table
    assert "answers like models made from it" in table
    assert run([*command, "--copies", str(folders / "copies"), "--copies", str(folders / "copies")]) == 2
    assert "1 fingerprints and 2 folders of copies" in capsys.readouterr().err
