"""Data-free extraction from hard labels: a generator makes the queries, nothing but top-1 labels comes back.

S. Sanyal, S. Addepalli, R. V. Babu, "Towards Data-Free Model Stealing in a Hard Label Setting", CVPR 2022: the
generator learns through the student, since the source gives no gradients, and is kept diverse over classes.

Differs from the paper: no proxy images, hence no discriminator; a budget of 100,000 queries by default, where the
paper spends millions; half of the queries are smooth random images instead; all are 8-bit images, and trained on again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelprint.attacks.base import ATTACKS, AttackResult, Loot
from modelprint.attacks.extract import Extraction
from modelprint.core.devices import device_of
from modelprint.modalities.image import IMAGE
from modelprint.nn.spec import ModelSpec, build
from modelprint.perturb.evaluate import frozen
from modelprint.training.loop import TrainRecipe, fit, predict


@ATTACKS.register("data-free")
@dataclass(frozen=True, kw_only=True)
class DataFree(Extraction):
    """Data-free, hard labels. The attacker's images are not looked at.

    Attributes:
        budget: queries in all, half of them made by the generator, half smooth random images.
        rounds: of generating, asking and training.
        generator_steps: of Adam, in each round.
        diversity: weight of the class-diversity loss.
        epochs: of the student over all queries, at the end (10 when none is given); each round has two over some.
    """

    name: ClassVar[str] = "data-free"
    hooks: ClassVar[bool] = True
    only: ClassVar[str | None] = "image"

    budget: int = 100_000
    rounds: int = 25
    generator_steps: int = 40
    diversity: float = 5.0
    lr: float = 0.02

    def _run(self, loot: Loot) -> AttackResult:
        spec = self.student_spec(loot.spec)
        device = device_of(loot.copy)
        student = build(spec, seed=loot.seed).to(device).eval()
        maker = Generator(loot.spec, seed=loot.seed, device=device)
        between = TrainRecipe(epochs=2, lr=self.lr, schedule="constant", augment="none")
        points = loot.images[:0]
        labels = torch.empty(0, dtype=torch.int64)
        half = self.budget // (2 * self.rounds)
        for _ in range(self.rounds):
            fresh = torch.cat([maker.images(half, loot.generator), smooth_images(half, loot.spec, loot.generator)])
            points = torch.cat([points, fresh])
            labels = torch.cat([labels, predict(loot.copy, fresh).argmax(1)])
            some = torch.randperm(len(points), generator=loot.generator)[: 5 * len(fresh)]
            fit(student, points[some], labels[some], between, generator=loot.generator)
            self._teach(maker, student, loot.generator)
        last = TrainRecipe(epochs=self.epochs or 10, lr=0.1, augment="none")
        report = fit(student, points, labels, self.hooked(last), generator=loot.generator, on_epoch=loot.on_epoch)
        counts = labels.bincount(minlength=loot.spec.classes).tolist()
        return AttackResult(
            model=student,
            spec=spec,
            report={"losses": list(report.losses), "queries": len(points), "labels": counts},
        )

    def _teach(self, maker: Generator, student: nn.Module, generator: torch.Generator) -> None:
        """Move the generator to images that are uncertain to the student, of all classes."""
        with frozen(student):
            maker.train()
            for _ in range(self.generator_steps):
                log_p = functional.log_softmax(student(maker(noise(128, generator).to(maker.device))), dim=1)
                mean = log_p.exp().mean(0)
                diversity = (mean * mean.clamp_min(1e-8).log()).sum()  # minus the entropy of the mean
                entropy = -(log_p.exp() * log_p).sum(1).mean()
                maker.optimizer.zero_grad(set_to_none=True)
                (self.diversity * diversity - entropy).backward()  # type: ignore[no-untyped-call]
                maker.optimizer.step()
            maker.eval()


NOISE = 64


def smooth_images(count: int, spec: ModelSpec, generator: torch.Generator) -> Tensor:
    """Random images of 8 bits, from coarse blobs to pixel noise, dark and bright."""
    parts: list[Tensor] = []
    channels, *size = spec.shape
    for place, side in enumerate((2, 3, 4, size[-1])):
        share = count // 4 if place else count - 3 * (count // 4)
        brightness = 2 * torch.rand(share, 1, 1, 1, generator=generator) - 1
        coarse = torch.randn(share, channels, side, side, generator=generator) + brightness
        parts.append(functional.interpolate(coarse, size, mode="bilinear").clamp(0, 1))
    return IMAGE.to_stored(torch.cat(parts))


def noise(count: int, generator: torch.Generator) -> Tensor:
    """Normal noise of shape (count, 64)."""
    return torch.randn(count, NOISE, generator=generator)


class Generator(nn.Module):
    """Noise (n, 64) to images in [0, 1]: one dense layer, two upsampling convolutions."""

    def __init__(self, spec: ModelSpec, *, seed: int, device: torch.device, width: int = 32) -> None:
        super().__init__()
        self.device = device
        channels, *size = spec.shape
        side = max(1, size[-1] // 4)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Linear(NOISE, 2 * width * side * side),
                nn.Unflatten(1, (2 * width, side, side)),
                nn.BatchNorm2d(2 * width),
                nn.Upsample(scale_factor=2),
                nn.Conv2d(2 * width, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(0.2),
                nn.Upsample(size=tuple(size)),
                nn.Conv2d(width, channels, 3, padding=1),
                nn.BatchNorm2d(channels),
                nn.Sigmoid(),
            )
        self.to(device)
        self.optimizer = torch.optim.Adam(self.layers.parameters(), lr=1e-3)

    def forward(self, inputs: Tensor) -> Tensor:
        """Images in [0, 1]."""
        images: Tensor = self.layers(inputs)
        return images

    @torch.no_grad()
    def images(self, count: int, generator: torch.Generator) -> Tensor:
        """So many images of 8 bits."""
        self.train()
        batches = [
            self(noise(min(500, count - start), generator).to(self.device)).cpu() for start in range(0, count, 500)
        ]
        return IMAGE.to_stored(torch.cat(batches))
