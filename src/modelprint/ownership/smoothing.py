"""A smoothed score, and what it certifies: every copy near the source's weights lies above the threshold.

Source, calibration models and suspects are brought to normal form (`nn.normal_form`), get the same Gaussian noise on
their weights several times, and count with the median of their scores. Two statements hold of that median. Its rank
among calibration models that were treated alike is exact, as of any score. And for every suspect within a certified
distance of the source it lies above the threshold (`stats.smoothing`).

Noise on a tensor is sigma times the root mean square of the source's tensor of that name and shape, so that distances
are relative; a tensor that the source lacks takes its own. The law of the noise is the same for every order of a
layer's channels, so permuted copies have the same law of scores; so have rescaled ones, by their normal form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from modelprint.core.errors import ModelError
from modelprint.nn.normal_form import normal_form
from modelprint.stats.smoothing import Certificate, certificate

_LEAST = 1e-12  # of a tensor's root mean square


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """Noise on weights, in units of the source's.

    Attributes:
        units: root mean square of each of the source's weights in normal form; a bias has that of its weight.
        shapes: of these tensors.
        sigma: standard deviation of the noise, in units.
    """

    units: Mapping[str, float]
    shapes: Mapping[str, tuple[int, ...]]
    sigma: float

    @classmethod
    def of(cls, source: nn.Module, *, sigma: float) -> Smoothing:
        """Noise for a source, as it is (it is brought to normal form here).

        Raises:
            ModelError: it has no normal form, or sigma is not above 0.
        """
        if not sigma > 0:
            raise ModelError(f"noise needs a sigma above 0, got {sigma}")
        state = dict(normal_form(source).named_parameters())
        return cls(units=_units(state), shapes={name: tuple(value.shape) for name, value in state.items()}, sigma=sigma)

    def noisy(self, module: nn.Module, draws: int, generator: torch.Generator) -> Iterator[nn.Module]:
        """A module's normal form with noise, so many times; each is to be used before the next is drawn.

        Raises:
            ModelError: it has no normal form.
        """
        plain = normal_form(module)
        state = {name: value.detach().clone() for name, value in plain.named_parameters()}
        own = _units(state)
        copy = deepcopy(plain)
        for _ in range(draws):
            with torch.no_grad():
                for name, parameter in copy.named_parameters():
                    fits = self.shapes.get(name) == tuple(parameter.shape)
                    spread = self.sigma * (self.units[name] if fits else own[name])
                    noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                    parameter.copy_(state[name] + spread * noise)
            yield copy

    def scores(
        self, module: nn.Module, score: Callable[[nn.Module], float], *, draws: int, generator: torch.Generator
    ) -> Float[np.ndarray, " draws"]:
        """The scores of a module under noise; its smoothed score is their median."""
        return np.array([score(noisy) for noisy in self.noisy(module, draws, generator)])

    @torch.no_grad()
    def distance(self, source: nn.Module, suspect: nn.Module) -> float | None:
        """The distance of two models' normal forms in units of the source's; None where their tensors differ.

        Raises:
            ModelError: one has no normal form.
        """
        ours, theirs = (dict(normal_form(module).named_parameters()) for module in (source, suspect))
        if {name: value.shape for name, value in ours.items()} != {name: value.shape for name, value in theirs.items()}:
            return None
        squares = [
            float(((theirs[name] - value).double() / self.units[name]).square().sum()) for name, value in ours.items()
        ]
        return float(np.sqrt(sum(squares)))

    def certify(
        self,
        source: nn.Module,
        score: Callable[[nn.Module], float],
        *,
        threshold: float,
        draws: int,
        generator: torch.Generator,
        confidence: float = 0.99,
    ) -> Certificate:
        """The radius round the source within which the smoothed score lies above a threshold.

        The threshold is fixed before these draws are made.
        """
        scores = self.scores(source, score, draws=draws, generator=generator)
        return certificate(int((scores > threshold).sum()), draws, sigma=self.sigma, confidence=confidence)


def _units(state: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """The root mean square of each weight; of a bias, that of the weight beside it."""
    units: dict[str, float] = {}
    for name in state:
        weight = state.get(name.removesuffix("bias") + "weight", state[name]) if name.endswith("bias") else state[name]
        units[name] = max(float(weight.detach().double().square().mean().sqrt()), _LEAST)
    return units
