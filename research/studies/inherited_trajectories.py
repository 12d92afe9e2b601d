"""Whether trajectories can be made that extraction inherits: ADV-TRA that walks on other models than the source.

    python -m research.studies.inherited_trajectories

The `fashion` zoo, 100 trajectories of the usual settings for each source. The walk runs on the source, as published;
on the mean probabilities of the source and its shadow copies; of the shadow copies alone; of those alone that were
extracted. Bases are held-out images, or means of two of them. `chosen`: four times as many trajectories, of which those
stay that separate shadow copies from shadow strangers best by their mean mutation rate. In every case the source's
labels are the fingerprint. Two scores are judged: the share of trajectories that match (mutation rate < .5), and one
minus the mean mutation rate. Writes benchmarks/results/inherited_trajectories_fashion.json.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from benchmarks.common import provenance, write_result
from modelprint.data.labelled import LabelledSet
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.base import Enrollment, Queries
from modelprint.stats.intervals import bootstrap
from modelprint.stats.roc import auc, tpr_at_fpr
from modelprint.training.loop import predict
from research.studies.uap_zoo import Zoo

SCHEME = AdvTra(precision="single")
FPR = 0.01
MORE = 4  # times as many trajectories, of which some are chosen
SCORES = ("matched", "mean")
SHOWN = ("all", "extraction", "fine-tuning", "removal")


class Mean(nn.Module):
    """The logarithm of several models' mean probabilities."""

    def __init__(self, models: list[nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, inputs: Tensor) -> Tensor:
        """Log-probabilities (n, classes)."""
        return torch.stack([model(inputs).softmax(1) for model in self.models]).mean(0).clamp_min(1e-12).log()


@dataclass(frozen=True, kw_only=True)
class Walked:
    """Trajectories of one source.

    Attributes:
        inputs: stored, (t, p, ...).
        labels: the source's, (t, p).
    """

    inputs: np.ndarray
    labels: Int[np.ndarray, "t p"]

    def mutation_rates(self, model: nn.Module) -> Float[np.ndarray, " t"]:
        """r_mut of each trajectory over its points after x_0 (Eq. 9)."""
        return (labels_of(model, self.inputs)[:, 1:] != self.labels[:, 1:]).mean(1)

    def take(self, which: np.ndarray) -> Walked:
        """Some of them."""
        return Walked(inputs=self.inputs[which], labels=self.labels[which])


def labels_of(model: nn.Module, inputs: np.ndarray) -> Int[np.ndarray, "t p"]:
    """Top-1 labels at every point."""
    flat = torch.from_numpy(inputs.reshape(-1, *inputs.shape[2:]))
    return predict(model, flat).argmax(1).numpy().reshape(inputs.shape[:2])


def walked(source: nn.Module, on: nn.Module, seeds: LabelledSet, count: int) -> Walked:
    """Trajectories that cross the boundaries of one model, labelled by the source."""
    context = Enrollment(source=on, seeds=seeds)
    scheme = SCHEME.with_settings({"trajectories": count})
    queries: Queries = scheme.craft(context, torch.Generator().manual_seed(0))
    inputs = queries.stored.reshape(-1, scheme.points(seeds.classes), *queries.stored.shape[1:])
    return Walked(inputs=inputs, labels=labels_of(source, inputs))


def mixed(seeds: LabelledSet, source: nn.Module) -> LabelledSet:
    """Means of two images, of the class that the source answers."""
    order = np.random.default_rng(0).permutation(len(seeds))
    means = ((seeds.stored.astype(np.uint16) + seeds.stored[order]) // 2).astype(np.uint8)
    labels = predict(source, torch.from_numpy(means)).argmax(1).numpy()
    return LabelledSet(stored=means, labels=labels, class_names=seeds.class_names, name="means of two images")


def walks(zoo: Zoo, source: str, count: int) -> dict[str, Walked]:
    """Trajectories of every kind."""
    own = zoo.module(source)
    copies, strangers = zoo.shadows(source)
    extracted = [name for name in copies if zoo.models[name].family == "extraction"]
    surrogates = {name: zoo.module(name) for name in copies}
    both = Mean([own, *surrogates.values()])
    found = {
        "source": walked(own, own, zoo.seeds, count),
        "source, bases mixed": walked(own, own, mixed(zoo.seeds, own), count),
        "source and copies": walked(own, both, zoo.seeds, count),
        "copies": walked(own, Mean(list(surrogates.values())), zoo.seeds, count),
        "extracted copies": walked(own, Mean([surrogates[name] for name in extracted]), zoo.seeds, count),
    }
    many = walked(own, both, zoo.seeds, MORE * count)
    apart = np.mean([many.mutation_rates(zoo.module(name)) for name in strangers], axis=0) - np.mean(
        [many.mutation_rates(model) for model in surrogates.values()], axis=0
    )
    found["source and copies, chosen"] = many.take(np.argsort(-apart, kind="stable")[:count])
    return found


def row(copies: dict[str, float], families: dict[str, str], others: list[float]) -> dict[str, Any]:
    """AUC and T1%F over all copies and by family."""
    far = np.array(others)
    grouped = defaultdict(list)
    for name, value in copies.items():
        grouped["all"].append(value)
        grouped[families[name]].append(value)
    found: dict[str, Any] = {"independents": len(far)}
    for family, values in grouped.items():
        near = np.array(values)
        interval = bootstrap(near, far, auc, generator=np.random.default_rng(0), resamples=500)
        found[family] = {
            "copies": len(near),
            "auc": round(auc(near, far), 4),
            "low": round(interval.low, 4),
            "high": round(interval.high, 4),
            "t1f": round(tpr_at_fpr(near, far, fpr=FPR), 4),
        }
    return found


def judged(zoo: Zoo, source: str, count: int) -> dict[str, Any]:
    """The figures of each kind of walk, by both scores."""
    families = {name: str(zoo.models[name].family) for name in zoo.copies(source)}
    found = walks(zoo, source, count)
    scores: dict[str, dict[str, float]] = {f"{kind}, {score}": {} for kind in found for score in SCORES}
    for name in (*families, *zoo.independents("test")):
        model = zoo.module(name)
        for kind, walk in found.items():
            rates = walk.mutation_rates(model)
            scores[f"{kind}, {SCORES[0]}"][name] = float((rates < SCHEME.match).mean())
            scores[f"{kind}, {SCORES[1]}"][name] = float(1 - rates.mean())
    return {
        label: row(
            {name: value for name, value in values.items() if name in families},
            families,
            [value for name, value in values.items() if name not in families],
        )
        for label, values in scores.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/zoo/fashion"))
    parser.add_argument("--trajectories", type=int, default=100)
    parser.add_argument("--thinning", type=int, default=2, help="take every so-manieth independent model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    zoo = Zoo(arguments.folder, thinning=arguments.thinning)
    sources: dict[str, Any] = {}
    for source in zoo.sources:
        sources[source] = judged(zoo, source, arguments.trajectories)
        for label, figures in sources[source].items():
            shown = {family: (one["auc"], one["t1f"]) for family, one in figures.items() if family in SHOWN}
            print(source, label, shown, flush=True)
    write_result(
        "inherited_trajectories_fashion.json",
        {"trajectories": arguments.trajectories, "fpr": FPR, "sources": sources, "provenance": provenance()},
    )


if __name__ == "__main__":
    main()
