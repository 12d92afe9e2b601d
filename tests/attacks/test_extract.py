"""Students learn the source's answers, not the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from modelprint.attacks.extract import Extraction, ExtractLabels, ExtractSoft, distillation
from modelprint.core.errors import ModelError
from modelprint.data.labelled import LabelledSet
from tests.attacks.conftest import World


def without_labels(data: LabelledSet) -> LabelledSet:
    return LabelledSet(
        name="unlabelled", stored=data.stored, labels=np.zeros_like(data.labels), class_names=data.class_names
    )


@pytest.mark.parametrize("attack", [ExtractSoft(epochs=20), ExtractLabels(epochs=20)])
def test_student_needs_no_true_label(attack: Extraction, world: World) -> None:
    result = attack.run(world.source, world.spec, without_labels(world.attacker), seed=0)
    assert world.accuracy(result.model) > 0.85
    assert result.report["queries"] == len(world.attacker)


def test_probabilities_copy_more_than_honest_training_shares(world: World) -> None:
    student = ExtractSoft(epochs=30).run(world.source, world.spec, world.attacker, seed=0).model
    assert world.agreement(student) > world.agreement(world.stranger)


def test_student_of_another_architecture(world: World) -> None:
    result = ExtractSoft(arch="mlp", arch_args={"width": 32}, epochs=20).run(
        world.source, world.spec, world.attacker, seed=0
    )
    assert result.spec.arch == "mlp"
    assert result.spec.arch_args == {"width": 32}
    assert world.accuracy(result.model) > 0.7
    with pytest.raises(ModelError, match="does not take depht"):
        ExtractSoft(arch="mlp", arch_args={"depht": 3}).run(world.source, world.spec, world.attacker, seed=0)


def test_arguments_of_another_architecture_from_text() -> None:
    attack = ExtractLabels.configured({"arch": "mlp", "arch_args": '{"width": 32}', "epochs": "none"})
    assert attack == ExtractLabels(arch="mlp", arch_args={"width": 32})


def test_distillation_loss_is_the_divergence_times_t_squared() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 6, 4, generator=generator)
    p, q = ((logits / 3.0).softmax(1) for logits in (teacher, student))
    expected = 9.0 * (p * (p.log() - q.log())).sum(1).mean()
    assert torch.isclose(distillation(3.0)(student, functional.log_softmax(teacher, 1)), expected, atol=1e-5)
