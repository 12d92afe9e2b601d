"""FIT-LIME: the parts of inputs spell a message to the source, to its copies, and to nobody else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import nn

from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.modalities.image import IMAGE
from modelprint.nn.refs import held
from modelprint.ownership.craft import Crafted, craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.fit_lime import FitLime, attributions
from modelprint.schemes.lime import Hidden, grid, hidden, lime_smoother
from modelprint.schemes.message import message_bits
from tests.conftest import Digits
from tests.schemes.world import copies, score, strangers, told

SCHEME = FitLime(queries=90, samples=15, cells=4, epsilon=0.4, surrogates=2, message="Ada, 2026-11-29")


@pytest.fixture(scope="module")
def made(enrollment: Enrollment) -> Crafted:
    return craft(SCHEME, enrollment, seed=1)


def test_the_source_spells_the_message_in_its_order(made: Crafted) -> None:
    bits, numbers = made.queries.columns["bit"][::15], made.queries.columns["number"][::15]
    assert score(SCHEME, made, made.source) == 1.0
    assert (np.diff(numbers) > 0).all()
    whole = message_bits(SCHEME.message, 4 * (int(numbers.max()) + 1)).reshape(-1, 4)
    assert (whole[numbers] == bits).all()


def test_copies_spell_it_and_independent_models_do_not(digits: Digits, made: Crafted) -> None:
    derived = [score(SCHEME, made, told(model, made)) for model in copies(digits)[:2]]  # fine-tuned, pruned
    independent = [score(SCHEME, made, told(model, made)) for model in strangers(digits, 3, seed=21)]
    assert min(derived) > 0.9
    assert max(independent) < min(derived)


def test_the_bits_tell_whose_the_fingerprint_is(made: Crafted) -> None:
    def signed(message: str) -> bool:
        return bool(replace(SCHEME, message=message).details(made.state, made.source, made.source)["signed"])

    assert (signed(SCHEME.message), signed("Eve, 2026-11-29"), signed("")) == (True, False, False)


def test_an_attribution_is_a_weighted_ridge_regression() -> None:
    """Against scikit-learn, on which LIME's own program stands."""
    draw = np.random.default_rng(0)
    kept = draw.integers(2, size=(20, 4))
    kept[0] = 1
    shares = draw.random(20)
    weights = np.sqrt(np.exp(-(((1 - np.sqrt(kept.mean(1))) / 0.25) ** 2)))
    theirs = Ridge(alpha=1.0).fit(kept, shares, sample_weight=weights).coef_
    assert np.allclose(lime_smoother(kept) @ shares, theirs)


def test_points_are_hidden_as_stored_inputs_are() -> None:
    draw = np.random.default_rng(0)
    stored = draw.integers(256, size=(3, 2, 6, 6)).astype(np.uint8)
    kept, segments = draw.random((3, 5, 4)) < 0.5, grid((2, 6, 6), 4)
    kept[:, 0] = True
    hide = Hidden(kept=torch.from_numpy(kept), segments=segments, means=None)
    points = torch.from_numpy(stored).double() / 255
    ours = IMAGE.to_stored(hide(points, torch.arange(3)).flatten(0, 1)).numpy().reshape(3, 5, 2, 6, 6)
    assert np.abs(ours.astype(int) - hidden(stored, kept, segments, data=stored, modality=IMAGE)).max() <= 1


def test_a_cell_that_a_model_looks_at_speaks_for_its_class() -> None:
    class Corner(nn.Module):
        """Sure of class 1 by the brightest pixel of the first cell."""

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            bright = inputs[:, 0, :3, :3].amax((1, 2)) * 8 - 4
            return torch.stack([-bright, bright], 1)

    points = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    points[..., 1, 1] = 1
    kept = np.random.default_rng(1).random((1, 40, 4)) < 0.5
    kept[:, 0] = True
    hide = Hidden(kept=torch.from_numpy(kept), segments=grid((1, 6, 6), 4), means=None)
    smoothers = torch.from_numpy(np.stack([lime_smoother(kept[0])]))
    found = attributions(Corner(), hide(points, torch.arange(1)), torch.tensor([1]), smoothers)[0]
    assert found[0] > 0.5
    assert found[1:].abs().max() < 0.1


def test_missing_answers_take_bits_away_and_never_give_one() -> None:
    draw = np.random.default_rng(2)
    kept = draw.integers(2, size=(20, 3)).astype(np.uint8)
    label = np.zeros(20, dtype=np.int64)
    shares = draw.dirichlet([1, 1], size=20).astype(np.float32)
    bits = (lime_smoother(kept) @ shares[:, 0] > 0).astype(np.int64)
    state = {
        "group": np.zeros(20, dtype=np.int64), "label": label, "kept": kept, "bit": np.tile(bits, (20, 1)),
        "number": np.zeros(20, dtype=np.int64),
    }  # fmt: skip
    source, scheme = Answers(labels=shares.argmax(1), scores=shares), FitLime()
    assert scheme.score(state, source, source) == 1.0
    for count in (1, 5, 15):
        missing = np.zeros(20, dtype=bool)
        missing[draw.permutation(20)[:count]] = True
        silent = Answers(labels=np.where(missing, UNANSWERED, source.labels), scores=shares)
        least = scheme.least_score(state, source, silent, missing)
        for _ in range(50):
            said = shares.copy()
            said[missing] = draw.dirichlet([0.3, 0.3], size=count)
            assert scheme.score(state, source, Answers(labels=said.argmax(1), scores=said)) >= least
    nothing = np.full(20, UNANSWERED)
    with pytest.raises(UnscorableError, match="ask more queries"):
        scheme.score(state, source, Answers(labels=nothing, scores=np.full_like(shares, np.nan)))


def test_without_surrogates_the_source_alone_takes_part(enrollment: Enrollment) -> None:
    alone = craft(replace(SCHEME, queries=30), replace(enrollment, surrogates=held(())), seed=1)
    assert score(SCHEME, alone, alone.source) == 1.0


def test_changes_that_are_too_small_spell_nothing(enrollment: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="set epsilon or steps higher"):
        craft(replace(SCHEME, queries=15, cells=9, epsilon=1 / 255, steps=1), enrollment, seed=1)
