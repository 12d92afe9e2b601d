"""How long 100 queries of every scheme take to make, and what judging a suspect by them takes.

    python -m benchmarks.scheme_times --zoo benchmarks/zoo/fashion

The first source of the fashion zoo, shadow models (8 copies, 8 strangers) from its shadow part, ready-made: training
these is no part of the time. Two threads. Wall-clock seconds of `enroll` and of `verify` on a local copy, in turn, with
the median and the spread. Aim: a minute, CAE two. UAP by DeepFool, a control, takes minutes: see uap_speed.py. Writes
benchmarks/results/scheme_times.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import provenance, write_result
from modelprint.ownership.enroll import enroll
from modelprint.ownership.verify import verify
from modelprint.schemes import SCHEMES
from modelprint.zoo.reference_models.shadows import Shadows
from research.studies.uap_zoo import Zoo

VARIANTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("ipguard", {"start": "mistakes"}),
    ("ipguard", {"start": "training"}),
    ("ipguard", {"start": "random"}),
    ("sac", {"inputs": "mistakes"}),
)
CONTROLS = ("accuracy", "agreement")


def contenders() -> list[tuple[str, dict[str, str]]]:
    """Every registered scheme as it is, then variants."""
    return [*((name, {}) for name in SCHEMES if name not in CONTROLS), *VARIANTS]


def measured(zoo: Zoo, name: str, settings: dict[str, str], *, rounds: int, budget: int) -> dict[str, Any]:
    """Seconds of enrolling and verifying."""
    source = zoo.models[zoo.sources[0]].load()
    copies, strangers = (tuple(zoo.models[model].load() for model in side) for side in zoo.shadows(zoo.sources[0]))
    suspect = zoo.models[zoo.copies(zoo.sources[0])[0]].load()
    enrolling: list[float] = []
    asking: list[float] = []
    queries = 0
    for number in range(rounds):
        begun = time.perf_counter()
        fingerprint = enroll(
            source,
            zoo.seeds,
            scheme=name,
            settings=settings,
            train_data=zoo.train,
            shadows=Shadows(surrogates=copies, references=strangers),
            budget=budget,
            seed=number,
        )
        enrolling.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        verify(fingerprint, suspect, access="scores")
        asking.append(time.perf_counter() - begun)
        queries = len(fingerprint)
    return {"scheme": name, "settings": settings, "queries": queries, "enroll": enrolling, "verify": asking}


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, default=Path("benchmarks/zoo/fashion"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--only", default="", help="schemes, separated by commas; nothing is written")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    zoo = Zoo(arguments.zoo)
    measurements = []
    for name, settings in contenders():
        if arguments.only and name not in arguments.only.split(","):
            continue
        measurements.append(measured(zoo, name, settings, rounds=arguments.rounds, budget=arguments.budget))
        measurement = measurements[-1]
        print(name, settings, measurement["queries"], f"{statistics.median(measurement['enroll']):.1f} s", flush=True)
    if not arguments.only:
        write_result(
            "scheme_times.json", {"budget": arguments.budget, "schemes": measurements, "provenance": provenance()}
        )


if __name__ == "__main__":
    main()
