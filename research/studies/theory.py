"""Refutation experiments for docs/theory.md: each simulates what a statement bounds, and counts how often it fails.

    python -m research.studies.theory

Every experiment has its own seed, and gives a rate with its 95 % interval (Clopper-Pearson) beside the bound. A
statement is refuted where the interval lies above its bound; `refuted` lists those. Experiments whose name begins with
"broken" drop an assumption on purpose: what they show is why the statement needs it.

Writes benchmarks/results/theory.json.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import nn

from benchmarks.common import provenance, write_result
from modelprint.data.splits import load_data
from modelprint.lineage import StateTensors, reference_of
from modelprint.lineage.permutation import matched_p_value, named_p_value, permuted_rank
from modelprint.lineage.reading import Reader
from modelprint.lineage.suspect_forms import SuspectForms
from modelprint.nn.architectures import ARCHITECTURES
from modelprint.stats.calibration import accepted_rank, rank_p_value, ranked_by_kind, upper_bound
from modelprint.stats.e_values import e_value
from modelprint.stats.intervals import clopper_pearson
from modelprint.stats.multiple import holm
from modelprint.stats.planning import Separation

RESULT = "theory.json"
ALPHA = 0.05
NETWORKS = 120


def rate(count: int, n: int, *, bound: float, what: str) -> dict[str, Any]:
    """A rate, its interval, and the bound that it may not lie above."""
    interval = clopper_pearson(count, n)
    return {
        "what": what,
        "count": count,
        "n": n,
        "rate": round(count / n, 4),
        "interval": [round(interval.low, 4), round(interval.high, 4)],
        "bound": round(bound, 4),
    }


def ranks(scores: np.ndarray) -> np.ndarray:
    """The p-value of the first of each row among the others."""
    return (1 + (scores[:, 1:] >= scores[:, :1]).sum(axis=1)) / scores.shape[1]


def rank_of_one_kind() -> dict[str, Any]:
    draw = np.random.default_rng(1)
    scores = draw.standard_t(2, size=(40_000, 40))
    return rate(int((ranks(scores) <= ALPHA).sum()), 40_000, bound=ALPHA, what="39 calibration models, no ties")


def rank_with_ties() -> dict[str, Any]:
    draw = np.random.default_rng(2)
    scores = draw.binomial(10, 0.4, size=(40_000, 40))
    return rate(int((ranks(scores) <= ALPHA).sum()), 40_000, bound=ALPHA, what="39 models, scores of 11 values")


def rate_of_given_models() -> dict[str, Any]:
    """How often the rate of the calibration models that were drawn lies above its 95 % bound."""
    draw = np.random.default_rng(3)
    rank = accepted_rank(99, ALPHA)
    highest = np.sort(draw.uniform(size=(20_000, 99)), axis=1)[:, -rank]
    above = int((1 - highest > upper_bound(rank - 1, 99)).sum())
    return rate(above, 20_000, bound=0.05, what="99 models: draws whose own rate lies above upper_95")


def worst_kind() -> dict[str, Any]:
    """A sibling suspect, beside 39 models from scratch and 19 siblings, which score far higher."""
    draw = np.random.default_rng(4)
    kinds = ["scratch"] * 39 + ["sibling"] * 19
    called = 0
    for _ in range(4000):
        calibration = np.concatenate([draw.normal(size=39), 3 + draw.normal(size=19)])
        p_value = ranked_by_kind(calibration, kinds, ALPHA, score=3 + draw.normal()).p_value
        called += p_value is not None and p_value <= ALPHA
    return rate(called, 4000, bound=ALPHA, what="a sibling, ranked by kind")


def broken_pooled_kinds() -> dict[str, Any]:
    """The same with 5 siblings pooled with 80 from scratch: the formula of the page says 4 in 6."""
    draw = np.random.default_rng(5)
    scores = np.concatenate([9 + draw.normal(size=(20_000, 6)), draw.normal(size=(20_000, 80))], axis=1)
    return rate(int((ranks(scores) <= ALPHA).sum()), 20_000, bound=4 / 6, what="a sibling, 5 siblings pooled with 80")


def _families(draw: np.random.Generator, count: int, families: int, members: int) -> np.ndarray:
    """Scores (count, families, members): members of a family are nearly equal."""
    return draw.normal(size=(count, families, 1)) + 0.01 * draw.normal(size=(count, families, members))


def families_joined() -> dict[str, Any]:
    draw = np.random.default_rng(6)
    scores = _families(draw, 20_000, 20, 3)
    table = np.concatenate([scores[:, :1, 0], scores[:, 1:].max(axis=2)], axis=1)
    return rate(int((ranks(table) <= ALPHA).sum()), 20_000, bound=ALPHA, what="19 families of 3, the highest of each")


def broken_families_apart() -> dict[str, Any]:
    draw = np.random.default_rng(7)
    scores = _families(draw, 20_000, 10, 3)
    table = np.concatenate([scores[:, :1, 0], scores[:, 1:].reshape(20_000, -1)], axis=1)
    return rate(int((ranks(table) <= ALPHA).sum()), 20_000, bound=0.1, what="9 families of 3, counted as 27 models")


def broken_large_families_score_high() -> dict[str, Any]:
    """A suspect drawn among models, not families, where families of ten score higher than families of one."""
    draw = np.random.default_rng(8)
    called = 0
    for _ in range(5000):
        large = draw.uniform(size=40) < 0.1
        scores = draw.normal(size=40) + 2.0 * large
        suspect = draw.choice(40, p=(sizes := np.where(large, 10.0, 1.0)) / sizes.sum())
        called += rank_p_value(float(scores[suspect]), np.delete(scores, suspect)) <= ALPHA
    return rate(called, 5000, bound=1.0, what="a model of a family drawn by its size, 39 other families")


def permutation_of_noise() -> dict[str, Any]:
    """Exchangeable channels, 19 permutations, each table with its own seed."""
    draw = np.random.default_rng(9)
    called = sum(permuted_rank([draw.normal(size=(16, 16))], draws=19, seed=place) <= ALPHA for place in range(6000))
    return rate(called, 6000, bound=ALPHA, what="19 permutations, another seed for each table")


def permutation_of_one_seed() -> dict[str, Any]:
    draw = np.random.default_rng(10)
    called = sum(permuted_rank([draw.normal(size=(16, 16))], draws=19) <= ALPHA for _ in range(6000))
    return rate(called, 6000, bound=ALPHA, what="the same, one seed for all (as `verify` does, with 999)")


def _trained(seed: int, data: torch.Tensor, labels: torch.Tensor, start: nn.Module | None = None) -> nn.Module:
    torch.manual_seed(seed)
    net = ARCHITECTURES["mlp"](channels=1, size=8, classes=10, width=24, depth=3)
    if start is not None:
        net.load_state_dict(start.state_dict())
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        index = torch.randint(len(data), (128,))
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(data[index]), labels[index]).backward()
        optimiser.step()
    return net.eval()


def _reader(source: nn.Module, suspect: nn.Module) -> tuple[Reader, Any]:
    one = reference_of(StateTensors(source.state_dict()))
    reader = Reader(reference=one, suspect=SuspectForms(StateTensors(suspect.state_dict())))
    return reader, reader.suspect.comparable(one.layers).pairs


def networks() -> dict[str, dict[str, Any]]:
    """Small networks on the digits: pairs from independent initialisations, and pairs of siblings."""
    digits = load_data("digits")
    data, labels = torch.from_numpy(digits.stored).float() / 255, torch.from_numpy(digits.labels)
    torch.set_num_threads(1)
    made = [_trained(seed, data, labels) for seed in range(NETWORKS)]
    named, matched, siblings = 0, 0, 0
    pairs = list(zip(made[::2], made[1::2], strict=True))
    for place, (source, suspect) in enumerate(pairs):
        reader, weights = _reader(source, suspect)
        p_value = named_p_value(reader, weights)
        robust = matched_p_value(reader, weights)
        assert p_value is not None
        assert robust is not None
        named += p_value <= ALPHA
        matched += robust <= ALPHA
        if place < 20:
            reader, weights = _reader(source, _trained(1000 + place, data, labels, start=source))
            p_value = named_p_value(reader, weights)
            assert p_value is not None
            siblings += p_value <= ALPHA
    return {
        "permutation_of_networks": rate(named, len(pairs), bound=ALPHA, what="independent networks, named channels"),
        "broken_matched_channels": rate(matched, len(pairs), bound=1.0, what="the same, channels matched elsewhere"),
        "broken_common_start": rate(siblings, 20, bound=1.0, what="networks trained on from the source"),
    }


def _paths(draw: np.random.Generator, count: int, models: int, looks: int) -> np.ndarray:
    """Evidence (count, models, looks): walks with a drift of each model's own."""
    drift = 0.5 * draw.normal(size=(count, models, 1))
    return np.cumsum(drift + draw.normal(size=(count, models, looks)), axis=2)


