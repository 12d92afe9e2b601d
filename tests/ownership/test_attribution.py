"""From ranks to an owner: Holm, the order, and the three verdicts, without a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprint.core.identification import Identification
from modelprint.core.suspect import Answers
from modelprint.ownership.attribution import Compared, attributed
from modelprint.ownership.decide import Decision
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.stats.calibration import rank_p_value
from modelprint.stats.multiple import holm


def fingerprint(number: int, source: str = "") -> Fingerprint:
    """The smallest there is; each number another one."""
    manifest = {
        "scheme": "agreement", "parameters": {}, "seed": number, "codec": "uint8-image", "source_accuracy": 1.0,
        "input": {"channels": 1, "height": 2, "width": 2, "class_names": ("a", "b")}, "data": "d", "data_name": "d",
        "source": source or f"source {number}", "report": {}, "calibration": [], "library": "test",
    }  # fmt: skip
    return Fingerprint.bind(
        manifest,
        queries=np.zeros((1, 1, 2, 2), np.uint8),
        true_labels=np.zeros(1, np.int64),
        source=Answers(labels=np.zeros(1, np.int64)),
        state={},
    )


PRINTS = [fingerprint(number) for number in range(6)]


def decided(score: float | None, calibration: Sequence[float]) -> Decision:
    ranked = np.array(calibration, dtype=np.float64)
    return Decision(
        outcome="inconclusive",
        message="too few answers" if score is None else "",
        score=score,
        p_value=rank_p_value(score, ranked) if score is not None and len(ranked) else None,
        threshold=None,
        false_accusations=None,
        calibration_scores=ranked,
        ranked=len(ranked),
    )


def compared(number: int, score: float | None, n: int, above: int = 0) -> Compared:
    """A score that `above` of n calibration models reach."""
    calibration = [2.0] * above + [0.0] * (n - above)
    return Compared(
        path=f"{number}.fp", fingerprint=PRINTS[number], decision=decided(score, calibration), queries=number
    )


def names(found: Identification) -> list[str | None]:
    return [candidate.fingerprint for candidate in found.candidates]


def test_the_owner_is_the_one_with_the_smallest_p_value() -> None:
    found = attributed("suspect", [compared(0, 1.0, 59, above=20), compared(1, 1.0, 59), compared(2, 1.0, 59, 40)],
                       alpha=0.05)  # fmt: skip
    assert (found.verdict, found.suspect, found.alpha) == ("derived", "suspect", 0.05)
    assert found.owner is not None
    assert (found.owner.fingerprint, found.owner.sha256) == ("1.fp", PRINTS[1].identity)
    assert names(found) == ["1.fp", "0.fp", "2.fp"]
    assert [one.verdict for one in found.candidates] == ["derived", "not-shown", "not-shown"]
    assert found.candidates[0].p_value == pytest.approx(1 / 60)
    assert found.candidates[0].adjusted_p_value == 0.05  # 3 / 60, exactly
    assert "too" not in found.message


def test_a_rank_that_accuses_alone_does_not_among_many() -> None:
    alone = attributed("s", [compared(0, 1.0, 99, above=3)], alpha=0.05)
    assert (alone.verdict, alone.candidates[0].adjusted_p_value) == ("derived", 0.04)
    among = attributed("s", [compared(0, 1.0, 99, above=3), compared(1, 1.0, 99, above=60)], alpha=0.05)
    assert (among.verdict, among.owner) == ("not-shown", None)
    assert among.candidates[0].adjusted_p_value == 0.08
    assert "2 sources" in among.message


def test_too_few_calibration_models_for_so_many_owners() -> None:
    found = attributed("s", [compared(0, 1.0, 38), compared(1, 1.0, 39, above=9)], alpha=0.05)
    assert (found.verdict, found.owner) == ("inconclusive", None)
    assert [one.verdict for one in found.candidates] == ["inconclusive", "not-shown"]
    assert found.candidates[0].message.startswith("38 calibration models")
    assert "2 owners needs at least 39" in found.message
    assert attributed("s", [compared(0, 1.0, 39), compared(1, 1.0, 39, above=9)], alpha=0.05).verdict == "derived"


def test_without_calibration_or_answers_a_candidate_is_inconclusive_and_counts_as_an_owner() -> None:
    found = attributed("s", [compared(0, 1.0, 0), compared(1, None, 0), compared(2, 1.0, 58)], alpha=0.05)
    assert found.verdict == "inconclusive"
    assert names(found) == ["2.fp", "0.fp", "1.fp"]
    ranked, uncalibrated, silent = found.candidates
    assert (ranked.verdict, ranked.adjusted_p_value) == ("inconclusive", pytest.approx(3 / 59))
    assert (uncalibrated.score, uncalibrated.p_value, uncalibrated.adjusted_p_value) == (1.0, None, None)
    assert "0 calibration models" in uncalibrated.message
    assert (silent.score, silent.message) == (None, "too few answers")
    accused = attributed("s", [compared(0, 1.0, 0), compared(1, None, 0), compared(2, 1.0, 59)], alpha=0.05)
    assert (accused.verdict, accused.candidates[0].verdict) == ("derived", "derived")


def test_misfits_come_last_and_do_not_count_as_owners() -> None:
    other = Compared(path="other.fp", fingerprint=PRINTS[5], misfit="7 classes")
    found = attributed("s", [other, compared(0, 1.0, 19)], alpha=0.05)
    assert (found.verdict, names(found)) == ("derived", ["0.fp", "other.fp"])
    last = found.candidates[-1]
    assert (last.verdict, last.message, last.p_value, last.score) == ("not-comparable", "7 classes", None, None)
    alone = attributed("s", [other], alpha=0.05)
    assert (alone.verdict, alone.owner) == ("inconclusive", None)
    assert "none of the fingerprints can be compared" in alone.message


def test_two_owners_are_both_named_the_higher_score_first() -> None:
    found = attributed("s", [compared(0, 0.8, 99), compared(1, 0.9, 99), compared(2, 0.1, 99, 50)], alpha=0.05)
    assert names(found) == ["1.fp", "0.fp", "2.fp"]
    assert found.owner is not None
    assert found.owner.fingerprint == "1.fp"
    assert "0.fp, too: it is a copy of a copy" in found.message
    twin = Compared(path="twin.fp", fingerprint=fingerprint(9, source="source 1"), decision=decided(0.7, [0.0] * 99))
    same = attributed("s", [twin, compared(1, 0.9, 99)], alpha=0.05)
    assert "So says twin.fp, of the same source" in same.message
    assert "copy of a copy" not in same.message


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 30)), min_size=1, max_size=6),
    st.sampled_from([0.01, 0.05, 0.1, 0.25]),
)
def test_an_owner_is_named_just_where_holm_rejects(told: list[tuple[int, int]], alpha: float) -> None:
    met = [compared(number, 1.0, n, above=min(above, n)) for number, (n, above) in enumerate(told)]
    found = attributed("s", met, alpha=alpha)
    adjusted = holm(np.array([(1 + min(above, n)) / (n + 1) for n, above in told]))
    assert (found.verdict == "derived") == bool((adjusted <= alpha).any()) == (found.owner is not None)
    assert sum(one.verdict == "derived" for one in found.candidates) == (adjusted <= alpha).sum()
    for one in found.candidates:
        enough = len(told) / (one.calibration + 1) <= alpha + 1e-12
        assert one.verdict in (("derived", "not-shown") if enough else ("derived", "inconclusive"))
    ranks = [one.p_value for one in found.candidates if one.p_value is not None]
    assert ranks == sorted(ranks)
