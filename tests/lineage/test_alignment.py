import pytest
import torch

from modelprint.lineage import StateTensors, alignment, compare, reference_of
from modelprint.lineage.forms import by_channel
from tests.lineage.nets import noisy, rearranged, strided_state


@pytest.mark.parametrize("axis", [0, 1])
def test_drawn_coordinates_are_those_of_the_whole_channels(axis):
    form = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(0))
    drawn = torch.tensor([4, 0, 11])
    whole = by_channel(form, axis)
    assert torch.equal(alignment._drawn(form, axis, drawn // 3, drawn % 3), whole[:, drawn])


def test_a_sample_of_coordinates_is_enough_for_copies(monkeypatch):
    source = strided_state(0)
    reference = reference_of(StateTensors(source))
    copy = StateTensors(rearranged(noisy(source, 0.1), seed=1))
    whole = compare(reference, copy).score
    monkeypatch.setattr(alignment, "COORDINATES", 40)
    monkeypatch.setattr(alignment, "SAMPLED", 40)
    assert compare(reference, copy).score == pytest.approx(whole, abs=1e-3)
