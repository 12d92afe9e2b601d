"""Independent models for an owner who has none."""

from __future__ import annotations

import numpy as np
import torch

from modelprint.data.splits import load_data
from modelprint.training.train import default_recipe, spec_for
from modelprint.zoo.reference_models.calibration import independent_models
from modelprint.zoo.reference_models.course import bootstrap


def test_negatives_differ_and_do_not_depend_on_the_number_of_processes() -> None:
    owner, holdout = load_data("digits:owner"), load_data("digits:holdout")
    spec = spec_for(owner, "mlp", {"width": 32})
    recipe = default_recipe(owner, epochs=25)
    steps: list[tuple[int, int]] = []
    one, two = (
        independent_models(
            owner,
            spec,
            4,
            seed=7,
            jobs=jobs,
            recipe=recipe,
            holdout=holdout,
            progress=lambda done, count: steps.append((done, count)),
        )
        for jobs in (1, 2)
    )
    for first, second in zip(one, two, strict=True):
        for left, right in zip(first.module.parameters(), second.module.parameters(), strict=True):
            assert torch.equal(left, right)
    heads = {trained.module.body.head.weight.detach().numpy().tobytes() for trained in one}
    assert len(heads) == 4
    assert steps == [(i, 4) for i in range(1, 5)] * 2
    assert [trained.card.recipe["bootstrap"] for trained in one] == [False, True, False, True]
    assert all(trained.card.accuracy > 0.85 for trained in one if trained.card.accuracy is not None)
    assert not one[0].module.training


def test_bootstrap_draws_with_replacement() -> None:
    data = load_data("digits:owner")
    sample = bootstrap(data, seed=1)
    distinct = len(np.unique(sample.stored.reshape(len(sample), -1), axis=0))
    assert len(sample) == len(data)
    assert 0.55 < distinct / len(data) < 0.70
    assert sample.identity == bootstrap(data, seed=1).identity != bootstrap(data, seed=2).identity
