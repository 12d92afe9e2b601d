"""How often a suspect's classes are taken for renamed, of those that are and those that are not.

    python -m research.studies.class_matching --fingerprints FOLDER

FOLDER is that of `modelprint bench run fashion-evasion`. The first source's fingerprints; every test model as it is and
with its classes permuted; calibration models as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks.common import provenance, write_result
from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Field
from modelprint.bench.store import Store
from modelprint.core.access import Access
from modelprint.core.suspect import Answers
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.matching import looks_renamed
from modelprint.suspects.evasion.permutation import Permutation
from modelprint.suspects.local import TorchSuspect
from modelprint.zoo.plans import plan_of
from modelprint.zoo.population import ZooModel, load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fingerprints", type=Path, required=True)
    folder = parser.parse_args().fingerprints
    torch.set_num_threads(1)
    bench, plan = bench_of("fashion-evasion").bench, plan_of("fashion")
    field = Field(bench=bench, plan=plan, models=load(plan))
    source = field.enrolled[0]
    suspects = [meeting.model for meeting in field.suspects(source) if meeting.model.same_classes]
    prints = {
        entrant.contender.label: Fingerprint.load(Store(folder).fingerprint(entrant.enrolment.identity))
        for entrant in field.entrants()
        if entrant.enrolment.source == source.id and entrant.evasion == "none"
    }
    calibration = [_asked(model, prints) for model in field.part("calibration")]
    answers_of = {model.id: _asked(model, prints) for model in suspects}
    permuted = Permutation(seed=0).order(10)
    counts_of = {}
    for label, fingerprint in prints.items():
        others = [answers[label] for answers in calibration]
        counts = {"plain": 0, "permuted": 0, "permuted copies": 0, "matched rightly": 0}
        copies = 0
        for model in suspects:
            answers = answers_of[model.id][label]
            moved = Answers(labels=permuted[answers.labels])
            copy = model.role == "derived" and model.source == source.id
            copies += copy
            counts["plain"] += looks_renamed(fingerprint.source, answers, others) is not None
            matched = looks_renamed(fingerprint.source, moved, others)
            counts["permuted"] += matched is not None
            if copy and matched is not None:
                counts["permuted copies"] += 1
                counts["matched rightly"] += bool((matched.classes[permuted] == range(10)).all())
        counts_of[label] = {**counts, "suspects": len(suspects), "copies": copies, "queries": len(fingerprint)}
        print(label, counts_of[label])
    write_result("class_matching.json", {"source": source.id, "schemes": counts_of, "provenance": provenance()})


def _asked(model: ZooModel, prints: dict[str, Fingerprint]) -> dict[str, Answers]:
    suspect = TorchSuspect(model.load().module, identity=model.id)
    return {label: suspect.ask(one.queries, access=Access.LABELS) for label, one in prints.items()}


if __name__ == "__main__":
    main()
