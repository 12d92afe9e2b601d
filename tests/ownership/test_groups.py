"""The error rate holds for each kind of innocent by itself: strangers, siblings, copies of other models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from modelprint import enroll, verify
from modelprint.attacks.make import run_attack
from modelprint.core.errors import FingerprintError, UsageError
from modelprint.data.labelled import LabelledSet
from modelprint.modalities.image.storage import as_unit
from modelprint.modalities.image.transforms import TRANSFORMS
from modelprint.nn.files import save_model
from modelprint.nn.loading import load_model, weights_identity
from modelprint.ownership.decide import decide
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.kinds import Group
from modelprint.schemes import SCHEMES
from modelprint.training.loop import predict
from tests.conftest import Digits
from tests.ownership.test_decide import ALL, SOURCE, Agreement, agreeing

STRANGERS, COPIES, SIBLINGS = (Group(kind=kind) for kind in ("INDEPENDENT", "COPY", "SHARED"))


def test_a_suspect_above_all_strangers_is_not_accused_where_copies_of_others_score_as_high() -> None:
    calibration = [agreeing(count) for count in [5] * 99 + [15] * 19]
    kinds = [STRANGERS] * 99 + [COPIES] * 19
    for count, outcome in ((10, "not-shown"), (15, "not-shown"), (16, "derived")):
        found = decide(Agreement(), {}, SOURCE, agreeing(count), calibration, alpha=0.05, asked=ALL, groups=kinds)
        assert found.outcome == outcome
        assert found.threshold == 15 / 20
        assert "the worst of ranks among 99 independent models and among 19 copies of other models" in found.message
        assert found.false_accusations is not None
        assert (found.false_accusations.count, found.false_accusations.n, found.ranked) == (0, 19, 19)


def test_a_kind_of_too_few_is_named_and_the_verdict_rests_on_the_others() -> None:
    calibration, kinds = [agreeing(5)] * 99 + [agreeing(15)] * 3, [STRANGERS] * 99 + [SIBLINGS] * 3
    verdict = decide(Agreement(), {}, SOURCE, agreeing(10), calibration, alpha=0.05, asked=ALL, groups=kinds)
    assert (verdict.outcome, verdict.p_value, verdict.pooled) == ("derived", 1 / 100, False)
    assert "rank among 99 independent models" in verdict.message
    assert "no rate is known for siblings: 3 given, 19 needed" in verdict.message
    assert [(rate.kind, rate.n, rate.p_value, rate.covered) for rate in verdict.kinds] == [
        ("INDEPENDENT", 99, 1 / 100, True),
        ("SHARED", 3, 1.0, False),
    ]
    pooled = decide(
        Agreement(), {}, SOURCE, agreeing(10), calibration, alpha=0.05, asked=ALL, groups=kinds, pool_kinds=True
    )
    assert (
        "rank among 102 independent models; kinds were pooled: 3 siblings with the independent models" in pooled.message
    )
    assert (pooled.p_value, pooled.pooled, [rate.covered for rate in pooled.kinds]) == (4 / 103, True, [True, True])


def test_no_covered_kind_is_inconclusive() -> None:
    calibration, kinds = [agreeing(5)] * 20, [STRANGERS] * 10 + [SIBLINGS] * 10
    verdict = decide(Agreement(), {}, SOURCE, agreeing(20), calibration, alpha=0.05, asked=ALL, groups=kinds)
    assert (verdict.outcome, verdict.threshold, verdict.p_value) == ("inconclusive", None, 1 / 11)
    assert "10 independent models and 10 siblings, but an error rate of 0.05 needs at least 19 of one kind" in (
        verdict.message
    )
    pooled = decide(
        Agreement(), {}, SOURCE, agreeing(20), calibration, alpha=0.05, asked=ALL, groups=kinds, pool_kinds=True
    )
    assert (pooled.outcome, pooled.p_value) == ("derived", 1 / 21)


def test_owners_who_share_alpha_need_more_of_a_kind() -> None:
    calibration, kinds = [agreeing(5)] * 59 + [agreeing(15)] * 19, [STRANGERS] * 59 + [COPIES] * 19
    alone = decide(Agreement(), {}, SOURCE, agreeing(16), calibration, alpha=0.05, asked=ALL, groups=kinds, owners=3)
    assert (alone.p_value, alone.ranked) == (1 / 60, 59)
    assert "copies of other models: 19 given, 59 needed" in alone.message
    pooled = decide(
        Agreement(), {}, SOURCE, agreeing(16), calibration, alpha=0.05, asked=ALL, groups=kinds, owners=3,
        pool_kinds=True,
    )  # fmt: skip
    assert (pooled.p_value, pooled.ranked) == (1 / 79, 78)


@pytest.fixture(scope="module")
def folder(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source, and a copy of a stranger."""
    place = tmp_path_factory.mktemp("negatives")
    for name, victim in (("mine", digits.source), ("other", digits.strangers[0])):
        stolen = run_attack("ftal", {"epochs": "1"}, victim, digits.spec, digits.attacker, seed=0)
        save_model(place / f"{name}.safetensors", stolen.model, stolen.card)
    return place


