"""How many independent models a fresh challenge calls derived where nothing was forged: the rate of the scheme itself.

    python -m research.studies.fresh_challenge

What `forged_data` measures with one seed, on the judge's images and with the judge's models, for SAC by mistakes and
FBI, whose rates are highest there: five seeds, 100 queries, the first source of the `fashion` zoo, alpha .05. With one
threshold from all of the judge's models, and with one for each kind of them (siblings, others). The ten models that
`forged_data` aims at are counted apart. Writes benchmarks/results/fresh_challenge_fashion.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from benchmarks.common import provenance, write_result
from modelprint.ownership.enroll import enroll
from modelprint.schemes import SCHEMES
from modelprint.stats.calibration import ranked_by_kind, threshold
from modelprint.zoo.population import ZooModel, load
from research.studies.false_claims import AIMED, ALPHA, Cast, cast_of, rate, scores
from research.studies.forging import BUDGET, SETTINGS

SEEDS = (1, 2, 3, 4, 5)


def judges_kinds(models: list[ZooModel]) -> list[str]:
    """Of the judge's models, in their order: siblings of the base, or others."""
    judges = [m for m in models if m.role == "independent" and m.same_classes and m.part == "calibration"]
    return ["SHARED" if model.kind == "SHARED" else "OTHER" for model in judges]


def challenged(cast: Cast, name: str, seed: int, kinds: list[str]) -> dict[str, Any]:
    """The rates of one seed."""
    scheme = SCHEMES[name]().with_settings(SETTINGS.get(name, {}))
    images = cast.seeds.take(slice(len(cast.seeds) // 2, None), name="the judge's")
    shadows = cast.shadows if scheme.needs.learns else None
    fingerprint = enroll(cast.owner, images, scheme=scheme, seed=seed, budget=BUDGET, shadows=shadows)
    judges, innocents = (scores(scheme, fingerprint, part) for part in (cast.judges, cast.innocents))
    one, by_kind = threshold(judges, ALPHA), ranked_by_kind(judges, kinds, ALPHA).threshold
    assert one is not None
    assert by_kind is not None
    return {
        "seed": seed,
        "one threshold": rate(innocents > one),
        "one for each kind": rate(innocents > by_kind),
        "aimed": rate(innocents[:AIMED] > one),
    }


def main() -> None:
    torch.set_num_threads(1)
    models = load("fashion", folder=Path("benchmarks/zoo/fashion"))
    cast, kinds = cast_of(models), judges_kinds(list(models))
    rows = {name: [challenged(cast, name, seed, kinds) for seed in SEEDS] for name in ("sac", "fbi")}
    for name, row in rows.items():
        print(name, {key: [one[key]["accused"] for one in row] for key in row[0] if key != "seed"})
    write_result("fresh_challenge_fashion.json", {"alpha": ALPHA, "schemes": rows, "provenance": provenance()})


if __name__ == "__main__":
    main()
