"""The fixed texts of a report: how the test works, what no verdict shows, what schemes are known to miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelprint.core.input_words import InputWords
from modelprint.core.verdict import Outcome
from modelprint.report.drawing.text import typeset

if TYPE_CHECKING:
    from modelprint.schemes.base import Scheme

LIMITS: Mapping[Outcome, Sequence[str]] = {
    "derived": [
        "It is not a proof. The p-value is not the probability that the suspect is innocent; it says how rare such a "
        "score is among innocent models like those used for calibration.",
        "It does not say who made the model, when, in what way, or whether they were allowed to.",
        "It stands or falls with the calibration models. An innocent suspect that has more in common with the source "
        "than they have (say, both were made from the same public model) may be accused wrongly.",
    ],
    "not-shown": [
        "It is not a finding of innocence. A copy may have been changed so much that this test no longer sees where it "
        "came from.",
        "It does not say that the suspect is independent, or that another test would find nothing.",
    ],
    "inconclusive": [
        "It speaks neither for nor against the suspect: it is as if the test had not been made.",
    ],
}

CALIBRATED = (
    "What score is high enough is not decided by taste: independent models, made without the source, go "
    "through the same test, and a suspect is called derived only if it scores higher than nearly all of them."
)

_LIMITS_ALWAYS = (
    "An accuser who is free to choose queries could choose some that independent models answer alike. A judge "
    "should therefore make the fingerprint again, from the source with the recorded seed and parameters, and calibrate "
    "on independent models of the judge's own choice.",
    "The p-value holds if the calibration models are like an innocent model that is accused (exchangeable with it), "
    "and took no part in making the fingerprint. No computation can check this; their names and hashes are below.",
    "That nothing was shown is not innocence, and that something was shown is not guilt. This report is one piece of "
    "evidence about where a model came from.",
)


def explanation(scheme: Scheme | None, words: InputWords) -> list[str]:
    """How the test works, in the scheme's own words where it is known.

    Args:
        words: what inputs are called.
    """
    from modelprint.schemes.base import Scheme

    if scheme is None:
        return [typeset(text) for text in Scheme.explanation]
    return [typeset(text.format_map({**scheme.parameters(), **words.fields})) for text in scheme.explanation]


def limitations(scheme: Scheme | None) -> list[str]:
    """What the scheme is known to miss, and what holds for every scheme."""
    from modelprint.schemes.base import Scheme

    texts = Scheme.limits if scheme is None else scheme.limits
    return [typeset(text) for text in (*texts, *_LIMITS_ALWAYS)]
