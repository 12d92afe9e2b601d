"""Zest: its weights against scikit-learn's ridge and LIME's own program, what is hidden, and its bound."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from modelprint.core.errors import UnscorableError
from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.modalities.image import IMAGE
from modelprint.ownership.craft import craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.lime import KERNEL_WIDTH, grid, hidden, lime_smoother
from modelprint.schemes.zest import Zest

SAMPLES, SEGMENTS, CLASSES = 20, 6, 3


def samples(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which segments are shown, the first time all, and what a model answers."""
    draw = np.random.default_rng(seed)
    kept = draw.integers(2, size=(SAMPLES, SEGMENTS))
    kept[0] = 1
    return kept, draw.dirichlet(np.ones(CLASSES), size=SAMPLES)


def cosine_distances(kept: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(kept, axis=1) * np.sqrt(kept.shape[1])
    return np.array([1 - row.sum() / length if length else 1.0 for row, length in zip(kept, lengths, strict=True)])


def kernel(distances: np.ndarray) -> np.ndarray:
    weights: np.ndarray = np.sqrt(np.exp(-(distances**2) / KERNEL_WIDTH**2))
    return weights


def test_weights_are_those_of_weighted_ridge_regression() -> None:
    kept, outputs = samples(0)
    ridge = Ridge(alpha=1, fit_intercept=True).fit(kept, outputs, sample_weight=kernel(cosine_distances(kept)))
    assert lime_smoother(kept) @ outputs == pytest.approx(ridge.coef_.T)


def test_weights_are_those_of_lime() -> None:
    lime_base = pytest.importorskip("lime.lime_base", reason="the package lime is not installed")
    kept, outputs = samples(1)
    weights = lime_smoother(kept) @ outputs
    for label in range(CLASSES):
        _, explained, _, _ = lime_base.LimeBase(kernel).explain_instance_with_data(
            kept, outputs, cosine_distances(kept), label, SEGMENTS, feature_selection="none"
        )
        assert [weight for _, weight in sorted(explained)] == pytest.approx(weights[:, label])


def test_a_linear_model_gets_its_own_weights_back() -> None:
    """With many samples the ridge is small beside them, and the weights are the slopes."""
    draw = np.random.default_rng(2)
    kept, slopes = draw.integers(2, size=(20_000, SEGMENTS)), draw.normal(size=(SEGMENTS, CLASSES))
    assert lime_smoother(kept) @ (kept @ slopes + 5.0) == pytest.approx(slopes, abs=0.01)


def test_the_score_is_the_cosine_of_all_weights() -> None:
    kept, own = samples(3)
    other = samples(4)[1]
    state = {"group": np.zeros(SAMPLES, np.int64), "kept": kept}
    source, suspect = (Answers(labels=y.argmax(1), scores=y.astype(np.float32)) for y in (own, other))
    one, two = ((lime_smoother(kept) @ y).ravel() for y in (own, other))
    assert Zest().score(state, source, suspect) == pytest.approx(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
    assert Zest().score(state, source, source) == pytest.approx(1.0)


@pytest.mark.parametrize("left_out", [1, 4, 12])
def test_no_answer_that_is_missing_could_give_less_than_the_bound(left_out: int) -> None:
    draw = np.random.default_rng(left_out)
    for seed in range(20):
        kept, own = samples(seed)
        state = {"group": np.zeros(SAMPLES, np.int64), "kept": kept}
        source, other = Answers(labels=own.argmax(1), scores=own.astype(np.float32)), samples(seed + 100)[1]
        missing = np.isin(np.arange(SAMPLES), draw.permutation(SAMPLES)[:left_out])
        heard = Answers(
            labels=np.where(missing, UNANSWERED, other.argmax(1)),
            scores=np.where(missing[:, None], np.nan, other).astype(np.float32),
        )
        least = Zest().least_score(state, source, heard, missing)
        for _ in range(50):
            filled = np.where(missing[:, None], np.eye(CLASSES)[draw.integers(CLASSES, size=SAMPLES)], other)
            whole = Answers(labels=filled.argmax(1), scores=filled.astype(np.float32))
            assert least <= Zest().score(state, source, whole) + 1e-9


def test_one_query_of_an_input_has_no_weights() -> None:
    source = Answers(labels=np.array([0]), scores=np.ones((1, 2), np.float32))
    with pytest.raises(UnscorableError, match="asked 2 times"):
        Zest().score({"group": np.zeros(1, np.int64), "kept": np.ones((1, 4))}, source, source)


def test_hidden_segments_take_their_mean_and_the_others_stay() -> None:
    images = np.random.default_rng(5).integers(0, 256, size=(2, 3, 8, 8)).astype(np.uint8)
    kept = np.array([[[True, True, True, True], [False, True, True, True]]] * 2)
    stored = hidden(images, kept, grid((3, 8, 8), 4), data=images, modality=IMAGE)
    assert (stored[:, 0] == images).all()
    assert (stored[:, 1, :, 4:] == images[:, :, 4:]).all()
    means = images[:, :, :4, :4].reshape(2, 3, -1).mean(2)
    assert np.abs(stored[:, 1, :, :4, :4] - means[:, :, None, None]).max() <= 0.5 + 1e-6


def test_a_budget_is_spent_on_whole_inputs(enrollment: Enrollment) -> None:
    made = craft(Zest(queries=110), enrollment, seed=1)
    assert len(made.queries) == 100
    assert np.bincount(made.queries.group).tolist() == [25] * 4
    assert made.queries.columns["kept"][::25].all()
    few = craft(Zest(queries=10), enrollment, seed=1)
    assert np.bincount(few.queries.group).tolist() == [10]