def e_value_of_paths() -> dict[str, Any]:
    draw = np.random.default_rng(11)
    highest = _paths(draw, 20_000, 40, 10).max(axis=2)
    values = np.array([e_value(row[0], row[1:]) for row in np.exp(0.5 * highest)])
    shown = rate(int((values >= 1 / ALPHA).sum()), 20_000, bound=ALPHA, what="E >= 20, 39 models, whole paths")
    return {**shown, "mean": round(float(values.mean()), 4)}


def broken_product_of_batches() -> dict[str, Any]:
    """One e-value for each of ten batches, multiplied: the same calibration models stand in all."""
    draw = np.random.default_rng(12)
    steps = np.diff(_paths(draw, 5000, 40, 10), axis=2, prepend=0.0)
    products = np.ones(5000)
    for batch in range(10):
        weights = np.exp(0.5 * steps[:, :, batch])
        products *= 40 * weights[:, 0] / weights.sum(axis=1)
    shown = rate(int((products >= 1 / ALPHA).sum()), 5000, bound=1.0, what="the product of ten batches' e-values >= 20")
    return {**shown, "mean": round(float(products.mean()), 2)}


def broken_best_of_levels() -> dict[str, Any]:
    draw = np.random.default_rng(13)
    best = np.min([ranks(draw.normal(size=(20_000, 20))) for _ in range(3)], axis=0)
    bound = 3 * ALPHA
    return rate(int((best <= ALPHA).sum()), 20_000, bound=bound, what="the best of three verdicts")


