"""FBI: its information distance against scikit-learn, the ranks it reads, the images it chooses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats as scipy_stats
from sklearn.metrics import mutual_info_score

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers
from modelprint.ownership.craft import craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.fbi import Fbi, ranks
from modelprint.training.loop import predict
from tests.conftest import Digits
from tests.schemes.world import missing, modules, score, strangers, told

SCHEME = Fbi(queries=100, uncertain=1.0)


def expected(own: np.ndarray, theirs: np.ndarray) -> float:
    """I(u; v) / min(H(u), H(v)), by scikit-learn."""
    least = min(mutual_info_score(own, own), mutual_info_score(theirs, theirs))
    return 0.0 if least == 0 else float(np.clip(mutual_info_score(own, theirs) / least, 0, 1))


@pytest.mark.parametrize("access", [Access.LABELS, Access.SCORES])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_score_is_scikit_learns_mutual_information(
    enrollment: Enrollment, digits: Digits, access: Access, k: int
) -> None:
    scheme = replace(SCHEME, k=k)
    made = craft(scheme, enrollment, seed=0)
    for model in (*strangers(digits, 1, seed=40), *modules(enrollment.surrogates)):
        answers = told(model, made).restricted(access)
        depth = 1 if access is Access.LABELS else k
        own, theirs = (ranks(part, made.state["truth"], depth) for part in (made.source, answers))
        assert score(scheme, made, answers) == pytest.approx(expected(own, theirs), abs=1e-9)


def test_ranks_are_places_in_the_sorted_list() -> None:
    generator = np.random.default_rng(0)
    scores, truth = generator.normal(size=(50, 6)).astype(np.float32), generator.integers(6, size=50)
    answers = Answers(labels=scores.argmax(1), scores=scores)
    place = scipy_stats.rankdata(-scores, axis=1)[np.arange(50), truth].astype(int) - 1
    assert ranks(answers, truth, 4).tolist() == np.minimum(place, 4).tolist()
    assert ranks(answers, truth, 1).tolist() == (place > 0).astype(int).tolist()
    assert ranks(Answers(labels=answers.labels), truth, 4).tolist() == (place > 0).astype(int).tolist()


def test_images_come_from_the_share_of_highest_entropy_over_strangers(enrollment: Enrollment) -> None:
    scheme = replace(SCHEME, queries=15, uncertain=0.2)
    made = craft(scheme, enrollment, seed=0)
    images = torch.from_numpy(enrollment.seeds.stored)
    labels = np.stack([predict(model, images).argmax(1).numpy() for model in modules(enrollment.references)])
    entropies = np.array([scipy_stats.entropy(np.unique(column, return_counts=True)[1]) for column in labels.T])
    least = np.sort(entropies)[::-1][29]  # 20 % of 150 images
    known = {image.tobytes(): value for image, value in zip(enrollment.seeds.stored, entropies, strict=True)}
    assert min(known[image.tobytes()] for image in made.queries.stored) >= least
    assert len({image.tobytes() for image in made.queries.stored}) == 15


def test_without_strangers_images_are_drawn_at_random(enrollment: Enrollment) -> None:
    made = craft(SCHEME, replace(enrollment, references=(), surrogates=()), seed=0)
    assert made.queries.report["strangers"] == 0
    assert len(np.unique(made.queries.stored, axis=0)) == 100


def test_more_queries_than_images_are_all_images(enrollment: Enrollment) -> None:
    made = craft(SCHEME, replace(enrollment, budget=4000), seed=0)
    assert made.queries.report["made"] == len(made.queries) == len(enrollment.seeds)
    assert made.queries.report["wanted"] == 4000


def test_a_constant_suspect_shares_nothing(enrollment: Enrollment) -> None:
    made = craft(SCHEME, enrollment, seed=0)
    right = Answers(labels=made.queries.labels)
    assert score(SCHEME, made, right) == 0.0
    assert score(SCHEME, made, missing(right, np.arange(90))) == 0.0


def test_a_source_that_is_always_right_is_refused(enrollment: Enrollment) -> None:
    labels = predict(enrollment.source, torch.from_numpy(enrollment.seeds.stored)).argmax(1).numpy()
    easy = enrollment.seeds.take(np.flatnonzero(labels == enrollment.seeds.labels))
    with pytest.raises(FingerprintError, match="all of 20 inputs right"):
        craft(SCHEME, replace(enrollment, seeds=easy, budget=20), seed=0)


def test_images_of_as_much_entropy_are_taken_in_order(enrollment: Enrollment) -> None:
    """The last bits of an entropy depend on which classes were named; they break no ties."""
    scheme = replace(SCHEME, queries=30, uncertain=0.2)
    made = craft(scheme, enrollment, seed=0)
    images = torch.from_numpy(enrollment.seeds.stored)
    votes = np.stack([predict(model, images).argmax(1).numpy() for model in modules(enrollment.references)], axis=1)
    split = [tuple(sorted(np.bincount(row)[np.bincount(row) > 0].tolist())) for row in votes]
    entropies = {counts: scipy_stats.entropy(counts) for counts in set(split)}
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(images), generator=generator).numpy()
    ranked = sorted(order.tolist(), key=lambda number: -entropies[split[number]])[:30]  # sorted is stable
    drawn = np.array(ranked)[torch.randperm(30, generator=generator).numpy()]
    assert (made.queries.stored == enrollment.seeds.stored[drawn]).all()
