"""Nobody gains by silence: a score with answers left out is never higher than with all of them, in every scheme."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprint.core.access import Access
from modelprint.core.errors import UnscorableError
from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.ownership.decide import decide
from modelprint.ownership.matching import looks_renamed
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme, State

N, CLASSES, VIEW = 24, 4, 4
GROUP = np.arange(N) // VIEW


def _encoder(draw: np.random.Generator, reading: str) -> dict[str, np.ndarray]:
    width = VIEW * CLASSES
    return {
        f"{reading}.weight-1": draw.normal(size=(8, width)),
        f"{reading}.bias-1": draw.normal(size=8),
        f"{reading}.weight-2": draw.normal(size=(6, 8)),
        f"{reading}.bias-2": draw.normal(size=6),
        f"{reading}.centre": draw.normal(size=width),
    }


def _state(name: str, draw: np.random.Generator) -> State:
    zero = np.zeros(N, dtype=np.int64)
    truth = draw.integers(CLASSES, size=N)
    if name in ("fbi", "cort", "accuracy", "agreement"):
        return {"group": zero, "truth": truth}
    if name in ("modeldiff", "fit-print"):
        return {"group": np.arange(N) // 2, "bit": draw.integers(2, size=N // 2).repeat(2), "number": np.arange(N) // 2}
    if name == "zest":
        kept = draw.integers(2, size=(N, 3)).astype(np.uint8)
        kept[::VIEW] = 1
        return {"group": GROUP, "kept": kept}
    if name == "fit-lime":
        lists = np.arange(N) // VIEW
        kept = draw.integers(2, size=(N, 3)).astype(np.uint8)
        bits = draw.integers(2, size=(N // VIEW, 3)).repeat(VIEW, axis=0)
        return {"group": GROUP, "label": truth, "kept": kept, "bit": bits, "number": lists}
    if name == "residual":
        return {"group": zero, "references": draw.normal(size=(6, N, CLASSES)).astype(np.float32)}
    if name == "uap":
        return {"group": GROUP, **_encoder(draw, "labels"), **_encoder(draw, "scores")}
    if name == "adv-tra":
        return {"group": GROUP, "position": np.arange(N) % VIEW, "target": truth}
    if name == "irisfp":
        return {"group": GROUP, "threshold": np.repeat(draw.random(N // VIEW), VIEW)}
    if name == "ganfinger":
        return {"group": np.arange(N) // 2}
    if name == "contrast":
        return {"group": zero, "worth": np.array([-0.7, 0.4]), "natural": np.ones(N, dtype=bool)}
    return {"group": zero}


SETTINGS: tuple[tuple[str, dict[str, str]], ...] = (
    *((name, {}) for name in ("adv-tra", "akh", "cae", "contrast", "cort", "fbi", "ipguard", "sac", "uap")),
    ("residual", {}),
    *((name, {}) for name in ("modeldiff", "zest", "deepcore", "fit-print", "fit-lime")),
    *((name, {}) for name in ("anafp", "ganfinger", "irisfp", "metafinger")),
    ("deepcore", {"similarity": "cosine"}),
    *((name, {}) for name in ("accuracy", "agreement")),
    ("contrast", {"batch": "3", "delta": "0"}),
    ("cort", {"metric": "robd"}),
    ("cort", {"metric": "jsd"}),
    ("fbi", {"k": "1"}),
    ("sac", {"correlation": "rbf"}),
    ("uap", {"encoder": "none"}),
)


def _configured(name: str, chosen: dict[str, str]) -> Scheme:
    return SCHEMES[name]().with_settings(chosen)


def test_every_scheme_stands_in_the_table() -> None:
    assert {name for name, _ in SETTINGS} == {
        name for name in SCHEMES if SCHEMES[name]().needs.asks and not SCHEMES[name]().parts
    }


def _answers(draw: np.random.Generator, source: Answers, alike: float, *, scores: bool) -> Answers:
    """Of a model that agrees with the source on a share of the queries."""
    assert source.scores is not None
    own = draw.dirichlet(np.full(CLASSES, 0.4), size=N).astype(np.float32)
    given_ = np.where((draw.random(N) < alike)[:, None], source.scores, own)
    return Answers(labels=given_.argmax(1), scores=given_ if scores else None)


def _without(answers: Answers, missing: np.ndarray) -> Answers:
    scores = None if answers.scores is None else np.where(missing[:, None], np.nan, answers.scores)
    return Answers(labels=np.where(missing, UNANSWERED, answers.labels), scores=scores)


@pytest.mark.parametrize(("name", "chosen"), SETTINGS)
@pytest.mark.parametrize("scores", [False, True])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), alike=st.sampled_from([0.0, 0.3, 0.6, 1.0]), left_out=st.floats(0.05, 0.5))
def test_silence_never_raises_a_score(
    name: str, chosen: dict[str, str], scores: bool, seed: int, alike: float, left_out: float
) -> None:
    draw = np.random.default_rng(seed)
    scheme, state = _configured(name, chosen), _state(name, draw)
    if not scores and scheme.needs.suspect > Access.LABELS:
        return  # refused whatever is missing
    own = draw.dirichlet(np.full(CLASSES, 0.4), size=N).astype(np.float32)
    source = Answers(labels=own.argmax(1), scores=own)
    answers = _answers(draw, source, alike, scores=scores)
    missing = draw.random(N) < left_out
    disagrees = answers.labels != source.labels
    for mask in (missing, missing & disagrees, missing & ~disagrees):
        if mask.all() or (name == "uap" and len(np.unique(GROUP[mask])) == GROUP.max() + 1):
            continue
        if scheme.transductive and mask.any():
            assert_bounded(scheme, state, source, answers, mask)
            continue
        whole = scheme.score(state, source, answers)
        least = scheme.least_score(state, source, _without(answers, mask), mask)
        assert least <= whole + 1e-12
        assert np.isfinite(least)
        if not mask.any():
            assert least == whole


def assert_bounded(scheme: Scheme, state: State, source: Answers, answers: Answers, mask: np.ndarray) -> None:
    """Whatever the missing answers were: each model's score lies between its bounds."""
    draw = np.random.default_rng(int(mask.sum()))
    others = [_answers(draw, source, 0.2, scores=True) for _ in range(5)]
    if mask.mean() > 0.25:
        with pytest.raises(UnscorableError, match="ask again until every query is answered"):
            scheme.bounds_among(state, source, [_without(answers, mask), *others], mask, suspect=0)
        return
    bounds = scheme.bounds_among(state, source, [_without(answers, mask), *others], mask, suspect=0)
    assert (bounds.low <= bounds.high).all()
    assert answers.scores is not None
    assert source.scores is not None
    for filled in (answers.scores, source.scores, 1 / (source.scores + 0.01), draw.random(answers.scores.shape)):
        given_ = np.where(mask[:, None], filled / filled.sum(axis=1, keepdims=True), answers.scores)
        whole = Answers(labels=given_.argmax(1), scores=given_.astype(np.float32))
        scores = scheme.scores_among(state, source, [whole, *others], suspect=0)
        assert (bounds.low <= scores).all()
        assert (scores <= bounds.high).all()


