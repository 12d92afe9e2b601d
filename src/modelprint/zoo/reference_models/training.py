"""How an owner has surrogates, references and calibration models trained: his recipe, and a public checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import nn

from modelprint.core.devices import device_of
from modelprint.data.labelled import LabelledSet
from modelprint.training.choice import recipe_named
from modelprint.training.init import identity_of
from modelprint.training.recipes import Recipe


@dataclass(frozen=True, kw_only=True)
class HowTrained:
    """What decides how models are trained beside the source.

    Attributes:
        recipe: "sgd", "adamw", or "file.py:fit"; None: what suits the data.
        settings: fields of sgd or adamw, as text.
        init: weights of a public checkpoint: models that start from it are siblings where the source did, too.
        device: where they are trained; the numbers that come out differ between kinds of device.
    """

    recipe: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    init: str | Path | None = None
    device: str = "cpu"

    def beside(self, source: nn.Module) -> HowTrained:
        """The same, on the device where the source lies."""
        return replace(self, device=str(device_of(source)))

    def from_scratch(self, data: LabelledSet) -> Recipe:
        """The recipe of models that start from nothing."""
        return recipe_named(self.recipe, data, settings=self.settings)

    def from_init(self, data: LabelledSet) -> Recipe:
        """The recipe of models that start from the checkpoint."""
        return recipe_named(self.recipe, data, settings=self.settings, pretrained=True)

    @property
    def checkpoint(self) -> str | None:
        """SHA-256 of the checkpoint's file; None without one, or where it is no file."""
        return None if self.init is None else identity_of(self.init)
