"""The cheapest evidence first, without a second look: a verdict that may rest on weights alone.

A suspect that holds at least `ENOUGH` of the source's own weights is ranked by its weights, and is not asked. Every
other one is ranked by all its levels together. To take whichever p-value is smaller would be two looks. This is one:
order all models by (holds enough, weights) first, and those that do not hold enough by their combined score. Both
stages are then parts of one order, whose rank is exact, because the rule treats the suspect as it treats every
calibration model: a model that holds enough stands above all that do not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modelprint.core.verdict import Outcome
from modelprint.ownership.decide import Decision, rates
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.levels import Level
from modelprint.ownership.weights import weights_limit
from modelprint.stats.calibration import ranked_by_kind

ENOUGH = 0.5  # of the source's own weights; on fashion independent models hold .32 at most (lineage_fashion.json)


def settled_by_weights(weights: Level, fingerprint: Fingerprint, *, alpha: float) -> bool:
    """Whether a suspect is ranked by its weights alone: it holds enough, and enough models can be ranked so."""
    share = weights.decision.score
    return share is not None and share >= ENOUGH and weights_limit(fingerprint, alpha) is not None


def after_weights(decision: Decision, weights: Level, fingerprint: Fingerprint, *, alpha: float) -> Decision:
    """The decision on a suspect that was asked because its weights did not settle it: in the order of both stages.

    Calibration models that hold enough stand above it, whatever their combined score.
    """
    above = weights.calibration >= ENOUGH  # NaN, of models that cannot be compared, is not
    unread = np.isnan(weights.calibration)
    if weights.decision.score is None or decision.p_value is None or not above.any():
        return decision
    assert decision.score is not None
    scores = np.where(above, np.inf, decision.calibration_scores)
    ranked = np.flatnonzero(~unread)
    rank = ranked_by_kind(
        scores[ranked],
        [fingerprint.groups[place] for place in ranked],
        alpha,
        families=[fingerprint.families[place] for place in ranked],
        score=decision.score,
    )
    if rank.p_value is None or rank.p_value <= decision.p_value:
        return decision
    outcome: Outcome = "derived" if rank.threshold is not None and rank.p_value <= alpha else "not-shown"
    note = f"; {int(above.sum())} calibration models hold enough of the source's weights and stand above it"
    return replace(
        decision,
        outcome=decision.outcome if decision.outcome == "inconclusive" else outcome,
        p_value=rank.p_value,
        kinds=rates(rank),
        message=decision.message + note,
        relation=decision.relation if outcome == decision.outcome else "unknown",
    )
