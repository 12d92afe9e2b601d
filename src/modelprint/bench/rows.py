"""Figures of merit: from runs to rows, with intervals by bootstrap over models and, for the mean, over sources.

Independents are drawn in whole families, a model and all that was made from it: their answers depend on each other, and
three hundred variants of ten models are ten models' worth of evidence.

All rows of a run share one set of resampled independents, so that every statistic of every row is an average of numbers
per derived model that were computed once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from modelprint.results.records import ALL, Ends, EvasionCost, Figure, JudgedModel, Row, Run
from modelprint.stats.roc import auc, f1_at, tpr_at_fpr

RESAMPLES = 1000
FIGURES: tuple[Figure, ...] = ("auc", "tpr_at_1", "tpr_at_10", "tpr_verdict", "fpr_verdict", "f1")
_SEED = 20_241_123


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What resampling gave for one group of copies of one source.

    Attributes:
        values: each figure, as measured.
        draws: each figure in every resample, (r,).
        derived, independent: the ids of the models.
    """

    values: dict[str, float | None]
    draws: dict[str, Float[np.ndarray, " r"]] = field(default_factory=dict)
    mean_score: float | None = None
    derived: frozenset[str]
    independent: frozenset[str]


def rows_of(suspects: Sequence[JudgedModel], runs: Sequence[Run]) -> Iterator[Row]:
    """Rows of each run, and the means over sources of runs that differ in nothing else.

    A row stands for a group of copies: all, a family, one attack, those that lost their worth ("worthless"), those
    with other classes ("transfer"). Of several sources each has its rows for all copies and for the families, the
    latter without intervals: those are of the mean.
    """
    known = {model.id: model for model in suspects}
    alike: dict[tuple[object, ...], list[Run]] = defaultdict(list)
    for run in runs:
        alike[run.scheme, run.access, run.budget, run.evasion, run.seed].append(run)
    for group in alike.values():
        measured: dict[tuple[str, str], list[tuple[Run, Draws]]] = defaultdict(list)
        for run in group:
            for key, drawn in _of_run(run, known).items():
                measured[key].append((run, drawn))
        for (attack, family), members in measured.items():
            whole = attack == family or attack in (ALL, "worthless")
            if group[0].evasion != "none" and attack not in (ALL, "worthless"):
                continue  # behind evasions: no rows of families and of single attacks
            for run, drawn in members if whole or len(group) == 1 else []:
                intervals = len(group) == 1 or attack == ALL
                yield _row(attack, family, run.source, [run], [drawn], intervals=intervals)
            if len(group) > 1:
                yield _row(attack, family, ALL, [run for run, _ in members], [drawn for _, drawn in members])


def group_interval(derived: Float[np.ndarray, " d"], independent: Float[np.ndarray, " i"]) -> Ends:
    """The bootstrap interval of the AUC over models."""
    _, draws = _Resampled(independent, verdicts=None, families=np.arange(len(independent))).group(derived)
    return _ends(draws["auc"])


def evasion_cost(
    evasion: str,
    *,
    recipe: Sequence[dict[str, object]],
    accuracy: Mapping[str, float],
    plain: Mapping[str, float],
    images: int,
) -> EvasionCost:
    """What copies lose behind an evasion, by their accuracy with it and without."""
    lost = np.array([plain[name] - accuracy[name] for name in accuracy if name in plain])
    chosen = np.random.default_rng(_SEED).integers(len(lost), size=(RESAMPLES, len(lost)))
    return EvasionCost(
        evasion=evasion,
        recipe=tuple(recipe),
        images=images,
        accuracy={name: round(value, 5) for name, value in accuracy.items()},
        lost=round(float(lost.mean()), 5),
        interval=_ends(lost[chosen].mean(axis=1)),
    )


