"""Two models answer as one: the copy, and another that the thief trained himself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError, UsageError
from modelprint.core.suspect import Answers, Suspect, answers_from_scores
from modelprint.suspects.evasion.base import EVASIONS, Evading, Evasion, shares_of


@EVASIONS.register("ensemble")
@dataclass(frozen=True, kw_only=True)
class Ensemble(Evasion):
    """The mean of the probabilities of the suspect and of an independent model.

    Attributes:
        weight: of the independent model.
    """

    name: ClassVar[str] = "ensemble"
    needs_partner: ClassVar[bool] = True

    weight: float = 0.5

    def wrap(self, suspect: Suspect, partner: Suspect | None = None) -> Suspect:
        """The two together."""
        if partner is None:
            raise UsageError("the evasion 'ensemble' needs an independent model to answer with")
        return _Together(suspect, partner, self.weight)


class _Together(Evading):
    def __init__(self, suspect: Suspect, partner: Suspect, weight: float) -> None:
        super().__init__(suspect)
        self.partner = partner
        self.weight = weight

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        own, other = (shares_of(model.ask(images, access=Access.SCORES)) for model in (self.suspect, self.partner))
        if own.shape != other.shape:
            raise SuspectError(
                f"{self.identity} tells {own.shape[1]} classes apart, its partner {other.shape[1]}: "
                "an ensemble is of models of the same classes"
            )
        return answers_from_scores((1 - self.weight) * own + self.weight * other, who=self.identity)
