"""What every evasion is: a recipe that wraps a suspect into one that answers otherwise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError
from modelprint.core.registry import Registry
from modelprint.core.suspect import Answers, Suspect
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE


@dataclass(frozen=True, kw_only=True)
class Evasion(ABC):
    """A thief's trick at query time. The fields of a subclass are its strength.

    Attributes:
        renames: whether classes get other numbers, so that answers must be matched before they are compared.
        seed: of what is random; the same image gets the same answer under the same seed.
    """

    name: ClassVar[str]
    renames: ClassVar[bool] = False
    needs_partner: ClassVar[bool] = False

    seed: int = 0

    @abstractmethod
    def wrap(self, suspect: Suspect, partner: Suspect | None = None) -> Suspect:
        """The suspect behind this trick.

        Args:
            partner: an independent model that the thief has, too, for tricks that need one.

        Raises:
            UsageError: a partner is needed, and there is none.
        """

    def recipe(self) -> dict[str, Any]:
        """Name and strength, as JSON."""
        return {"name": self.name, **asdict(self)}


EVASIONS: Registry[type[Evasion]] = Registry("evasion")


class Evading(Suspect):
    """A suspect behind a trick; it bears the identity of the suspect, since whoever asks cannot see the trick."""

    def __init__(self, suspect: Suspect) -> None:
        self.suspect = suspect
        self.identity = suspect.identity
        self.access = min(suspect.access, Access.SCORES)
        self.free, self.budget = suspect.free, suspect.budget
        self.modality = suspect.modality

    def points(self, inputs: np.ndarray) -> np.ndarray:
        """Inputs as models take them, float32; those of a suspect that names no modality are images."""
        modality = self.modality if isinstance(self.modality, Modality) else IMAGE
        return modality.as_points(inputs)

    def finish(self) -> None:
        """Told on."""
        self.suspect.finish()


class Reworded(Evading):
    """A suspect whose answers are changed once the model gave them; subclasses write `_reword`."""

    def __init__(self, suspect: Suspect) -> None:
        super().__init__(suspect)
        if suspect.access < Access.SCORES:
            raise SuspectError(f"{suspect.identity} gives {suspect.access} only: this evasion needs its scores")

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        return self._reword(images, self.suspect.ask(images, access=Access.SCORES))

    @abstractmethod
    def _reword(self, images: np.ndarray, answers: Answers) -> Answers:
        """Other answers to the same images; those given have scores."""


def shares_of(answers: Answers) -> np.ndarray:
    """The probabilities of answers that have scores, float64 (n, classes), NaN where there was no answer."""
    assert answers.scores is not None
    return answers.probabilities(answers.scores.shape[1])
