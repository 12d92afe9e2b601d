"""What every attack keeps to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelprint.attacks import ATTACKS, run_attack
from modelprint.attacks.extract import ExtractLabels
from modelprint.core.errors import DataError, ModelError, UsageError
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.heads import head_of
from modelprint.nn.loading import weights_identity
from modelprint.nn.spec import build
from tests.attacks.conftest import World

QUICK = {
    "epochs": "1", "finetune_epochs": "1", "iterations": "4", "round_epochs": "1", "seeds": "20", "rounds": "2",
    "budget": "200", "generator_steps": "2", "hardening_epochs": "1",
    "inputs": "40",
}  # fmt: skip


def quick(name: str) -> dict[str, str]:
    known = ATTACKS[name]().parameters()
    return {key: value for key, value in QUICK.items() if key in known}


@pytest.mark.parametrize("name", list(ATTACKS))
def test_source_stays_and_seed_decides(name: str, world: World) -> None:
    before = weights_identity(world.source)
    first, again = (run_attack(name, quick(name), world.source, world.spec, world.attacker, seed=3) for _ in range(2))
    assert weights_identity(world.source) == before
    assert weights_identity(first.model) == weights_identity(again.model)
    assert not first.model.training
    assert first.card.recipe["kind"] == name
    assert first.card.recipe["source"] == before


@pytest.mark.parametrize("name", list(ATTACKS))
def test_docstring_cites_and_tells_differences(name: str) -> None:
    import sys

    text = sys.modules[ATTACKS[name].__module__].__doc__ or ""
    assert "Differs from the paper:" in text
    assert ATTACKS[name].name == name


def test_unknown_setting_lists_the_known(world: World) -> None:
    with pytest.raises(UsageError, match=r"no parameter 'rat'.*rate"):
        run_attack("prune", {"rat": "0.5"}, world.source, world.spec, world.attacker, seed=0)
    with pytest.raises(UsageError, match=r"between 0 and 1, got 1\.5"):
        run_attack("prune", {"rate": "1.5"}, world.source, world.spec, world.attacker, seed=0)
    with pytest.raises(UsageError, match="unknown attack 'steal'"):
        run_attack("steal", {}, world.source, world.spec, world.attacker, seed=0)


def test_images_must_fit_the_source(world: World) -> None:
    names = world.attacker.class_names
    wide = LabelledSet(
        name="wide", stored=np.zeros((4, 1, 9, 9), np.uint8), labels=np.zeros(4, np.int64), class_names=names
    )
    with pytest.raises(DataError, match=r"\(1, 9, 9\).*\(1, 8, 8\)"):
        run_attack("ftal", {}, world.source, world.spec, wide, seed=0)
    more = LabelledSet(
        name="more", stored=world.attacker.stored, labels=world.attacker.labels, class_names=(*names, "ten")
    )
    with pytest.raises(DataError, match="11 classes but the source tells 10"):
        run_attack("ftal", {}, world.source, world.spec, more, seed=0)
    with pytest.raises(DataError, match="no images"):
        run_attack("ftal", {}, world.source, world.spec, world.attacker.take(slice(0, 0)), seed=0)


def test_card_holds_accuracy_and_agreement(world: World) -> None:
    made = run_attack("ftll", {"epochs": "1"}, world.source, world.spec, world.attacker, seed=0, holdout=world.holdout)
    assert made.card.accuracy == world.accuracy(made.model)
    assert made.card.recipe["agreement"] == made.agreement
    assert made.agreement is not None
    assert made.agreement > 0.95


def test_head_is_the_last_linear_layer(world: World) -> None:
    assert head_of(world.source, world.spec).layer is world.source.body.head
    plain = Normalized(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)), (0.0,), (1.0,))
    assert head_of(plain, world.spec).layer is plain.body[1]
    with pytest.raises(ModelError, match="no linear layer"):
        head_of(Normalized(torch.nn.Flatten(), (0.0,), (1.0,)), world.spec)


def test_a_student_never_starts_from_the_weights_of_the_source(world: World) -> None:
    seed = 5
    source = build(world.spec, seed=seed).eval()
    student = ExtractLabels(epochs=0).run(source, world.spec, world.attacker, seed=seed).model
    assert weights_identity(student) != weights_identity(source)