def _of_run(run: Run, known: dict[str, JudgedModel]) -> dict[tuple[str, str], Draws]:
    """The figures of every group of copies in a run."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    independent: dict[str, float] = {}
    for name in run.scores:
        if known[name].role == "derived":
            for key in _groups(known[name]):
                groups[key].append(name)
        elif (score := _score(run, known[name])) is not None:
            independent[name] = score
    if not independent:
        return {}
    families = np.unique([known[name].family_of_models for name in independent], return_inverse=True)[1]
    resampled = _Resampled(
        np.array(list(independent.values())), verdicts=_verdicts(run, independent), families=families
    )
    figures: dict[tuple[str, str], Draws] = {}
    for key in sorted(groups, key=_order):
        scored = {name: score for name in groups[key] if (score := _score(run, known[name])) is not None}
        scores = np.array(list(scored.values()))
        values, draws = resampled.group(scores, _verdicts(run, scored)) if scored else (dict.fromkeys(FIGURES), {})
        figures[key] = Draws(
            values=values,
            draws=draws,
            mean_score=float(np.mean(scores)) if scored and np.isfinite(scores).all() else None,
            derived=frozenset(groups[key]),
            independent=frozenset(independent),
        )
    return figures


def _verdicts(run: Run, names: Iterable[str]) -> Bool[np.ndarray, " n"] | None:
    """Whether the verdict on each is "derived"; None where calibration models are too few for any."""
    if run.threshold is None:
        return None
    return np.array([bool(run.derived(name)) for name in names])


def _score(run: Run, model: JudgedModel) -> float | None:
    """A suspect's score; lower than any where it refused so much that no verdict is possible."""
    score = run.scores[model.id]
    refused = model.id in run.verdicts or (run.evasion != "none" and model.counts_as != "transfer")
    return -np.inf if score is None and refused else score


def _groups(model: JudgedModel) -> list[tuple[str, str]]:
    if model.counts_as != "all":
        return [(model.counts_as, model.counts_as if model.counts_as == "transfer" else ALL)]
    if model.attack is None and model.family is None:
        return [(ALL, ALL)]
    family = model.family or "unknown"
    return [(ALL, ALL), (family, family), *([(model.attack, family)] if model.attack not in (None, family) else [])]


def _order(key: tuple[str, str]) -> tuple[int, str, int, str]:
    attack, family = key
    first = {ALL: 0, "worthless": 2, "transfer": 3}.get(attack, 1)
    return first, family, int(attack != family), attack


