"""Evidence from weights: what a fingerprint holds of the source's, and the verdict on a suspect's file.

The rate of false positives comes from calibration models of the same kind, as for answers. Only those count whose
weights can be compared with the source's: a suspect with other weights than the source's is no more like it for being
comparable. Where no kind has enough of them, the exact test of permuted channels speaks, but only if the owner said at
enrollment that the source was trained from scratch: siblings are not in its null hypothesis.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from modelprint.core.errors import ModelprintError, UsageError
from modelprint.core.identity import digest_file
from modelprint.core.suspect import Suspect
from modelprint.core.verdict import FalseAccusations
from modelprint.lineage import (
    LineageReference,
    LineageResult,
    StateTensors,
    Tensors,
    compare,
    open_tensors,
    reference_of,
)
from modelprint.nn.folders import RECORDED
from modelprint.nn.kinds import is_asked
from modelprint.nn.loading import LoadedModel, weights_identity
from modelprint.nn.places import path_of, weights_of
from modelprint.nn.refs import ModelRef
from modelprint.ownership.decide import Decision, missing_models, rates, uncovered_kinds, unscored_decision
from modelprint.ownership.fingerprint import CalibrationModel, Fingerprint
from modelprint.ownership.negatives import Negative
from modelprint.schemes.base import Progress, silent
from modelprint.stats.calibration import needed_models, ranked_by_kind, upper_bound

NOT_COMPARABLE = -1.0  # how reports draw calibration models that are not ranked


def tensors_of(model: object) -> tuple[Tensors, str]:
    """The weights of a model that is named or lies in memory, and its identity; no architecture is needed.

    Raises:
        UsageError: an address, a recording or a function, which show no weights.
        ModelError: the file cannot be read.
    """
    if isinstance(model, LoadedModel):
        return StateTensors(model.module.state_dict(), who=str(model.path or "the model")), model.identity
    if isinstance(model, nn.Module):
        return StateTensors(model.state_dict()), weights_identity(model)
    if isinstance(model, str | Path) and not str(model).lower().startswith(("http://", "https://")):
        path = path_of(model)
        if path.suffix.lower() not in RECORDED:
            path = _weights_file(path)
            return open_tensors(path), digest_file(path)
    who = model.identity if isinstance(model, Suspect) else model
    raise UsageError(
        f"{who} shows no weights: name the suspect's model file, or enroll with a scheme that asks queries"
    )


def _weights_file(path: Path) -> Path:
    if path.suffix.lower() == ".toml":
        from modelprint.nn.spec_file import read_spec_file

        path = path_of(read_spec_file(path).weights)
    return path if is_asked(path) else weights_of(path)


def reference(source: LoadedModel, *, checkpoint: Path | None, siblings: Sequence[ModelRef] = ()) -> LineageReference:
    """What a fingerprint holds of the source's weights, without what it shares with its checkpoint and its siblings."""
    shared: list[Tensors] = [] if checkpoint is None else [tensors_of(checkpoint)[0]]
    for sibling in siblings:
        with sibling.opened() as module:
            shared.append(StateTensors({name: value.clone() for name, value in module.state_dict().items()}))
    return reference_of(tensors_of(source)[0], shared=shared)


def calibration_scores(
    held: LineageReference, negatives: Sequence[Negative], *, progress: Progress = silent
) -> list[float | None]:
    """The score of each calibration model's weights; None where they cannot be compared with the source's."""
    scores: list[float | None] = []
    for number, negative in enumerate(negatives):
        progress("weights of calibration models", number, len(negatives))
        scores.append(_score(held, negative))
    return scores


def with_scores(
    records: Sequence[CalibrationModel],
    held: LineageReference,
    negatives: Sequence[Negative],
    *,
    progress: Progress = silent,
) -> tuple[CalibrationModel, ...]:
    """The records of calibration models with the scores of their weights."""
    scores = calibration_scores(held, negatives, progress=progress)
    return tuple(record.model_copy(update={"weights": score}) for record, score in zip(records, scores, strict=True))


def _score(held: LineageReference, negative: Negative) -> float | None:
    if negative.model is not None:
        with negative.model.opened() as module:
            return compare(held, StateTensors(module.state_dict()), p_value=False).score
    folder_model = negative.folder_model
    if folder_model is None or folder_model.path is None:
        return None
    try:
        return compare(held, tensors_of(folder_model.path)[0], p_value=False).score
    except (UsageError, ModelprintError):  # recordings and servers show none
        return None


