"""What a benchmark costs beyond its forward passes, and what a second process gains.

    python -m benchmarks.bench_overhead [--zoo FOLDER] [--suspects 8] [--rounds 5]

1. Judging suspects by the fingerprints of all schemes that need no shadow models (loading, checking, asking, scoring),
   over the bare forward passes of the same models on the same images: alternating, one thread, median and spread.
   Aim: 1.3.
2. Building the same models with two processes and with one, alternating: the ratio of models an hour. Aim: 1.7.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.common import RESULTS, alternating, provenance, ratio, write_result
from modelprint import zoo
from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Field
from modelprint.bench.judging import Asked, AskTask, ask
from modelprint.bench.work import CraftTask, craft
from modelprint.core.identity import digest_arrays
from modelprint.nn.loading import load_model
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.training.loop import TrainRecipe, predict
from modelprint.zoo.design import Design, Network
from modelprint.zoo.plan import Plan


def judging(zoo_folder: Path | None, suspects: int, rounds: int) -> dict[str, object]:
    """Seconds of judging and of bare forward passes."""
    plan = zoo.plan_of("fashion")
    field = Field(bench=bench_of("fashion").bench, plan=plan, models=zoo.load(plan, folder=zoo_folder))
    entrants = [
        entrant
        for entrant in field.entrants()
        if entrant.contender.knob is None
        and entrant.enrolment.source == "source-1"
        and entrant.enrolment.seed == 0
        and not entrant.enrolment.references
    ]
    models = [model for model in field.part("test") if model.same_classes]
    chosen = models[:: max(1, len(models) // suspects)][:suspects]
    source = field.sources[0]
    with tempfile.TemporaryDirectory() as name:
        prints = [Path(name) / str(number) for number in range(len(entrants))]
        for entrant, place in zip(entrants, prints, strict=True):
            craft(None, CraftTask(enrolment=entrant.enrolment, models={source.id: source.path}, place=place))
        tasks = [
            AskTask(
                suspect=model.id,
                model=model.path,
                cells=tuple(
                    Asked(
                        cell=entrant.enrolment.cell(model.row.sha256),
                        fingerprint=place,
                        judged_by=None,
                        evasion="none",
                        regions=False,
                    )
                    for entrant, place in zip(entrants, prints, strict=True)
                ),
                alpha=0.05,
            )
            for model in chosen
        ]
        loaded = [load_model(model.path).module for model in chosen]
        asked = {digest_arrays({"queries": images}): images for images in (Fingerprint.load(p).queries for p in prints)}
        queries = [torch.from_numpy(images) for images in asked.values()]  # those of the controls are the same

        def judge() -> None:
            for task in tasks:
                results = ask(None, task)
                assert not any(result.error for result in results)

        def forward() -> None:
            for module in loaded:
                for images in queries:
                    predict(module, images)

        seconds = alternating({"judging": judge, "forward": forward}, rounds=rounds)
    return {
        "suspects": len(chosen),
        "fingerprints": len(entrants),
        "queries": sum(len(images) for images in queries),
        "seconds": seconds,
        "ratio": ratio(seconds["judging"], seconds["forward"]),
    }


def small_zoo(seed: int) -> Plan:
    """Thirty-two small networks on Fashion-MNIST, one epoch each: two minutes, beside which start-up is little."""
    recipe = TrainRecipe(epochs=1, lr=0.1, augment="shift", shift=1)
    return Design(
        name=f"speed-{seed}",
        data="fashion-mnist",
        size=70_000,
        network=Network(arch="strided", arch_args={"width": 16}, train=recipe),
        others=(Network(arch="strided", arch_args={"width": 12}, train=recipe),),
        surrogates=(),
        test_copies=(),
        shadow={},
        calibration={"SAST": 16, "SADT": 15},
        test={},
    ).plan()


def building(rounds: int) -> dict[str, object]:
    """Seconds of the same build with one process and with two."""

    def build(jobs: int) -> Callable[[], None]:
        def task() -> None:
            with tempfile.TemporaryDirectory() as name:
                assert zoo.build(small_zoo(0), folder=Path(name), jobs=jobs).complete

        return task

    seconds = alternating({"one": build(1), "two": build(2)}, rounds=rounds)
    return {"models": len(small_zoo(0).entries), "seconds": seconds, "ratio": ratio(seconds["one"], seconds["two"])}


def main() -> None:
    """Measure, and write benchmarks/results/bench_overhead.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path)
    parser.add_argument("--suspects", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("judging", "building"), help="the other figures stay as they are")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    result = json.loads((RESULTS / "bench_overhead.json").read_text()) if arguments.only else {}
    if arguments.only != "building":
        result["judging"] = judging(arguments.zoo, arguments.suspects, arguments.rounds) | {"provenance": provenance()}
    if arguments.only != "judging":
        result["building"] = building(max(2, arguments.rounds // 2)) | {"provenance": provenance()}
    result["seconds"] = time.perf_counter() - started
    write_result("bench_overhead.json", result)
    for what in ("judging", "building"):
        print(what, result[what]["ratio"])


if __name__ == "__main__":
    main()