class _Resampled:
    """Independent models, drawn again with replacement many times, a family at a time.

    Args:
        verdicts: whether the verdict on each is "derived"; None where there are none.
        families: the number of each model's family, from 0 on.
    """

    def __init__(
        self,
        independent: Float[np.ndarray, " i"],
        *,
        verdicts: Bool[np.ndarray, " i"] | None,
        families: Int[np.ndarray, " i"],
    ) -> None:
        order = np.argsort(independent, kind="stable")
        self.independent = independent[order]
        self.verdicts = None if verdicts is None else verdicts[order]
        self.generator = np.random.default_rng(_SEED)
        k = int(families.max()) + 1
        drawn = self.generator.multinomial(k, np.full(k, 1 / k), size=RESAMPLES)  # (r, k)
        self.counts = drawn[:, families[order]]  # (r, i), of sorted scores
        self.sizes = self.counts.sum(axis=1, keepdims=True)  # (r, 1): families differ in size
        self.above = self.counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # (r, i): how many reach the i-th score

    def limit(self, fpr: float) -> Float[np.ndarray, " r"]:
        """In each resample, the score that a copy must *exceed* so that at most `fpr` of the independents do."""
        allowed = fpr * self.sizes + 1e-9
        # ties reach a threshold together: count from the first of equal scores on
        first = np.searchsorted(self.independent, self.independent, side="left")
        reached = self.above[:, first]
        index = np.argmax(reached <= allowed, axis=1)  # the first score that few enough reach
        none = ~(reached <= allowed).any(axis=1)
        below = np.where(none, len(self.independent), index)
        padded = np.concatenate([[-np.inf], self.independent])
        return padded[below]

    def group(
        self, derived: Float[np.ndarray, " d"], verdicts: Bool[np.ndarray, " d"] | None = None
    ) -> tuple[dict[str, float | None], dict[str, Float[np.ndarray, " r"]]]:
        """The figures of a group of copies, as measured and in every resample (of the copies, too)."""
        d = len(derived)
        low = np.searchsorted(self.independent, derived, side="left")
        high = np.searchsorted(self.independent, derived, side="right")
        below = np.concatenate([np.zeros((RESAMPLES, 1)), self.counts.cumsum(axis=1)], axis=1)  # (r, i + 1)
        wins = (below[:, low] + below[:, high]) / (2 * self.sizes)  # (r, d): of each copy over the drawn independents
        chosen = self.generator.integers(d, size=(RESAMPLES, d))
        draws: dict[str, np.ndarray] = {"auc": np.take_along_axis(wins, chosen, axis=1).mean(axis=1)}
        for figure, fpr in (("tpr_at_1", 0.01), ("tpr_at_10", 0.1)):
            draws[figure] = (derived[chosen] > self.limit(fpr)[:, None]).mean(axis=1)
        values: dict[str, float | None] = dict.fromkeys(FIGURES)
        values["auc"] = auc(derived, self.independent)
        values["tpr_at_1"] = tpr_at_fpr(derived, self.independent, fpr=0.01)
        values["tpr_at_10"] = tpr_at_fpr(derived, self.independent, fpr=0.1)
        if self.verdicts is not None and verdicts is not None:
            draws["tpr_verdict"] = verdicts[chosen].mean(axis=1)
            draws["fpr_verdict"] = self.counts[:, self.verdicts].sum(axis=1) / self.sizes[:, 0]
            values["tpr_verdict"] = float(verdicts.mean())
            values["fpr_verdict"] = float(self.verdicts.mean())
            values["f1"] = f1_at(verdicts.astype(float), self.verdicts.astype(float), threshold=0.5)
            hits, false = draws["tpr_verdict"] * d, draws["fpr_verdict"] * len(self.independent)
            draws["f1"] = 2 * hits / (hits + false + d)
        return values, draws


def _row(attack: str, family: str, source: str, runs: list[Run], drawn: list[Draws], *, intervals: bool = True) -> Row:
    """One run's row, or the mean over sources: its interval resamples the sources, too."""
    run = runs[0]
    values: dict[Figure, float | None] = {}
    ends: dict[str, Ends] = {}
    for figure in FIGURES:
        measured = [draws.values[figure] for draws in drawn]
        scored = [value for value in measured if value is not None]
        values[figure] = round(float(np.mean(scored)), 5) if scored else None
        resampled = np.array([draws.draws[figure] for draws in drawn if figure in draws.draws])
        if len(resampled) and intervals:
            ends[figure] = _ends(_over_sources(resampled))
    means = [draws.mean_score for draws in drawn if draws.mean_score is not None]
    return Row(
        scheme=run.scheme,
        attack=attack,
        family=family,
        source=source,
        access=run.access,
        budget=run.budget,
        queries=round(float(np.mean([other.queries for other in runs])), 1),
        evasion=run.evasion,
        seed=run.seed,
        auc=values["auc"],
        tpr_at_1=values["tpr_at_1"],
        tpr_at_10=values["tpr_at_10"],
        tpr_verdict=values["tpr_verdict"],
        fpr_verdict=values["fpr_verdict"],
        f1=values["f1"],
        mean_score=round(float(np.mean(means)), 5) if means else None,
        intervals=ends,
        n_derived=len(frozenset().union(*(draws.derived for draws in drawn))),
        n_independent=len(frozenset().union(*(draws.independent for draws in drawn))),
    )


def _over_sources(draws: Float[np.ndarray, "s r"]) -> Float[np.ndarray, " r"]:
    """The mean over as many sources as there are, drawn again with replacement in each resample."""
    sources, resamples = draws.shape
    chosen = np.random.default_rng(_SEED).integers(sources, size=(sources, resamples))
    mean: np.ndarray = np.take_along_axis(draws, chosen, axis=0).mean(axis=0)
    return mean


def _ends(draws: Float[np.ndarray, " r"]) -> Ends:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Ends(low=round(float(low), 5), high=round(float(high), 5))