def holm_over_owners() -> dict[str, Any]:
    """Three owners whose scores depend on each other, 59 calibration models shared by all."""
    draw = np.random.default_rng(14)
    called = 0
    for _ in range(4000):
        shared = draw.normal(size=60)
        p_values = [ranks((shared + 0.7 * draw.normal(size=60))[None])[0] for _ in range(3)]
        called += bool((holm(np.array(p_values)) <= ALPHA).any())
    return rate(called, 4000, bound=ALPHA, what="any of three owners, Holm")


def _false_share(p_values: np.ndarray, truly: np.ndarray) -> tuple[float, int]:
    called = stats.false_discovery_control(p_values) <= 0.1
    return (float((called & ~truly).sum() / called.sum()), int(called.sum())) if called.any() else (0.0, 0)


def _mean(values: list[float], *, bound: float, what: str) -> dict[str, Any]:
    mean, error = float(np.mean(values)), float(np.std(values) / np.sqrt(len(values)))
    return {
        "what": what,
        "n": len(values),
        "rate": round(mean, 4),
        "interval": [round(mean - 1.96 * error, 4), round(mean + 1.96 * error, 4)],
        "bound": round(bound, 4),
    }


def false_discoveries() -> dict[str, Any]:
    """40 suspects, 10 derived, two kinds of calibration model, one owner: the share of false among those called."""
    draw = np.random.default_rng(15)
    shares = []
    for _ in range(2000):
        scratch, sibling = draw.normal(size=199), 1 + draw.normal(size=199)
        truly = np.arange(40) < 10
        kind = draw.uniform(size=40) < 0.5
        scores = draw.normal(size=40) + np.where(truly, 5.0, kind)
        p_values = np.max(
            [(1 + (part[None] >= scores[:, None]).sum(axis=1)) / 200 for part in (scratch, sibling)], axis=0
        )
        shares.append(_false_share(p_values, truly)[0])
    return _mean(shares, bound=0.1 * 30 / 40, what="Benjamini-Hochberg at .1, one owner, two kinds")


