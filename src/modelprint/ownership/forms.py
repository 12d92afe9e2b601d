"""Is a model asked in the form in which it wants its inputs? What it says to unperturbed inputs of known class tells.

A true copy that is asked in the wrong form answers like any independent model, or worse. So a low score is no verdict
where the suspect does not even know plain inputs. A form is proposed by plain inputs alone, never by the score: else
whoever tries many forms would find one in which an independent model scores high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from scipy import special

from modelprint.core.access import Access
from modelprint.core.convention import Convention
from modelprint.core.errors import ModelprintError, UsageError
from modelprint.core.suspect import Answers, Suspect
from modelprint.modalities.base import Modality
from modelprint.ownership.matching import matching

KEPT = 0.85  # of the source's accuracy: a copy that keeps less is of little use to anybody
SURELY_KEPT = 0.95  # where all calibration models keep as much, less is expected of no suspect
GAINS = 7  # of the sign test, with no loss, that make a form clearly better: .5 ** 7 <= SURE
SURE = 0.01  # the chance that a model which keeps as much, or is asked in the right form, is doubted
LEAST = 8  # plain inputs that tell anything
CLEARLY = 0.05
TRIED = 64  # plain inputs that conventions are tried on


def check_accuracy(accuracy: float | None) -> None:
    """Refuse what is no share.

    Raises:
        UsageError: such as 97 for 97 %.
    """
    if accuracy is not None and not 0 < accuracy <= 1:
        raise UsageError(f"accuracy is a share above 0, at most 1 (0.97 for 97 %), got {accuracy:g}")


def falls_short(right: int, answered: int, *, least: float = KEPT) -> bool:
    """Whether an accuracy lies far below the expected one, by an exact binomial test.

    >>> falls_short(32, 32), falls_short(22, 32), falls_short(21, 32), falls_short(3, 7)
    (False, False, True, False)

    Args:
        least: the accuracy that it must not lie below, on inputs that were chosen because the source knows them.
    """
    return answered >= LEAST and bool(special.bdtr(right, answered, least) <= SURE)


def by_chance(right: int, true: Int[np.ndarray, " n"]) -> bool:
    """Whether so many right answers are no more than those of a model that ignores its inputs.

    >>> by_chance(5, np.repeat(np.arange(10), 3)), by_chance(9, np.repeat(np.arange(10), 3))
    (True, False)
    """
    share = np.bincount(true).max() / len(true)
    return bool(special.bdtrc(right - 1, len(true), share) > CLEARLY)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the answers to plain inputs show.

    Attributes:
        answered: how many of them were answered; `right`: how many rightly.
        short: whether that is far less than the source's, by the suspect's own class numbers.
        renamed: whether other numbers of its classes could explain that.
        by_chance: whether it is no more than a model that ignores its inputs.
    """

    answered: int
    right: int
    short: bool = False
    renamed: bool = False
    by_chance: bool = False

    @property
    def hopeless(self) -> bool:
        """Whether no answer to any query can be compared with the source's."""
        return self.short and self.by_chance and not self.renamed


def look(labels: Int[np.ndarray, " n"], true: Int[np.ndarray, " n"], *, least: float = KEPT) -> Look:
    """What labels (n,) of plain inputs show, -1 left out before.

    >>> true = np.repeat(np.arange(10), 3)
    >>> look(true, true).short, look((true + 1) % 10, true).renamed, look(np.zeros(30, int), true).hopeless
    (False, True, True)
    """
    right = int((labels == true).sum())
    if not falls_short(right, len(true), least=least):
        return Look(answered=len(true), right=right)
    best = matching(Answers(labels=true), Answers(labels=labels)).matched
    return Look(
        answered=len(true),
        right=right,
        short=True,
        renamed=not falls_short(best, len(true), least=least),
        by_chance=by_chance(right, true),
    )


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A convention in which a model knows plain inputs that it did not know as it was asked.

    Attributes:
        right: of how many (`tried`); `before`: as it was asked.
        others: names of conventions that fit as well.
    """

    convention: Convention
    right: int
    before: int
    tried: int
    others: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KnownInputs:
    """Inputs of one type with their classes."""

    stored: np.ndarray
    labels: Int[np.ndarray, " n"]


def best_fit(
    suspect: Suspect,
    parts: Sequence[KnownInputs],
    *,
    modality: Modality,
    expected: Convention | None = None,
    least: float = KEPT,
) -> Fit | None:
    """The convention in which a local suspect knows far more plain inputs than as it is asked; None: there is none.

    It must be right clearly more often on the same inputs (sign test), and often enough. Of those that know equally
    many, the expected one stands; else that which is surest of the true classes, where scores are at hand.

    Args:
        expected: a convention that is tried with the usual ones: the source's.
        least: the accuracy that must not lie below; 0: any.
    """
    known = [KnownInputs(stored=part.stored[:TRIED], labels=part.labels[:TRIED]) for part in parts if len(part.labels)]
    if not known or not suspect.free:
        return None
    as_asked = _tried(suspect, known)
    if as_asked is None:
        as_asked = _Trial(right=np.zeros(sum(len(part.labels) for part in known), dtype=bool), sureness=0.0)
    for number, group in enumerate(modality.conventions(known[0].stored.shape[1:])):
        fits: list[tuple[Convention, _Trial]] = []
        for convention in (expected, *group) if expected is not None and not number else group:
            other = suspect.in_form(convention)
            if other is None:
                return None
            trial = _tried(other, known)
            if trial is not None and _clearly_better(trial.right, as_asked.right, least):
                fits.append((convention, trial))
        if fits:
            fits.sort(key=lambda one: (-one[1].right.sum(), one[0] != expected, -one[1].sureness))
            (convention, trial), *rest = fits
            alike = tuple(other.name for other, one in rest if one.right.sum() == trial.right.sum())
            return Fit(
                convention=convention,
                right=int(trial.right.sum()),
                before=int(as_asked.right.sum()),
                tried=len(trial.right),
                others=alike,
            )
    return None


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """Which plain inputs were known, and how sure the model was of their classes on average."""

    right: Bool[np.ndarray, " n"]
    sureness: float


def _tried(suspect: Suspect, known: Sequence[KnownInputs]) -> _Trial | None:
    right, sureness = [], []
    for part in known:
        try:
            answers = suspect.ask(part.stored, access=min(suspect.access, Access.SCORES))
        except ModelprintError:  # it takes no inputs of that kind, or gives labels only
            try:
                answers = suspect.ask(part.stored)
            except ModelprintError:
                return None
        right.append(answers.labels == part.labels)
        if answers.scores is not None and answers.scores.shape[1] > part.labels.max():
            shares = answers.probabilities(answers.scores.shape[1])
            sureness.append(np.log(shares[np.arange(len(part.labels)), part.labels] + 1e-12))
    sure = float(np.concatenate(sureness).mean()) if sureness else 0.0
    return _Trial(right=np.concatenate(right), sureness=sure)


def _clearly_better(now: Bool[np.ndarray, " n"], before: Bool[np.ndarray, " n"], least: float) -> bool:
    gained, lost = int((now & ~before).sum()), int((before & ~now).sum())
    if gained <= lost or falls_short(int(now.sum()), len(now), least=least):
        return False
    return bool(special.bdtrc(gained - 1, gained + lost, 0.5) <= SURE)
