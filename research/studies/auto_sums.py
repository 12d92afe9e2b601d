"""How scores of several levels are put together in `auto`: sums that were compared, on development models.

    python -m research.studies.auto_sums --folder FOLDER [--zoo benchmarks/zoo/fashion]

FOLDER is that of `modelprint bench run fashion --folder FOLDER`, in which `auto` with 8 + 8 shadow models and without
any was judged. Copies that keep their worth of the rehearsal part and of the sweep (without shadow models, of the
shadow part, too) are ranked among the calibration models, source by source. No test model is touched.

Writes benchmarks/results/auto_sums_fashion.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.common import provenance, write_result
from modelprint.bench.cells import KEEPS, Entrant, Field
from modelprint.bench.store import Store
from modelprint.core.access import Access
from modelprint.lineage import StateTensors, compare
from modelprint.ownership.above import MEDIAN, above
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.levels import Level, levels_of, weights_level
from modelprint.ownership.opening import opened, scheme_of
from modelprint.schemes.auto import Auto
from modelprint.stats.calibration import ranked_by_kind
from modelprint.stats.roc import auc, tpr_at_fpr
from modelprint.zoo.population import ZooModel
from research.studies.fashion_cells import fashion_cells

ALPHA = 0.05
CONTENDERS = {"auto, 8 + 8": ("rehearsal", "sweep"), "auto, no shadow models": ("rehearsal", "sweep", "shadow")}
READ = {"scores": Access.SCORES, "weights": Access.WEIGHTS}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A way of putting levels together.

    Attributes:
        labels: what the level of labels is multiplied by; 0 leaves it out.
        weights_from, others_from: the share of all models below what counts.
        power: of each part, whose sum's root counts; infinite for the largest part.
    """

    labels: float = 1.0
    weights_from: float = MEDIAN
    others_from: float = MEDIAN
    power: float = 1.0

    def together(self, levels: Sequence[Level]) -> tuple[float, Float[np.ndarray, " n"]]:
        """The combined score of the suspect and of each calibration model; NaN where one is not read at all levels."""
        counted = [level for level in levels if level.access is not Access.LABELS or self.labels]
        ranked = ~np.isnan(np.stack([level.calibration for level in counted])).any(axis=0)
        parts = []
        for level in counted:
            own, others = above(
                float(level.decision.score or 0.0),
                level.calibration[ranked],
                resolution=level.resolution,
                exact=True,
                counts_from=self.weights_from if level.access is Access.WEIGHTS else self.others_from,
            )
            factor = self.labels if level.access is Access.LABELS else 1.0
            parts.append(factor * np.append(others, own))
        sums = np.linalg.norm(np.stack(parts), ord=self.power, axis=0)
        others = np.full(len(ranked), np.nan)
        others[ranked] = sums[:-1]
        return float(sums[-1]), others


RULES: Mapping[str, Rule] = {
    "sum above the median": Rule(),
    "labels a half": Rule(labels=0.5),
    "labels a quarter": Rule(labels=0.25),
    "no labels": Rule(labels=0.0),
    "the largest": Rule(power=np.inf),
    "sum of squares": Rule(power=2.0),
    "all levels above .9": Rule(weights_from=0.9, others_from=0.9),
    "all levels above .95": Rule(weights_from=0.95, others_from=0.95),
    "weights above .75": Rule(weights_from=0.75),
    "weights above .9": Rule(weights_from=0.9),
    "weights above .95": Rule(weights_from=0.95),
    "weights above .98": Rule(weights_from=0.98),
    "weights above .95, no labels": Rule(weights_from=0.95, labels=0.0),
}


def copies_of(field: Field, source: ZooModel, parts: Sequence[str]) -> Iterator[ZooModel]:
    for model in field.models:
        if model.source == source.id and model.part in parts and model.accuracy >= KEEPS * source.accuracy:
            yield model


def read(fingerprint: Fingerprint, scheme: Auto, model: ZooModel) -> list[Level]:
    """What each level says of a model that is a file."""
    loaded = model.load()
    answers = opened(loaded, fingerprint).ask(fingerprint.queries, access=Access.SCORES)
    everything = np.ones(len(fingerprint), dtype=bool)
    levels = levels_of(scheme, fingerprint, answers, asked=everything, planned=everything, alpha=ALPHA)
    assert fingerprint.weights is not None
    result = compare(fingerprint.weights, StateTensors(loaded.module.state_dict()), p_value=False)
    return [*levels, weights_level(result, fingerprint, alpha=ALPHA)]


def of_source(field: Field, store: Store, entrant: Entrant, parts: Sequence[str]) -> dict[str, dict[str, list[Any]]]:
    """For each rule and each level that is read: scores of copies, scores of calibration models, verdicts."""
    fingerprint = Fingerprint.load(store.calibrated(entrant.enrolment.identity))
    scheme = scheme_of(fingerprint)
    assert isinstance(scheme, Auto)
    source = next(model for model in field.sources if model.id == entrant.enrolment.source)
    found: dict[str, dict[str, list[Any]]] = {}
    for model in copies_of(field, source, parts):
        levels = read(fingerprint, scheme, model)
        for name, most in READ.items():
            speaking = [one for one in levels if one.access <= most and one.decision.score is not None]
            for rule_name, rule in RULES.items():
                own, others = rule.together(speaking)
                ranked = np.flatnonzero(~np.isnan(others))
                rank = ranked_by_kind(
                    others[ranked],
                    [fingerprint.groups[place] for place in ranked],
                    ALPHA,
                    families=[fingerprint.families[place] for place in ranked],
                    score=own,
                    pool=True,
                )
                row = found.setdefault(f"{rule_name}: {name}", {"copies": [], "others": [], "derived": []})
                row["copies"].append(own)
                row["others"].append(np.where(np.isnan(others), 0.0, others))
                row["derived"].append(rank.p_value is not None and rank.p_value <= ALPHA)
    return found


def summed(sources: Sequence[dict[str, list[Any]]]) -> dict[str, Any]:
    """Means over the sources. Calibration models score as they do beside the copies, on average."""
    figures = []
    for one in sources:
        copies, others = np.array(one["copies"]), np.mean(one["others"], axis=0)
        figures.append((tpr_at_fpr(copies, others, fpr=0.01), auc(copies, others), float(np.mean(one["derived"]))))
    names = ("tpr_at_1", "auc", "found")
    return {name: round(float(np.mean([row[place] for row in figures])), 4) for place, name in enumerate(names)}


def main() -> None:
    field, store = fashion_cells(__doc__)
    results: dict[str, Any] = {}
    for label, parts in CONTENDERS.items():
        entrants = [one for one in field.entrants() if one.contender.label == label]
        sources = [of_source(field, store, entrant, parts) for entrant in entrants]
        results[label] = {
            "copies": [len(next(iter(one.values()))["copies"]) for one in sources],
            "rules": {name: summed([one[name] for one in sources]) for name in sources[0]},
        }
    write_result("auto_sums_fashion.json", {"alpha": ALPHA, **results, "provenance": provenance()})


if __name__ == "__main__":
    main()
