"""MetaFinger: its loss against torch's divergence; inputs that tell the pools apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from modelprint.ownership.craft import Crafted, craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.metafinger import MetaFinger, triplet_loss
from modelprint.schemes.pools import agreements
from tests.schemes.world import score

SCHEME = MetaFinger(queries=30, steps=15, rate=0.05)


@pytest.fixture(scope="module")
def crafted(enrollment: Enrollment) -> Crafted:
    return craft(SCHEME, enrollment, seed=0)


def test_the_loss_is_near_divergences_less_far_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    anchor, near, far = (torch.randn((k, 4, 5), generator=generator, dtype=torch.float64) for k in (1, 2, 3))
    own = anchor[0].log_softmax(1)

    def mean(models: torch.Tensor) -> torch.Tensor:
        each = [functional.kl_div(own, logits.softmax(1), reduction="none").sum(1) for logits in models]
        return torch.stack(each).mean(0)

    expected = mean(near) - 0.5 * mean(far)
    assert triplet_loss(anchor[0], near, far, weight=0.5).tolist() == pytest.approx(expected.tolist())


def test_copies_recognise_the_queries_and_references_do_not(crafted: Crafted, enrollment: Enrollment) -> None:
    copies, references = agreements(enrollment, crafted.queries.stored, crafted.source.labels)
    report = crafted.queries.report
    assert report["copies"] == pytest.approx(copies.mean())
    assert report["references"] == pytest.approx(references.mean())
    assert copies.mean() > references.mean() + 0.4
    apart = copies.mean(0) - references.mean(0)
    assert np.allclose(crafted.state["apart"], apart, atol=1e-6)
    assert (np.diff(crafted.state["apart"]) <= 0).all()
    assert report["unanimous"] == (copies.all(0) & ~references.any(0)).mean()
    assert score(SCHEME, crafted, crafted.source) == 1.0


@pytest.mark.parametrize("wrong", [{"queries": 0}, {"samples": 0}, {"noise": 1.0}, {"tries": 0.5}, {"weight": -1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        MetaFinger(**wrong)
