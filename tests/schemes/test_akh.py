"""AKH: what it asks, and how it scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.ownership.craft import craft
from modelprint.schemes.akh import Akh
from modelprint.schemes.base import Enrollment
from modelprint.training.loop import predict
from tests.schemes.world import missing, score, told


def test_the_source_gets_every_query_wrong_and_its_own_mistakes_come_first(enrollment: Enrollment) -> None:
    made = craft(Akh(queries=200), enrollment, seed=0)
    assert len(made.queries) == 200
    assert (made.source.labels != made.queries.labels).all()
    labels = predict(enrollment.source, torch.from_numpy(enrollment.seeds.stored)).argmax(1).numpy()
    mistakes = {image.tobytes() for image in enrollment.seeds.stored[labels != enrollment.seeds.labels]}
    assert made.queries.report["mistakes"] == len(mistakes) < 200
    assert {image.tobytes() for image in made.queries.stored[: len(mistakes)]} == mistakes


def test_fewer_queries_than_mistakes_are_mistakes_drawn_by_the_seed(enrollment: Enrollment) -> None:
    few, again, other = (craft(Akh(queries=3), enrollment, seed=seed).queries.stored for seed in (0, 0, 1))
    assert (few == again).all()
    assert (few != other).any()


def test_the_score_is_the_share_of_equal_labels_among_the_answered(enrollment: Enrollment) -> None:
    made = craft(Akh(queries=10), enrollment, seed=0)
    answers = missing(made.source, np.array([0, 1]))
    answers.labels[2:4] += 1
    assert score(Akh(), made, answers) == pytest.approx(6 / 8)


def test_no_answer_is_no_score(enrollment: Enrollment) -> None:
    made = craft(Akh(queries=4), enrollment, seed=0)
    with pytest.raises(UnscorableError, match="0 of 4"):
        score(Akh(), made, missing(told(enrollment.source, made), np.arange(4)))


class Oracle(nn.Module):
    """Knows every image, mixed ones, too: by the level that most pixels have."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        levels = (images.flatten(1) * 255 / 20).round().long()
        return nn.functional.one_hot(levels, 10).sum(1).float()


def test_a_source_that_is_always_right_has_no_fingerprint(enrollment: Enrollment) -> None:
    levels = (20 * enrollment.seeds.labels).astype(np.uint8)[:, None, None, None]
    plain = replace(enrollment.seeds, stored=np.broadcast_to(levels, (150, 1, 7, 7)).copy())  # 49 pixels: no ties
    with pytest.raises(FingerprintError, match="classifies all of 150 images rightly"):
        craft(Akh(queries=5), replace(enrollment, source=Oracle(), seeds=plain), seed=0)
