"""Each way of saving a model is judged rightly, for a copy and for an independent model, or refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from modelprint.core.errors import ModelprintError
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.verify import verify
from modelprint.suspects.options import SuspectOptions
from modelprint.training.train import default_recipe, spec_for, train_model
from tests.formats.ways import WAYS, Way

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries that save
JUDGED = [way for way in WAYS if way.refused is None]
REFUSED = [way for way in WAYS if way.refused is not None]


@dataclass(frozen=True, kw_only=True)
class World:
    """A source with its fingerprint, and an independent model of the same architecture, data and recipe."""

    source: Normalized
    independent: Normalized
    fingerprint: Fingerprint


@pytest.fixture(scope="module")
def world() -> World:
    """Calibrated on twenty models of the same kind as the independent one."""
    owner = load_data("digits:owner")
    spec, recipe = spec_for(owner, "cnn", {"width": 8}), default_recipe(owner, epochs=6)
    source, independent, *others = (train_model(owner, spec, recipe, seed=seed).model for seed in range(22))
    fingerprint = enroll(source, load_data("digits:queries"), scheme="akh", negatives=others)
    return World(source=source, independent=independent, fingerprint=fingerprint)


def judged(way: Way, folder: Path, model: Normalized, fingerprint: Fingerprint) -> tuple[str, str]:
    """The verdict, and what it says."""
    for package in way.needs:
        if find_spec(package) is None:
            pytest.skip(f"needs {package}")
    path = way.make(folder, model)
    verdict = verify(fingerprint, path, options=SuspectOptions(model=way.options))
    return verdict.verdict, verdict.message


@pytest.mark.parametrize("way", JUDGED, ids=lambda way: way.name)
def test_a_copy_is_derived_and_an_independent_model_is_not(way: Way, world: World, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "other").mkdir()
    verdict, notes = judged(way, tmp_path / "copy", world.source, world.fingerprint)
    assert verdict == "derived"
    assert way.says in notes
    verdict, _ = judged(way, tmp_path / "other", world.independent, world.fingerprint)
    assert verdict == "not-shown"


@pytest.mark.parametrize("way", REFUSED, ids=lambda way: way.name)
def test_what_cannot_be_read_is_refused_in_one_line_with_the_way_round(way: Way, world: World, tmp_path: Path) -> None:
    assert way.refused is not None
    with pytest.raises(ModelprintError) as caught:
        judged(way, tmp_path, world.source, world.fingerprint)
    message = str(caught.value)
    assert re.search(way.refused, message), message
    assert "\n" not in message


def test_there_are_more_than_forty_ways_and_each_has_its_name() -> None:
    assert len(JUDGED) >= 40
    assert len({way.name for way in WAYS}) == len(WAYS) >= 60
