"""How many independent models are accused when answers that speak for them are left out of the record.

    python -m research.studies.silence [SCHEME ...]

The first source of the `fashion` zoo, the scheme's default settings, 200 queries. Calibration models and independent
test models are those of `false_claims`. Somebody who holds all answers of an independent model leaves out up to 10, 25
or 50 % of them: those that differ from the source's first. "Before" is the rule of versions until 0.1: score and
calibration models on what is left. "Now" is what `decide` says: calibration models keep all their answers, and a
missing answer takes the value that lowers the score most. Alpha .05, labels.

The same of copies that answer through a server which loses answers at random: how many are still found.

Puts each scheme's row into benchmarks/results/silence_fashion.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import RESULTS, provenance, write_result
from modelprint.core.errors import UnscorableError
from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.ownership.decide import CalibrationScores, decide, only
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme
from modelprint.stats.calibration import threshold
from modelprint.zoo.population import load
from research.studies.false_claims import ALPHA, FIELD, TRAJECTORIES, answers_of, cast_of, enrolled, rate

RESULT = "silence_fashion.json"
SHARES = (0.0, 0.1, 0.25, 0.5)
KEEPS = 0.85  # of the source's accuracy: copies that are still worth having


def labels_of(models: Sequence[nn.Module], shown: Fingerprint) -> list[Answers]:
    return [Answers(labels=answers_of(model, shown.queries).labels) for model in models]


def kept(source: Answers, answers: Answers, share: float, *, adversary: bool, seed: int) -> np.ndarray:
    """A mask of the answers that stay in the record."""
    order = np.random.default_rng(seed).permutation(len(answers))
    if adversary:
        disagrees = answers.labels != source.labels
        order = np.concatenate([order[disagrees[order]], order[~disagrees[order]]])
    mask = np.ones(len(answers), dtype=bool)
    mask[order[: int(share * len(answers))]] = False
    return mask


def accused_before(scheme: Scheme, shown: Fingerprint, answers: Answers, calibration: Sequence[Answers]) -> bool:
    """The old rule: everybody is scored on the queries that the suspect answered."""
    mask = answers.labels != UNANSWERED
    try:
        limit = threshold(
            np.array([scheme.score(shown.state, shown.source, only(other, mask)) for other in calibration]), ALPHA
        )
        score = scheme.score(shown.state, shown.source, answers)
    except UnscorableError:
        return False
    assert limit is not None
    return bool(score > limit)


def measured(name: str) -> dict[str, Any]:
    models = load("fashion")
    cast = cast_of(models)
    scheme = SCHEMES[name]().with_settings(TRAJECTORIES.get(name, {}))
    shown = enrolled(cast, scheme, 0)
    source, everything = shown.source, np.ones(len(shown), dtype=bool)
    calibration = labels_of(cast.judges, shown)
    shared = CalibrationScores(scheme=scheme, state=shown.state, source=source, calibration=calibration)
    source_accuracy = next(model.accuracy for model in models if model.id == "source-1")
    copies = [
        model.load().module
        for model in models
        if model.part == "test" and model.source == "source-1" and model.same_classes
        if model.accuracy >= KEEPS * source_accuracy
    ]
    row: dict[str, Any] = {"queries": len(shown)}
    for title, suspects, adversary in (
        ("independent, what differs left out", labels_of(cast.innocents, shown), True),
        ("copies, answers lost at random", labels_of(copies, shown), False),
    ):
        for share in SHARES:
            before, now = [], []
            for number, answers in enumerate(suspects):
                heard = only(answers, kept(source, answers, share, adversary=adversary, seed=number))
                before.append(accused_before(scheme, shown, heard, calibration))
                decision = decide(
                    scheme, shown.state, source, heard, calibration, alpha=ALPHA, asked=everything, shared=shared
                )
                now.append(decision.outcome == "derived")
            row[f"{title}: {share:.0%}"] = {"before": rate(np.array(before)), "now": rate(np.array(now))}
    return row


def main() -> None:
    torch.set_num_threads(1)
    path = RESULTS / RESULT
    for name in sys.argv[1:] or FIELD:
        row = measured(name)
        rows = json.loads(path.read_text())["rows"] if path.exists() else {}
        rows[name] = {**row, "provenance": provenance()}
        print(name, json.dumps(row), flush=True)
        write_result(RESULT, {"alpha": ALPHA, "rows": {each: rows[each] for each in FIELD if each in rows}})


if __name__ == "__main__":
    main()
