"""As many inputs as are wanted: first ones, neighbours, mixes."""

from __future__ import annotations

import numpy as np
import torch

from modelprint.modalities.base import Labelled
from modelprint.modalities.image import IMAGE
from modelprint.perturb.topping import topped_up
from tests.modalities.image.test_mixing import plain


def everything(data: Labelled) -> np.ndarray:
    return np.ones(len(data), bool)


def test_topping_up_takes_the_first_ones_then_mirror_images_then_mixed_ones() -> None:
    data = plain()
    tilted = data.stored.copy()
    tilted[..., 0] += 1  # so that mirror images are new
    first = Labelled(stored=tilted[:2], labels=data.labels[:2])
    full = topped_up(first, 7, data, modality=IMAGE, accepts=everything, generator=torch.Generator().manual_seed(0))
    assert len(full) == 7
    assert (full.stored[:2] == first.stored).all()
    assert (full.stored[2:4] == first.stored[..., ::-1]).all()
    assert len(topped_up(first, 1, data, modality=IMAGE, accepts=everything, generator=torch.Generator())) == 1


def test_a_mirror_image_that_is_no_other_is_left_out() -> None:
    data = plain()
    full = topped_up(
        data.take(np.arange(2)), 4, data, modality=IMAGE, accepts=everything, generator=torch.Generator().manual_seed(0)
    )
    assert len(np.unique(full.stored[:2], axis=0)) == 2
    assert (full.stored[2:] != data.stored[:1]).reshape(2, -1).any(1).all()


def test_what_is_not_accepted_is_not_there_and_fewer_come_back() -> None:
    empty = plain().take(np.zeros(0, int))
    none = topped_up(
        empty, 5, plain(), modality=IMAGE, accepts=lambda data: np.zeros(len(data), bool), generator=torch.Generator()
    )
    assert len(none) == 0
    zero = topped_up(
        empty, 5, plain(), modality=IMAGE, accepts=lambda data: data.labels == 0, generator=torch.Generator()
    )
    assert zero.labels.tolist() == [0] * 5
