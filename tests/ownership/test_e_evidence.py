"""The e-value of contrast's answers: by hand, with silence, and in which kinds."""

from __future__ import annotations

import numpy as np
import pytest

from modelprint.core.errors import UsageError
from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.ownership.e_evidence import e_evidence
from modelprint.ownership.fingerprint import Fingerprint
from tests.sealing.world import fingerprint as akh

QUERIES = 20
WORTH = np.array([-1.0, 0.5])  # of differing, of agreeing
SOURCE = np.zeros(QUERIES, dtype=np.int64)
EVERYTHING = np.ones(QUERIES, dtype=bool)


def agreeing(count: int) -> Answers:
    """Agrees on the first so many queries."""
    return Answers(labels=(np.arange(QUERIES) >= count).astype(np.int64))


def contrast(agreements: list[int], *, kinds: list[str | None] | None = None) -> Fingerprint:
    """Calibrated on models that agree so often, without a fingerprint's queries being of any matter."""
    calibration = [
        {"name": f"m{number}", "identity": f"sha256:{number:064x}", "kind": kind}
        for number, kind in enumerate(kinds or ["SAST"] * len(agreements))
    ]
    return Fingerprint.bind(
        {
            "scheme": "contrast",
            "parameters": {"queries": QUERIES, "batch": 10, "delta": 0.0},
            "seed": 7,
            "input": {"channels": 1, "height": 2, "width": 2, "class_names": ["a", "b", "c"]},
            "codec": "uint8-image",
            "source": "sha256:" + "1" * 64,
            "source_accuracy": 0.9,
            "data": "sha256:" + "2" * 64,
            "data_name": "tiny",
            "report": {},
            "calibration": calibration,
            "library": "modelprint 0.1.0, torch 2.13.0",
        },
        queries=np.arange(4 * QUERIES, dtype=np.uint8).reshape(QUERIES, 1, 2, 2),
        true_labels=SOURCE,
        source=Answers(labels=SOURCE),
        state={"group": np.zeros(QUERIES, dtype=np.int64), "worth": WORTH},
        calibration=tuple(agreeing(count) for count in agreements),
    )


def test_it_is_the_suspects_share_of_the_sum() -> None:
    """The highest evidence after 10 and 20 answers: 5 and 10 for full agreement, -2.5 and -12.5 for 5 agreements."""
    made = contrast([5] * 38 + [10])
    shown = e_evidence(made, agreeing(20), asked=EVERYTHING, rate=0.3)
    own, high, low = np.exp(0.3 * np.array([10.0, 5.0, -2.5]))
    assert shown.value == pytest.approx(40 * own / (own + high + 38 * low))
    assert shown.largest == 40


def test_silence_and_queries_not_asked_can_only_lower_it() -> None:
    made = contrast([5] * 39)
    labels = agreeing(20).labels.copy()
    whole = e_evidence(made, agreeing(20), asked=EVERYTHING).value
    labels[15:] = UNANSWERED
    silent = e_evidence(made, Answers(labels=labels), asked=EVERYTHING).value
    early = e_evidence(made, Answers(labels=labels), asked=np.arange(QUERIES) < 10).value
    assert whole is not None
    assert silent is not None
    assert early is not None
    assert silent < whole
    assert early < whole


def test_the_worst_kind_counts_and_too_few_of_all_kinds_give_none() -> None:
    mixed = contrast([5] * 19 + [18] * 19, kinds=["SAST"] * 19 + ["SHARED"] * 19)
    alone = contrast([5] * 19)
    suspect = agreeing(20)
    both = e_evidence(mixed, suspect, asked=EVERYTHING).value
    one = e_evidence(alone, suspect, asked=EVERYTHING).value
    assert both is not None
    assert one is not None
    assert both < one <= 20
    few = e_evidence(contrast([5] * 18), suspect, asked=EVERYTHING)
    assert (few.value, few.largest) == (None, None)


def test_other_schemes_are_refused() -> None:
    with pytest.raises(UsageError, match="akh"):
        e_evidence(akh(), Answers(labels=np.zeros(4, dtype=np.int64)), asked=np.ones(4, dtype=bool))
