"""Which calibration models are no independent draws: the source itself, near-equal ones, and those that guess.

Decided from weights and from answers, without looking at a suspect. What is certain stops; near-equal models are one
family, whose highest score stands; all else is said and stays in. The limits were measured on Fashion-MNIST
(docs/design/0012-hardening.md, "Near-equal calibration models").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers
from modelprint.nn.likeness import WeightDistance, WeightSketch, weight_distance
from modelprint.ownership.fingerprint import CalibrationModel, Likeness, LikenessBy
from modelprint.ownership.remarks import named
from modelprint.stats.likeness import ROUNDED, UNROUNDED, graded, kappas, label_differences, score_distances

ONE_START = 0.55  # weights closer than this started from one network, and not only from one seed
CLOSER = 0.5  # siblings that are closer than this share of the distance to the others are one family
LEAST_OTHERS = 3  # siblings that this is measured by
SAME_SCORES, NEAR_SCORES = 0.002, 0.05  # relative distance of log-odds: number formats; closer than siblings ever are
LEAST_GRADED = 20  # queries at which scores must say more than a label
LEAST_DIFFERENT = 20  # labels by which other models differ, before the same labels make one family
LEAST_KAPPA, LEAST_KAPPA_MOVED = (
    0.1,
    0.03,
)  # agreement with others below which a model guesses; on inputs that were moved
LEAST_ASKED = 50  # queries that this is measured by
_SIBLINGS = ("SHARED", "OTHER")


@dataclass(frozen=True, kw_only=True)
class _Link:
    """Two models of one family: the later and the earlier of them."""

    later: int
    earlier: int
    likeness: Likeness


def calibration_records(
    records: Sequence[CalibrationModel],
    answers: Sequence[Answers],
    sketches: Sequence[WeightSketch | None],
    *,
    source: Answers,
    source_sketch: WeightSketch | None,
    classes: int,
    moved: bool,
) -> tuple[CalibrationModel, ...]:
    """The records of calibration models, with what was found of their likeness.

    Args:
        records: of each model, plain and behind transforms.
        answers: of each, to every query.
        sketches: of each one's weights, where they can be read.
        source: the source's answers; `source_sketch`: of its weights, where it is at hand.
        moved: whether queries were moved towards a boundary of the source, where independent models agree less.

    Raises:
        FingerprintError: a model is the source, or answers as one that has learned nothing.
    """
    plain = [place for place, record in enumerate(records) if record.behind is None]
    seen = [records[place] for place in plain]
    heard = [answers[place] for place in plain]
    kept = [sketches[place] for place in plain]
    _no_guesses(seen, heard, classes, least=LEAST_KAPPA_MOVED if moved else LEAST_KAPPA)
    scores = _Scores.of([*heard, source], classes)
    near_source = [
        _near_source(
            record, one, source, distance=scores.between(place, len(seen)), weights=_distance(sketch, source_sketch)
        )
        for place, (record, one, sketch) in enumerate(zip(seen, heard, kept, strict=True))
    ]
    near_source = [
        near or _labels_of_source(place, seen, heard, source) if scores.between(place, len(seen)) is None else near
        for place, near in enumerate(near_source)
    ]
    links = [*_by_weights(seen, kept), *_by_answers(seen, heard, scores)]
    joined = _joined(seen, links)
    of_identity = {
        record.identity: {"joined": family, "near_source": near}
        for record, family, near in reversed(list(zip(seen, joined, near_source, strict=True)))
    }
    return tuple(record.model_copy(update=of_identity.get(record.identity, {})) for record in records)


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """Distances of the scores of models; the row of each in them."""

    distances: np.ndarray
    rows: Mapping[int, int]


@dataclass(frozen=True, kw_only=True)
class _Scores:
    """Distances of the scores of models, where both have scores that say more than labels.

    Attributes:
        compared: of logits as they are, then of all with what APIs round away left out.
    """

    compared: tuple[_Compared, ...]

    @classmethod
    def of(cls, answers: Sequence[Answers], classes: int) -> _Scores:
        logits = [place for place, one in enumerate(answers) if one.scores is not None and not one.gives_probabilities]
        compared = []
        for places, smallest in ((logits, UNROUNDED), (range(len(answers)), ROUNDED)):
            telling = [p for p in places if graded(answers[p], classes, smallest=smallest) >= LEAST_GRADED]
            distances = score_distances([answers[place] for place in telling], classes, smallest=smallest)
            compared.append(_Compared(distances=distances, rows={place: row for row, place in enumerate(telling)}))
        return cls(compared=tuple(compared))

    def between(self, one: int, other: int) -> float | None:
        """The distance of two models; None where the scores of either tell nothing."""
        for compared in self.compared:
            if one in compared.rows and other in compared.rows:
                return float(compared.distances[compared.rows[one], compared.rows[other]])
        return None


def likenesses(
    records: Sequence[CalibrationModel],
    answers: Sequence[Answers],
    sketches: Sequence[WeightSketch | None],
    *,
    classes: int,
) -> list[Likeness | None]:
    """What makes each model one of an earlier one's family, by weights or answers; None for those that are their own.

    Args:
        answers: of each, to the same inputs.
        sketches: of each one's weights, where they can be read.
    """
    scores = _Scores.of(answers, classes)
    return _joined(records, [*_by_weights(records, sketches), *_by_answers(records, answers, scores)])


def _near_source(
    record: CalibrationModel,
    answers: Answers,
    source: Answers,
    *,
    distance: float | None,
    weights: WeightDistance | None,
) -> Likeness | None:
    """What a model has in common with the source; `distance`: of their scores.

    Raises:
        FingerprintError: everything.
    """
    if distance is not None and distance <= SAME_SCORES:
        raise FingerprintError(
            f"{record.name} answers all {len(answers)} queries with the source's scores (log-odds differ by "
            f"{distance:.2g} of their size, those of independent models by more than a tenth): it is the source itself "
            "or a copy, no independent model: leave it out"
        )
    if weights is not None and weights.overall <= ONE_START and record.kind != "SHARED":
        return Likeness(to="the source", by="weights", distance=weights.overall)
    if distance is not None and distance <= NEAR_SCORES:
        return Likeness(to="the source", by="scores", distance=distance)
    return None


def _labels_of_source(
    place: int, records: Sequence[CalibrationModel], answers: Sequence[Answers], source: Answers
) -> Likeness | None:
    """Whether a model gives the source's label to every query, and others of its kind do not."""
    different = label_differences(np.stack([source.labels, *(one.labels for one in answers)]))[0, 1:]
    others = [
        count
        for count, record in zip(different, records, strict=True)
        if count and record.group == records[place].group
    ]
    if different[place] or not others or np.median(others) < LEAST_DIFFERENT:
        return None
    return Likeness(to="the source", by="labels", distance=0.0)


