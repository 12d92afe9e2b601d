"""What rounded and cut scores cost residual, where calibration models are read as coarsely as the suspect answers.

    python -m research.studies.residual_readings --folder FOLDER [--zoo benchmarks/zoo/fashion]

FOLDER is that of `modelprint bench run fashion --folder FOLDER`, in which `residual` with 200 queries was judged.
Copies that keep their worth and independent models of the test part answer in each of these ways; verdicts at alpha
.05, all three sources.

Writes benchmarks/results/residual_readings_fashion.json.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from scipy import special

from benchmarks.common import provenance, write_result
from modelprint.core.suspect import answers_from_scores
from modelprint.ownership.decide import decide
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import scheme_of
from modelprint.training.loop import predict
from research.studies.fashion_cells import fashion_cells
from research.studies.lineage_field import interval

ALPHA = 0.05


def top(count: int) -> Callable[[np.ndarray], np.ndarray]:
    """Probabilities, but for the highest ones 0."""

    def cut(logits: np.ndarray) -> np.ndarray:
        shares = special.softmax(logits.astype(np.float64), axis=1)
        return np.where(shares >= np.sort(shares, axis=1)[:, -count][:, None], shares, 0.0)

    return cut


def rounded(decimals: int) -> Callable[[np.ndarray], np.ndarray]:
    """Probabilities, rounded."""
    return lambda logits: special.softmax(logits.astype(np.float64), axis=1).round(decimals)


READINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "logits": lambda logits: logits,
    "probabilities": lambda logits: special.softmax(logits.astype(np.float64), axis=1),
    "probabilities, temperature 3": lambda logits: special.softmax(logits.astype(np.float64) / 3, axis=1),
    "3 decimals": rounded(3),
    "2 decimals": rounded(2),
    "the 5 highest of 10": top(5),
    "the 3 highest": top(3),
    "the highest alone": top(1),
}


def main() -> None:
    field, store = fashion_cells(__doc__)
    derived: dict[str, Counter[str]] = {name: Counter() for name in READINGS}
    asked: Counter[str] = Counter()
    for entrant in field.entrants():
        if entrant.contender.label != "residual" or entrant.enrolment.budget != 200:
            continue
        fingerprint = Fingerprint.load(store.calibrated(entrant.enrolment.identity))
        scheme, everything = scheme_of(fingerprint), np.ones(len(fingerprint), dtype=bool)
        source = next(model for model in field.sources if model.id == entrant.enrolment.source)
        for meeting in field.suspects(source):
            if meeting.judged.counts_as not in ("all", "independent") or meeting.model.part != "test":
                continue
            side = meeting.judged.role
            asked[side] += 1
            logits = predict(
                meeting.model.load().module, torch.from_numpy(fingerprint.queries), modality=fingerprint.modality
            )
            for name, reading in READINGS.items():
                decision = decide(
                    scheme,
                    fingerprint.state,
                    fingerprint.source,
                    answers_from_scores(reading(logits.numpy()), who=meeting.model.id),
                    fingerprint.calibration,
                    alpha=ALPHA,
                    asked=everything,
                    groups=fingerprint.groups,
                    families=fingerprint.families,
                )
                derived[name][side] += decision.outcome == "derived"
    rows = {
        name: {
            side: {"count": counts[side], "n": asked[side], "interval": interval(counts[side], asked[side])}
            for side in ("derived", "independent")
        }
        for name, counts in derived.items()
    }
    write_result("residual_readings_fashion.json", {"alpha": ALPHA, "readings": rows, "provenance": provenance()})


if __name__ == "__main__":
    main()
