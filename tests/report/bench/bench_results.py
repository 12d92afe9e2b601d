"""Results of a benchmark that never ran: two sources or more, schemes that find what they can, sweeps, regions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from unittest import mock

import numpy as np

from modelprint.bench import rows
from modelprint.results.records import Ends, JudgedModel, Regions, Results, Run, Sweep, SweepPoint
from modelprint.stats.calibration import threshold

# label: family, what is left of the source from 0 to 1, accuracy lost
COPIES: Mapping[str, tuple[str, float, float]] = {
    "FTLL": ("fine-tuning", 0.98, 0.0),
    "FTAL": ("fine-tuning", 0.95, 0.0),
    "RTAL": ("fine-tuning", 0.6, 0.01),
    "prune 20 %": ("pruning", 0.97, 0.0),
    "prune 40 %": ("pruning", 0.8, 0.02),
    "prune 80 %, fine-tuned": ("pruning", 0.3, 0.02),
    "adversarial 0.01": ("adversarial", 0.2, 0.03),
    "adversarial 0.1": ("adversarial", 0.0, 0.2),
    "transfer to 5 classes": ("transfer", 0.5, 0.0),
    "extracted, labels": ("extraction", 0.05, 0.01),
    "extracted, then fine-tuned": ("chain", 0.02, 0.01),
}
SWEPT: Mapping[str, tuple[str, float, float]] = {
    **{f"{kind}, {epochs} epochs": ("fine-tuning", 0.98 - 0.01 * epochs, 0.0)
       for kind in ("FTLL", "RTAL") for epochs in (1, 3, 30)},
    **{f"prune {percent} %": ("pruning", 1 - percent / 100, percent / 200) for percent in (10, 50, 90)},
    **{f"prune {percent} %, fine-tuned": ("pruning", 1 - percent / 110, percent / 900) for percent in (20, 60)},
    **{f"adversarial {size}": ("adversarial", 0.01 / size, size / 4) for size in (0.003, 0.03, 1.0)},
}  # fmt: skip
POWER = {"adv-tra": 1.0, "sac": 0.6, "agreement": 0.35, "accuracy": 0.0}
KINDS = {"SAST": 0.5, "SADT": 0.2, "DAST": 0.15, "DADT": 0.15}


def bench_results(
    *, sources: int = 2, seeds: int = 2, budgets: tuple[int, ...] = (100, 1000), independents: int = 20, side: int = 9
) -> Results:
    """Made-up results in the shape of a real benchmark's."""
    draw = np.random.default_rng(0)
    names = [f"source-{index + 1}" for index in range(sources)]
    copies = [_copy(name, label, "test") for name in names for label in COPIES]
    swept = [_copy(names[0], label, "sweep") for label in SWEPT]
    strangers = [
        JudgedModel(id=f"test-{kind.lower()}-{index:02d}", role="independent", kind=kind,
                    accuracy=0.9 + 0.01 * draw.random(), agreement=0.85, counts_as="independent")
        for kind, share in KINDS.items() for index in range(round(share * independents))
    ]  # fmt: skip
    others = [_stranger(copy) for copy in copies if copy.counts_as == "all"]
    suspects = (*copies, *strangers, *others)
    runs, swept_runs = [], []
    for scheme, power in POWER.items():
        for access in ("labels", "scores"):
            for budget in budgets:
                for seed in range(1 if scheme in ("agreement", "accuracy") else seeds):
                    for source in names:
                        met = [m for m in suspects if (m.source == source) == (m.role == "derived")]
                        run = _run(scheme, access, budget, seed, source, met, power)
                        runs.append(run)
                        more = [m for m in swept if m.source == source]
                        if more:
                            told = _run(scheme, access, budget, seed, source, more, power)
                            swept_runs.append(told.model_copy(update={"threshold": run.threshold}))
    with mock.patch.object(rows, "RESAMPLES", 40):
        found = tuple(rows.rows_of(suspects, runs))
    return Results(
        name="made-up",
        data="fashion-mnist",
        alpha=0.05,
        sources=dict.fromkeys(names, 0.9),
        rows=found,
        suspects=suspects,
        runs=tuple(runs),
        swept=tuple(swept),
        swept_runs=tuple(swept_runs),
        regions=(_regions(names[0], copies, strangers, side),),
        sweeps=tuple(_sweeps(len(COPIES), independents)),
        provenance={
            "date": "2026-01-01",
            "command": "modelprint bench run made-up",
            "revision": "abc1234",
            "versions": {"modelprint": "0.1.0"},
            "cells_planned": 10,
            "cells_finished": 10,
            "zoo_hours": 1.5,
            "fingerprints_broken": [],
        },
    )


