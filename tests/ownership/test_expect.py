"""Enrolling for what suspects may do to images: queries survive it, and the fingerprint says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from modelprint import Fingerprint, enroll, verify
from modelprint.core.errors import FingerprintError, UsageError
from modelprint.modalities.image.storage import as_unit
from modelprint.modalities.image.transforms import TRANSFORMS
from modelprint.ownership.craft import craft
from modelprint.schemes import SCHEMES
from modelprint.suspects.evasion import evaded
from modelprint.suspects.local import TorchSuspect
from modelprint.training.loop import predict
from tests.conftest import Digits
from tests.schemes.world import enrolled

SETTINGS = {
    "akh": {},
    "sac": {},
    "fbi": {},
    "adv-tra": {"m": "3", "l": "2"},
    "ipguard": {"k": "0.2", "rate": "0.05", "steps": "40"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_sources_answers_survive(digits: Digits, name: str) -> None:
    scheme = SCHEMES[name]().with_settings({**SETTINGS[name], "expect": "blur,resize"})
    made = craft(scheme, replace(enrolled(digits), budget=40), seed=1)
    assert 1 <= len(made.queries) <= 40
    for transform in ("blur", "resize"):
        seen = TRANSFORMS[transform]()(as_unit(made.queries.stored))
        assert (predict(digits.source, torch.from_numpy(seen)).argmax(1).numpy() == made.source.labels).all()
    told = made.queries.report
    assert (told["expect"], told["crafted"] >= told["stable"] >= len(made.queries)) == ("blur,resize", True)
    assert all(len(column) == len(made.queries) for column in made.queries.columns.values())
    assert scheme.score(made.state, made.source, made.source) >= 0.999


def test_uap_keeps_its_views_whole(digits: Digits) -> None:
    settings = {"epsilon": "0.25", "images": "100", "least_fooling": "0", "steps": "20", "expect": "flip"}
    made = craft(SCHEMES["uap"]().with_settings(settings), replace(enrolled(digits), budget=40), seed=1)
    assert np.bincount(made.queries.group).tolist() == [40]
    assert made.queries.report["expect"] == "flip"


def test_what_is_expected_is_kept_with_the_fingerprint(digits: Digits, tmp_path: Path) -> None:
    made = enroll(digits.source, digits.queries, scheme="akh", budget=30, expect="blur", out=tmp_path / "fp")
    assert Fingerprint.load(tmp_path / "fp").manifest.parameters == {"queries": 100, "expect": "blur"}
    suspect = evaded(TorchSuspect(digits.source, identity="sha256:thief"), "blur")
    assert verify(made, suspect).score == 1.0
    plain = enroll(digits.source, digits.queries, scheme="akh", budget=30)
    assert plain.manifest.parameters == {"queries": 100}
    told = verify(plain, suspect).score
    assert told is not None
    assert told < 1.0


def test_a_transform_that_there_is_not(digits: Digits) -> None:
    with pytest.raises(UsageError, match="unknown transform 'fog': use one of flip"):
        enroll(digits.source, digits.queries, scheme="akh", expect="fog")


def test_nothing_survives(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelprint.ownership.expect.stable", lambda *_, **__: np.zeros(60, bool))
    with pytest.raises(FingerprintError, match="none of 60 queries keeps the source's label behind blur"):
        enroll(digits.source, digits.queries, scheme="akh", budget=30, expect="blur")
