"""UAP: what its queries are, what its encoder reads, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.attacks import run_attack
from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.suspect import UNANSWERED, Answers, answers_from_scores
from modelprint.nn.refs import held
from modelprint.ownership.craft import Crafted, craft
from modelprint.ownership.decide import decide
from modelprint.perturb.deepfool import deepfool
from modelprint.schemes.base import Enrollment
from modelprint.schemes.uap import Uap
from modelprint.schemes.uap_points import views_of_points
from modelprint.training.loop import predict
from modelprint.training.train import default_recipe, train_model
from tests.conftest import Digits

SCHEME = Uap(points=30, views=4, epsilon=64 / 255, images=300)


@pytest.fixture(scope="module")
def context(digits: Digits) -> Enrollment:
    copies = [
        run_attack(kind, settings, digits.source, digits.spec, digits.owner, seed=seed).model
        for seed, (kind, settings) in enumerate(
            [("ftal", {"epochs": "2"}), ("prune", {"rate": "0.4", "finetune_epochs": "1"}), ("rtal", {"epochs": "2"})]
        )
    ]
    return Enrollment(
        source=digits.source,
        seeds=digits.queries,
        train_images=digits.owner,
        surrogates=held(copies),
        references=held(digits.strangers),
    )


@pytest.fixture(scope="module")
def made(context: Enrollment) -> Crafted:
    return craft(SCHEME, context, seed=1)


@pytest.fixture(scope="module")
def copy_(digits: Digits) -> nn.Module:
    return run_attack("ftal", {"epochs": "3"}, digits.source, digits.spec, digits.attacker, seed=7).model


@pytest.fixture(scope="module")
def stranger(digits: Digits) -> nn.Module:
    return train_model(digits.owner, digits.spec, default_recipe(digits.owner, epochs=10), seed=11).model


def told(model: nn.Module, made: Crafted) -> Answers:
    return answers_from_scores(predict(model, torch.from_numpy(made.queries.stored)).numpy(), who="a model")


def test_each_view_holds_its_points_clean_and_then_with_v_in_eight_bits(made: Crafted, digits: Digits) -> None:
    images = made.queries.stored.reshape(4, 2, 30, 1, 8, 8)
    assert made.queries.stored.dtype == np.uint8
    expected = np.rint(np.clip(images[:, 0] / 255 + made.state["shift"].astype(np.float64), 0, 1) * 255)
    assert np.abs(images[:, 1] - expected).max() <= 1
    assert (images[:, 1] == expected).mean() > 0.999
    owner = {image.tobytes(): label for image, label in zip(digits.owner.stored, digits.owner.labels, strict=True)}
    assert all(image.tobytes() in owner for image in images[:, 0].reshape(-1, 1, 8, 8))
    labels = made.queries.labels.reshape(4, 2, 30)
    assert (labels[:, 0] == labels[:, 1]).all()
    assert all(
        owner[image.tobytes()] == label
        for image, label in zip(images[:, 0].reshape(-1, 1, 8, 8), labels[:, 0].reshape(-1), strict=True)
    )
    assert (made.state["group"] == np.repeat(np.arange(4), 60)).all()
    assert (made.state["shifted"] == np.tile(np.repeat([0, 1], 30), 4)).all()


def test_views_are_the_nearest_neighbours_of_one_point_of_each_cluster() -> None:
    centres = np.random.default_rng(0).normal(size=(6, 3)) * 100
    logits = np.concatenate([centre + np.random.default_rng(1).normal(size=(20, 3)) for centre in centres])
    index = views_of_points(logits, points=6, views=5, seed=0)
    assert sorted(index[0] // 20) == list(range(6))
    for column in index.T:
        squares = ((logits - logits[column[0]]) ** 2).sum(1)
        assert squares[column].tolist() == sorted(squares)[:5]


def test_too_few_images_for_the_points_are_refused() -> None:
    with pytest.raises(FingerprintError, match="12 inputs of the training data with 3 distinct outputs"):
        views_of_points(np.repeat(np.eye(3), 4, axis=0), points=6, views=2, seed=0)


@pytest.mark.parametrize(("budget", "expected"), [(100, (50, 1)), (1000, (200, 2)), (4000, (200, 10)), (3, (1, 1))])
def test_a_budget_becomes_points_and_views(budget: int, expected: tuple[int, int]) -> None:
    assert Uap().layout(budget) == expected


def test_a_budget_of_one_query_is_refused() -> None:
    with pytest.raises(FingerprintError, match="budget of 1"):
        Uap().layout(1)


def test_the_report_says_how_often_v_fools_held_out_images(made: Crafted) -> None:
    assert made.queries.report["fooling_rate"] >= 0.7
    assert made.queries.report["epsilon"] == 64 / 255
    assert np.abs(made.state["shift"]).max() <= 64 / 255 + 1e-6


def test_without_an_epsilon_the_smallest_that_fools_enough_is_taken(context: Enrollment) -> None:
    chosen = craft(replace(SCHEME, epsilon=None, least_fooling=0.3), context, seed=1).queries.report
    assert chosen["epsilon"] < 64 / 255
    assert chosen["fooling_rate"] >= 0.3


def test_a_v_that_fools_too_few_is_refused(context: Enrollment) -> None:
    with pytest.raises(FingerprintError, match=r"set epsilon higher"):
        craft(replace(SCHEME, epsilon=1 / 255), context, seed=1)


@pytest.mark.parametrize("access", [Access.SCORES, Access.LABELS])
def test_copies_score_above_strangers(made: Crafted, copy_: nn.Module, stranger: nn.Module, access: Access) -> None:
    scores = [
        SCHEME.score(made.state, made.source, told(model, made).restricted(access)) for model in (copy_, stranger)
    ]
    assert scores[0] > scores[1]
    assert scores[0] > 0.8


@pytest.mark.parametrize("access", [Access.SCORES, Access.LABELS])
def test_the_source_scores_one(made: Crafted, access: Access) -> None:
    assert SCHEME.score(made.state, made.source, made.source.restricted(access)) == pytest.approx(1.0)


def test_labels_have_an_encoder_of_their_own(made: Crafted, stranger: nn.Module) -> None:
    answers = told(stranger, made)
    broken = {**made.state, "labels.weight-2": np.full_like(made.state["labels.weight-2"], 0.01)}
    assert SCHEME.score(broken, made.source, answers) == SCHEME.score(made.state, made.source, answers)
    labels = answers.restricted(Access.LABELS)
    assert SCHEME.score(broken, made.source, labels) != SCHEME.score(made.state, made.source, labels)


def test_calibration_models_are_ranked_on_what_the_suspect_gave(made: Crafted, stranger: nn.Module) -> None:
    answers, asked = told(stranger, made), np.ones(240, bool)
    given = decide(
        SCHEME, made.state, made.source, answers.restricted(Access.LABELS), [answers], alpha=0.5, asked=asked
    )
    assert given.calibration_scores.tolist() == [given.score]


def missing(answers: Answers, index: list[int]) -> Answers:
    labels = answers.labels.copy()
    labels[index] = UNANSWERED
    assert answers.scores is not None
    scores = answers.scores.copy()
    scores[index] = np.nan
    return Answers(labels=labels, scores=scores)


def test_a_view_with_a_hole_is_left_out(made: Crafted, stranger: nn.Module) -> None:
    answers = told(stranger, made)
    full = SCHEME.similarities(made.state, made.source, answers)
    holed = SCHEME.similarities(made.state, made.source, missing(answers, [3, 200]))
    assert np.isnan(holed).tolist() == [True, False, False, True]
    assert SCHEME.score(made.state, made.source, missing(answers, [3, 200])) == pytest.approx(full[1:3].mean())


def test_without_a_whole_view_there_is_no_score_but_an_inconclusive_verdict(made: Crafted, stranger: nn.Module) -> None:
    answers = missing(told(stranger, made), [0, 60, 120, 180])
    with pytest.raises(UnscorableError, match="none of 4 views"):
        SCHEME.score(made.state, made.source, answers)
    found = decide(SCHEME, made.state, made.source, answers, [made.source], alpha=0.5, asked=np.ones(240, bool))
    assert (found.outcome, found.score) == ("inconclusive", None)


@pytest.mark.parametrize(("budget", "asked"), [(None, 240), (240, 240), (239, 180), (60, 60), (59, 0)])
def test_whole_views_are_asked(made: Crafted, budget: int | None, asked: int) -> None:
    assert SCHEME.asker(made.state, budget).total == asked


def test_a_dead_encoder_is_refused(made: Crafted, context: Enrollment, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*_: object, **__: object) -> Mapping[str, np.ndarray]:
        return {
            "weight-1": np.zeros((5, 600)),
            "bias-1": np.zeros(5),
            "weight-2": np.zeros((2, 5)),
            "bias-2": np.zeros(2),
        }

    monkeypatch.setattr("modelprint.schemes.uap_encoder.train_encoder", dead)
    with pytest.raises(FingerprintError, match="encoder is dead"):
        craft(SCHEME, context, seed=1)


def test_a_suspect_whose_embedding_is_zero_scores_zero(made: Crafted, stranger: nn.Module) -> None:
    silent = {**made.state, "scores.bias-2": np.full(20, -1e6)}
    assert SCHEME.score(silent, made.source, told(stranger, made)) == 0.0


@pytest.mark.parametrize("perturbation", ["zero", "random-sign", "chessboard"])
def test_controls_carry_their_pattern(context: Enrollment, perturbation: str) -> None:
    scheme = replace(SCHEME, perturbation=perturbation, encoder="none")
    crafted = craft(scheme, context, seed=1)
    height = 0 if perturbation == "zero" else 64 / 255
    assert np.allclose(np.abs(crafted.state["shift"]), height)
    assert scheme.score(crafted.state, crafted.source, crafted.source) == pytest.approx(1.0)
    assert not any("weight" in name for name in crafted.state)


def test_per_sample_each_point_goes_its_own_way_across_the_boundary(context: Enrollment) -> None:
    crafted = craft(replace(SCHEME, perturbation="per-sample", encoder="none"), context, seed=1)
    labels = crafted.source.labels.reshape(4, 2, 30)
    fooled = (labels[:, 0] != labels[:, 1]).mean()
    assert fooled > 0.5
    assert crafted.queries.report["fooling_rate"] == pytest.approx(fooled)
    first = torch.from_numpy(crafted.queries.stored[:1]).float() / 255
    way = deepfool(context.source, first, overshoot=1.0).shift
    stored = ((first + way).clamp(0, 1) * 255).round().numpy()
    assert np.abs(crafted.queries.stored[30].astype(float) - stored[0]).max() <= 1


def test_the_same_seed_makes_the_same_fingerprint(made: Crafted, context: Enrollment) -> None:
    again = craft(SCHEME, context, seed=1)
    assert (again.queries.stored == made.queries.stored).all()
    assert all((again.state[name] == made.state[name]).all() for name in made.state)


@pytest.mark.parametrize("lacking", ["train_images", "surrogates", "references"])
def test_what_it_needs_is_asked_for(context: Enrollment, lacking: str) -> None:
    without = replace(context, **{lacking: None if lacking == "train_images" else getattr(context, lacking)[:1]})
    with pytest.raises(FingerprintError, match="--train-data" if lacking == "train_images" else "learns from shadow"):
        craft(SCHEME, without, seed=1)


@pytest.mark.parametrize("wrong", [{"points": 0}, {"epsilon": 1.5}, {"least_fooling": 2.0}, {"temperature": 0.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        Uap(**wrong)  # type: ignore[arg-type]
