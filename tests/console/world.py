"""A registry of two owners and a few suspects, made in a few seconds of models that were trained for a moment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelprint.attacks import run_attack
from modelprint.data.splits import load_data
from modelprint.nn.files import save_model
from modelprint.ownership.enroll import enroll
from modelprint.schemes.auto import Auto
from modelprint.screening.registry import Registry
from modelprint.training.train import TrainedModel, default_recipe, spec_for, train_model

ALPHA = "0.5"  # what two owners of three calibration models each may be judged by


@dataclass(frozen=True, kw_only=True)
class World:
    """What a console shows.

    Attributes:
        registry: with "first" of Alice, by queries and weights, and "second", by weights alone.
        third: the folder of a fingerprint that is not in the registry.
        models: source, tuned (of the first owner's), independent, broken.
    """

    registry: Path
    third: Path
    models: Path


def build(place: Path) -> World:
    """Enroll the owners, and write the suspects."""
    owner, queries = load_data("digits:owner"), load_data("digits:queries")
    spec, recipe = spec_for(owner, "cnn", {"width": 8}), default_recipe(owner, epochs=4)
    trained = [train_model(owner, spec, recipe, seed=seed) for seed in range(7)]
    source, second, third, independent = trained[:4]
    calibration = [one.model for one in trained[4:]]
    models = place / "models"
    models.mkdir(parents=True)
    tuned = run_attack("prune", {"rate": "0.2"}, source.model, spec, queries, seed=5).model
    _write(source, models / "source.safetensors")
    _write(independent, models / "independent.safetensors")
    save_model(models / "tuned.safetensors", tuned, source.card)
    (models / "broken.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{not a header}")
    registry = Registry.init(place / "registry")
    by_queries = enroll(
        models / "source.safetensors",
        queries,
        scheme=Auto(labels="akh", queries=20),
        negatives=calibration,
        from_scratch=True,
    )
    by_queries.save(place / "first.fp")
    registry.add(place / "first.fp", owner="Alice")
    for name, model in (("second", second), ("third", third)):
        enroll(model.model, queries, scheme="lineage", negatives=calibration).save(place / f"{name}.fp")
    registry.add(place / "second.fp")
    return World(registry=registry.folder, third=place / "third.fp", models=models)


def _write(trained: TrainedModel, path: Path) -> None:
    save_model(path, trained.model, trained.card)
