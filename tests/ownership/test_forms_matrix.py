"""Every common way to prepare images, of a copy and of an independent model, as a file, in ONNX, behind an address.

Asked in the right form, or in the one that is proposed, the verdict is right. Asked in the wrong form it is right, too,
or "inconclusive" with the reason and what mends it: never the wrong side, never without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from modelprint.core.convention import Convention
from modelprint.core.verdict import Verdict
from modelprint.data.splits import load_data
from modelprint.modalities.image import IMAGE
from modelprint.nn.options import ModelOptions
from modelprint.ownership.enroll import enroll
from modelprint.ownership.verify import verify
from modelprint.schemes.adv_tra import AdvTra
from modelprint.suspects.options import SuspectOptions
from modelprint.training.train import default_recipe, spec_for, train_model
from tests.ownership.world_of_forms import (
    Suspected,
    World,
    as_options,
    coloured,
    exported,
    file_options,
    onnx_file,
    served,
    weights_file,
)

CONVENTIONS = IMAGE.conventions((3, 8, 8))[0]
PLAIN = CONVENTIONS[0]
ALPHA = 0.25  # three strangers calibrate


@pytest.fixture(scope="module")
def world(one_thread: None) -> World:
    owner, queries = (coloured(load_data(f"digits:{part}")) for part in ("owner", "queries"))
    spec, recipe = spec_for(owner, "cnn", {"width": 8}), default_recipe(owner, epochs=10)
    source, other, *strangers = (train_model(owner, spec, recipe, seed=seed).model for seed in range(5))
    fingerprint = enroll(source, queries, scheme=AdvTra(trajectories=20, m=4), negatives=strangers)
    return World(
        fingerprint=fingerprint,
        suspects=(
            Suspected(name="copy", module=source, verdict="derived"),
            Suspected(name="other", module=other, verdict="not-shown"),
        ),
    )


def asked(world: World, place: str | Path, model: ModelOptions) -> Verdict:
    api: Literal["mlflow", "auto"] = "mlflow" if str(place).startswith("http") else "auto"
    return verify(world.fingerprint, str(place), alpha=ALPHA, options=SuspectOptions(model=model, api=api))


def right_or_none(verdict: Verdict, suspect: Suspected) -> str:
    """The outcome, where it is right or, with a reason, none."""
    assert verdict.form is not None
    if verdict.verdict != "inconclusive":
        assert verdict.verdict == suspect.verdict, verdict.message
    else:
        assert "asked in the wrong form?" in verdict.message
        assert verdict.form.doubted
    return verdict.verdict


def proposed(verdict: Verdict) -> Convention:
    """The convention whose options a verdict proposes."""
    assert verdict.form is not None
    assert verdict.form.proposal is not None
    assert f"say {verdict.form.proposal} (" in verdict.message
    return next(one for one in CONVENTIONS if one.options == verdict.form.proposal)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda one: one.name)
def test_files(world: World, convention: Convention, tmp_path: Path) -> None:
    for suspect in world.suspects:
        weights, code = weights_file(suspect, tmp_path)
        assert asked(world, weights, file_options(suspect, code, convention, convention)).verdict == suspect.verdict
        blind = asked(world, weights, file_options(suspect, code, convention, None))
        assert right_or_none(blind, suspect) == (suspect.verdict if convention == PLAIN else "inconclusive")
        if convention != PLAIN:
            mended = file_options(suspect, code, convention, proposed(blind))
            assert asked(world, weights, mended).verdict == suspect.verdict


@pytest.fixture(scope="module")
def onnx_bodies(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("onnx")
    return {suspect.name: exported(suspect, place / f"{suspect.name}.onnx") for suspect in world.suspects}


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda one: one.name)
def test_onnx(world: World, onnx_bodies: dict[str, Path], convention: Convention, tmp_path: Path) -> None:
    for suspect in world.suspects:
        file = onnx_file(onnx_bodies[suspect.name], convention, tmp_path / "suspect.onnx")
        blind = asked(world, file, ModelOptions())
        assert right_or_none(blind, suspect) == (suspect.verdict if convention == PLAIN else "inconclusive")
        if convention != PLAIN:
            mended = ModelOptions(**as_options(proposed(blind)))
            assert asked(world, file, mended).verdict == suspect.verdict


@pytest.fixture(scope="module")
def address(world: World) -> Iterator[str]:
    networks = {
        f"{suspect.name}-{number}": suspect.undone(convention)
        for suspect in world.suspects
        for number, convention in enumerate(CONVENTIONS)
    }
    with served(networks) as url:
        yield url


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda one: one.name)
def test_addresses(
    world: World, address: str, convention: Convention, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for suspect in world.suspects:
        place = f"{address}/{suspect.name}-{CONVENTIONS.index(convention)}/invocations"
        assert asked(world, place, ModelOptions(**as_options(convention))).verdict == suspect.verdict
        blind = asked(world, place, ModelOptions())
        assert right_or_none(blind, suspect) == (suspect.verdict if convention == PLAIN else "inconclusive")
        if convention != PLAIN:
            assert blind.asked is not None
            assert blind.asked <= 32  # of 340: nothing more is paid for
            assert "--mean, --std, --range, --bgr, --size, --layout" in blind.message
