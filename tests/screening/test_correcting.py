"""Corrections: Holm against a hand count, both methods by simulation with ranks that share calibration models."""

from __future__ import annotations

import numpy as np
import pytest

from modelprint.core.verdict import KindRate
from modelprint.screening.correcting import Judged, corrected, least_found
from modelprint.screening.judging import Finding
from modelprint.stats.calibration import rank_p_value


def finding(p_value: float, n: int = 200, *, derived: bool = True, more: tuple[KindRate, ...] = ()) -> Finding:
    kind = KindRate(kind="INDEPENDENT", n=n, p_value=p_value, covered=True)
    return Finding(
        score=1.0 - p_value, p_value=p_value, kinds=(kind, *more), access="weights", relation="from-weights",
        derived=derived, message="by weights",
    )  # fmt: skip


def judged(name: str, ranks: dict[str, Finding], sources: dict[str, str] | None = None) -> Judged:
    return Judged(suspect=name, sha256=None, findings=ranks, sources=sources or {owner: owner for owner in ranks})


def test_holm_within_each_suspect() -> None:
    rows = corrected([judged("a", {"x": finding(0.01), "y": finding(0.04), "z": finding(0.5)})], alpha=0.05)
    assert [pair.p_corrected for pair in rows.pairs] == [0.03, 0.08, 0.5]
    assert [pair.verdict for pair in rows.pairs] == ["derived", "not-shown", "not-shown"]
    assert [pair.relation for pair in rows.pairs] == ["from-weights", "unknown", "unknown"]
    assert (rows.suspects[0].verdict, rows.suspects[0].owner) == ("derived", "x")
    assert rows.tested == 1


def test_what_cannot_be_compared_is_no_owner() -> None:
    other = Finding(misfit="of another task")
    rows = corrected([judged("a", {"x": finding(0.04), "y": other}), judged("b", {"x": other, "y": other})], alpha=0.05)
    assert [pair.p_corrected for pair in rows.pairs] == [0.04, None, None, None]
    assert [pair.verdict for pair in rows.pairs] == ["derived", "not-comparable", "not-comparable", "not-comparable"]
    assert [row.verdict for row in rows.suspects] == ["derived", "inconclusive"]
    assert rows.tested == 1


def test_an_equal_file_is_outside_the_tests() -> None:
    equal = Finding(access="file", derived=True, relation="from-weights", message="equal")
    rows = corrected([judged("a", {"x": equal, "y": finding(0.04)})], alpha=0.05)
    assert [pair.p_corrected for pair in rows.pairs] == [None, 0.04]
    assert rows.suspects[0].owner == "x"
    assert "like the source of y, too" in rows.suspects[0].message


def test_two_fingerprints_of_one_model_are_one_owner_in_words() -> None:
    rows = corrected([judged("a", {"x": finding(0.01), "y": finding(0.01)}, {"x": "same", "y": "same"})], alpha=0.05)
    assert "so says y, of the same source" in rows.suspects[0].message


def test_kinds_with_too_few_models_for_so_many_owners_are_not_counted() -> None:
    few = KindRate(kind="COPY", n=20, p_value=0.9, covered=True)
    one = corrected([judged("a", {"x": finding(0.01, more=(few,))})], alpha=0.05)
    assert one.pairs[0].p_corrected == 0.9  # 20 are enough for one owner
    two = corrected([judged("a", {"x": finding(0.01, more=(few,)), "y": finding(0.5)})], alpha=0.05)
    assert two.pairs[0].p_corrected == 0.02  # and not for two: no rate is known for that kind
    small = corrected([judged("a", {"x": finding(0.04, n=20), "y": finding(0.5)})], alpha=0.05)
    assert small.pairs[0].verdict == "inconclusive"
    assert "at least 39" in small.pairs[0].message


def test_bh_over_suspects() -> None:
    suspects = [judged(f"s{place}", {"x": finding(p)}) for place, p in enumerate((0.005, 0.01, 0.2, 0.9))]
    rows = corrected(suspects, alpha=0.05, method="bh")
    assert [pair.p_corrected for pair in rows.pairs] == pytest.approx([0.02, 0.02, 4 / 3 * 0.2, 0.9], abs=0.14)
    assert [row.verdict for row in rows.suspects] == ["derived", "derived", "not-shown", "not-shown"]


def test_how_many_must_be_found() -> None:
    assert least_found(owners=1, suspects=10, calibration=199, alpha=0.05) == 1
    assert least_found(owners=1, suspects=100, calibration=199, alpha=0.05) == 10
    assert least_found(owners=20, suspects=100, calibration=199, alpha=0.05) == 0


@pytest.mark.parametrize("method", ["holm", "bh"])
def test_false_ones_stay_below_alpha_though_ranks_share_calibration_models(method: str) -> None:
    """40 suspects, 3 owners, 399 calibration models; scores of an owner share a part, and of a suspect another."""
    random = np.random.default_rng(0)
    alpha, owners, copies, independent, rounds = 0.1, 3, 5, 35, 40
    false_rates, found_rates, shares = [], [], []
    for _ in range(rounds):
        shared = random.normal(size=(1, owners)) * 0.5
        calibration = random.normal(size=(399, owners)) + random.normal(size=(399, 1)) + shared
        scores = random.normal(size=(copies + independent, owners)) + random.normal(size=(40, 1)) + shared
        scores[:copies, 0] += 9.0
        ranks = [[rank_p_value(scores[i, k], calibration[:, k]) for k in range(owners)] for i in range(40)]
        suspects = [judged(str(i), {f"o{k}": finding(ranks[i][k], n=399) for k in range(owners)}) for i in range(40)]
        rows = corrected(suspects, alpha=alpha, method=method)  # type: ignore[arg-type]
        derived = np.array([row.verdict == "derived" for row in rows.suspects])
        false_rates.append(derived[copies:].mean())
        found_rates.append(derived[:copies].mean())
        shares.append(derived[copies:].sum() / max(1, derived.sum()))
    error = 2.5 * float(np.std(false_rates if method == "holm" else shares)) / rounds**0.5
    assert np.mean(false_rates if method == "holm" else shares) <= alpha + error
    assert np.mean(found_rates) > 0.9
