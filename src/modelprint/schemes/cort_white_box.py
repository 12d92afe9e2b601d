"""DeepJudge's white-box distances, for whoever has the weights of both models, and its vote.

J. Chen et al., "Copy, Right? A Testing Framework for Copyright Protection of Deep Learning Models", IEEE Symposium on
Security and Privacy, 2022, sections IV-C, IV-D and V-C.

Differs from the paper: distances are means over the given images, where the paper makes an image for each neuron; an
output of several dimensions counts each of its values as a neuron.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.training.loop import predict

BLACK_BOX, WHITE_BOX = 0.9, 0.6  # shares of the independent models' bound that a copy falls below


@dataclass(frozen=True, kw_only=True)
class LayerDistances:
    """How far apart one layer's outputs are in two models; 0 = alike.

    Attributes:
        lod: mean L2 distance of the layer's output.
        nod: mean absolute distance of a neuron's output, over neurons.
        lad: mean share of neurons that are active in one model only, by the layer's own largest output.
        nad: the same, with each neuron's threshold scaled to its own largest output.
    """

    lod: float
    nod: float
    lad: float
    nad: float


def layer_distances(
    source: Float[np.ndarray, "n neurons"], suspect: Float[np.ndarray, "n neurons"], *, threshold: float = 0.5
) -> LayerDistances:
    """Distances of one layer's outputs on n images.

    Args:
        threshold: a neuron is active above this share of the largest output of the source's layer (LAD), or of the
            neuron (NAD).

    >>> layer_distances(np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]]))
    LayerDistances(lod=5.0, nod=3.5, lad=1.0, nad=1.0)

    Raises:
        ValueError: other shapes than two equal matrices.
    """
    if source.shape != suspect.shape or source.ndim != 2 or not source.size:
        raise ValueError(f"expected two equal shapes (n, neurons), got {source.shape} and {suspect.shape}")
    apart = source - suspect
    of_layer, of_neuron = source.max(), source.max(axis=0)
    return LayerDistances(
        lod=float(np.linalg.norm(apart, axis=1).mean()),
        nod=float(np.abs(apart).mean()),
        lad=_active_in_one(source, suspect, threshold * of_layer),
        nad=_active_in_one(source, suspect, threshold * of_neuron),
    )


def _active_in_one(source: np.ndarray, suspect: np.ndarray, above: np.ndarray) -> float:
    return float(((source > above) != (suspect > above)).mean())


def white_box_distances(
    source: nn.Module, suspect: nn.Module, images: UInt8[Tensor, "n c h w"], *, layers: Sequence[str]
) -> Mapping[str, LayerDistances]:
    """Distances of the named layers of two models of one architecture.

    Args:
        layers: as `named_modules` calls them.

    Raises:
        ModelError: a layer that one of the models lacks, or that has another shape in the other.
    """
    own, theirs = (layer_outputs(model, images, layers=layers) for model in (source, suspect))
    for layer in layers:
        if own[layer].shape != theirs[layer].shape:
            raise ModelError(
                f"layer {layer} has {own[layer].shape[1]} outputs in the source, {theirs[layer].shape[1]} in the "
                "suspect: white-box distances compare models of one architecture"
            )
    return {layer: layer_distances(own[layer], theirs[layer]) for layer in layers}


def layer_outputs(
    model: nn.Module, images: UInt8[Tensor, "n c h w"], *, layers: Sequence[str]
) -> dict[str, Float[np.ndarray, "n neurons"]]:
    """What the named layers of a model put out, flattened.

    Raises:
        ModelError: no layer of that name.
    """
    modules = dict(model.named_modules())
    if lacking := [layer for layer in layers if layer not in modules]:
        raise ModelError(f"the model has no layer {lacking[0]!r}: it has {', '.join(filter(None, modules))}")
    caught: dict[str, list[Tensor]] = {layer: [] for layer in layers}

    def catcher(layer: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _, __, output: caught[layer].append(output.detach().cpu())

    handles = [modules[layer].register_forward_hook(catcher(layer)) for layer in layers]
    try:
        predict(model, images)
    finally:
        for handle in handles:
            handle.remove()
    return {layer: torch.cat(parts).flatten(1).double().numpy() for layer, parts in caught.items()}


def paper_threshold(independent: Float[np.ndarray, " i"], *, share: float, level: float = 0.99) -> float:
    """A share of the lower bound of the one-tailed t interval of independent models' mean distance.

    Args:
        share: `BLACK_BOX` or `WHITE_BOX`.

    >>> round(paper_threshold(np.array([0.5, 0.6, 0.7]), share=0.9), 3)
    0.178

    Raises:
        ValueError: fewer than two models.
    """
    if len(independent) < 2:
        raise ValueError(f"expected the distances of two independent models or more, got {len(independent)}")
    from scipy import stats as scipy_stats  # loads for most of a second

    error = independent.std(ddof=1) / np.sqrt(len(independent))
    return float(share * (independent.mean() - scipy_stats.t.ppf(level, len(independent) - 1) * error))


def vote(distances: Mapping[str, float], thresholds: Mapping[str, float]) -> bool:
    """The paper's verdict: whether most distances are at most their thresholds.

    >>> vote({"rob": 0.1, "jsd": 0.2, "lod": 9.0}, {"rob": 0.3, "jsd": 0.3, "lod": 1.0})
    True
    """
    below = [value <= thresholds[name] for name, value in distances.items()]
    return sum(below) > len(below) / 2