def test_a_missing_answer_costs_what_it_could_have_cost() -> None:
    """Bounds that are reached: the worst answers to what is missing give just that score."""
    source = Answers(labels=np.zeros(N, dtype=np.int64), scores=np.eye(CLASSES, dtype=np.float32)[[0] * N])
    missing = np.arange(N) < 6
    heard = Answers(labels=np.where(missing, UNANSWERED, 0))
    for name in ("akh", "ipguard", "cae", "agreement"):
        assert _configured(name, {}).least_score(_state(name, np.random.default_rng(0)), source, heard, missing) == 0.75


def test_fbi_tries_all_ways() -> None:
    """Against every single way in which the missing answers might have been right or wrong."""
    draw, scheme = np.random.default_rng(3), _configured("fbi", {})
    truth = draw.integers(CLASSES, size=8)
    source = Answers(labels=np.where(draw.random(8) < 0.5, truth, (truth + 1) % CLASSES))
    labels = np.where(draw.random(8) < 0.6, truth, (truth + 1) % CLASSES)
    missing = np.array([True, True, True, False, True, False, False, False])
    state = {"group": np.zeros(8, np.int64), "truth": truth}
    ways = []
    for number in range(2 ** missing.sum()):
        wrong = np.array(list(np.binary_repr(number, missing.sum())), dtype=int)
        filled = labels.copy()
        filled[missing] = (truth[missing] + wrong) % CLASSES
        ways.append(scheme.score(state, source, Answers(labels=filled)))
    least = scheme.least_score(state, source, Answers(labels=np.where(missing, UNANSWERED, labels)), missing)
    assert least == pytest.approx(min(ways), abs=1e-9)
    assert min(ways) < max(ways)


