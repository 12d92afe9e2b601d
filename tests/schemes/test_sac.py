"""SAC: the correlation matrices against a plain computation, and what each variant asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.suspect import Answers
from modelprint.ownership.craft import craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.sac import Sac, correlation_distance
from modelprint.training.loop import predict
from tests.schemes.world import missing, modules, score, told


def outputs(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(5), size=count)


@pytest.mark.parametrize("kind", ["cosine", "rbf"])
@pytest.mark.parametrize("count", [7, 700])
def test_the_distance_is_that_of_scipys_matrices(kind: Literal["cosine", "rbf"], count: int) -> None:
    pair = [outputs(count, seed) for seed in (0, 1)]
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in pair]
    matrices = [
        cdist(part, part, "cosine") / 2 if kind == "cosine" else np.exp(-cdist(part, part, "sqeuclidean"))
        for part in unit
    ]
    assert correlation_distance(unit[0], unit[1], kind=kind) == pytest.approx(np.abs(matrices[0] - matrices[1]).mean())


def test_probabilities_and_logits_score_alike(enrollment: Enrollment) -> None:
    made = craft(Sac(queries=50), enrollment, seed=0)
    answers = told(enrollment.references[0], made)
    assert answers.scores is not None
    shares = torch.from_numpy(answers.scores).softmax(1).numpy()
    given = Answers(labels=answers.labels, scores=shares)
    assert score(Sac(), made, given) == pytest.approx(score(Sac(), made, answers), abs=1e-6)


def test_labels_count_pairs_that_one_calls_equal_and_the_other_does_not(enrollment: Enrollment) -> None:
    made = craft(Sac(queries=60), enrollment, seed=0)
    own, theirs = made.source, told(enrollment.references[0], made).restricted(Access.LABELS)
    equal = [labels.labels[:, None] == labels.labels[None] for labels in (own, theirs)]
    shares = np.exp(np.eye(10)[:2])
    shares /= np.linalg.norm(shares, axis=1, keepdims=True)
    apart = (1 - shares[0] @ shares[1]) / 2
    assert score(Sac(), made, theirs) == pytest.approx(1 - apart * (equal[0] != equal[1]).mean())


def test_renaming_the_classes_changes_nothing_of_the_labels_score(enrollment: Enrollment) -> None:
    made = craft(Sac(queries=60), enrollment, seed=0)
    answers = told(enrollment.references[0], made).restricted(Access.LABELS)
    renamed = Answers(labels=(answers.labels + 3) % 10)
    assert score(Sac(), made, renamed) == pytest.approx(score(Sac(), made, answers))


def test_unanswered_queries_are_left_out(enrollment: Enrollment) -> None:
    made = craft(Sac(queries=30), enrollment, seed=0)
    answers = told(enrollment.references[0], made)
    heard = np.arange(10, 30)
    part = replace(made, source=made.source.take(heard), state={"group": made.state["group"][heard]})
    assert score(Sac(), made, missing(answers, np.arange(10))) == pytest.approx(score(Sac(), part, answers.take(heard)))
    with pytest.raises(UnscorableError, match="1 of 30"):
        score(Sac(), made, missing(answers, np.arange(29)))


def test_shared_mistakes_are_mistakes_of_the_source_and_most_surrogates(enrollment: Enrollment) -> None:
    made = craft(Sac(queries=100, inputs="mistakes"), enrollment, seed=0)
    assert (made.source.labels != made.queries.labels).all()
    images = torch.from_numpy(made.queries.stored)
    wrong = [predict(copy, images).argmax(1).numpy() != made.queries.labels for copy in modules(enrollment.surrogates)]
    shares = np.mean(wrong, axis=0)
    assert (shares > 0.5).all()
    assert (np.diff(shares) <= 0).all()
    assert made.queries.report["made"] == len(made.queries) < 100


def test_mistakes_need_surrogates(enrollment: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="learns from shadow models"):
        craft(Sac(inputs="mistakes"), replace(enrollment, surrogates=()), seed=0)
    assert len(craft(Sac(), replace(enrollment, surrogates=()), seed=0).queries) == 100


def test_a_budget_of_one_query_is_refused(enrollment: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="two queries or more"):
        craft(Sac(), replace(enrollment, budget=1), seed=0)
    with pytest.raises(ValueError, match="at least 2"):
        Sac(queries=1)
