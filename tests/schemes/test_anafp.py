"""AnaFP: both bounds against their closed form on linear models; points beyond the boundary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from modelprint.ownership.craft import Crafted, craft
from modelprint.schemes.anafp import AnaFP
from modelprint.schemes.base import Enrollment
from modelprint.schemes.pools import Pools
from modelprint.training.labels import labels_of
from tests.schemes.world import score

SCHEME = AnaFP(queries=40, grid=8)


class Linear(nn.Module):
    """W x + b over the flat input, in double precision."""

    def __init__(self, weight: list[list[float]], bias: list[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(bias, dtype=torch.float64))

    def forward(self, points: Tensor) -> Tensor:
        return points.flatten(1) @ self.weight.T + self.bias


@pytest.fixture(scope="module")
def crafted(enrollment: Enrollment) -> Crafted:
    return craft(SCHEME, enrollment, seed=0)


def test_both_bounds_have_their_closed_form_on_linear_models(enrollment: Enrollment) -> None:
    """Margin g = w x + b, boundary at |delta| = g / |w|, slope c_g = |w|: tau > 1 + 2 eps / g."""
    weight, eps = [[3.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 2.0]], 0.05
    source = Linear(weight, [0.0, 0.0])
    copy = Linear(weight, [eps, 0.0])
    reference = Linear([[0.2, 0.0, 0.0, 0.0], [0.0, 0.1, 0.0, 0.0]], [0.02, 0.0])
    start = torch.tensor([[0.5, 0.45, 0.4, 0.15]], dtype=torch.float64).reshape(1, 1, 2, 2)
    scheme = AnaFP(grid=300, most=4.0)
    pools = Pools(source=source, surrogates=(copy,), references=(reference,))
    ended = scheme._stretched(enrollment, pools, start, torch.tensor([0]))
    way = np.array(weight[0]) - np.array(weight[1])
    margin = way @ start.flatten().numpy()
    delta = -margin * way / (way @ way) * 1.02  # DeepFool's overshoot
    lower = 1 + 2 * eps / (np.linalg.norm(way) * np.linalg.norm(delta))
    with torch.no_grad():
        before = reference(start)[0]
        after = reference(start + torch.from_numpy(delta).reshape(start.shape))[0]
    upper = float(before[0] - before[1]) / (2 * float((after - before).abs().max()))
    assert 1 < lower < upper < 4
    assert ended.tau[0] == pytest.approx((lower + upper) / 2, abs=0.01)  # the most slack
    assert ended.slack[0] == pytest.approx((upper - lower) / 2, abs=0.01)
    expected = (start.flatten().numpy() + ended.tau[0] * delta).clip(0, 1)
    assert np.abs(ended.stored.flatten() / 255 - expected).max() <= 0.5 / 255 + 1e-3


def test_points_lie_beyond_the_boundary_and_those_with_room_come_first(
    crafted: Crafted, enrollment: Enrollment
) -> None:
    assert (labels_of(enrollment.source, crafted.queries.stored) != crafted.queries.labels).all()
    slack, tau = crafted.state["slack"], crafted.state["tau"]
    assert (np.diff(slack) <= 0).all()
    assert tau.min() > 1
    assert crafted.queries.report["feasible"] == (slack > 0).mean()
    assert score(SCHEME, crafted, crafted.source) == 1.0


@pytest.mark.parametrize("wrong", [{"queries": 0}, {"grid": 1}, {"most": 1.0}, {"quantile_eps": 1.1}, {"anchors": 0.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        AnaFP(**wrong)
