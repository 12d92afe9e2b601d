import pytest
import torch

from modelprint.core.errors import ModelError
from modelprint.lineage import StateTensors, ancestry
from tests.lineage.nets import mlp_state, noisy, strided_state


def test_the_shares_of_a_soup_of_siblings_are_found():
    base = strided_state(0)
    one, two, three = (noisy(base, 0.3, seed=seed) for seed in (1, 2, 3))
    soup = {name: 0.6 * one[name] + 0.4 * two[name] for name in one}
    shares = ancestry(
        StateTensors(soup), {"one": StateTensors(one), "two": StateTensors(two), "three": StateTensors(three)}
    )
    assert shares == pytest.approx({"one": 0.6, "two": 0.4, "three": 0.0}, abs=0.02)


def test_without_a_common_weight_nothing_is_said():
    with pytest.raises(ModelError, match="no weight"):
        ancestry(StateTensors(mlp_state(0)), {"one": StateTensors(strided_state(0))})
    with pytest.raises(ModelError, match="no ancestor"):
        ancestry(StateTensors({"w.weight": torch.ones(2, 2)}), {})
