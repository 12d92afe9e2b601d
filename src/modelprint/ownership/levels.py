"""What one level of access says of a suspect: weights, scores or labels, by itself.

The verdict from all of them is put together in `ownership.combined`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from modelprint.core.access import Access
from modelprint.core.suspect import Answers
from modelprint.lineage import LineageResult
from modelprint.ownership.above import MEDIAN, PLAINLY
from modelprint.ownership.decide import (
    CalibrationScores,
    Decision,
    decide,
)
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.parts import part_index, part_of
from modelprint.ownership.weights import decide_by_weights
from modelprint.schemes import SCHEMES
from modelprint.schemes.auto import Auto


@dataclass(frozen=True, kw_only=True)
class Level:
    """What one level of access says of a suspect, by itself.

    Attributes:
        scheme: that reads it.
        queries: that were asked for it.
        resolution: a difference of its scores that says nothing.
        calibration: the scores of the calibration models; NaN where one cannot be compared.
        exact: whether the suspect's score is what it is, and not a lower bound because answers are missing.
        least: the lowest that the scores of the calibration models can be, where they depend on missing answers, too;
            `calibration` then holds the highest. None otherwise.
        missing: queries that were asked and not answered.
        counts: whether it is part of the combined score, and not evidence by itself alone.
    """

    access: Access
    scheme: str
    queries: int
    resolution: float
    decision: Decision
    calibration: Float[np.ndarray, " n"]
    exact: bool = True
    least: Float[np.ndarray, " n"] | None = None
    missing: int = 0
    counts: bool = True

    @property
    def counts_from(self) -> float:
        """The share of all models that lie below what counts."""
        return share_below(self.access)


def share_below(access: Access) -> float:
    """The share of all models that lie below what counts of a level's scores."""
    return PLAINLY if access is Access.WEIGHTS else MEDIAN


def levels_of(
    scheme: Auto,
    fingerprint: Fingerprint,
    answers: Answers,
    *,
    asked: np.ndarray,
    planned: np.ndarray,
    alpha: float,
    owners: int = 1,
    pool_kinds: bool = False,
    shared: Mapping[Access, CalibrationScores] | None = None,
) -> list[Level]:
    """What the scores and labels of a suspect say, level by level; only what was asked.

    Args:
        asked, planned: masks (n,) over all queries, as of `decide`.
        shared: of each level, where many suspects are judged by one fingerprint.
    """
    levels = []
    held = shared or shared_scores(scheme, fingerprint)
    for access, part in scheme.parts.items():
        index = part_index(fingerprint, scheme, access)
        if not asked[index].any():
            continue
        theirs = answers.take(index).restricted(access)
        decision = decide(
            part,
            held[access].state,
            held[access].source,
            theirs,
            held[access].calibration,
            alpha=alpha,
            asked=asked[index],
            planned=planned[index],
            groups=fingerprint.groups,
            families=fingerprint.families,
            owners=owners,
            pool_kinds=pool_kinds,
            shared=held[access],
        )
        levels.append(
            Level(
                access=access,
                scheme=part.name,
                queries=int(asked[index].sum()),
                resolution=part.resolution,
                decision=decision,
                calibration=decision.calibration_scores,
                exact=bool(theirs.answered[asked[index]].all()),
                least=decision.calibration_least,
                missing=int((~theirs.answered[asked[index]]).sum()),
                counts=access in scheme.counted_at(_read(scheme, fingerprint, asked)),
            )
        )
    return levels


def _read(scheme: Auto, fingerprint: Fingerprint, asked: np.ndarray) -> Access:
    """The highest level whose queries were asked."""
    return max(level for level in scheme.parts if asked[part_index(fingerprint, scheme, level)].any())


def shared_scores(scheme: Auto, fingerprint: Fingerprint) -> dict[Access, CalibrationScores]:
    """The scores of the calibration models at each level that asks queries."""
    shared = {}
    for access, part in scheme.parts.items():
        view = part_of(fingerprint, scheme, access)
        shared[access] = CalibrationScores(
            scheme=part, state=view.state, source=view.source, calibration=view.calibration
        )
    return shared


def weights_level(result: LineageResult, fingerprint: Fingerprint, *, alpha: float, pool_kinds: bool = False) -> Level:
    """What a comparison of weights says, by itself."""
    decision = decide_by_weights(result, fingerprint, alpha=alpha, pool_kinds=pool_kinds)
    known = [np.nan if model.weights is None else model.weights for model in fingerprint.manifest.calibration]
    return Level(
        access=Access.WEIGHTS,
        scheme=Auto.weights,
        queries=0,
        resolution=SCHEMES[Auto.weights].resolution,
        decision=decision,
        calibration=np.array(known, dtype=np.float64),
    )
