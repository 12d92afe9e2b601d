"""Universal perturbations: one v, |v| <= epsilon in every coordinate, that changes the labels of most inputs.

"ascent": A. Shafahi, M. Najibi, Z. Xu, J. Dickerson, L. Davis, T. Goldstein, "Universal Adversarial Training", AAAI
2020, Algorithm 1: minibatch ascent on the clipped cross-entropy. "deepfool": S.-M. Moosavi-Dezfooli, A. Fawzi,
O. Fawzi, P. Frossard, "Universal adversarial perturbations", CVPR 2017, Algorithm 1. The others are controls that know
no model.

Differs from the papers: the labels to be left are the model's own, not the true ones; inputs stay in their space; with
a batch above 1, DeepFool looks for the ways of several inputs from the same v, and adds them one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.unfinished import NOT_KEPT, LoopState
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.space import Box
from modelprint.perturb.deepfool import deepfool
from modelprint.perturb.evaluate import frozen

UniversalName = Literal["ascent", "deepfool", "zero", "random-sign", "chessboard"]


class Universal(Protocol):
    """A way to a universal perturbation."""

    def find(
        self,
        model: nn.Module,
        points: Float[Tensor, "n ..."],
        *,
        epsilon: float,
        generator: torch.Generator,
        space: Box = IMAGE.space,
        loop: LoopState = NOT_KEPT,
    ) -> Float[Tensor, ...]:
        """A perturbation of at most epsilon in every coordinate.

        Args:
            model: returns logits; left as it was.
            points: what the perturbation is learned from.
            space: where they lie, and must stay.
            loop: where its state is kept; nowhere unless given.
        """


@dataclass(frozen=True, kw_only=True)
class Ascent:
    """Minibatch gradient ascent on min(cross-entropy, beta), by the sign of the gradient.

    Attributes:
        epochs: passes over the inputs.
        step: as a share of epsilon.
        beta: where the loss of one input is clipped, so that few inputs do not dominate.
        batch: inputs of a step.
    """

    epochs: int = 20
    step: float = 0.05
    beta: float = 9.0
    batch: int = 128

    def find(
        self,
        model: nn.Module,
        points: Float[Tensor, "n ..."],
        *,
        epsilon: float,
        generator: torch.Generator,
        space: Box = IMAGE.space,
        loop: LoopState = NOT_KEPT,
    ) -> Float[Tensor, ...]:
        """The perturbation after the last step."""
        shift = torch.zeros_like(points[0])
        with frozen(model):
            labels = _labels(model, points)
            begun, first = loop.latest(), 0
            if begun is not None:
                shift, first = torch.from_numpy(begun["shift"].copy()).to(shift), int(begun["passes"])

            for number in range(first, self.epochs):
                for index in torch.split(torch.randperm(len(points), generator=generator), self.batch):
                    gradient = self._gradient(model, space.clip(points[index] + shift), labels[index])
                    shift = (shift + self.step * epsilon * gradient.sign()).clamp_(-epsilon, epsilon)
                loop.offer(partial(_state, shift, number + 1))
        return shift

    def _gradient(self, model: nn.Module, points: Tensor, labels: Tensor) -> Tensor:
        """Of the clipped loss at the points, summed over the batch."""
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            loss = functional.cross_entropy(model(points), labels, reduction="none").clamp(max=self.beta)
            (gradient,) = torch.autograd.grad(loss.sum(), points)
        return gradient.sum(0)


@dataclass(frozen=True, kw_only=True)
class DeepFoolUniversal:
    """The shortest ways of input after input across the boundary, added up and projected.

    Attributes:
        delta: the share of inputs that may keep their labels; passes end when no more do.
        overshoot: of DeepFool.
        iterations: of DeepFool, for each input.
        passes: over the inputs, at most.
        batch: inputs whose ways are looked for from the same v; 1 as published.
    """

    delta: float = 0.2
    overshoot: float = 0.02
    iterations: int = 10
    passes: int = 10
    batch: int = 1

    def find(
        self,
        model: nn.Module,
        points: Float[Tensor, "n ..."],
        *,
        epsilon: float,
        generator: torch.Generator,
        space: Box = IMAGE.space,
        loop: LoopState = NOT_KEPT,
    ) -> Float[Tensor, ...]:
        """The perturbation when enough inputs are fooled, or after the last pass."""
        shift = torch.zeros_like(points[0])
        with frozen(model):
            labels = _labels(model, points)
            begun, first = loop.latest(), 0
            if begun is not None:
                shift, first = torch.from_numpy(begun["shift"].copy()).to(shift), int(begun["passes"])

            for number in range(first, self.passes):
                if (_labels(model, perturbed(points, shift, space)) != labels).float().mean() >= 1 - self.delta:
                    break
                for index in torch.split(torch.randperm(len(points), generator=generator), self.batch):
                    seen = perturbed(points[index], shift, space)
                    shift = self._moved(model, seen, labels[index], shift, epsilon)
                loop.offer(partial(_state, shift, number + 1))
        return shift

    def _moved(self, model: nn.Module, points: Tensor, labels: Tensor, shift: Tensor, epsilon: float) -> Tensor:
        """What v is after the inputs that it does not fool yet; `points` carry it."""
        with torch.no_grad():
            points = points[model(points).argmax(1) == labels]
        if len(points):
            crossing = deepfool(model, points, overshoot=self.overshoot, iterations=self.iterations)
            for way in crossing.shift[crossing.crossed]:
                shift = (shift + way).clamp(-epsilon, epsilon)
        return shift


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A control that knows no model.

    Attributes:
        kind: no change; signs in turn along the last two axes, as on a chessboard; or signs by chance.
    """

    kind: Literal["zero", "random-sign", "chessboard"]

    def find(
        self,
        model: nn.Module,
        points: Float[Tensor, "n ..."],
        *,
        epsilon: float,
        generator: torch.Generator,
        space: Box = IMAGE.space,
        loop: LoopState = NOT_KEPT,
    ) -> Float[Tensor, ...]:
        """The pattern, epsilon high."""
        shape = points.shape[1:]
        if self.kind == "zero":
            return torch.zeros(shape).to(points)
        if self.kind == "random-sign":
            return epsilon * (2 * torch.randint(0, 2, shape, generator=generator) - 1).to(points)
        places = torch.meshgrid(*(torch.arange(side) for side in shape[-2:]), indexing="ij")
        return epsilon * (1 - 2 * (torch.stack(places).sum(0) % 2)).expand(shape).to(points)


