"""IPRemover: inputs are inverted from the stolen model, and a fresh model is distilled on these alone.

W. Zong, Y.-W. Chow, W. Susilo, J. Baek, J. Kim, S. Camtepe, "IPRemover: A Generative Model Inversion Attack against
Deep Neural Network Fingerprinting and Watermarking", AAAI 2024: inversion without any data, then distillation by a
"virtual ensemble".

Differs from the paper: only its abstract was read, and the rest is filled in. No generator is trained: Adam moves the
inputs themselves, for the wanted class, the statistics that batch normalisation keeps of each layer (H. Yin et al.,
"Dreaming to Distill", CVPR 2020, R_BN) and total variation. The ensemble is the mean of the stolen model's
probabilities over a few shifted and noisy views of each input, which blur what single points near a boundary would
carry over.

The attacker needs no image of his own; he holds the weights. It costs the inversion (`steps` passes forward and back
for each image) and a training from scratch. The settings were chosen by the student's accuracy alone; docs/evasion.md
says what it loses, and which schemes find it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelprint.attacks.base import ATTACKS, AttackResult, Loot
from modelprint.attacks.extract import Extraction, distillation
from modelprint.core.devices import device_of
from modelprint.core.errors import ModelError
from modelprint.modalities.image import IMAGE
from modelprint.perturb.evaluate import frozen
from modelprint.training.loop import predict

_NORMALISING = (nn.BatchNorm1d, nn.BatchNorm2d)


@ATTACKS.register("ip-remover")
@dataclass(frozen=True, kw_only=True)
class IPRemover(Extraction):
    """Inversion, then distillation. The attacker's images are not looked at.

    Attributes:
        inputs: that are inverted, of all classes in turn.
        steps, step: of Adam on each batch of them.
        statistics, variation: weights of the two priors, beside the class's 1.
        views: over which the stolen model's probabilities are averaged.
        shift, noise: of a view: at most so many pixels, and the standard deviation of its noise.
        temperature, epochs: of the distillation.
    """

    name: ClassVar[str] = "ip-remover"
    only: ClassVar[str | None] = "image"

    inputs: int = 4000
    steps: int = 150
    step: float = 0.2
    statistics: float = 100.0
    variation: float = 0.5
    views: int = 4
    shift: int = 2
    noise: float = 0.05
    temperature: float = 4.0
    epochs: int | None = 30

    def __post_init__(self) -> None:
        if min(self.inputs, self.steps, self.views) < 1 or self.shift < 0:
            raise ValueError("inputs, steps and views must be at least 1, shift at least 0")

    def _run(self, loot: Loot) -> AttackResult:
        points = torch.cat([self._inverted(loot, part) for part in torch.split(torch.arange(self.inputs), 250)])
        stored = IMAGE.to_stored(points)
        answers = torch.stack([self._view(loot, points) for _ in range(self.views)]).mean(0)
        result = self.train_student(
            loot, stored, answers.clamp_min(1e-8).log(), loss=distillation(self.temperature), probabilities=answers
        )
        of_their_class = float((answers.argmax(1) == torch.arange(self.inputs) % loot.spec.classes).double().mean())
        return AttackResult(
            model=result.model,
            spec=result.spec,
            report={**result.report, "inputs": len(stored), "of_their_class": of_their_class},
        )

    def _inverted(self, loot: Loot, numbers: Tensor) -> Tensor:
        """Points (n, c, h, w) in [0, 1] of the classes number mod classes."""
        device = device_of(loot.copy)
        wanted = (numbers % loot.spec.classes).to(device)
        start = torch.randn(len(numbers), *loot.spec.shape, generator=loot.generator)
        logits = start.to(device).requires_grad_(True)  # of the pixels: sigmoid keeps them in [0, 1]
        optimizer = torch.optim.Adam([logits], lr=self.step)
        with frozen(loot.copy), watched(loot.copy) as drift:
            for _ in range(self.steps):
                drift.clear()
                points = torch.sigmoid(logits)
                moved = points.roll(self._shift(loot.generator), dims=(2, 3))
                loss = functional.cross_entropy(loot.copy(moved), wanted) + self.variation * total_variation(points)
                if drift:
                    loss = loss + self.statistics * torch.stack(drift).mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        points = torch.sigmoid(logits).detach().cpu()
        if not bool(points.isfinite().all()):
            raise ModelError("inversion diverged: use a smaller step")
        return points

    def _view(self, loot: Loot, points: Tensor) -> Tensor:
        """The stolen model's probabilities of shifted, noisy points."""
        noisy = points + self.noise * torch.randn(points.shape, generator=loot.generator)
        moved = noisy.roll(self._shift(loot.generator), dims=(2, 3)).clamp(0, 1)
        return predict(loot.copy, IMAGE.to_stored(moved)).softmax(1)

    def _shift(self, generator: torch.Generator) -> tuple[int, int]:
        """Pixels down and to the right."""
        down, right = torch.randint(-self.shift, self.shift + 1, (2,), generator=generator).tolist()
        return down, right


def total_variation(points: Tensor) -> Tensor:
    """The mean absolute difference of neighbouring pixels, times the number of pixels of a side.

    >>> total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])).item()
    1.0
    """
    down, right = points.diff(dim=2).abs().mean(), points.diff(dim=3).abs().mean()
    variation: Tensor = (down + right) * points.shape[-1] / 2
    return variation


@contextmanager
def watched(model: nn.Module) -> Iterator[list[Tensor]]:
    """A list that fills, at each pass, with how far each normalised layer's inputs are from the statistics it keeps.

    |mean - kept mean|^2 + |variance - kept variance|^2, relative to the kept ones' size (R_BN, equation 4).
    """
    drift: list[Tensor] = []

    def watch(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(module, _NORMALISING)
        mean, variance = module.running_mean, module.running_var
        assert mean is not None
        assert variance is not None
        axes = [axis for axis in range(given[0].ndim) if axis != 1]
        size = variance.mean()
        drift.append(
            (given[0].mean(axes) - mean).pow(2).mean() / size
            + (given[0].var(axes, unbiased=False) - variance).pow(2).mean() / size**2
        )

    layers = [module for module in model.modules() if isinstance(module, _NORMALISING) and module.track_running_stats]
    hooks = [layer.register_forward_pre_hook(watch) for layer in layers]
    try:
        yield drift
    finally:
        for hook in hooks:
            hook.remove()
