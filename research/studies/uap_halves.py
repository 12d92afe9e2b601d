"""Whether UAP's perturbation carries anything where the source is large: its queries' two halves apart, from records.

    python -m research.studies.uap_halves FOLDER

FOLDER is the zoo `transfer` with its fingerprints and records; no model is asked, nothing of a zoo is trained. A
fingerprint of UAP holds points of the training data, and the same points with the perturbation v. An encoder is trained
on the shadow models' answers to both, as published, to the plain points alone (v = 0), and to the shifted points alone;
each half has half of the queries. Cosines of the plain vectors are judged, too. Writes
benchmarks/results/uap_halves_transfer.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import provenance, write_result
from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Field
from modelprint.bench.records import SHEETS, RecordedSuspect, read_record
from modelprint.bench.store import Store
from modelprint.core.access import Access
from modelprint.core.suspect import Answers
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import scheme_of
from modelprint.schemes.base import ShadowAnswers
from modelprint.schemes.uap import Uap
from modelprint.schemes.uap_encoder import Reading, trained_encoder
from modelprint.stats.intervals import bootstrap
from modelprint.stats.roc import auc, tpr_at_fpr
from modelprint.zoo.population import ZooModel, load

HALVES = ("both", "plain", "shifted")
READINGS: dict[Reading, Access] = {"scores": Access.SCORES, "labels": Access.LABELS}
FPR = 0.01
KEPT = 0.85  # of the source's accuracy; below it a copy is worthless


def judged(fingerprint: Fingerprint, said: Mapping[str, Answers], cast: Mapping[str, list[str]]) -> dict[str, Any]:
    """AUC and T1%F of each half, reading and encoder.

    Args:
        said: what each model answers to the queries.
        cast: ids of the surrogates, references, copies and independent models.
    """
    shifted = fingerprint.state["shifted"].astype(bool)
    scheme = scheme_of(fingerprint)
    assert isinstance(scheme, Uap)
    rows: dict[str, Any] = {}
    for half in HALVES:
        kept = np.ones(len(shifted), dtype=bool) if half == "both" else shifted == (half == "shifted")
        view = fingerprint.state["group"][kept]
        answers = {name: one.restricted(Access.SCORES).take(kept) for name, one in said.items()}
        source = fingerprint.source.take(kept)
        shadows = ShadowAnswers(
            surrogates=tuple(answers[name] for name in cast["surrogates"]),
            references=tuple(answers[name] for name in cast["references"]),
        )
        for reading, access in READINGS.items():
            generator = torch.Generator().manual_seed(0)
            encoder = trained_encoder(scheme, source, shadows, view=view, reading=reading, generator=generator)
            for kind in ("contrastive", "none"):
                bare = scheme.with_settings({"encoder": kind})
                scores = {
                    name: bare.score({"group": view, **encoder}, source, one.restricted(access))
                    for name, one in answers.items()
                }
                near, far = (np.array([scores[name] for name in cast[side]]) for side in ("copies", "independents"))
                interval = bootstrap(near, far, auc, generator=np.random.default_rng(0), resamples=1000)
                rows[f"{half}, {reading}, {kind}"] = {
                    "queries": int(kept.sum()),
                    "auc": auc(near, far),
                    "low": interval.low,
                    "high": interval.high,
                    "t1f": tpr_at_fpr(near, far, fpr=FPR),
                }
    return {"copies": len(near), "independents": len(far), "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    planned = bench_of("transfer")
    models = load(planned.plan, folder=folder)
    field = Field(bench=planned.bench, plan=planned.plan, models=models)
    enrolments = [one for one in field.enrolments() if one.scheme == "uap"]
    sources: dict[str, Any] = {}
    for enrolment in enrolments:
        fingerprint = Fingerprint.load(Store(folder).fingerprint(enrolment.identity), weights=False)
        least = KEPT * next(model.accuracy for model in models if model.id == enrolment.source)
        cast = {
            "surrogates": list(enrolment.surrogates),
            "references": list(enrolment.references),
            "copies": [model.id for model in models if _copy(model, enrolment.source) and model.accuracy >= least],
            "independents": [model.id for model in models if _innocent(model, enrolment.source)],
        }
        wanted = {name for side in cast.values() for name in side}
        said = {model.id: _said(model, fingerprint, folder) for model in models if model.id in wanted}
        label = f"{enrolment.source}, {enrolment.budget} queries"
        sources[label] = judged(fingerprint, said, cast)
        print(label, sources[label]["copies"], sources[label]["independents"])
        for name, row in sources[label]["rows"].items():
            print(f"  {name}: AUC {row['auc']:.3f} ({row['low']:.2f}-{row['high']:.2f}), T1%F {row['t1f']:.2f}")
    write_result("uap_halves_transfer.json", {"fpr": FPR, "sources": sources, "provenance": provenance()})


def _copy(model: ZooModel, source: str) -> bool:
    return model.part == "test" and model.role == "derived" and model.source == source and model.same_classes


def _innocent(model: ZooModel, source: str) -> bool:
    return model.part == "test" and (model.role == "independent" or model.source not in (None, source))


def _said(model: ZooModel, fingerprint: Fingerprint, folder: Path) -> Answers:
    assert model.record is not None
    suspect = RecordedSuspect(read_record(model.record), folder / SHEETS, who=model.id)
    return suspect.ask(fingerprint.queries, access=Access.SCORES)


if __name__ == "__main__":
    main()