def _copy(source: str, label: str, part: str) -> JudgedModel:
    family, _, lost = (COPIES | SWEPT)[label]
    counts = (
        "sweep" if part == "sweep" else "transfer" if family == "transfer" else "all" if lost < 0.1 else "worthless"
    )
    slug = label.lower().replace(" ", "-").replace(",", "").replace("-%", "")
    return JudgedModel(
        id=f"{part}-{source}-{slug}",
        role="derived",
        attack=label,
        family=family,
        source=source,
        accuracy=0.9 - lost,
        agreement=None if family == "transfer" else 0.95 - lost,
        counts_as=counts,  # type: ignore[arg-type]
    )


def _stranger(copy: JudgedModel) -> JudgedModel:
    return copy.model_copy(
        update={
            "id": f"stranger:{copy.id}",
            "third_party": True,
            "role": "independent",
            "kind": "SAST",
            "agreement": None,
            "counts_as": "independent",
        }
    )


def _run(scheme: str, access: str, budget: int, seed: int, source: str, met: list[JudgedModel], power: float) -> Run:
    draw = np.random.default_rng([seed, budget, int(source[-1]), len(scheme)])
    noise = 0.05 + 0.5 / np.sqrt(budget)
    better = 1.2 if (scheme, access) == ("sac", "scores") else 1.0
    scores: dict[str, float | None] = {}
    details = {}
    for model in met:
        kept = (COPIES | SWEPT)[str(model.attack)][1] if model.role == "derived" else 0.1
        score = float(np.clip(kept * power * better + noise * draw.random(), 0, 1))
        scores[model.id] = None if model.counts_as == "transfer" and scheme == "sac" else round(score, 5)
        if scheme == "adv-tra":
            total = max(1, budget // 40)
            matched = round(score * total)
            details[model.id] = {"matched": matched, "trajectories": total, "mean_mutation_rate": 1 - score}
            scores[model.id] = matched / total + 0.001 * score
    calibration = {f"calibration-{i}": float(0.1 * power + noise * draw.random()) for i in range(99)}
    return Run(
        scheme=scheme,
        source=source,
        access=access,  # type: ignore[arg-type]
        budget=budget,
        queries=budget - budget % 36,
        seed=seed,
        scores=scores,
        calibration=calibration,
        threshold=threshold(np.array(list(calibration.values())), 0.05),
        details=details,
        craft_seconds=0.0 if scheme in ("agreement", "accuracy") else 2.5,
        ask_seconds=1.0,
        forward_seconds=0.9,
    )


def _regions(source: str, copies: list[JudgedModel], strangers: list[JudgedModel], side: int) -> Regions:
    down, right = np.indices((side, side))

    def letters(turn: float) -> str:
        labels = ((down * np.cos(turn) + right * np.sin(turn) + side) * 6 / side).astype(int) % 10
        return "".join(str(label) for label in labels.ravel())

    drawn = {source: letters(0.0)}
    drawn |= {copy.id: letters(0.1 * place) for place, copy in enumerate(copies) if copy.source == source}
    drawn |= {model.id: letters(1.0 + place) for place, model in enumerate(strangers[::10])}
    return Regions(scheme="adv-tra", source=source, side=side, labels=drawn)


def _sweeps(derived: int, independents: int) -> Iterator[Sweep]:
    def point(value: float, line: str, auc: float, distinct: float) -> SweepPoint:
        ends = Ends(low=auc - 0.05, high=min(1.0, auc + 0.03))
        return SweepPoint(
            value=value,
            line=line,
            auc=auc,
            interval=ends,
            distinct=distinct,
            n_derived=derived,
            n_independent=independents,
        )

    yield Sweep(knob="classes spanned", points=tuple(point(m, "l = 2", 0.6 + 0.03 * m, 1.0) for m in range(1, 10)))
    lengths = [
        point(10, "m = 5", 0.7, 1.0),
        *(point(n, "m = 9", 0.75 + 0.0005 * n, 1 - n / 1000) for n in (36, 72, 288)),
    ]
    yield Sweep(knob="total length", points=tuple(lengths))
    brakes = [
        point(brake, f"l = {steps}", 0.95 - abs(0.9 - brake) / 2 - 0.01 * steps, 1.0 if steps < 4 else 0.8)
        for steps in (1, 2, 4, 8)
        for brake in (0.5, 0.7, 0.9, 0.99)
    ]
    yield Sweep(knob="brake factor", points=tuple(brakes))