def _by_weights(records: Sequence[CalibrationModel], sketches: Sequence[WeightSketch | None]) -> Iterator[_Link]:
    """Models that started from one network.

    Siblings of one public checkpoint did, too, and each stands for itself: where a model is said to be one, only those
    that are much closer than siblings are to each other are one family.
    """
    apart: dict[tuple[int, int], WeightDistance] = {}
    for later, mine in enumerate(sketches):
        for earlier, theirs in enumerate(sketches[:later]):
            distance = _distance(mine, theirs)
            if distance is not None and distance.overall <= ONE_START:
                apart[later, earlier] = distance
    starts = _components(len(records), list(apart))
    for (later, earlier), distance in apart.items():
        members = [place for place, start in enumerate(starts) if start == starts[later]]
        parents = {records[place].made_from for place in members} - {None}
        siblings = len(parents) > 1 or any(records[place].kind in _SIBLINGS for place in members)
        if distance.same or not siblings or _closer(later, earlier, members, apart):
            yield _Link(
                later=later,
                earlier=earlier,
                likeness=Likeness(to=records[earlier].name, by="weights", distance=distance.overall),
            )


def _distance(one: WeightSketch | None, other: WeightSketch | None) -> WeightDistance | None:
    return None if one is None or other is None else weight_distance(one, other)


