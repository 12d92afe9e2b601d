"""Queries that survive what suspects are expected to do to inputs: JPEG, resizing, blur ...

The scheme crafts on the source as it is seen through the transforms (perturb.expectation): points cross, and inputs are
chosen by, the mean of its logits over them. More are made than are wanted, and those on which a transform changes the
source's label are left out. Shadow models answer plainly and behind each transform, and so do calibration models: what
a transform does to the answers of strangers is then no evidence, and the error rate holds behind it, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from modelprint.core.errors import FingerprintError
from modelprint.modalities.base import Modality
from modelprint.modalities.transform import Transform
from modelprint.nn.files import ModelCard
from modelprint.nn.refs import ModelRef
from modelprint.nn.spec import ModelSpec
from modelprint.perturb.expectation import Behind, Expected, stable, transforms_named
from modelprint.schemes.base import Enrollment, Queries, Scheme
from modelprint.training.loop import predict

SPARE = 2  # queries made, for each one wanted


def expected_by(scheme: Scheme) -> list[str]:
    """The names of the transforms that a scheme expects."""
    return [name.strip() for name in scheme.expect.split(",") if name.strip()]


@dataclass(frozen=True, kw_only=True)
class ModelBehind:
    """A model that is opened behind a transform."""

    model: ModelRef
    transform: Transform

    @property
    def identity(self) -> str:
        """Of the model."""
        return self.model.identity

    @property
    def spec(self) -> ModelSpec | None:
        """Of the model."""
        return self.model.spec

    @property
    def card(self) -> ModelCard | None:
        """Of the model."""
        return self.model.card

    @property
    def path(self) -> Path | None:
        """Of the model."""
        return self.model.path

    @contextmanager
    def opened(self, device: torch.device | None = None) -> Iterator[nn.Module]:
        """The model, behind the transform."""
        with self.model.opened(device) as module:
            yield Behind(module, self.transform)


def with_views(scheme: Scheme, models: Sequence[ModelRef], modality: Modality) -> tuple[ModelRef, ...]:
    """Models as they answer plainly, and behind each transform that the scheme expects."""
    transforms = transforms_named(scheme.expect, modality)
    return (*models, *(ModelBehind(model=model, transform=one) for one in transforms for model in models))


def expecting(scheme: Scheme, context: Enrollment, generator: torch.Generator) -> Queries:
    """Queries on which the source's label is the same behind every transform that the scheme expects.

    Raises:
        FingerprintError: no query survives.
        UsageError: a transform that there is not.
    """
    modality = context.seeds.modality
    transforms = transforms_named(scheme.expect, modality)
    seen = replace(context, source=Expected(context.source, transforms))
    if scheme.separable and context.budget is not None:
        seen = replace(seen, budget=SPARE * context.budget)
    spare = scheme.craft(seen, generator)
    labels = predict(context.source, torch.from_numpy(spare.stored), modality=modality).argmax(1).numpy()
    kept = stable(context.source, spare.stored, labels, transforms, modality=modality)
    survived = int(kept.sum())
    if not survived:
        raise FingerprintError(
            f"none of {len(spare)} queries keeps the source's label behind {scheme.expect}: expect less, or choose "
            "another scheme"
        )
    report = {**spare.report, "expect": scheme.expect, "crafted": len(spare), "stable": survived}
    if not scheme.separable:
        return replace(spare, report=report)
    index = _within(spare.group, np.flatnonzero(kept), context.budget)
    return replace(
        spare,
        stored=spare.stored[index],
        labels=spare.labels[index],
        group=spare.group[index],
        columns={name: column[index] for name, column in spare.columns.items()},
        report={**report, "made": len(index)} if "made" in report else report,
    )


def _within(group: np.ndarray, index: np.ndarray, budget: int | None) -> np.ndarray:
    """The first queries that the budget holds; of several groups, whole ones."""
    if budget is None or len(index) <= budget:
        return index
    if group[index[0]] == group[index[-1]]:
        return index[:budget]
    sizes = np.bincount(group[index])
    held = np.flatnonzero(np.cumsum(sizes) <= budget)
    return index[np.isin(group[index], held)]
