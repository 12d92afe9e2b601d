"""Figures of merit against the plain functions that they average."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprint.bench.rows import RESAMPLES, _Resampled, rows_of
from modelprint.results.records import JudgedModel, Results, Run
from modelprint.stats.intervals import bootstrap
from modelprint.stats.roc import auc, f1_at, tpr_at_fpr

SCORES = st.lists(st.integers(0, 12).map(lambda value: value / 12), min_size=1, max_size=30)


def model(name: str, role: str, **fields: object) -> JudgedModel:
    told = {"accuracy": 0.9, "agreement": 0.9, "counts_as": "all" if role == "derived" else "independent"}
    return JudgedModel.model_validate({"id": name, "role": role, **told, **fields})


def run_of(scores: dict[str, float | None], **fields: object) -> Run:
    told = {"scheme": "x", "source": "s1", "access": "labels", "budget": 10, "queries": 8, "seed": 0}
    times = {"craft_seconds": 0.0, "ask_seconds": 0.0, "forward_seconds": 0.0}
    return Run.model_validate({**told, **times, "scores": scores, **fields})


@given(derived=SCORES, independent=SCORES, families=st.integers(1, 5))
def test_resampled_figures_are_those_of_the_resampled_scores(
    derived: list[float], independent: list[float], families: int
) -> None:
    founders = np.arange(len(independent)) % min(families, len(independent))
    resampled = _Resampled(np.array(independent), verdicts=None, families=founders)
    values, draws = resampled.group(np.array(derived))
    assert values["auc"] == auc(np.array(derived), np.array(independent))
    copies = np.array(derived)
    for number in (0, 1, RESAMPLES - 1):
        drawn = np.repeat(resampled.independent, resampled.counts[number])
        assert len(drawn) == resampled.sizes[number, 0] > 0
        for fpr in (0.01, 0.1, 0.5):
            found = (copies > resampled.limit(fpr)[number]).mean()
            assert found == pytest.approx(tpr_at_fpr(copies, drawn, fpr=fpr))
    assert draws["auc"].shape == (RESAMPLES,)


def test_intervals_agree_with_the_plain_bootstrap() -> None:
    generator = np.random.default_rng(5)
    derived, independent = generator.normal(1, 1, 40), generator.normal(0, 1, 120)
    resampled = _Resampled(independent, verdicts=independent > 0.5, families=np.arange(120))
    assert (resampled.sizes == 120).all()
    values, draws = resampled.group(derived, derived > 0.5)
    for figure, statistic in (
        ("auc", auc),
        ("tpr_at_10", lambda d, i: tpr_at_fpr(d, i, fpr=0.1)),
        ("f1", lambda d, i: f1_at(d, i, threshold=0.5)),
    ):
        plain = bootstrap(derived, independent, statistic, generator=generator, resamples=3000)
        low, high = np.quantile(draws[figure], [0.025, 0.975])
        assert (low, high) == pytest.approx((plain.low, plain.high), abs=0.03)
        assert values[figure] == statistic(derived, independent)


def test_independents_are_drawn_in_whole_families() -> None:
    """Ten families of thirty alike models tell as little as ten models."""
    generator = np.random.default_rng(5)
    founders = generator.normal(0, 1, 10)
    scores = np.repeat(founders, 30)
    suspects = [
        model("copy", "derived", family="extraction", source="s1"),
        *(model(f"stranger:{f}-{n}", "independent", source=f"f{f}") for f in range(10) for n in range(29)),
        *(model(f"stranger:f{f}", "independent") for f in range(10)),
    ]
    names = [f"stranger:{f}-{n}" for f in range(10) for n in range(29)] + [f"stranger:f{f}" for f in range(10)]
    told = dict(zip(names, [*np.repeat(founders, 29), *founders], strict=True))
    row = next(iter(rows_of(suspects, [run_of({"copy": 0.5, **told}, threshold=0.0)])))
    alone = [
        model("copy", "derived", family="extraction", source="s1"),
        *(model(f"{f}", "independent") for f in range(10)),
    ]
    few = next(
        iter(rows_of(alone, [run_of({"copy": 0.5, **{f"{f}": s for f, s in enumerate(founders)}}, threshold=0.0)]))
    )
    apart = _Resampled(scores, verdicts=None, families=np.arange(300)).group(np.array([0.5]))[1]["auc"]
    width = row.intervals["auc"].high - row.intervals["auc"].low
    assert width == pytest.approx(few.intervals["auc"].high - few.intervals["auc"].low, abs=0.05)
    assert width > 3 * (np.quantile(apart, 0.975) - np.quantile(apart, 0.025))


def test_rows_stand_for_groups_and_for_the_mean_over_sources() -> None:
    suspects = [
        model("a", "derived", attack="FTAL", family="fine-tuning", source="s1"),
        model("b", "derived", attack="prune 40 %", family="pruning", source="s1"),
        model("junk", "derived", attack="noise 9", family="noise", source="s1", counts_as="worthless"),
        model("other", "derived", attack="transfer", family="transfer", source="s1", counts_as="transfer"),
        model("c", "derived", attack="FTAL", family="fine-tuning", source="s2"),
        *(model(f"i{number}", "independent", kind="SAST") for number in range(4)),
    ]
    innocents = {"i0": 0.0, "i1": 0.1, "i2": 0.2, "i3": 0.6}
    runs = [
        run_of({"a": 0.9, "b": 0.5, "junk": 0.1, "other": None, **innocents}, threshold=0.4),
        run_of({"c": 0.05, **innocents}, source="s2", threshold=0.4, queries=10),
    ]
    rows = {(row.source, row.attack): row for row in rows_of(suspects, runs)}
    whole = rows["s1", "all"]
    assert (whole.family, whole.n_derived, whole.n_independent) == ("all", 2, 4)
    assert whole.auc == pytest.approx((1 + 0.75) / 2)
    assert whole.tpr_at_1 == 0.5  # no false positive: above .6
    assert whole.tpr_verdict == 1.0
    assert whole.fpr_verdict == 0.25
    assert whole.f1 == pytest.approx(2 * 2 / (2 + 1 + 2))
    assert rows["s1", "worthless"].auc == pytest.approx((1 + 0.5) / 4)
    assert rows["s1", "transfer"].auc is None
    assert rows["s1", "transfer"].n_derived == 1
    assert rows["s1", "pruning"].auc == 0.75
    mean = rows["all", "all"]
    assert mean.auc == pytest.approx((0.875 + 0.25) / 2, abs=1e-5)
    assert (mean.n_derived, mean.n_independent, mean.queries) == (3, 4, 9)
    assert ("all", "prune 40 %") in rows
    assert ("s1", "prune 40 %") not in rows  # one model: the mean over sources says it
    assert rows["all", "FTAL"].family == "fine-tuning"
    assert mean.intervals["auc"].low <= 0.25 < 0.875 <= mean.intervals["auc"].high


def test_the_rows_of_a_run_can_be_computed_again_from_its_scores(results: Results) -> None:
    roles = {model.id: model for model in results.suspects}
    checked = 0
    for one in results.runs:
        derived = [s for name, s in one.scores.items() if roles[name].counts_as == "all" and s is not None]
        innocent = [s for name, s in one.scores.items() if roles[name].role == "independent" and s is not None]
        if not derived:
            continue
        key = (one.scheme, one.source, one.access, one.budget, one.seed, "all")
        (row,) = (
            row for row in results.rows if (row.scheme, row.source, row.access, row.budget, row.seed, row.attack) == key
        )
        assert row.auc == pytest.approx(auc(np.array(derived), np.array(innocent)), abs=1e-5)
        assert row.tpr_at_1 == pytest.approx(tpr_at_fpr(np.array(derived), np.array(innocent), fpr=0.01), abs=1e-5)
        assert (row.n_derived, row.n_independent) == (len(derived), len(innocent))
        checked += 1
    assert checked > 4