def _closer(later: int, earlier: int, members: Sequence[int], apart: Mapping[tuple[int, int], WeightDistance]) -> bool:
    """Whether two of the models that started from one network are much closer than each is to the others."""

    def between(one: int, other: int) -> WeightDistance | None:
        return apart.get((max(one, other), min(one, other)))

    mine = between(later, earlier)
    for place in (later, earlier):
        others = [between(place, other) for other in members if other not in (later, earlier)]
        distances = [ONE_START if one is None else one.overall for one in others if one is None or not one.same]
        if mine is None or len(distances) < LEAST_OTHERS or mine.overall > CLOSER * float(np.median(distances)):
            return False
    return True


def _by_answers(records: Sequence[CalibrationModel], answers: Sequence[Answers], scores: _Scores) -> Iterator[_Link]:
    """Models whose scores are closer than those of siblings; of those without scores, whose labels are the same.

    The same labels alone are no proof: on queries at a boundary of the source all siblings may answer alike. They
    count where other models of the kind give other labels.
    """
    if not answers:
        return
    different = label_differences(np.stack([one.labels for one in answers]))
    for later in range(len(records)):
        for earlier in range(later):
            distance, by = scores.between(later, earlier), "scores"
            if (
                distance is None
                and different[later, earlier] == 0
                and records[later].identity != records[earlier].identity
            ):
                others = [
                    different[later, place]
                    for place, record in enumerate(records)
                    if record.group == records[later].group and different[later, place]
                ]
                if records[later].group == records[earlier].group and others and np.median(others) >= LEAST_DIFFERENT:
                    distance, by = 0.0, "labels"
            if distance is not None and distance <= NEAR_SCORES:
                kind: LikenessBy = "labels" if by == "labels" else "scores"
                likeness = Likeness(to=records[earlier].name, by=kind, distance=distance)
                yield _Link(later=later, earlier=earlier, likeness=likeness)


def _joined(records: Sequence[CalibrationModel], links: Sequence[_Link]) -> list[Likeness | None]:
    """What makes each model one of another's family, with the family's name; None for those that are their own."""
    own = [record.family for record in records]
    pairs = [(link.later, link.earlier) for link in links]
    pairs += [(place, own.index(family)) for place, family in enumerate(own)]
    together = _components(len(records), pairs)
    joined: list[Likeness | None] = []
    for place, record in enumerate(records):
        family = own[together.index(together[place])]
        mine = [link.likeness for link in links if link.later == place]
        mine += [
            link.likeness.model_copy(update={"to": records[link.later].name}) for link in links if link.earlier == place
        ]
        relatives = [place for place, name in enumerate(own) if name == record.family]
        if family == record.family:
            joined.append(None)
        elif mine:
            joined.append(min(mine, key=lambda one: one.distance).model_copy(update={"family": family}))
        else:  # a copy, by its card, of a model that is joined
            through = next(link for link in links if link.later in relatives or link.earlier in relatives)
            joined.append(through.likeness.model_copy(update={"family": family}))
    return joined


def _components(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    if not pairs:
        return list(range(count))
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = zip(*pairs, strict=True)
    graph = coo_array((np.ones(len(pairs)), (list(rows), list(columns))), shape=(count, count))
    return [int(label) for label in connected_components(graph, directed=False)[1]]


def _no_guesses(records: Sequence[CalibrationModel], answers: Sequence[Answers], classes: int, *, least: float) -> None:
    """Nothing, unless models whose accuracy nobody measured answer as ones that have learned nothing.

    Raises:
        FingerprintError: they agree with the other calibration models no more than by chance.
    """
    if len(records) < 2 or len(answers[0]) < LEAST_ASKED:
        return
    agreement = kappas(np.stack([one.labels for one in answers]), classes)
    np.fill_diagonal(agreement, np.nan)
    typical = np.nanmedian(agreement, axis=1)
    guessing = [
        (record.name, value)
        for record, value in zip(records, typical, strict=True)
        if record.accuracy is None and value < least
    ]
    if guessing:
        (first, value), others = guessing[0], [name for name, _ in guessing[1:]]
        more = f" (and {len(others)} more: {named(others)})" if others else ""
        raise FingerprintError(
            f"{first}{more} agrees with the other calibration models no more than guesses do (kappa {value:.2f}; "
            f"models of one task: {least:g} or more): it would make the threshold too low; look at its "
            "normalisation and class order, or leave it out"
        )
