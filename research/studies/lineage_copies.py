"""Copies of a zoo's sources that its plan does not hold: made from recipes, kept in memory, never committed.

Those of `remade` need the source's weights and little or no training; `soups` average them with another model's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from modelprint.attacks.make import run_attack
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.loading import LoadedModel
from modelprint.training.loop import predict
from modelprint.zoo.population import ZooModel

UNTRAINED: dict[str, tuple[str, dict[str, str]]] = {
    "permuted, rescaled": ("permute-rescale", {}),
    "permuted, rescaled by far": ("permute-rescale", {"spread": "2"}),
    "noise to the edge of worth": ("noise-edge", {}),
    "half of the rank": ("low-rank", {"keep": "0.5"}),
    "a quarter of the rank": ("low-rank", {"keep": "0.25"}),
    "a quarter of the channels removed": ("prune-channels", {"rate": "0.25"}),
    "ONNX and back": ("onnx-round-trip", {}),
    "ONNX and back, permuted, rescaled": ("chain", {"steps": "onnx-round-trip > permute-rescale"}),
    "noise to the edge of worth, permuted, rescaled": ("chain", {"steps": "noise-edge > permute-rescale"}),
    "half of the rank, permuted, rescaled": ("chain", {"steps": "low-rank > permute-rescale"}),
}
TRAINED: dict[str, tuple[str, dict[str, str]]] = {
    "LoRA, rank 2, merged": ("lora", {"rank": "2", "epochs": "5"}),
    "LoRA, rank 8, merged": ("lora", {"rank": "8", "epochs": "5"}),
    "another head, frozen trunk": ("head-swap", {"epochs": "3"}),
    "a quarter of the channels removed, fine-tuned": ("prune-channels", {"rate": "0.25", "finetune_epochs": "3"}),
    "half of the channels removed, fine-tuned": ("prune-channels", {"rate": "0.5", "finetune_epochs": "3"}),
    "distilled with features": ("distil-features", {"epochs": "4"}),
}
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy of a source.

    Attributes:
        name: of how it was made.
        state: its weights.
        worth: its accuracy on the holdout, relative to the source's; of its own classes where it has others.
        from_weights: whether it holds weights of the source; a distilled one does not.
    """

    name: str
    state: dict[str, Tensor]
    worth: float
    from_weights: bool = True


def remade(
    recipes: dict[str, tuple[str, dict[str, str]]],
    source: LoadedModel,
    data: LabelledSet,
    holdout: LabelledSet,
    *,
    seed: int,
) -> Iterator[Copy]:
    """The copies that recipes name, one after the other."""
    whole = accuracy(source.module, holdout)
    for place, (name, (attack, settings)) in enumerate(recipes.items()):
        made = run_attack(attack, settings, source.module, source.spec, data, seed=seed + place, holdout=holdout)
        assert made.card.accuracy is not None
        yield Copy(
            name=name,
            state=dict(made.model.body.state_dict()),
            worth=made.card.accuracy / whole,
            from_weights=attack != "distil-features",
        )


def soups(
    source: LoadedModel, other: ZooModel, data: LabelledSet, holdout: LabelledSet
) -> Iterator[tuple[float, Copy]]:
    """Averages with another model, by the source's share."""
    whole = accuracy(source.module, holdout)
    for share in SHARES:
        settings = {"share": str(share), "other": str(Path(other.path).resolve())}
        made = run_attack("soup", settings, source.module, source.spec, data, seed=0, holdout=holdout)
        assert made.card.accuracy is not None
        yield (
            share,
            Copy(name=f"soup, {share}", state=dict(made.model.body.state_dict()), worth=made.card.accuracy / whole),
        )


def rearranged(model: ZooModel, data: LabelledSet, *, seed: int) -> dict[str, Tensor]:
    """The weights of a committed copy with channels permuted and rescaled: it answers as before."""
    loaded = model.load()
    made = run_attack("permute-rescale", {}, loaded.module, loaded.spec, data, seed=seed)
    return dict(made.model.body.state_dict())


def accuracy(model: Normalized, data: LabelledSet) -> float:
    """The share of inputs classified rightly."""
    labels = predict(model, torch.from_numpy(data.stored)).argmax(1).numpy()
    return float((labels == data.labels).mean())
