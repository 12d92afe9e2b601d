"""Distances and agreement of answers, against scikit-learn and plain formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from sklearn.metrics import cohen_kappa_score

from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.stats import likeness
from modelprint.stats.likeness import graded, kappas, label_differences, score_distances


def answers(seed: int, *, n: int = 40, scale: float = 3.0) -> Answers:
    return answers_from_scores(scale * np.random.default_rng(seed).normal(size=(n, 5)), who="a model")


def test_kappas_are_those_of_scikit_learn() -> None:
    labels = np.random.default_rng(0).integers(0, 4, size=(4, 60))
    labels[1, :40] = labels[0, :40]
    expected = [[cohen_kappa_score(one, other) for other in labels] for one in labels]
    np.testing.assert_allclose(kappas(labels, 4), expected, atol=1e-12)
    assert kappas(np.zeros((2, 5), dtype=np.int64), 3).tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("block", [2**22, 7])
def test_score_distances_are_those_of_centred_log_probabilities(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(likeness, "BLOCK", block)
    models = [answers(seed) for seed in range(3)]
    logs = []
    for model in models:
        assert model.scores is not None
        log = np.maximum(special.log_softmax(model.scores.astype(np.float64), axis=1), np.log(1e-4))
        logs.append(log - log.mean(axis=1, keepdims=True))
    expected = [
        [np.linalg.norm(one - other) / np.sqrt(np.linalg.norm(one) * np.linalg.norm(other)) for other in logs]
        for one in logs
    ]
    np.testing.assert_allclose(score_distances(models, 5), expected, atol=1e-6)


def test_probabilities_and_logits_of_one_model_are_the_same() -> None:
    logits = answers(0)
    assert logits.scores is not None
    given = Answers(labels=logits.labels, scores=special.softmax(logits.scores, axis=1).round(5).astype(np.float32))
    assert score_distances([logits, given], 5)[0, 1] < 0.03


def test_scores_that_are_labels_tell_no_more() -> None:
    hard = Answers(labels=np.arange(5), scores=np.eye(5, dtype=np.float32))
    assert graded(hard, 5) == graded(Answers(labels=np.arange(5)), 5) == 0
    assert graded(answers(0), 5) == 40


def test_label_differences_count() -> None:
    assert label_differences(np.array([[0, 1, 2], [0, 2, 2], [1, 2, 0]])).tolist() == [[0, 1, 3], [1, 0, 2], [3, 2, 0]]