def false_discoveries_of_owners() -> dict[str, Any]:
    """The same with three owners whose scores of one suspect go against each other; each suspect's smallest of Holm."""
    draw = np.random.default_rng(16)
    shares = []
    for _ in range(2000):
        truly = np.arange(40) < 10
        one = draw.normal(size=239)
        owners = [one, -one, draw.normal(size=239)]
        p_values = []
        for place, scores in enumerate(owners):
            own = scores[:40] + 6.0 * (truly & (place == 2))
            p_values.append((1 + (scores[None, 40:] >= own[:, None]).sum(axis=1)) / 200)
        least = np.array([holm(row).min() for row in np.array(p_values).T])
        shares.append(_false_share(least, truly)[0])
    return _mean(shares, bound=0.1, what="Benjamini-Hochberg at .1, three owners (not proven)")


def power_of_a_plan() -> dict[str, Any]:
    """Two kinds of 39 models, copies 2.5 standard deviations above: power by formula and by simulation."""
    draw = np.random.default_rng(17)
    copies = 2.5 + draw.normal(size=20_000)
    rank = accepted_rank(39, ALPHA)
    limits = [np.sort(draw.normal(size=(20_000, 39)), axis=1)[:, -rank] for _ in range(2)]
    above = int((copies > np.max(limits, axis=0)).sum())
    expected = Separation(distance=2.5).power(39, rank, kinds=2)
    shown = rate(above, 20_000, bound=expected, what="power, by simulation; the bound is the formula's value")
    return {**shown, "two_sided": True}


EXPERIMENTS: tuple[Callable[[], dict[str, Any]], ...] = (
    rank_of_one_kind,
    rank_with_ties,
    rate_of_given_models,
    worst_kind,
    broken_pooled_kinds,
    families_joined,
    broken_families_apart,
    broken_large_families_score_high,
    permutation_of_noise,
    permutation_of_one_seed,
    e_value_of_paths,
    broken_product_of_batches,
    broken_best_of_levels,
    holm_over_owners,
    false_discoveries,
    false_discoveries_of_owners,
    power_of_a_plan,
)


def is_refuted(shown: dict[str, Any]) -> bool:
    """Whether the interval lies above the bound (of a two-sided statement: beside it)."""
    low, high = shown["interval"]
    return bool(low > shown["bound"] or (shown.get("two_sided") and high < shown["bound"]))


def main() -> None:
    """Simulate, and write the result."""
    shown: dict[str, dict[str, Any]] = {}
    for experiment in EXPERIMENTS:
        shown[experiment.__name__] = experiment()
        print(experiment.__name__, shown[experiment.__name__], flush=True)
    shown |= networks()
    print({name: one for name, one in shown.items() if "network" in one["what"]}, flush=True)
    refuted = [name for name, one in shown.items() if is_refuted(one)]
    write_result(RESULT, {"alpha": ALPHA, "experiments": shown, "refuted": refuted, "provenance": provenance()})


if __name__ == "__main__":
    main()
