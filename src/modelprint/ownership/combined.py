"""One verdict from several levels of access: weights, scores and labels.

Each level gives a score to the suspect and to every calibration model that was read at the same levels. A score counts
by how far it lies above the median of all of them, the suspect among them, over the distance between their quartiles;
what lies below the median counts nothing. Weights show a copy plainly or say nothing: they count by how far they lie
above all but a twentieth. The sum over the levels is the combined score (`schemes.auto`), and its rank within each kind
of calibration model is the p-value.

These order statistics are those of all models that are ranked, the suspect among them, so that exchanging the suspect
and an independent model of its kind exchanges their sums, and changes nothing else: the rank is exact, whatever the
levels have to do with each other (docs/evidence-levels.md has the proof).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from modelprint.core.access import Access
from modelprint.core.verdict import Evidence, FalseAccusations, Relation
from modelprint.ownership.above import Column, above, combined_alone
from modelprint.ownership.decide import (
    Decision,
    hidden_message,
    missing_models,
    rates,
    uncovered_kinds,
    unscored,
    unscored_decision,
)
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.levels import Level, share_below, shared_scores
from modelprint.ownership.weights import NOT_COMPARABLE, from_scratch
from modelprint.schemes import SCHEMES
from modelprint.schemes.auto import Auto
from modelprint.schemes.base import Scheme
from modelprint.stats.calibration import Ranking, needed_models, ranked_by_kind, upper_bound


def combined_scores(levels: Sequence[Level]) -> tuple[float, Float[np.ndarray, " n"]]:
    """The combined score of the suspect, and of each calibration model; NaN where one is not read at every level.

    Where answers of the suspect are missing, its own score is the least, and those of the others are the highest, that
    any answers to the missing queries could give.
    """
    ranked = ~np.isnan(np.stack([level.calibration for level in levels])).any(axis=0)
    own, others = 0.0, np.full(len(ranked), np.nan)
    others[ranked] = 0.0
    for level in levels:
        assert level.decision.score is not None
        mine, theirs = above(
            level.decision.score,
            level.calibration[ranked],
            least_others=None if level.least is None else level.least[ranked],
            resolution=level.resolution,
            exact=level.exact,
            counts_from=level.counts_from,
        )
        own += mine
        others[ranked] += theirs
    return own, others


def calibrated_alone(
    scheme: Auto, fingerprint: Fingerprint, access: Access, alpha: float, *, pool_kinds: bool = False
) -> float | None:
    """The threshold of the combined score by the calibration models alone; with a suspect among them it is another."""
    columns = []
    for level, shared in shared_scores(scheme, fingerprint).items():
        if level in scheme.counted_at(access):
            everything = np.ones(len(shared.source), dtype=bool)
            scores = shared.on(everything, level, matched=False)
            columns.append(Column(scores=scores, resolution=scheme.parts[level].resolution))
    if access >= Access.WEIGHTS:
        known = [np.nan if model.weights is None else model.weights for model in fingerprint.manifest.calibration]
        columns.append(
            Column(
                scores=np.array(known, dtype=np.float64),
                resolution=SCHEMES[Auto.weights].resolution,
                counts_from=share_below(Access.WEIGHTS),
            )
        )
    ranked = ~np.isnan(np.stack([column.scores for column in columns])).any(axis=0)
    total = combined_alone([replace(column, scores=column.scores[ranked]) for column in columns])
    groups, families = fingerprint.groups, fingerprint.families
    places = np.flatnonzero(ranked)
    return ranked_by_kind(
        total, [groups[k] for k in places], alpha, families=[families[k] for k in places], pool=pool_kinds
    ).threshold


def decide_together(
    levels: Sequence[Level],
    weights: Level | None,
    fingerprint: Fingerprint,
    *,
    alpha: float,
    owners: int = 1,
    pool_kinds: bool = False,
) -> Decision:
    """The verdict from all levels that speak.

    Args:
        levels: of scores and labels, those that were asked.
        weights: of the suspect's weights; None where it shows none.
        owners, pool_kinds: as of `decide`.
    """
    comparable = weights is not None and weights.decision.score is not None
    counted = [level for level in levels if level.counts]
    speaking = [*counted, *([weights] if weights is not None and comparable else [])]
    evidence = tuple(
        _evidence(level) for level in sorted([*levels, *([weights] if weights else [])], key=lambda one: -one.access)
    )
    silent = next((level for level in counted if level.decision.score is None), None)
    if weights is not None and comparable and not fingerprint.calibration:
        decision = weights.decision  # by the test of permuted channels, if by any
    elif silent is not None:
        decision = replace(silent.decision, message=f"{silent.access}: {silent.decision.message}")
    elif not speaking:
        assert weights is not None
        decision = weights.decision
    else:
        decision = _ranked(speaking, fingerprint, alpha=alpha, owners=owners, pool_kinds=pool_kinds)
        if decision.outcome == "not-shown" and (hidden := sum(one.missing for one in counted if one.least is not None)):
            decision = unscored(decision, hidden_message(hidden))
        decision = replace(decision, message=decision.message + _not_counted(levels))
    return replace(
        decision,
        evidence=evidence,
        relation=_relation(decision, weights, fingerprint),
        details=weights.decision.details if weights is not None and comparable else decision.details,
    )


def beside_weights(decision: Decision, weights: Level | None) -> Decision:
    """A decision on a suspect that was not asked, with what its weights say by themselves."""
    if weights is None:
        return decision
    return replace(decision, evidence=(_evidence(weights),), relation="unknown")


def by_itself(decision: Decision, *, scheme: Scheme, access: Access, queries: int) -> Decision:
    """A decision from the answers at one level of access alone, with what that level says as its evidence."""
    level = Level(
        access=access,
        scheme=scheme.name,
        queries=queries,
        resolution=scheme.resolution,
        decision=decision,
        calibration=decision.calibration_scores,
    )
    return replace(decision, evidence=(_evidence(level),), relation=_story(decision))


def _ranked(
    speaking: Sequence[Level], fingerprint: Fingerprint, *, alpha: float, owners: int, pool_kinds: bool
) -> Decision:
    """The verdict of the levels that have a score; without weights, where too few models can be compared by these."""
    if len(speaking) == 1:
        return speaking[0].decision
    own, others = combined_scores(speaking)
    ranked = np.flatnonzero(~np.isnan(others))
    rank = ranked_by_kind(
        others[ranked],
        [fingerprint.groups[place] for place in ranked],
        alpha / owners,
        families=[fingerprint.families[place] for place in ranked],
        pool=pool_kinds,
        score=own,
    )
    weights = speaking[-1] if speaking[-1].access is Access.WEIGHTS else None
    if rank.threshold is None and weights is not None:
        without = _ranked(speaking[:-1], fingerprint, alpha=alpha, owners=owners, pool_kinds=pool_kinds)
        if without.threshold is None:  # no kind at all has models enough: the test of permuted channels is exact alone
            return weights.decision
        note = "; weights are not counted: too few calibration models can be compared by them"
        return replace(without, message=without.message + note)
    if rank.threshold is None or rank.p_value is None:
        return replace(
            unscored_decision(missing_models(rank, alpha / owners), rank),
            score=own,
            calibration_scores=np.where(np.isnan(others), NOT_COMPARABLE, others),
        )
    return _decided(speaking, own, others, rank, alpha=alpha, owners=owners)


def _decided(
    speaking: Sequence[Level], own: float, others: np.ndarray, rank: Ranking, *, alpha: float, owners: int
) -> Decision:
    assert rank.p_value is not None
    derived = rank.p_value <= alpha / owners
    names = [str(level.access) for level in reversed(speaking)]
    read = f"{', '.join(names[:-1])} and {names[-1]}"
    sizes = " and ".join(f"{size} {group}" for group, size in rank.sizes.items())
    verb = "lie above those of independent models" if derived else "lie no higher than those of independent models do"
    message = f"{read} together {verb} (p = {rank.p_value:.3g}, {_worst(rank)}among {sizes})"
    message += f"; accepted error rate {alpha:g}" if derived else "; that is no proof of innocence"
    missing = [str(level.access) for level in speaking if not level.exact]
    if missing:
        message += f"; answers are missing ({', '.join(missing)}), which counts against derivation"
    uncovered = uncovered_kinds(rank, needed_models(alpha / owners))
    unread = int(np.isnan(others).sum())
    if unread:
        message += f"; {unread} of {len(others)} calibration models have other weights and are not ranked"
    matched = next((level.decision for level in speaking if level.decision.matching is not None), None)
    return Decision(
        outcome="derived" if derived else "not-shown",
        message=message + uncovered,
        score=own,
        p_value=rank.p_value,
        threshold=rank.threshold,
        false_accusations=FalseAccusations(count=rank.count, n=rank.n, upper_95=upper_bound(rank.count, rank.n)),
        calibration_scores=np.where(np.isnan(others), NOT_COMPARABLE, others),
        ranked=min(rank.sizes.values()),
        kinds=rates(rank),
        pooled=any(one.pooled_with is not None for one in rank.kinds),
        matching=None if matched is None else matched.matching,
        note="" if matched is None else matched.note,
        uncovered=uncovered,
    )


def _not_counted(levels: Sequence[Level]) -> str:
    """A remark on levels that stand as evidence only."""
    alone = [str(level.access) for level in levels if not level.counts]
    return f"; {' and '.join(alone)} are not counted: no shadow models chose their queries" if alone else ""


def _worst(rank: Ranking) -> str:
    return "rank " if len(rank.sizes) == 1 else "the worst of ranks "


def _evidence(level: Level) -> Evidence:
    decision = level.decision
    comparable = decision.score is not None
    worst = max((one for one in decision.kinds if one.covered), key=lambda one: one.p_value or 0.0, default=None)
    details = {key: value for key, value in decision.details.items() if not isinstance(value, list | tuple)}
    return Evidence(
        access=_ACCESS[level.access],
        scheme=level.scheme,
        score=decision.score,
        threshold=decision.threshold,
        p_value=decision.p_value,
        kind=None if worst is None or not comparable else worst.kind,
        queries=level.queries,
        says=decision.outcome if comparable or level.access is not Access.WEIGHTS else "not-comparable",
        details=details if comparable else {"why": decision.message},
    )


_ACCESS: Mapping[Access, Literal["weights", "scores", "labels"]] = {
    Access.WEIGHTS: "weights",
    Access.SCORES: "scores",
    Access.LABELS: "labels",
}


def halfway(level: Level) -> float:
    """The share of the source's weights half-way from the highest independent model to a plain copy."""
    return (1.0 + max(0.0, float(np.nanmax(level.calibration, initial=0.0)))) / 2


def _relation(decision: Decision, weights: Level | None, fingerprint: Fingerprint) -> Relation:
    """Which story fits; docs/evidence-levels.md has how often each is right."""
    if weights is None:
        return _story(decision)
    share = weights.decision.score
    if decision.outcome == "derived":
        if share is None or share < halfway(weights):
            return "extracted"
        siblings = any(one.kind == "SHARED" and one.covered for one in decision.kinds)
        apart = siblings or from_scratch(fingerprint) or weights.decision.details.get("shared_share") is not None
        return "from-weights" if apart else "unknown"
    shared = weights.decision.details.get("shared_share")
    if isinstance(shared, float) and shared >= SHARED_LEAST and share is not None and share < halfway(weights):
        return "homologous"
    return _story(decision)


def _story(decision: Decision) -> Relation:
    """What answers alone tell of the relation."""
    return "none" if decision.outcome == "not-shown" else "unknown"


SHARED_LEAST = 0.5  # of what the source has in common with its parent, in a model of the same parent