class Reticent(SCHEMES["akh"]):  # type: ignore[misc]
    """Says nothing of what a missing answer costs."""

    counts_agreements = False


def test_a_scheme_that_names_no_bound_needs_every_answer() -> None:
    source = Answers(labels=np.zeros(N, dtype=np.int64))
    missing = np.arange(N) < 1
    with pytest.raises(UnscorableError, match="ask again until every query is answered"):
        Reticent().least_score(
            {"group": np.zeros(N)}, source, Answers(labels=np.where(missing, UNANSWERED, 0)), missing
        )


SCORED = ("residual", "modeldiff", "zest", "deepcore", "fit-print", "fit-lime")
Adversary = Callable[[np.random.Generator, Answers, Answers, int], np.ndarray]


def _disagreements(draw: np.random.Generator, source: Answers, answers: Answers, most: int) -> np.ndarray:
    """Leave out what disagrees."""
    return draw.permutation(np.flatnonzero(answers.labels != source.labels))[:most]


def _agreements(draw: np.random.Generator, source: Answers, answers: Answers, most: int) -> np.ndarray:
    """Leave out what agrees, so that classes might look renamed."""
    return draw.permutation(np.flatnonzero(answers.labels == source.labels))[:most]


def _anything(draw: np.random.Generator, source: Answers, answers: Answers, most: int) -> np.ndarray:
    return draw.permutation(len(answers))[:most]


@pytest.mark.parametrize(
    "name",
    [
        *("akh", "adv-tra", "contrast", "sac", "fbi", "cort", "uap", "ipguard", "cae", "residual"),
        *("modeldiff", "zest", "deepcore", "fit-print", "fit-lime"),
    ],
)
@pytest.mark.parametrize("adversary", [_disagreements, _agreements, _anything])
def test_an_adversary_who_sees_all_answers_accuses_nobody_more(name: str, adversary: Adversary) -> None:
    """10, 25 and 50 % left out: no p-value is lower than with all answers, and the rate holds."""
    draw, scheme = np.random.default_rng(7), SCHEMES[name]()
    state = _state(name, draw)
    own = draw.dirichlet(np.full(CLASSES, 0.4), size=N).astype(np.float32)
    source, everything = Answers(labels=own.argmax(1), scores=own), np.ones(N, dtype=bool)

    def independent() -> Answers:
        return _answers(draw, source, float(draw.uniform(0.1, 0.6)), scores=name in SCORED)

    accused = dict.fromkeys((0.0, 0.1, 0.25, 0.5), 0)
    owners = 3 if name in ("residual", "zest") else 12  # whose bounds take longer
    for _ in range(owners):  # with calibration models of their own
        calibration = [independent() for _ in range(19)]
        for _ in range(10):
            answers, p_values = independent(), {}
            for share in accused:
                left_out = np.zeros(N, dtype=bool)
                left_out[adversary(draw, source, answers, int(share * N))] = True
                decision = decide(
                    scheme, state, source, _without(answers, left_out), calibration, alpha=0.05, asked=everything
                )
                p_values[share] = 1.0 if decision.p_value is None else decision.p_value
                accused[share] += decision.outcome == "derived"
            assert all(p_value >= p_values[0.0] for p_value in p_values.values())
    assert max(accused.values()) == accused[0.0] <= 0.13 * 10 * owners  # 0.05 on average; 12 sets of models vary


def test_nobody_looks_renamed_by_leaving_out_agreements() -> None:
    """If classes are matched with some answers missing, they would be with all of them."""
    draw, renamed = np.random.default_rng(1), 0
    source = Answers(labels=draw.integers(CLASSES, size=200))
    asked = np.ones(200, dtype=bool)
    for _ in range(400):
        shift = draw.integers(2)
        labels = np.where(draw.random(200) < draw.uniform(0.2, 0.9), (source.labels + shift) % CLASSES, 0)
        calibration = [
            Answers(labels=np.where(draw.random(200) < 0.3, source.labels, draw.integers(CLASSES, size=200)))
            for _ in range(5)
        ]
        missing = draw.random(200) < draw.uniform(0, 0.5) * (labels == source.labels)
        with_some = looks_renamed(source, Answers(labels=np.where(missing, UNANSWERED, labels)), calibration, asked)
        if with_some is not None:
            renamed += 1
            assert looks_renamed(source, Answers(labels=labels), calibration, asked) is not None
    assert renamed > 20
