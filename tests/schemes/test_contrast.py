"""Contrast: what it chooses, how evidence adds up, and when it stops asking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers
from modelprint.nn.loading import LoadedModel, weights_identity
from modelprint.nn.refs import held
from modelprint.ownership.ask import interrogate
from modelprint.ownership.concluding import concluded
from modelprint.ownership.craft import craft
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import opened, scheme_of
from modelprint.ownership.verify import verify
from modelprint.schemes.base import Enrollment
from modelprint.schemes.contrast import BatchAsker, Contrast, boosted
from modelprint.schemes.contrast_pools import Pool, candidates
from modelprint.training.loop import predict
from modelprint.zoo.reference_models.shadows import Shadows
from tests.conftest import Digits
from tests.schemes.world import copies, missing, score, strangers, told

SCHEME = Contrast(candidates=2000, queries=100, batch=10)
ALPHA = 0.2  # four calibration models are enough for it


def loaded(models: tuple[nn.Module, ...]) -> tuple[LoadedModel, ...]:
    return tuple(
        LoadedModel(module=model, identity=weights_identity(model), spec=None, card=None, path=None) for model in models
    )


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    shadows = Shadows(surrogates=loaded(copies(digits)), references=loaded(digits.strangers))
    return enroll(
        digits.source, digits.queries, scheme=SCHEME, shadows=shadows, negatives=strangers(digits, 6, seed=60)
    )


def test_copies_that_agreed_least_are_heard_most() -> None:
    first = np.zeros((2, 40), dtype=bool)
    first[0, :30] = True  # one copy agrees on most candidates, the other on the last ten
    first[1, 30:] = True
    nobody = [np.zeros((3, 40), dtype=bool)]
    assert set(boosted(first, nobody, 20, 0.5)[:20].tolist()) >= set(range(30, 40))
    assert len(set(boosted(first, nobody, 40, 0.05).tolist())) == 40


def test_kinds_of_strangers_weigh_alike_whatever_their_number() -> None:
    agree = np.ones((1, 20), dtype=bool)
    few, many = np.zeros((1, 20), dtype=bool), np.zeros((50, 20), dtype=bool)
    few[0, :10] = True
    assert boosted(agree, [few, many], 10, 0.0).tolist() == list(range(10, 20))


def test_copies_score_above_strangers(digits: Digits, enrollment: Enrollment) -> None:
    made = craft(SCHEME, enrollment, seed=0)
    other = copies(digits, seed=9)
    thieves = [score(SCHEME, made, told(model, made)) for model in other]
    innocent = [score(SCHEME, made, told(model, made)) for model in strangers(digits, 3, seed=80)]
    assert min(thieves[:2]) > max(innocent)  # fine-tuned, pruned; the retrained one (3 + 3 shadows) is not held to it
    assert np.mean(thieves) > max(innocent)


@given(
    st.lists(st.booleans(), min_size=30, max_size=30),
    st.integers(7, 29),
    st.floats(0, 0.99),
    st.sets(st.integers(0, 29), max_size=5),
)
def test_from_the_first_look_on_the_score_never_falls_and_agreeing_raises_it_most(
    agree: list[bool], heard: int, delta: float, refused: set[int]
) -> None:
    scheme = Contrast(batch=7, delta=delta)
    state = {"group": np.zeros(30, dtype=np.int64), "worth": np.array([-0.4, 0.7])}
    source = Answers(labels=np.ones(30, dtype=np.int64))
    whole = missing(Answers(labels=np.where(agree, 1, 0)), np.array(sorted(refused), dtype=np.int64))
    part = missing(whole, np.arange(heard, 30))
    best = Answers(labels=np.where(np.arange(30) < heard, whole.labels, 1))
    looked = heard - heard % 7  # looks come after whole batches
    before = missing(whole, np.arange(looked, 30))
    assert scheme.score(state, source, before) <= scheme.score(state, source, whole) + 1e-9
    assert scheme.score(state, source, whole) <= scheme.score(state, source, best) + 1e-9
    assert scheme.score(state, source, part) <= scheme.score(state, source, best) + 1e-9


def test_early_looks_need_less_evidence_the_larger_delta_is() -> None:
    state = {"group": np.zeros(200, np.int64), "worth": np.array([-0.4, 0.4])}
    source = Answers(labels=np.ones(200, dtype=np.int64))
    copy = Answers(labels=(np.arange(200) % 20 != 0).astype(np.int64))  # agrees on 95 of 100

    def looks(delta: float) -> int:
        """How many until the half of what a copy says in all."""
        path = Contrast(delta=delta).path(state, source, copy)
        return int(np.flatnonzero(path[1] > 0.5 * path[1][-1])[0]) + 1

    assert [looks(delta) for delta in (0.0, 0.25, 0.5)] == [11, 8, 6]


def test_fingerprints_that_know_no_delta_are_scored_as_they_were(fingerprint: Fingerprint) -> None:
    told = fingerprint.manifest.model_dump(mode="json", exclude={"tensors"})
    old = Fingerprint.bind(
        {**told, "parameters": {key: value for key, value in told["parameters"].items() if key != "delta"}},
        queries=fingerprint.queries,
        true_labels=fingerprint.true_labels,
        source=fingerprint.source,
        state=fingerprint.state,
    )
    assert scheme_of(old) == replace(SCHEME, delta=0.0)


@pytest.fixture
def epsilons(enrollment: Enrollment, monkeypatch: pytest.MonkeyPatch) -> tuple[float, ...]:
    """Sizes of a shift up to one that fools every digits model, however its training went on this processor."""
    modality = type(enrollment.seeds.modality)
    usual = enrollment.seeds.modality.changes
    larger = (*usual, usual[-1], 128 / 255)  # every second one is tried
    monkeypatch.setattr(modality, "changes", property(lambda _: larger))
    assert len(larger) % 2 == 1
    return larger[::2]


@pytest.mark.parametrize(
    ("pool", "count", "natural"),
    [("natural", 150, 150), ("cutmix", 40, 0), ("both", 190, 150), ("shifted", 150, 0)],
)
def test_pools_hold_what_they_say(
    enrollment: Enrollment, epsilons: tuple[float, ...], pool: Pool, count: int, natural: int
) -> None:
    made, first = candidates(pool, enrollment, 40, torch.Generator().manual_seed(0))
    assert (len(made), first) == (count, natural)
    assert made.stored.dtype == np.uint8
    if pool == "shifted":
        moved = np.abs(made.stored.astype(int) - enrollment.seeds.stored.astype(int))
        assert moved.max() in [round(255 * epsilon) for epsilon in epsilons]
        assert (predict(enrollment.source, torch.from_numpy(made.stored)).argmax(1).numpy() != made.labels).mean() > 0.6


@pytest.mark.usefixtures("epsilons")
def test_all_pools_hold_boundary_points_behind_the_benign_ones(enrollment: Enrollment) -> None:
    walked, none = candidates("trajectory", enrollment, 40, torch.Generator().manual_seed(0))
    whole, natural = candidates("all", enrollment, 40, torch.Generator().manual_seed(0))
    assert none == 0
    assert natural == 150
    assert 0 < len(walked) <= 2000
    assert abs(len(whole) - (150 + 40 + len(walked) + 150)) <= 200  # other bases, other failures
    scheme = replace(SCHEME, pool="all")
    made = craft(scheme, enrollment, seed=0)
    assert score(scheme, made, told(enrollment.source, made)) > 0


def test_candidates_that_tie_are_chosen_in_order_however_a_processor_adds() -> None:
    """Rows are models: in another order their weights are added in another order."""
    generator = np.random.default_rng(0)
    copies, strangers = generator.random((9, 3000)) < 0.7, generator.random((11, 3000)) < 0.4
    first = boosted(copies, [strangers], 200, 0.05)
    for _ in range(10):
        mixed = copies[generator.permutation(9)], strangers[generator.permutation(11)]
        assert boosted(mixed[0], [mixed[1]], 200, 0.05).tolist() == first.tolist()


def test_copies_of_another_model_are_refused(enrollment: Enrollment, digits: Digits) -> None:
    swapped = replace(
        enrollment, surrogates=held(digits.strangers), references=held([enrollment.source, enrollment.source])
    )
    with pytest.raises(FingerprintError, match="hardly more than reference models"):
        craft(SCHEME, swapped, seed=0)


def test_asking_goes_batch_by_batch_within_the_budget() -> None:
    asker, asked = BatchAsker(25, 10), np.zeros(40, dtype=bool)
    sizes = []
    while len(batch := asker.next(Answers(labels=np.full(40, -1)), asked)):
        sizes.append(len(batch))
        asked[batch] = True
    assert sizes == [10, 10, 5]
    assert not asked[25:].any()


def test_stopping_early_saves_queries_and_changes_no_verdict(fingerprint: Fingerprint, digits: Digits) -> None:
    used = {}
    for name, model in {
        "copy": copies(digits)[0],
        "source": digits.source,
        **{f"stranger {number}": model for number, model in enumerate(strangers(digits, 4, seed=90))},
    }.items():
        early = verify(fingerprint, model, alpha=ALPHA)
        whole = interrogate(fingerprint, SCHEME, opened(model, fingerprint), access=opened(model, fingerprint).access)
        full = concluded(SCHEME, fingerprint, whole, alpha=ALPHA)
        assert early.verdict == full.outcome
        assert whole.asked.sum() == len(fingerprint)
        used[name] = early.queries
    assert used["source"] <= 50
    assert max(used.values()) <= len(fingerprint)
    assert verify(fingerprint, digits.source, alpha=ALPHA).verdict == "derived"


def test_the_threshold_stands_on_whole_ways(fingerprint: Fingerprint, digits: Digits) -> None:
    """Calibration models are not ranked by the few queries after which a copy was found out."""
    early = verify(fingerprint, digits.source, alpha=ALPHA)
    limit = sorted(SCHEME.score(fingerprint.state, fingerprint.source, told) for told in fingerprint.calibration)
    assert early.threshold == pytest.approx(limit[-1])  # j = floor(.2 * 7) = 1
    assert early.queries < len(fingerprint)


def test_without_calibration_everything_is_asked(fingerprint: Fingerprint, digits: Digits) -> None:
    bare = replace(fingerprint, calibration=())
    assert interrogate(
        bare, SCHEME, opened(digits.source, bare), access=opened(digits.source, bare).access, alpha=ALPHA
    ).asked.all()


def test_as_many_agreements_are_a_tie_in_whatever_order() -> None:
    state = {"group": np.zeros(60, np.int64), "worth": np.array([-0.31, 0.17])}
    source = Answers(labels=np.zeros(60, np.int64))
    generator = np.random.default_rng(0)
    agreed = np.repeat([0, 1], [45, 15])  # one batch: the evidence is that of 45 agreements
    scores = {Contrast(batch=60).score(state, source, Answers(labels=generator.permutation(agreed))) for _ in range(50)}
    assert scores == {round(45 * 0.17 - 15 * 0.31, 9)}
