"""Schemes on series: a tuned copy is found, models of their own are not; queries are stored in 16 bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from modelprint.attacks import run_attack
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.files import save_model
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.ownership.ask import record_answers
from modelprint.ownership.enroll import enroll
from modelprint.ownership.export import export_queries
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.negatives import of_module
from modelprint.ownership.verify import examine, verify
from modelprint.report.verdict.cases import Case
from modelprint.report.verdict.render import render_report
from modelprint.training.recipes import TrainRecipe
from modelprint.training.train import spec_for, train_model
from modelprint.zoo.reference_models.shadows import Shadows


@dataclass(frozen=True, kw_only=True)
class World:
    source: LoadedModel
    copies: list[nn.Module]
    references: list[nn.Module]
    independents: list[nn.Module]
    queries: LabelledSet
    owner: LabelledSet


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> World:
    """A dense network on control charts, a tuned copy, and 22 independent models."""
    owner, other = load_data("control-charts:owner"), load_data("control-charts:stranger")
    spec = spec_for(owner, "series-mlp", {"width": 32})
    recipe = TrainRecipe(epochs=6, lr=0.05, batch_size=64, augment="none")
    trained = train_model(owner, spec, recipe, seed=0)
    place = tmp_path_factory.mktemp("series") / "source.safetensors"
    save_model(place, trained.model, trained.card)
    attacker = load_data("control-charts:attacker")
    return World(
        source=load_model(place),
        copies=[
            run_attack("ftal", {"epochs": "3"}, trained.model, spec, attacker, seed=seed).model for seed in (1, 2, 3)
        ],
        references=[train_model(owner, spec, recipe, seed=seed).model for seed in (50, 51)],
        independents=[train_model(other, spec, recipe, seed=seed).model for seed in range(100, 122)],
        queries=load_data("control-charts:queries"),
        owner=owner,
    )


@pytest.mark.parametrize(
    ("scheme", "settings"),
    [
        ("akh", {"queries": "60"}),
        ("sac", {"queries": "60"}),
        ("adv-tra", {"trajectories": "12", "m": "4"}),
        ("ipguard", {"queries": "40", "steps": "200", "k": "2"}),
        ("cort", {"queries": "30", "epsilon": "0.03"}),
        ("modeldiff", {"queries": "60", "rounds": "10"}),
    ],
)
def test_a_copy_is_told_from_models_of_their_own(world: World, tmp_path: Path, scheme: str, settings) -> None:
    made = enroll(
        world.source, world.queries, scheme=scheme, settings=settings, negatives=world.independents[:20],
        train_data=world.owner,
    )  # fmt: skip
    made.save(tmp_path / "fp")
    read = Fingerprint.load(tmp_path / "fp")
    assert read.to_bytes() == made.to_bytes()
    assert read.queries.dtype == np.int16
    assert read.modality == world.queries.modality
    assert verify(read, world.copies[0]).verdict == "derived"
    assert all(verify(read, model).verdict != "derived" for model in world.independents[20:])


def test_auto_uses_weights_and_scores_and_its_report_draws_lines(world: World, tmp_path: Path) -> None:
    made = enroll(
        world.source, world.queries, scheme="auto", negatives=world.independents[:20], train_data=world.owner,
        shadows=Shadows(
            surrogates=tuple(map(of_module, world.copies[1:])), references=tuple(map(of_module, world.references))
        ),
    )  # fmt: skip
    shown = examine(made, world.copies[0])
    assert shown.verdict.verdict == "derived"
    assert {one.access for one in shown.verdict.evidence or ()} == {"weights", "scores", "labels"}
    assert verify(made, world.independents[20]).verdict != "derived"
    case = Case(name="copy", role="suspect", verdict=shown.verdict, answers=shown.answers)
    page = render_report(made, [case], calibration_scores=shown.calibration_scores)
    assert "16-bit series" in page
    assert "60 samples, 1 channel" in page
    assert "data:image/svg+xml;base64," in page


def test_answers_are_recorded_and_queries_exported_as_wav(world: World, tmp_path: Path) -> None:
    made = enroll(
        world.source, world.queries, scheme="akh", settings={"queries": "40"}, negatives=world.independents[:19]
    )
    record_answers(made, world.copies[0], out=tmp_path / "answers.jsonl")
    assert verify(made, str(tmp_path / "answers.jsonl")).score == verify(made, world.copies[0]).score
    export_queries(made, tmp_path / "queries")
    assert (tmp_path / "queries" / "000000.wav").read_bytes()[:4] == b"RIFF"
    assert "000000.wav" in (tmp_path / "queries" / "answers.csv").read_text()


def test_a_callable_gets_the_values_in_their_own_units(world: World) -> None:
    made = enroll(
        world.source, world.queries, scheme="akh", settings={"queries": "40"}, negatives=world.independents[:19]
    )
    seen: list[np.ndarray] = []

    def mine(inputs: np.ndarray) -> np.ndarray:
        seen.append(inputs)
        return np.arange(len(inputs)) % 6

    verify(made, mine)
    handed = {one.tobytes() for one in np.concatenate(seen)}
    assert {one.tobytes() for one in made.modality.as_points(made.queries)} <= handed
