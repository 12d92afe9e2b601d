"""The fixed texts of a report: how the test works, what no verdict shows, what schemes are known to miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelprint.core.verdict import Outcome

_ANY = ""  # the key of what is said of every scheme that has no words of its own

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

HOW: Mapping[str, Sequence[str]] = {
    "adv-tra": [
        "A fingerprint of ADV-TRA is a set of trajectories. Each starts at a picture that the source classifies "
        "rightly, and moves in small changes across one boundary after another between the source's classes. Where "
        "exactly these boundaries run differs from one trained model to the next.",
        "The suspect is asked for the class of every point. A model made from the source has inherited its boundaries, "
        "and mostly gives the same answers. The mutation rate is the share of a trajectory's points, after the first, "
        "whose answer differs; a trajectory matches when its mutation rate is below {match}. The score is the share of "
        "trajectories that match, plus at most 0.001 for a low mean mutation rate, to tell equal shares apart.",
    ],
    _ANY: [
        "A fingerprint is a set of queries: pictures to which the source gives telling answers. The suspect is asked "
        "the same. The scheme turns the answers of both into one score, higher for models that are more likely made "
        "from the source.",
    ],
}

CALIBRATED = (
    "What score is high enough is not decided by taste: the same queries go to independent models, made without the "
    "source, and a suspect is called derived only if it scores higher than nearly all of them."
)

LIMITATIONS: Mapping[str, Sequence[str]] = {
    "adv-tra": [
        "Copies by extraction (training a new model on the source's answers) and by strong adversarial training are "
        "expected to be missed: their boundaries run elsewhere, and they answer as independent models do.",
        "Re-training all layers and heavy pruning weaken the trace: such copies may or may not be found.",
        "Trajectories are adversarial examples. An accuser who is free to choose them could choose some that the "
        "models of strangers answer alike. A judge should therefore make the fingerprint again, from the source with "
        "the recorded seed and parameters, and calibrate on independent models of the judge's own choice.",
    ],
    _ANY: [
        "Every scheme misses some kinds of copies. What this one finds and misses has to be measured on models whose "
        "making is known.",
        "An accuser who is free to choose queries could choose some that the models of strangers answer alike. A judge "
        "should therefore make the fingerprint again, from the source with the recorded seed and parameters, and "
        "calibrate on independent models of the judge's own choice.",
    ],
}
ALWAYS_LIMITED = (
    "The p-value holds if the calibration models are like an innocent model that is accused (exchangeable with it), "
    "and took no part in making the fingerprint. No computation can check this; their names and hashes are below.",
    "That nothing was shown is not innocence, and that something was shown is not guilt. This report is one piece of "
    "evidence about where a model came from.",
)


def for_scheme(texts: Mapping[str, Sequence[str]], scheme: str) -> Sequence[str]:
    """What is said of a scheme, or of any that has no words of its own; with apostrophes as they are printed."""
    return [text.replace("'", "\u2019") for text in texts.get(scheme, texts[_ANY])]
