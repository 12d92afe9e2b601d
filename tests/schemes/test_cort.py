"""CoRt: its adversarial examples, its distances against scipy, and the white-box part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats as scipy_stats
from scipy.spatial.distance import jensenshannon
from torch import nn

from modelprint.attacks import run_attack
from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, ModelError
from modelprint.core.suspect import Answers
from modelprint.ownership.craft import Crafted, craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.cort import CoRt, jensen_shannon
from modelprint.schemes.cort_white_box import (
    BLACK_BOX,
    layer_distances,
    layer_outputs,
    paper_threshold,
    vote,
    white_box_distances,
)
from modelprint.training.loop import predict
from tests.conftest import Digits
from tests.schemes.world import missing, score, told

SCHEME = CoRt(queries=30, epsilon=0.2)


@pytest.fixture(scope="module")
def made(enrollment: Enrollment) -> Crafted:
    return craft(SCHEME, enrollment, seed=0)


def test_queries_fool_the_source_and_stay_within_epsilon_as_they_are_stored(
    made: Crafted, enrollment: Enrollment
) -> None:
    assert (made.source.labels != made.queries.labels).all()
    begun = enrollment.seeds.stored[made.queries.columns["image"]]
    assert np.abs(made.queries.stored.astype(int) - begun).max() <= 0.2 * 255
    assert (made.queries.labels == enrollment.seeds.labels[made.queries.columns["image"]]).all()


def test_seeds_are_right_and_taken_by_confidence(made: Crafted, enrollment: Enrollment) -> None:
    logits = predict(enrollment.source, torch.from_numpy(enrollment.seeds.stored))
    sure = logits.softmax(1).square().sum(1).numpy()[made.queries.columns["image"]]
    assert (np.diff(sure) <= 1e-6).all()
    right = logits.argmax(1).numpy() == enrollment.seeds.labels
    assert right[made.queries.columns["image"]].all()


def test_labels_score_robustness(made: Crafted) -> None:
    scheme, answers = CoRt(), Answers(labels=made.source.labels.copy())
    assert score(scheme, made, answers) == 1.0
    answers.labels[:6] = made.queries.labels[:6]
    assert score(scheme, made, answers) == pytest.approx(1 - 6 / 30)
    assert score(scheme, made, missing(answers, np.arange(15, 30))) == pytest.approx(1 - 6 / 15)


def test_scores_add_the_divergence_of_outputs(made: Crafted, enrollment: Enrollment) -> None:
    answers = told(enrollment.references[0], made)
    pair = [torch.from_numpy(part.scores).double().softmax(1).numpy() for part in (made.source, answers)]  # type: ignore[arg-type]
    distance = np.mean([jensenshannon(p, q, base=2) ** 2 for p, q in zip(*pair, strict=True)])
    robd = float((answers.labels == made.queries.labels).mean())
    assert score(CoRt(metric="jsd"), made, answers) == pytest.approx(1 - distance, abs=1e-6)
    assert score(CoRt(metric="robd"), made, answers) == pytest.approx(1 - robd)
    assert score(CoRt(), made, answers) == pytest.approx(1 - (distance + robd) / 2, abs=1e-6)
    assert score(CoRt(), made, answers.restricted(Access.LABELS)) == pytest.approx(1 - robd)


def test_divergence_where_a_class_has_no_chance() -> None:
    p, q = np.array([[1.0, 0.0, 0.0]]), np.array([[0.5, 0.5, 0.0]])
    assert jensen_shannon(p, q)[0] == pytest.approx(jensenshannon(p[0], q[0], base=2) ** 2)


def test_too_small_changes_are_refused(enrollment: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="on none of"):
        craft(replace(SCHEME, epsilon=0.001), enrollment, seed=0)


def test_more_than_can_be_fooled_is_said(enrollment: Enrollment) -> None:
    report = craft(replace(SCHEME, queries=4000), enrollment, seed=0).queries.report
    assert 30 < report["made"] < report["wanted"] == 4000


def test_white_box_distances_are_zero_to_itself_and_small_to_a_copy(digits: Digits, enrollment: Enrollment) -> None:
    images = torch.from_numpy(enrollment.seeds.stored[:50])
    layers = ["body.features", "body.head"]
    same = white_box_distances(digits.source, digits.source, images, layers=layers)
    tuned = run_attack("ftll", {"epochs": "2"}, digits.source, digits.spec, digits.attacker, seed=0).model
    near = white_box_distances(digits.source, tuned, images, layers=layers)
    far = white_box_distances(digits.source, digits.strangers[0], images, layers=layers)
    for layer in layers:
        assert (same[layer].lod, same[layer].nod, same[layer].lad, same[layer].nad) == (0, 0, 0, 0)
    assert near["body.features"].lod < 0.2 * far["body.features"].lod
    assert near["body.head"].nod < far["body.head"].nod
    assert 0 < far["body.features"].nad <= 1
    assert 0 < far["body.features"].lad <= 1


def test_layer_outputs_are_what_the_layers_give(digits: Digits, enrollment: Enrollment) -> None:
    images = torch.from_numpy(enrollment.seeds.stored[:20])
    caught = layer_outputs(digits.source, images, layers=["body.head"])
    assert np.allclose(caught["body.head"], predict(digits.source, images).numpy())
    assert not any(module._forward_hooks for module in digits.source.modules())


def test_distances_by_hand() -> None:
    source, suspect = np.array([[4.0, 1.0], [0.0, 0.0]]), np.array([[4.0, 0.0], [0.0, 2.5]])
    found = layer_distances(source, suspect)
    assert found.lod == pytest.approx((1 + 2.5) / 2)
    assert found.nod == pytest.approx(3.5 / 4)
    assert found.lad == pytest.approx(1 / 4)  # above 2
    assert found.nad == pytest.approx(2 / 4)  # above 2 and .5


def test_other_architectures_and_layers_are_refused(digits: Digits, enrollment: Enrollment) -> None:
    images = torch.from_numpy(enrollment.seeds.stored[:4])
    with pytest.raises(ModelError, match="no layer 'nonsense'"):
        white_box_distances(digits.source, digits.source, images, layers=["nonsense"])
    other = nn.Sequential()
    other.body = nn.Sequential()
    other.body.head = nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
    with pytest.raises(ModelError, match="10 outputs in the source, 7 in the suspect"):
        white_box_distances(digits.source, other, images.float() / 255, layers=["body.head"])
    with pytest.raises(ValueError, match="equal shapes"):
        layer_distances(np.zeros((2, 3)), np.zeros((2, 4)))


def test_the_threshold_is_scipys_interval() -> None:
    distances = np.random.default_rng(0).normal(0.6, 0.1, size=12)
    low = scipy_stats.ttest_1samp(distances, 0, alternative="greater").confidence_interval(0.99).low
    assert paper_threshold(distances, share=BLACK_BOX) == pytest.approx(0.9 * low)
    with pytest.raises(ValueError, match="got 1"):
        paper_threshold(distances[:1], share=BLACK_BOX)


def test_a_tie_is_no_majority() -> None:
    assert not vote({"rob": 0.1, "jsd": 0.4}, {"rob": 0.3, "jsd": 0.3})
