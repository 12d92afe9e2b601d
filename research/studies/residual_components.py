"""What residual finds by how much is taken away: principal components, or a ridge, of all other models.

    python -m research.studies.residual_components --folder FOLDER [--zoo benchmarks/zoo/fashion]

FOLDER is that of `modelprint bench run fashion --folder FOLDER`, in which `residual` with 200 queries was judged.
Copies that keep their worth and independent models of the test part, logits, all three sources, verdicts at alpha .05.

Components are those of all models that are ranked, the suspect among them, so that the rank is exact there, too. The
scheme takes a ridge of .03: it was chosen on the development parts (docs/design/0014-residual.md), and nothing here
chooses anything.

Writes benchmarks/results/residual_components_fashion.json.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from benchmarks.common import provenance, write_result
from modelprint.bench.cells import Field
from modelprint.bench.store import Store
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import scheme_of
from modelprint.schemes.reading import table
from modelprint.schemes.residual import NOTHING, Residual, partial_correlations, standardised
from modelprint.stats.calibration import ranked_by_kind
from modelprint.stats.roc import auc, tpr_at_fpr
from modelprint.training.loop import predict
from research.studies.fashion_cells import fashion_cells
from research.studies.lineage_field import interval

ALPHA = 0.05
COMPONENTS = (0, 2, 5, 10, 20, 40, 80)
RIDGES = (1.0, 0.3, 0.1, 0.03, 0.01)

Correlations = Callable[[Float[np.ndarray, "m n c"], Float[np.ndarray, "n c"]], Float[np.ndarray, " m"]]


def without_components(
    tables: Float[np.ndarray, "m n c"], own: Float[np.ndarray, "n c"], *, count: int, floor: float
) -> Float[np.ndarray, " m"]:
    """The cosine of each table and the source's, less the mean and the first principal components of all tables."""
    standard, source = standardised(tables, own[None], floor=floor)
    _, vectors = np.linalg.eigh(standard @ standard.T)
    first = vectors[:, len(vectors) - count :]
    basis = first.T @ standard
    basis /= np.maximum(np.linalg.norm(basis, axis=1, keepdims=True), NOTHING)
    left, ours = standard - standard @ basis.T @ basis, source[0] - basis.T @ (basis @ source[0])
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(ours)
    cosines: np.ndarray = left @ ours / np.maximum(lengths, NOTHING)
    return cosines


def settings(floor: float) -> dict[str, Correlations]:
    named: dict[str, Correlations] = {
        f"{count} components": partial(without_components, count=count, floor=floor) for count in COMPONENTS
    }
    return named | {f"ridge {ridge:g}": partial(partial_correlations, ridge=ridge, floor=floor) for ridge in RIDGES}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one setting gives for one source."""

    scores: dict[str, list[float]] = field(default_factory=lambda: {"derived": [], "independent": []})
    derived: dict[str, int] = field(default_factory=lambda: {"derived": 0, "independent": 0})


def of_source(bench: Field, store: Store, source_id: str) -> dict[str, Found]:
    """What each setting finds among the suspects of one source."""
    entrant = next(
        one
        for one in bench.entrants()
        if (one.contender.label, one.enrolment.budget, one.enrolment.source) == ("residual", 200, source_id)
    )
    fingerprint = Fingerprint.load(store.calibrated(entrant.enrolment.identity))
    scheme = scheme_of(fingerprint)
    assert isinstance(scheme, Residual)
    assert fingerprint.source.scores is not None
    own = table(fingerprint.source.scores)
    calibration = [table(answers.scores) for answers in fingerprint.calibration if answers.scores is not None]
    others = [*map(table, fingerprint.state["references"]), *calibration]
    results = {name: Found() for name in settings(scheme.floor)}
    source = next(model for model in bench.sources if model.id == source_id)
    for meeting in bench.suspects(source):
        if meeting.judged.counts_as not in ("all", "independent") or meeting.model.part not in ("test", "source"):
            continue
        module, queries = meeting.model.load().module, torch.from_numpy(fingerprint.queries)
        logits = predict(module, queries, modality=fingerprint.modality).numpy()
        tables = np.stack([*others, table(logits)])
        for name, correlate in settings(scheme.floor).items():
            *ranked, score = correlate(tables, own)[len(fingerprint.state["references"]) :].tolist()
            rank = ranked_by_kind(
                np.array(ranked), fingerprint.groups, ALPHA, families=fingerprint.families, score=score, pool=True
            )
            results[name].scores[meeting.judged.role].append(score)
            results[name].derived[meeting.judged.role] += rank.p_value is not None and rank.p_value <= ALPHA
    return results


def summed(sources: list[Found]) -> dict[str, Any]:
    """Means over the sources, and verdicts over all of them."""
    pairs = [tuple(np.array(one.scores[side]) for side in ("derived", "independent")) for one in sources]
    row: dict[str, Any] = {
        "auc": round(float(np.mean([auc(copies, others) for copies, others in pairs])), 4),
        "tpr_at_1": round(float(np.mean([tpr_at_fpr(copies, others, fpr=0.01) for copies, others in pairs])), 4),
        "tpr_at_1_by_source": [round(tpr_at_fpr(copies, others, fpr=0.01), 4) for copies, others in pairs],
    }
    for side in ("derived", "independent"):
        count, n = sum(one.derived[side] for one in sources), sum(len(one.scores[side]) for one in sources)
        row[f"called_derived_{side}"] = {"count": count, "n": n, "interval": interval(count, n)}
    return row


def main() -> None:
    bench, store = fashion_cells(__doc__)
    by_setting: dict[str, list[Found]] = defaultdict(list)
    for source in bench.sources:
        for name, one in of_source(bench, store, source.id).items():
            by_setting[name].append(one)
    write_result(
        "residual_components_fashion.json",
        {
            "alpha": ALPHA,
            "settings": {name: summed(each) for name, each in by_setting.items()},
            "provenance": provenance(),
        },
    )


if __name__ == "__main__":
    main()
