"""What a scheme needs: of the source and the owner at enrollment, of the suspect at verification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, UsageError
from modelprint.data.labelled import LabelledSet
from modelprint.modalities.space import Box, Tokens

if TYPE_CHECKING:
    from modelprint.schemes.base import Enrollment

OfSource = Literal["labels", "scores", "gradients", "weights"]
LEAST_SHADOWS = 2  # of each side


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a scheme asks for. Benches, docs and reports choose schemes by it, never by their names.

    Attributes:
        source: what crafting takes from the source: its labels, its scores, their gradients, or its weights.
        suspect: the access to the suspect, at verification.
        space: "continuous" where crafting moves inputs by small steps, "any" where it takes inputs as they are.
        swaps: of a scheme that moves inputs, whether it exchanges or adds tokens where there are no small steps.
        mixes: whether it makes inputs out of parts of others.
        shadows: whether it learns from surrogates and reference models at enrollment.
        shadows_welcome: whether it takes surrogates and reference models where there are any.
        train_images: whether enrollment needs inputs of the source's training data.
        same_classes: whether suspect and source must have the same classes.
        weights: whether weights are compared where a suspect shows them.
    """

    source: OfSource = "labels"
    suspect: Access = Access.LABELS
    space: Literal["any", "continuous"] = "any"
    swaps: bool = False
    mixes: bool = False
    shadows: bool = False
    shadows_welcome: bool = False
    train_images: bool = False
    same_classes: bool = True
    weights: bool = False

    @property
    def asks(self) -> bool:
        """Whether suspects are asked queries; those that are judged by their weights alone are not."""
        return self.suspect < Access.WEIGHTS

    @property
    def learns(self) -> bool:
        """Whether surrogates and reference models are used where they are at hand."""
        return self.shadows or self.shadows_welcome

    def check(self, scheme: str, context: Enrollment) -> None:
        """Nothing, if a fingerprint can be made from the context.

        Raises:
            FingerprintError: something that the scheme needs is missing; the message says what to give.
        """
        modality = context.seeds.modality
        walkable = isinstance(modality.space, Box) or (self.swaps and isinstance(modality.space, Tokens))
        if self.space == "continuous" and not walkable:
            raise FingerprintError(
                f"scheme {scheme} moves inputs by small steps, and {modality.plural} cannot be: choose another scheme"
            )
        surrogates, references = len(context.surrogates), len(context.references)
        if self.shadows and min(surrogates, references) < LEAST_SHADOWS:
            raise FingerprintError(
                f"scheme {scheme} learns from shadow models, {LEAST_SHADOWS} surrogates and {LEAST_SHADOWS} reference "
                f"models or more; got {surrogates} and {references}: have N of each trained with --shadow N, or "
                "name a folder of them"
            )
        if self.train_images and context.train_images is None:
            raise FingerprintError(
                f"scheme {scheme} needs {context.seeds.modality.plural} that the source was trained on: name "
                "--train-data"
            )
        if not len(context.seeds):
            raise FingerprintError(f"{context.seeds.name} holds no inputs to make queries of")
        if self.mixes and not modality.mixes:
            raise FingerprintError(
                f"scheme {scheme} mixes inputs, as these settings have it, and {modality.plural} cannot be mixed: "
                "choose other settings, or another scheme"
            )

    def check_source(self, scheme: str, source: nn.Module, seeds: LabelledSet) -> None:
        """Nothing, if the source gives what crafting takes from it.

        Raises:
            FingerprintError: it does not.
        """
        if isinstance(seeds.modality.space, Tokens) and self.swaps:
            return  # tokens are tried where no gradient says which
        if self.source == "gradients" and not gives_gradients(source, seeds):
            raise FingerprintError(
                f"scheme {scheme} follows the gradients of the source, which gives none: enroll the model before it "
                "was quantised or compiled, or use a scheme that reads labels alone"
            )

    def check_access(self, scheme: str, access: Access) -> None:
        """Nothing, if a suspect can be judged with this access.

        Raises:
            UsageError: the scheme needs more.
        """
        if access < self.suspect:
            raise UsageError(f"scheme {scheme} needs {self.suspect} of the suspect, not {access}: set --access")


def gives_gradients(source: nn.Module, seeds: LabelledSet) -> bool:
    """Whether the outputs of a model change with its input in a way that autograd can follow."""
    device = next((parameter.device for parameter in source.parameters()), torch.device("cpu"))
    with torch.enable_grad():
        point = seeds.modality.to_model(seeds.stored[:1], device=device).requires_grad_()
        return bool(source(point).requires_grad)
