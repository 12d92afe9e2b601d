"""The table of docs/reach.md on weights, scores and labels: what was aimed at, and how far it got on the test part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.common import RESULTS
from modelprint.bench.files import find_results
from modelprint.results.records import ALL, Figure, Results, Row
from modelprint.stats.intervals import clopper_pearson
from research.tables.field_tables import group_of, mean, met, table

FROM_WEIGHTS = ("fine-tuning", "pruning", "adversarial", "removal", "quantisation", "noise", "permutation")
KINDS = ("SAST", "SADT", "DAST", "DADT", "SHARED")
THIRD_PARTY = "third-party copies"
_NAMES = {"independent": "independent model"}


def evidence_aims() -> str:
    """One line for each aim: the value with its interval, and whether it is met."""
    results = find_results(str(RESULTS / "fashion.json"))
    lines = [*_weights(results), *_hidden_and_mixed(), *_scores(results), *_together(results), *_large()]
    return table(["aim", "measured"], lines)


def evidence_aims_small() -> str:
    """The same aims on another kind of images, where its models were measured."""
    results = find_results(str(RESULTS / "cifar10-small-evidence.json"))
    return table(["aim", "measured"], [*_weights(results), *_scores(results), *_together(results)])


def _weights(results: Results) -> Iterable[tuple[str, str]]:
    for family in FROM_WEIGHTS:
        if group := group_of(results, "lineage", "weights", 50, family):
            yield f"weights: T1%F 1.00, {family}", _judged(group, "tpr_at_1", 1.0)


def _hidden_and_mixed() -> Iterable[tuple[str, str]]:
    """Copies whose channels were moved, and averages of models."""
    study = json.loads((RESULTS / "lineage_fashion.json").read_text())
    hidden = [one for source in study["test"] for one in source["families"] if "permuted, rescaled" in one["family"]]
    n, found = sum(one["n"] for one in hidden), sum(one["verdict_derived"] for one in hidden)
    least = min(one["tpr_at_1"] for one in hidden)
    yield (
        "weights: T1%F 1.00 in every family, channels permuted and rescaled",
        f"{least:.2f} in the worst family; {_share(found, n)} called derived, {met(least >= 1)}",
    )
    for partner in dict.fromkeys(one["with"] for one in study["soups"]):
        half = [one["score"] for one in study["soups"] if one["with"] == partner and one["share"] >= 0.5]
        less = [one["score"] for one in study["soups"] if one["with"] == partner and one["share"] < 0.5]
        yield (
            f"weights: soups of the source and one {_NAMES.get(partner, partner)}, share of .5 or more",
            f"score {min(half):.2f} or more (n = {len(half)}); below .5: {min(less):.2f} to {max(less):.2f}",
        )


def _scores(results: Results) -> Iterable[tuple[str, str]]:
    for family, aim in ((ALL, 0.9), ("removal", 1.0), ("fine-tuning", 1.0), ("extraction", 0.7)):
        name = "all copies" if family == ALL else family
        if group := group_of(results, "residual", "scores", 200, family):
            yield f"scores, 200 queries: T1%F >= {aim:.2f}, {name}", _judged(group, "tpr_at_1", aim)


def _together(results: Results) -> Iterable[tuple[str, str]]:
    files = group_of(results, "auto", "weights", 400, ALL)
    yield "auto, files: T1%F >= .95", _judged(files, "tpr_at_1", 0.95)
    yield "auto, files: the verdict finds >= .92", _judged(files, "tpr_verdict", 0.92)
    for kind, (derived, n) in _called_derived(results, "auto", "weights", 400).items():
        if n:
            yield f"auto, files: FPR <= .05, {kind}", f"{_share(derived, n)}, {met(derived <= 0.05 * n)}"
    labels, contrast = (
        group_of(results, scheme, "labels", budget, ALL) for scheme, budget in (("auto", 400), ("contrast", 200))
    )
    reference = mean(contrast, "tpr_at_1") or 0.0
    yield f"auto, labels: T1%F not below contrast's {reference:.2f}", _judged(labels, "tpr_at_1", reference)


def _called_derived(results: Results, scheme: str, access: str, budget: int) -> dict[str, tuple[int, int]]:
    """How many independent models of each kind are called derived, of how many, over all sources."""
    kinds = {
        model.id: THIRD_PARTY if model.third_party else str(model.kind)
        for model in results.suspects
        if model.role == "independent"
    }
    counts = dict.fromkeys((*KINDS, THIRD_PARTY), (0, 0))
    for run in results.runs:
        if (run.scheme, run.access, run.budget, run.evasion) != (scheme, access, budget, "none"):
            continue
        for name in run.scores:
            if name in kinds and kinds[name] in counts:
                derived, n = counts[kinds[name]]
                counts[kinds[name]] = derived + bool(run.derived(name)), n + 1
    return counts


def _large() -> Iterable[tuple[str, str]]:
    rows = {row["suspect"]: row for row in json.loads((RESULTS / "lineage_large.json").read_text())["rows"]}
    copies = [rows[name] for name in ("int8", "half of the weights zero", "fine-tuned", "ONNX")]
    derived = all(row["p_value"] <= 0.05 for row in copies)
    least = min(row["score"] for row in copies)
    yield (
        "EfficientNet-Lite0: int8, pruned, fine-tuned and ONNX forms derived",
        f"score {least:.2f} or more, p = {max(row['p_value'] for row in copies):.3f}, {met(derived)}",
    )
    others = [rows[name] for name in ("efficientnet-lite1", "efficientnet-lite2")]
    apart = all(row["p_value"] is None or row["p_value"] > 0.05 for row in others)
    said = "; ".join("cannot be compared" if row["score"] is None else f"p = {row['p_value']:.2f}" for row in others)
    yield "EfficientNet-Lite1, Lite2: not shown, or not comparable", f"{said}, {met(apart)}"
    speed: dict[str, Any] = json.loads((RESULTS / "lineage_speed.json").read_text())
    seconds = max(row["seconds"] for row in speed["rows"])
    spent = max(row["processor_seconds"] for row in speed["rows"])
    memory = max(row["mebibytes_above_two_weights"] for row in speed["rows"])
    within = met(seconds <= 20 and memory <= 1024)
    yield (
        "weights: two files of 100 million parameters in <= 20 s, <= 1 GiB above a pair of tensors",
        f"{seconds:.0f} s ({spent:.0f} s of processor time), {memory:.0f} MiB, {within}",
    )


def _judged(group: Sequence[Row], figure: Figure, aim: float) -> str:
    value = mean(group, figure)
    if value is None:
        return "not measured"
    ends = [row.intervals[figure] for row in group if figure in row.intervals]
    interval = f" ({min(one.low for one in ends):.2f}-{max(one.high for one in ends):.2f})" if ends else ""
    return f"{value:.3f}{interval}, {met(value >= aim - 1e-9)}"


def _share(count: int, n: int) -> str:
    ends = clopper_pearson(count, n)
    return f"{count} of {n} ({ends.low:.3f}-{ends.high:.3f})"
