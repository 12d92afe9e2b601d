"""DeepCore: points that the source is sure of, and both similarities by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import distance

from modelprint.core.errors import UnscorableError
from modelprint.core.suspect import Answers
from modelprint.ownership.craft import craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.deepcore import DeepCore, in_turn
from modelprint.training.loop import predict


def answers(seed: int) -> Answers:
    scores = np.random.default_rng(seed).dirichlet(np.full(4, 0.5), size=12).astype(np.float32)
    return Answers(labels=scores.argmax(1), scores=scores)


def test_both_similarities_are_means_over_the_queries() -> None:
    source, suspect = answers(0), answers(1)
    assert source.scores is not None
    assert suspect.scores is not None
    rows = list(zip(source.scores, suspect.scores, strict=True))
    euclidean = np.mean([1 - distance.euclidean(*row) / np.sqrt(2) for row in rows])
    cosine = np.mean([1 - distance.cosine(*row) for row in rows])
    assert DeepCore().score({}, source, suspect) == pytest.approx(euclidean, abs=1e-6)
    assert DeepCore(similarity="cosine").score({}, source, suspect) == pytest.approx(cosine, abs=1e-6)
    assert DeepCore().score({}, source, source) == 1.0


def test_labels_alone_are_refused() -> None:
    with pytest.raises(UnscorableError, match="labels alone"):
        DeepCore().score({}, answers(0), Answers(labels=np.zeros(12, np.int64)))


def test_the_source_is_surer_of_core_points_than_of_inputs_and_classes_take_turns(enrollment: Enrollment) -> None:
    made = craft(DeepCore(queries=40, tries=1.0), enrollment, seed=1)

    def confidence(stored: np.ndarray) -> float:
        logits = predict(enrollment.source, torch.from_numpy(stored)).double()
        return float(logits.softmax(1).amax(1).mean())

    assert confidence(made.queries.stored) > max(0.99, confidence(enrollment.seeds.stored))
    assert made.queries.report["confidence"] == pytest.approx(confidence(made.queries.stored), abs=1e-4)
    assert (made.source.labels == made.queries.labels).all()
    assert np.bincount(made.queries.labels).max() - np.bincount(made.queries.labels, minlength=10).min() <= 1


def test_turns() -> None:
    assert in_turn(np.array([1, 1, 0, 0, 1])).tolist() == [2, 0, 3, 1, 4]