def test_a_model_made_from_the_source_is_no_independent_model(digits: Digits, folder: Path) -> None:
    mine = load_model(folder / "mine.safetensors")
    with pytest.raises(FingerprintError, match="made from the source"):
        enroll(digits.source, digits.queries, scheme="akh", budget=30, negatives=[mine])
    made = enroll(digits.source, digits.queries, scheme="akh", budget=30)
    assert made.manifest.source == weights_identity(digits.source)
    with pytest.raises(FingerprintError, match="made from the source"):
        verify(made, digits.source, negatives=[mine])


def test_cards_tell_copies_of_others_and_siblings_apart(digits: Digits, folder: Path, tmp_path: Path) -> None:
    other = load_model(folder / "other.safetensors")
    made = enroll(digits.source, digits.queries, scheme="akh", budget=30, negatives=[other, digits.strangers[1]])
    assert made.groups == (COPIES, STRANGERS)
    assert made.families == (weights_identity(digits.strangers[0]), weights_identity(digits.strangers[1]))
    tuned = run_attack("ftal", {"epochs": "1"}, digits.strangers[0], digits.spec, digits.owner, seed=1)
    save_model(tmp_path / "tuned.safetensors", tuned.model, tuned.card)
    source = load_model(tmp_path / "tuned.safetensors")
    assert enroll(source, digits.queries, scheme="akh", budget=30, negatives=[other]).groups == (SIBLINGS,)


def copying(digits: Digits, source: Path, *, jobs: int = 1) -> Fingerprint:
    """Calibrated on two independent models, and a copy of each, all made for it."""
    save_model(source, digits.source, digits.trained.card)
    few = LabelledSet(
        name="few", stored=digits.owner.stored[:200], labels=digits.owner.labels[:200],
        class_names=digits.owner.class_names,
    )  # fmt: skip
    return enroll(
        source, digits.queries, scheme="akh", budget=30, train_data=few, negatives="auto:2+2", jobs=jobs
    )  # fmt: skip


@pytest.mark.slow
def test_copies_do_not_depend_on_the_number_of_processes(digits: Digits, tmp_path: Path) -> None:
    source = tmp_path / "source.safetensors"
    assert copying(digits, source).identity == copying(digits, source, jobs=2).identity


def test_copies_of_independent_models_are_made_on_request(digits: Digits, tmp_path: Path) -> None:
    made = copying(digits, tmp_path / "source.safetensors")
    assert made.groups == (STRANGERS, STRANGERS, COPIES, COPIES)
    names = [model.name for model in made.manifest.calibration]
    assert names == ["auto-0", "auto-1", "auto-0, copied", "auto-1, copied"]
    assert len({model.identity for model in made.manifest.calibration}) == 4
    assert made.families[2:] == made.families[:2]
    for wrong in ("auto:2+3", "auto:x", "auto:2+", "auto:-1"):
        with pytest.raises(UsageError, match="auto:N"):
            enroll(tmp_path / "source.safetensors", digits.queries, train_data=digits.owner, negatives=wrong)


def test_calibration_models_answer_behind_what_is_expected(digits: Digits) -> None:
    negatives = [*digits.strangers]
    made = enroll(digits.source, digits.queries, scheme="akh", budget=40, expect="blur,noise", negatives=negatives)
    assert made.groups == tuple(Group(behind=transform) for transform in (None, "blur", "noise") for _ in range(3))
    assert len(set(made.families)) == 3
    images = as_unit(made.queries)
    seen_by = [images, *(TRANSFORMS[name]()(images) for name in ("blur", "noise"))]
    for number, answers in enumerate(made.calibration):
        seen, model = seen_by[number // 3], negatives[number % 3]
        assert number < 3 or (seen != images).any()
        assert answers.scores is not None
        np.testing.assert_allclose(answers.scores, predict(model, torch.from_numpy(seen)).numpy(), atol=1e-4)
    again = verify(made, digits.source, negatives=negatives)
    assert again.p_value == verify(made, digits.source).p_value == 0.25  # nine answers, but three models


def test_the_rate_behind_a_transform_is_that_of_innocents_behind_it() -> None:
    kinds = [STRANGERS] * 19 + [Group(behind="blur")] * 19
    calibration = [agreeing(5)] * 19 + [agreeing(12)] * 19
    found = decide(Agreement(expect="blur"), {}, SOURCE, agreeing(12), calibration, alpha=0.05, asked=ALL, groups=kinds)
    assert found.outcome == "not-shown"
    assert "19 independent models behind blur" in found.message
    older = decide(
        Agreement(expect="blur"), {}, SOURCE, agreeing(12), calibration[:19], alpha=0.05, asked=ALL, groups=kinds[:19]
    )
    assert older.outcome == "derived"
    assert "not behind blur" in older.message


def test_schemes_that_learn_from_copies_say_where_no_rate_is_known() -> None:
    calibration = [agreeing(5)] * 19
    scheme = SCHEMES["cae"]()
    told = decide(scheme, {}, SOURCE, agreeing(20), calibration, alpha=0.05, asked=ALL, groups=[STRANGERS] * 19)
    assert "no rate is known for copies of other models" in told.message
    more, kinds = [*calibration, *calibration], [STRANGERS] * 19 + [COPIES] * 19
    told = decide(scheme, {}, SOURCE, agreeing(20), more, alpha=0.05, asked=ALL, groups=kinds)
    assert "no rate is known" not in told.message