def weights_limit(fingerprint: Fingerprint, alpha: float, *, pool_kinds: bool = False) -> float | None:
    """The threshold by the weights of the calibration models; None where too few can be compared."""
    known = [model for model in fingerprint.manifest.calibration if model.weights is not None]
    return ranked_by_kind(
        np.array([model.weights for model in known]),
        [model.group for model in known],
        alpha,
        families=[model.family for model in known],
        pool=pool_kinds,
    ).threshold


def decide_by_weights(
    result: LineageResult, fingerprint: Fingerprint, *, alpha: float, pool_kinds: bool = False
) -> Decision:
    """The verdict on a comparison of weights.

    Args:
        result: of the suspect.
        alpha: the accepted rate of false positives.
        pool_kinds: rank groups that are too small with the largest one.
    """
    models = fingerprint.manifest.calibration
    known = [place for place, model in enumerate(models) if model.weights is not None]
    scores = np.array([NOT_COMPARABLE if model.weights is None else model.weights for model in models])
    rank = ranked_by_kind(
        scores[known],
        [models[place].group for place in known],
        alpha,
        families=[models[place].family for place in known],
        pool=pool_kinds,
        score=result.score,
    )
    if result.score is None:
        return unscored_decision(
            f"the weights cannot be compared: {result.why}; a scheme that asks queries can judge this suspect", rank
        )
    notes = uncovered_kinds(rank, needed_models(alpha))
    if len(known) < len(models):
        notes += (
            f"; {len(models) - len(known)} of {len(models)} calibration models have other weights and are not ranked"
        )
    if rank.threshold is None or rank.p_value is None:
        return _by_permutation(result, fingerprint, alpha=alpha, missing=missing_models(rank, alpha), scores=scores)
    derived = rank.p_value <= alpha
    sizes = " and ".join(f"{size} {group}" for group, size in rank.sizes.items())
    message = (
        f"{result.score:.0%} of the source's own weights are in it (p = {rank.p_value:.3g}, rank among {sizes}); "
        f"accepted error rate {alpha:g}"
        if derived
        else f"its weights hold no more of the source's than those of independent models do (p = {rank.p_value:.3g}, "
        f"rank among {sizes}); a model that was extracted from the source's answers shares no weights with it"
    )
    return Decision(
        outcome="derived" if derived else "not-shown",
        message=message + notes,
        score=result.score,
        p_value=rank.p_value,
        threshold=rank.threshold,
        false_accusations=FalseAccusations(count=rank.count, n=rank.n, upper_95=upper_bound(rank.count, rank.n)),
        calibration_scores=scores,
        ranked=min(rank.sizes.values()),
        kinds=rates(rank),
        pooled=any(one.pooled_with is not None for one in rank.kinds),
        details=details_of(result),
        uncovered=notes,
    )


def from_scratch(fingerprint: Fingerprint) -> bool:
    """Whether the owner declared that the source was trained from no checkpoint."""
    stated = fingerprint.manifest.enrollment
    return stated is not None and stated.from_scratch


def _by_permutation(
    result: LineageResult, fingerprint: Fingerprint, *, alpha: float, missing: str, scores: np.ndarray
) -> Decision:
    """The verdict without enough calibration models: exact, if the source was trained from scratch."""
    declared, p_value = from_scratch(fingerprint), result.named_p_value
    derived = declared and p_value is not None and p_value <= alpha
    if derived:
        message = (
            f"{result.score:.0%} of the source's own weights are in it, channel by channel in its order (p = "
            f"{p_value:.3g} against an independent initialisation, exact by permuting channels). The owner declared "
            f"that the source was trained from scratch; otherwise a common parent could be why. "
            f"No rate was measured on independent models: {missing}"
        )
    else:
        hint = "" if declared else "; or enroll with --from-scratch, if the source was trained from no checkpoint"
        message = f"{result.score:.0%} of the source's own weights are in it; {missing}{hint}"
    return Decision(
        outcome="derived" if derived else "inconclusive",
        message=message,
        score=result.score,
        p_value=p_value if declared else None,
        threshold=None,
        false_accusations=None,
        calibration_scores=scores,
        details=details_of(result),
    )


def details_of(result: LineageResult) -> dict[str, object]:
    """The figures of a comparison, as JSON."""
    shares = result.shares
    return {
        "compared": result.compared,
        "source_share": result.score,
        "shared_share": None if shares is None else shares.shared,
        "named_p_value": result.named_p_value,
        "weights": [weight.model_dump(mode="json") for weight in result.weights],
        "left_out": [one.model_dump(mode="json") for one in result.left_out],
        "extra": list(result.extra),
    }
