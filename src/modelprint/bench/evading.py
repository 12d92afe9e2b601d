"""Suspects behind evasions, as a benchmark asks them: nothing is computed twice that the evasion does not change."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from modelprint.core.access import Access
from modelprint.core.identity import digest_arrays, digest_json
from modelprint.core.suspect import Answers, Suspect
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.transform import Transform
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.suspects.evasion import evasions
from modelprint.suspects.evasion.inputs import ChangedInputs
from modelprint.suspects.local import TorchSuspect

NONE = "none"
HELD_OUT = 2000  # images that the accuracy behind an evasion is measured on


def identity_of(evasion: str, partner: str | None) -> str:
    """SHA-256 of every evasion that a text names, with its settings and its partner's file."""
    return digest_json({"evasions": [one.recipe() for one in evasions(evasion)], "partner": partner})


def needs_partner(evasion: str) -> bool:
    """Whether an independent model must answer, too."""
    return evasion != NONE and any(one.needs_partner for one in evasions(evasion))


def renames(evasion: str) -> bool:
    """Whether the suspect's classes get other numbers, so that answers must be matched."""
    return evasion != NONE and any(one.renames for one in evasions(evasion))


class Respondent:
    """One suspect, asked plainly and behind evasions.

    Args:
        suspect: as it answers plainly.
        partner: the file of an independent model, where an evasion needs one.
        device: where the partner answers; the model answers where it lies.
        recorded: gives the suspect as it answered behind an evasion, where its answers were recorded.

    Attributes:
        forward_seconds: of processor time in the model's forward passes so far.
    """

    def __init__(
        self,
        suspect: Suspect,
        *,
        partner: Path | None,
        device: str = "cpu",
        recorded: Callable[[str], Suspect] | None = None,
    ) -> None:
        self.plain = _Remembering(suspect)
        assert isinstance(suspect.modality, Modality)  # as of every model that a bench asks
        self.modality = suspect.modality
        self.partner = partner
        self.device = device
        self.recorded = recorded

    @property
    def forward_seconds(self) -> float:
        """Of processor time in the model's forward passes so far."""
        return self.plain.seconds

    def behind(self, evasion: str) -> Suspect:
        """The suspect behind an evasion, that has not been asked anything yet."""
        if evasion != NONE and self.recorded is not None:
            return self.recorded(evasion)
        suspect: Suspect = self.plain
        for one in evasions(evasion, modality=self.modality) if evasion != NONE else ():
            remembering = (
                replace(one, transform=_RememberingTransform(transform=one.transform))
                if isinstance(one, ChangedInputs)
                else one
            )
            suspect = remembering.wrap(
                suspect, _partner(self.partner, self.device) if self.partner is not None else None
            )
        return suspect


class _Remembering(Suspect):
    """A model that is asked the same stored inputs once."""

    def __init__(self, suspect: Suspect) -> None:
        self.suspect = suspect
        self.identity = suspect.identity
        self.access = Access.SCORES
        self.modality = suspect.modality
        self.known: dict[str, Answers] = {}
        self.seconds = 0.0

    def _ask(self, inputs: np.ndarray, access: Access) -> Answers:
        key = "" if inputs.dtype.kind == "f" else digest_arrays({"inputs": inputs})
        if key in self.known:
            return self.known[key]
        started = time.process_time()
        answers = self.suspect.ask(inputs, access=Access.SCORES)
        self.seconds += time.process_time() - started
        if key:
            self.known[key] = answers
        return answers


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Images under their SHA-256."""

    digest: str
    images: np.ndarray = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class _RememberingTransform(Transform):
    """A transform that changes the same images once, whoever is asked."""

    transform: Transform

    def __call__(self, images: np.ndarray, *, seed: int = 0) -> np.ndarray:
        batch = _Batch(digest=digest_arrays({"images": images}), images=images)
        return _transformed(self.transform, seed, batch)


@lru_cache(maxsize=128)
def _transformed(transform: Transform, seed: int, batch: _Batch) -> np.ndarray:
    return transform(batch.images, seed=seed)


@lru_cache(maxsize=2)
def _partner(path: Path, device: str) -> _Remembering:
    model = load_model(path, device=device)
    return _Remembering(TorchSuspect(model.module, identity=path.name, modality=modality_read_by(model)))


def modality_read_by(model: LoadedModel) -> Modality:
    """What kind of inputs a model takes: images, unless its spec says otherwise."""
    return IMAGE if model.spec is None else model.spec.modality