def universal(name: UniversalName) -> Universal:
    """The way of that name, with its default settings.

    >>> universal("ascent")
    Ascent(epochs=20, step=0.05, beta=9.0, batch=128)
    """
    if name == "ascent":
        return Ascent()
    return DeepFoolUniversal() if name == "deepfool" else Pattern(kind=name)


def perturbed(points: Float[Tensor, "n ..."], shift: Tensor, space: Box = IMAGE.space) -> Float[Tensor, "n ..."]:
    """Inputs x + v, kept in their space.

    >>> perturbed(torch.tensor([[[[0.0, 0.5, 1.0]]]]), torch.tensor([[[-0.25, 0.25, 0.25]]]))
    tensor([[[[0.0000, 0.7500, 1.0000]]]])
    """
    return space.clip(points + shift)


def fooling_rate(
    model: nn.Module, points: Float[Tensor, "n ..."], shift: Tensor, *, modality: Modality = IMAGE
) -> float:
    """The share of inputs whose label the perturbation changes once it is stored."""
    with frozen(model):
        shifted = modality.rounded(perturbed(points, shift, modality.box))
        return float((_labels(model, points) != _labels(model, shifted)).float().mean())


def _state(shift: Tensor, passes: int) -> dict[str, np.ndarray]:
    return {"shift": shift.cpu().numpy().copy(), "passes": np.array(passes)}


def _labels(model: nn.Module, points: Tensor, *, batch: int = 512) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(part).argmax(1) for part in torch.split(points, batch)])
