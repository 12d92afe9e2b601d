"""A registry of two owners on digits, and models to scan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from modelprint.attacks import run_attack
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import save_model
from modelprint.ownership.enroll import enroll
from modelprint.schemes.auto import Auto
from modelprint.screening.registry import Registry
from tests.conftest import Digits
from tests.schemes.world import strangers

ALPHA = 0.34
MODELS = 5  # calibration models of each: what two owners need at ALPHA


@dataclass(frozen=True, kw_only=True)
class World:
    """What a scan works on.

    Attributes:
        registry: with "first", by `auto`, of the digits' source, and "second", by `lineage`, of another model.
        models: a folder of suspects: the source itself, a tuned copy, a copy of the second, independent, broken.
    """

    registry: Path
    models: Path


def build(digits: Digits, place: Path) -> World:
    """Enroll both owners, and write the suspects."""
    second = strangers(digits, 1, seed=90)[0]
    calibration = strangers(digits, MODELS, seed=60)
    models = place / "models"
    models.mkdir(parents=True)
    written(digits, digits.source, models / "source.safetensors")
    first_print = enroll(
        models / "source.safetensors",
        digits.queries,
        scheme=Auto(labels="akh", queries=60),
        negatives=calibration,
        from_scratch=True,
    )
    second_print = enroll(second, digits.queries, scheme="lineage", negatives=calibration)
    first_print.save(place / "first.fp")
    second_print.save(place / "second.fp")
    registry = Registry.init(place / "registry")
    registry.add(place / "first.fp", owner="Alice")
    registry.add(place / "second.fp")
    tuned = run_attack("ftal", {"epochs": "1"}, digits.source, digits.spec, digits.attacker, seed=5).model
    written(digits, tuned, models / "tuned.safetensors")
    pruned = run_attack("prune", {"rate": "0.3"}, second, digits.spec, digits.attacker, seed=5).model
    written(digits, pruned, models / "pruned.safetensors")
    written(digits, strangers(digits, 1, seed=24)[0], models / "independent.safetensors")
    (models / "broken.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{not a header}")
    return World(registry=registry.folder, models=models)


def written(digits: Digits, model: nn.Module, path: Path) -> Path:
    """A model's file, with the card that says what it is."""
    assert isinstance(model, Normalized)
    save_model(path, model, digits.trained.card)
    return path
