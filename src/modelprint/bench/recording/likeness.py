"""Which of the recorded models are one model saved again, and which are one family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelprint.bench.recording.hearing import HeardModel
from modelprint.bench.recording.table_file import AlikeBy
from modelprint.nn.likeness import WeightSketch, weight_distance
from modelprint.ownership.families import LEAST_DIFFERENT, LEAST_GRADED, SAME_SCORES, likenesses
from modelprint.ownership.fingerprint import CalibrationModel, Likeness
from modelprint.stats.likeness import ROUNDED, graded, label_differences, score_distances


@dataclass(frozen=True, kw_only=True)
class Same:
    """A model that is an earlier one, saved again.

    Attributes:
        of: the place of the model that stands for it.
        distance: of weights or scores, relative to their size; None where files or labels are equal.
    """

    of: int
    by: AlikeBy
    distance: float | None = None


def duplicates(models: Sequence[HeardModel], *, classes: int) -> dict[int, Same]:
    """The models that are an earlier one, by place: by their file, their weights, their scores, or all their labels.

    Equal labels alone count only of a model without scores, and where other models differ from it by many.
    """
    scores = _score_distances(models, classes)
    different = label_differences(np.stack([model.answers.labels for model in models]))
    same: dict[int, Same] = {}
    for later in range(len(models)):
        for earlier in range(later):
            if earlier not in same and (alike := _same(models, later, earlier, scores, different)) is not None:
                same[later] = alike
                break
    return same


def _same(
    models: Sequence[HeardModel],
    later: int,
    earlier: int,
    scores: Mapping[tuple[int, int], float],
    different: np.ndarray,
) -> Same | None:
    one, other = models[later], models[earlier]
    if one.identity == other.identity:
        return Same(of=earlier, by="file")
    if one.sketch is not None and other.sketch is not None and _same_shapes(one.sketch, other.sketch):
        apart = weight_distance(one.sketch, other.sketch)
        if apart is not None and apart.same:
            return Same(of=earlier, by="weights", distance=round(apart.worst, 6))
    distance = scores.get((later, earlier))
    if distance is not None:
        return Same(of=earlier, by="scores", distance=round(distance, 6)) if distance <= SAME_SCORES else None
    others = different[later][different[later] > 0]
    if different[later, earlier] == 0 and len(others) and np.median(others) >= LEAST_DIFFERENT:
        return Same(of=earlier, by="labels")
    return None


def _same_shapes(one: WeightSketch, other: WeightSketch) -> bool:
    """Whether two networks have the same tensors but for their order; one model saved again has."""
    return sorted(one.shapes) == sorted(other.shapes)


def _score_distances(models: Sequence[HeardModel], classes: int) -> dict[tuple[int, int], float]:
    """Of each two models whose scores say more than labels; what an API rounds away counts in none."""
    telling = [p for p, model in enumerate(models) if graded(model.answers, classes, smallest=ROUNDED) >= LEAST_GRADED]
    apart = score_distances([models[place].answers for place in telling], classes, smallest=ROUNDED)
    return {
        (later, earlier): float(apart[row, column])
        for row, later in enumerate(telling)
        for column, earlier in enumerate(telling)
    }


@dataclass(frozen=True, kw_only=True)
class Kin:
    """What one model is to the others.

    Attributes:
        made_from: the place of its parent, by word; None: nobody says.
        family: the place of the first model of its family.
        joined_by: what makes it one family with others, in words; None where words do, or it stands alone.
    """

    made_from: int | None
    family: int
    joined_by: str | None


def kinship(models: Sequence[HeardModel], same_as: Mapping[str, int], *, classes: int) -> list[Kin]:
    """The parent and the family of each of several different models.

    Args:
        models: without duplicates.
        same_as: the place of each model by every SHA-256 and every name under which cards may name it.
    """
    parents = [_parent(place, model, same_as) for place, model in enumerate(models)]
    for place in _in_circles(parents):
        parents[place] = None
    records = [
        CalibrationModel(
            name=model.id,
            identity=model.identity,
            accuracy=model.accuracy,
            kind=model.kind,
            made_from=None if parents[place] is None else models[_founder(parents, place)].identity,
            joined=_joined_before(model, models, same_as),
        )
        for place, model in enumerate(models)
    ]
    joined = likenesses(
        records, [model.answers for model in models], [model.sketch for model in models], classes=classes
    )
    kin = []
    for place, likeness in enumerate(joined):
        family, by = records[place].family, models[place].joined_by
        if likeness is not None and likeness.family is not None:
            family = likeness.family
            by = by or f"{likeness.by}, {likeness.distance:.3g} from {likeness.to}"
        kin.append(
            Kin(
                made_from=parents[place],
                family=same_as[family],
                joined_by=by if parents[place] is None and same_as[family] != place else None,
            )
        )
    return kin


def _joined_before(model: HeardModel, models: Sequence[HeardModel], same_as: Mapping[str, int]) -> Likeness | None:
    """The family that an earlier table put a model into."""
    if model.family is None or (first := models[same_as[model.family]]) is model:
        return None
    return Likeness(to=first.id, by="weights", distance=0.0, family=first.identity)


def _parent(place: int, model: HeardModel, same_as: Mapping[str, int]) -> int | None:
    names = [*model.parents, *(model.published.base_model or "").split(", ")]
    return next((same_as[name] for name in names if same_as.get(name, place) != place), None)


def _in_circles(parents: Sequence[int | None]) -> Iterator[int]:
    """Models whose line of parents never ends: what cards say of them cannot be."""
    for start in range(len(parents)):
        place, steps = parents[start], 0
        while place is not None and steps <= len(parents):
            place, steps = parents[place], steps + 1
        if place is not None:
            yield start


def _founder(parents: Sequence[int | None], place: int) -> int:
    while (parent := parents[place]) is not None:
        place = parent
    return place
