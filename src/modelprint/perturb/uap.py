"""Universal perturbations: one v, |v| <= epsilon in every pixel, that changes the labels of most images.

"ascent": A. Shafahi, M. Najibi, Z. Xu, J. Dickerson, L. Davis, T. Goldstein, "Universal Adversarial Training", AAAI
2020, Algorithm 1: minibatch ascent on the clipped cross-entropy. "deepfool": S.-M. Moosavi-Dezfooli, A. Fawzi,
O. Fawzi, P. Frossard, "Universal adversarial perturbations", CVPR 2017, Algorithm 1. The others are controls that know
no model.

Differs from the papers: the labels to be left are the model's own, not the true ones; images stay in [0, 1]; with
a batch above 1, DeepFool looks for the ways of several images from the same v, and adds them one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from modelprint.perturb.deepfool import deepfool
from modelprint.perturb.evaluate import frozen

UniversalName = Literal["ascent", "deepfool", "zero", "random-sign", "chessboard"]


class Universal(Protocol):
    """A way to a universal perturbation."""

    def find(
        self, model: nn.Module, images: Float[Tensor, "n c h w"], *, epsilon: float, generator: torch.Generator
    ) -> Float[Tensor, "c h w"]:
        """A perturbation of at most epsilon in every pixel, on the [0, 1] scale.

        Args:
            model: takes inputs in [0, 1], returns logits; left as it was.
            images: in [0, 1]; what the perturbation is learned from.
        """


@dataclass(frozen=True, kw_only=True)
class Ascent:
    """Minibatch gradient ascent on min(cross-entropy, beta), by the sign of the gradient.

    Attributes:
        epochs: passes over the images.
        step: as a share of epsilon.
        beta: where the loss of one image is clipped, so that few images do not dominate.
        batch: images of a step.
    """

    epochs: int = 20
    step: float = 0.05
    beta: float = 9.0
    batch: int = 128

    def find(
        self, model: nn.Module, images: Float[Tensor, "n c h w"], *, epsilon: float, generator: torch.Generator
    ) -> Float[Tensor, "c h w"]:
        """The perturbation after the last step."""
        shift = torch.zeros_like(images[0])
        with frozen(model):
            labels = _labels(model, images)
            for _ in range(self.epochs):
                for index in torch.split(torch.randperm(len(images), generator=generator), self.batch):
                    gradient = self._gradient(model, images[index] + shift, labels[index])
                    shift = (shift + self.step * epsilon * gradient.sign()).clamp_(-epsilon, epsilon)
        return shift

    def _gradient(self, model: nn.Module, points: Tensor, labels: Tensor) -> Tensor:
        """Of the clipped loss at the clamped points, summed over the batch."""
        with torch.enable_grad():
            points = points.clamp(0, 1).detach().requires_grad_()
            loss = functional.cross_entropy(model(points), labels, reduction="none").clamp(max=self.beta)
            (gradient,) = torch.autograd.grad(loss.sum(), points)
        return gradient.sum(0)


@dataclass(frozen=True, kw_only=True)
class DeepFoolUniversal:
    """The shortest ways of image after image across the boundary, added up and projected.

    Attributes:
        delta: the share of images that may keep their labels; passes end when no more do.
        overshoot: of DeepFool.
        iterations: of DeepFool, for each image.
        passes: over the images, at most.
        batch: images whose ways are looked for from the same v; 1 as published.
    """

    delta: float = 0.2
    overshoot: float = 0.02
    iterations: int = 10
    passes: int = 10
    batch: int = 1

    def find(
        self, model: nn.Module, images: Float[Tensor, "n c h w"], *, epsilon: float, generator: torch.Generator
    ) -> Float[Tensor, "c h w"]:
        """The perturbation when enough images are fooled, or after the last pass."""
        shift = torch.zeros_like(images[0])
        with frozen(model):
            labels = _labels(model, images)
            for _ in range(self.passes):
                if (_labels(model, perturbed(images, shift)) != labels).float().mean() >= 1 - self.delta:
                    break
                for index in torch.split(torch.randperm(len(images), generator=generator), self.batch):
                    shift = self._moved(model, images[index], labels[index], shift, epsilon)
        return shift

    def _moved(self, model: nn.Module, images: Tensor, labels: Tensor, shift: Tensor, epsilon: float) -> Tensor:
        """What v is after the images that it does not fool yet."""
        points = perturbed(images, shift)
        with torch.no_grad():
            points = points[model(points).argmax(1) == labels]
        if len(points):
            found = deepfool(model, points, overshoot=self.overshoot, iterations=self.iterations)
            for way in found.shift[found.crossed]:
                shift = (shift + way).clamp(-epsilon, epsilon)
        return shift


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A control that knows no model.

    Attributes:
        kind: no change; the same sign in every channel of a pixel's place on a chessboard; or signs by chance.
    """

    kind: Literal["zero", "random-sign", "chessboard"]

    def find(
        self, model: nn.Module, images: Float[Tensor, "n c h w"], *, epsilon: float, generator: torch.Generator
    ) -> Float[Tensor, "c h w"]:
        """The pattern, epsilon high."""
        shape = images.shape[1:]
        if self.kind == "zero":
            return torch.zeros(shape).to(images)
        if self.kind == "random-sign":
            return epsilon * (2 * torch.randint(0, 2, shape, generator=generator) - 1).to(images)
        rows, columns = torch.arange(shape[1])[:, None], torch.arange(shape[2])[None]
        return epsilon * (1 - 2 * ((rows + columns) % 2)).expand(shape).to(images)


def universal(name: UniversalName) -> Universal:
    """The way of that name, with its default settings.

    >>> universal("ascent")
    Ascent(epochs=20, step=0.05, beta=9.0, batch=128)
    """
    if name == "ascent":
        return Ascent()
    return DeepFoolUniversal() if name == "deepfool" else Pattern(kind=name)


def perturbed(images: Float[Tensor, "n c h w"], shift: Tensor) -> Float[Tensor, "n c h w"]:
    """Images x + v, kept in [0, 1].

    >>> perturbed(torch.tensor([[[[0.0, 0.5, 1.0]]]]), torch.tensor([[[-0.25, 0.25, 0.25]]]))
    tensor([[[[0.0000, 0.7500, 1.0000]]]])
    """
    return (images + shift).clamp_(0, 1)


def rounded(images: Float[Tensor, "n c h w"]) -> Tensor:
    """Images in [0, 1] as 8-bit images.

    >>> rounded(torch.tensor([0.0, 0.5, 1.0])).tolist()
    [0, 128, 255]
    """
    return images.mul(255.0).round_().to(torch.uint8)


def fooling_rate(model: nn.Module, images: Float[Tensor, "n c h w"], shift: Tensor) -> float:
    """The share of images whose label the perturbation changes once it is stored as an 8-bit image."""
    with frozen(model):
        shifted = rounded(perturbed(images, shift)).to(images).div_(255.0)
        return float((_labels(model, images) != _labels(model, shifted)).float().mean())


def _labels(model: nn.Module, images: Tensor, *, batch: int = 512) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(part).argmax(1) for part in torch.split(images, batch)])
