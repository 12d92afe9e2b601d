"""What `residual` makes of missing scores: bounds, beside leaving the queries out for all; an accuser chooses which.

    python -m research.studies.missing_scores

The first source of the `fashion` zoo, `residual` with 200 queries drawn at random, no shadow models. Calibration and
independent test models are those of the zoo. Somebody who holds all answers of an independent model leaves out k of
them: those that speak most against derivation, by its full table. All models are then compared on what is left, the
calibration models included ("left out for all"), which keeps the rank exact only where nobody chooses. Beside it what
`decide` says ("bounds"): the lowest score of the suspect among the highest of the others, over all answers that could
be missing.

The same of copies that answer through a server which loses k answers at random: how many would still be found.

Writes benchmarks/results/missing_scores_fashion.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import provenance, write_result
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.data.splits import load_data
from modelprint.ownership.decide import decide, only
from modelprint.ownership.enroll import enroll, without_shared
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.schemes.reading import table
from modelprint.schemes.residual import Residual, residuals, unit
from modelprint.stats.calibration import rank_p_value
from modelprint.training.loop import predict
from modelprint.zoo.population import load
from research.studies.false_claims import ALPHA, rate

RESULT = "missing_scores_fashion.json"
LEFT_OUT = (0, 1, 2, 5, 10, 20, 50)
KEEPS = 0.85  # of the source's accuracy: copies that are still worth having


def scores_of(models: Sequence[nn.Module], shown: Fingerprint) -> list[Answers]:
    images = torch.from_numpy(shown.queries)
    return [answers_from_scores(predict(model, images).numpy(), who="a model") for model in models]


def p_value(scheme: Residual, shown: Fingerprint, suspect: Answers, calibration: Sequence[Answers]) -> float:
    """The rank among calibration models, all compared on what the suspect answered."""
    score, *others = scheme.scores_among(shown.state, shown.source, [suspect, *calibration], suspect=0)
    return rank_p_value(float(score), np.array(others))


def speaking(scheme: Residual, shown: Fingerprint, suspect: Answers, calibration: Sequence[Answers]) -> np.ndarray:
    """How much each answer adds to the partial correlation of suspect and source, (n,)."""
    assert shown.source.scores is not None
    assert suspect.scores is not None
    others = np.stack([table(one.scores) for one in calibration if one.scores is not None])
    own, theirs = residuals(
        others, np.stack([table(shown.source.scores), table(suspect.scores)]), ridge=scheme.ridge, floor=scheme.floor
    )
    added: np.ndarray = (unit(own) * unit(theirs)).sum(axis=1)
    return added


def main() -> None:
    torch.set_num_threads(1)
    models = load("fashion")
    owner = next(model for model in models if model.role == "source")
    train_data = load_data("fashion-mnist:owner")
    scheme = Residual(chosen=False)
    seeds = without_shared(load_data("fashion-mnist:queries"), train_data)
    shown = enroll(owner.load(), seeds, scheme=scheme, budget=scheme.queries)
    chosen = {
        part: [m.load().module for m in models if m.role == "independent" and m.same_classes and m.part == part]
        for part in ("calibration", "test")
    }
    copies = [
        model.load().module
        for model in models
        if model.part == "test" and model.source == owner.id and model.same_classes
        if model.accuracy >= KEEPS * owner.accuracy
    ]
    calibration = scores_of(chosen["calibration"], shown)
    row: dict[str, Any] = {"queries": len(shown), "calibration": len(calibration)}
    for title, suspects, adversary in (
        ("independent, chosen by an accuser", scores_of(chosen["test"], shown), True),
        ("copies, lost at random", scores_of(copies, shown), False),
    ):
        for count in LEFT_OUT:
            derived, bounded = [], []
            for number, suspect in enumerate(suspects):
                order = np.random.default_rng(number).permutation(len(shown))
                if adversary:
                    order = np.argsort(speaking(scheme, shown, suspect, calibration), kind="stable")
                mask = np.ones(len(shown), dtype=bool)
                mask[order[:count]] = False
                heard = only(suspect, mask)
                derived.append(p_value(scheme, shown, heard, calibration) <= ALPHA)
                decision = decide(
                    scheme, shown.state, shown.source, heard, calibration, alpha=ALPHA, asked=np.ones(len(mask), bool)
                )
                bounded.append(decision.outcome == "derived")
            row[f"{title}: {count}"] = {
                "left out for all": rate(np.array(derived)),
                "bounds": rate(np.array(bounded)),
            }
            print(title, count, row[f"{title}: {count}"], flush=True)
    write_result(RESULT, {"alpha": ALPHA, **row, "provenance": provenance()})


if __name__ == "__main__":
    main()
