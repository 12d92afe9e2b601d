"""The fashion zoo in the repository: whole, small, by its recipes, and as large as every later comparison needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprint import zoo
from modelprint.core.identity import digest_file
from modelprint.zoo.population import ZooModel
from modelprint.zoo.recipes import made_by

FOLDER = Path(__file__).parents[2] / "benchmarks" / "zoo" / "fashion"
LARGEST, ALTOGETHER = 200_000, 40_000_000


@pytest.fixture(scope="module")
def models() -> list[ZooModel]:
    return zoo.load("fashion", folder=FOLDER)


def test_every_planned_model_is_there_and_nothing_else(models: list[ZooModel]) -> None:
    plan = zoo.plan_of("fashion")
    assert {model.id for model in models} == {entry.id for entry in plan.entries}
    assert {path.name for path in FOLDER.iterdir()} == {entry.file for entry in plan.entries} | {"zoo.json"}


def test_files_are_small_unchanged_and_made_by_their_recipes(models: list[ZooModel]) -> None:
    sizes = [model.path.stat().st_size for model in models]
    assert max(sizes) <= LARGEST
    assert sum(sizes) <= ALTOGETHER
    for model in models:
        assert digest_file(model.path) == model.row.sha256
    for model in models[::10]:
        card = model.load().card
        assert card is not None
        assert made_by(card, model.entry.recipe)


def test_it_is_the_population_that_schemes_are_judged_on(models: list[ZooModel]) -> None:
    sources = [model for model in models if model.role == "source"]
    assert len(sources) == 3
    assert min(model.accuracy for model in sources) >= 0.89
    test = [model for model in models if model.part == "test"]
    derived = [model for model in test if model.role == "derived"]
    assert len(derived) >= 60
    assert min(sum(model.source == source.id for model in derived) for source in sources) >= 20
    assert {model.family for model in derived} >= {
        "fine-tuning", "pruning", "adversarial", "quantisation", "noise", "permutation", "removal", "transfer",
        "extraction", "chain",
    }  # fmt: skip
    independent = [model for model in test if model.role == "independent"]
    calibration = [model for model in models if model.part == "calibration" and model.role == "independent"]
    for group, least in ((independent, 100), (calibration, 99)):
        assert len(group) >= least
        kinds = [model.kind for model in group]
        assert kinds.count("SAST") >= (len(group) - kinds.count("SHARED")) / 2
        assert kinds.count("SHARED") >= 10
        assert set(kinds) == {"SAST", "SADT", "DAST", "DADT", "SHARED"}
    victims = [model.source for model in models if model.part == "calibration" and model.role == "derived"]
    assert len(set(victims)) == len(victims) == 40  # stolen from 40 strangers: innocents whom a scheme must not accuse
    shadow = [model for model in models if model.part == "shadow"]
    for source in sources:
        assert sum(model.source == source.id for model in shadow) >= 8
    assert sum(model.role == "independent" for model in shadow) >= 8
    mean = sum(model.accuracy for model in sources) / len(sources)
    assert all(abs(model.accuracy - mean) <= 0.03 for model in models if model.role == "independent")
