"""One suspect beside every fingerprint of a registry: the cheapest evidence first, each query asked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from modelprint.core.access import Access
from modelprint.core.errors import LabelsOnlyError, MisfitError, ModelprintError, UsageError
from modelprint.core.records import Record
from modelprint.core.verdict import KindRate, Relation
from modelprint.lineage import StateTensors, SuspectForms, Tensors, compare
from modelprint.modalities.base import InputSpec
from modelprint.ownership.combined import decide_together
from modelprint.ownership.decide import Decision
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.hearing import Heard, hear
from modelprint.ownership.levels import Level, weights_level
from modelprint.ownership.opening import opened, scheme_of
from modelprint.ownership.staging import after_weights, settled_by_weights
from modelprint.ownership.weights import tensors_of
from modelprint.schemes.base import Scheme
from modelprint.screening.records import Read
from modelprint.suspects.open import SuspectOptions
from modelprint.suspects.sharing import AskedOnce

_IN_MEMORY = 64 << 20  # numbers of a suspect up to which its tensors are read once for all fingerprints


class Finding(Record):
    """What one fingerprint shows of one suspect, before it is corrected for the other owners.

    Attributes:
        misfit: why the two cannot be compared; null where they can.
        score: of the evidence that was read; null without a verdict.
        p_value: by the accepted rate for one owner; the largest over the kinds that are covered at it.
        kinds: the rank among each kind of calibration model.
        access: what was read.
        queries: that the suspect was asked; `needed`: that it would have been asked for this fingerprint alone.
        relation: the story that fits, if the verdict for one owner stands.
        derived: that verdict.
        message: the same in words.
    """

    misfit: str | None = None
    score: float | None = None
    p_value: float | None = Field(default=None, gt=0, le=1)
    kinds: tuple[KindRate, ...] = ()
    access: Read | None = None
    queries: int = 0
    needed: int = 0
    relation: Relation | None = None
    derived: bool = False
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Judging:
    """How suspects are judged.

    Attributes:
        access: no more than that is used of a suspect.
        asks: whether queries are asked; without, files and weights alone are compared.
        alpha: the accepted chance of a false "derived", for one owner.
        budget: the most queries for each fingerprint; None: 200 of an address, else all.
    """

    access: Access = Access.WEIGHTS
    asks: bool = True
    alpha: float = 0.05
    budget: int | None = None


def judged(
    reference: str,
    fingerprints: Sequence[Fingerprint],
    how: Judging,
    *,
    options: SuspectOptions,
    sha256: str | None = None,
) -> list[Finding]:
    """What each fingerprint shows of a suspect.

    A file that equals the enrolled one is settled. So are weights that hold enough of the source's
    (`ownership.staging`). Only for the other fingerprints of the suspect's task queries are asked.

    Args:
        reference: of the suspect, as `verify` takes it.
        sha256: of the suspect's file, where it is one.

    Raises:
        ModelprintError: the suspect cannot be read.
    """
    suspect = _Suspect(reference, fingerprints, options)
    findings = [_finding(fingerprint, suspect, how, sha256=sha256) for fingerprint in fingerprints]
    suspect.finish()
    return findings


class _Suspect:
    """A suspect in each form in which fingerprints meet it, opened when it is first needed."""

    def __init__(self, reference: str, fingerprints: Sequence[Fingerprint], options: SuspectOptions) -> None:
        self._reference, self._fingerprints, self._options = reference, fingerprints, options
        self._opened: dict[InputSpec, AskedOnce | ModelprintError] = {}
        self._weights: SuspectForms | ModelprintError | None = None

    def weights(self) -> SuspectForms:
        """Its weights, read once for all fingerprints.

        Raises:
            ModelprintError: it shows none, or its file cannot be read.
        """
        if self._weights is None:
            try:
                self._weights = SuspectForms(_read_once(tensors_of(self._reference)[0]))
            except ModelprintError as error:
                self._weights = error
        if isinstance(self._weights, ModelprintError):
            raise self._weights
        return self._weights

    def opened_for(self, fingerprint: Fingerprint) -> AskedOnce:
        """The suspect, as fingerprints of this kind of input ask it.

        Raises:
            ModelprintError: it is of another task, or cannot be opened.
        """
        spec = fingerprint.manifest.input
        if spec not in self._opened:
            same = [one for one in self._fingerprints if one.manifest.input == spec]
            try:
                self._opened[spec] = AskedOnce(opened(self._reference, same[0], self._options, also=same[1:]))
            except ModelprintError as error:
                self._opened[spec] = error
        suspect = self._opened[spec]
        if isinstance(suspect, ModelprintError):
            raise suspect
        return suspect

    def finish(self) -> None:
        """Tell it that nothing more is asked."""
        for suspect in self._opened.values():
            if isinstance(suspect, AskedOnce):
                suspect.inner.finish()


def _read_once(tensors: Tensors) -> Tensors:
    """The same tensors; small ones are read once for all fingerprints."""
    numbers = sum(int(np.prod(shape, dtype=np.int64)) for shape in tensors.shapes.values())
    if numbers > _IN_MEMORY or isinstance(tensors, StateTensors):
        return tensors
    return StateTensors({name: tensors.read(name) for name in tensors.shapes})


def _finding(fingerprint: Fingerprint, suspect: _Suspect, how: Judging, *, sha256: str | None) -> Finding:
    if sha256 is not None and sha256 == fingerprint.manifest.source:
        return Finding(
            access="file",
            relation="from-weights",
            derived=True,
            needed=len(fingerprint),
            message="its file is the enrolled model, byte for byte: a fact, not a test",
        )
    scheme = scheme_of(fingerprint)
    weights, unreadable = _weights(fingerprint, scheme, suspect, how)
    if weights is not None and settled_by_weights(weights, fingerprint, alpha=how.alpha):
        return _by_weights(weights, fingerprint, how, needed=len(fingerprint))
    if not (scheme.needs.asks and how.asks):
        return _unasked(weights, unreadable, fingerprint, how)
    try:
        respondent = suspect.opened_for(fingerprint)
        return _heard(fingerprint, scheme, respondent, weights, how)
    except MisfitError as error:
        return Finding(misfit=str(error))
    except ModelprintError as error:
        if weights is None or weights.decision.score is None:
            raise unreadable or error from None
        return _by_weights(weights, fingerprint, how, note=f"; it was not asked: {error}")


def _weights(
    fingerprint: Fingerprint, scheme: Scheme, suspect: _Suspect, how: Judging
) -> tuple[Level | None, ModelprintError | None]:
    """What a suspect's weights say, or why its file cannot be read; neither where it shows none, or none are wanted."""
    wanted = scheme.needs.weights or not scheme.needs.asks
    if how.access < Access.WEIGHTS or fingerprint.weights is None or not wanted:
        return None, None
    try:
        result = compare(fingerprint.weights, suspect.weights(), p_value=not fingerprint.calibration, figures=False)
    except UsageError:  # an address, a recording
        return None, None
    except ModelprintError as error:
        return None, error
    return weights_level(result, fingerprint, alpha=how.alpha), None


def _unasked(
    weights: Level | None, unreadable: ModelprintError | None, fingerprint: Fingerprint, how: Judging
) -> Finding:
    """The verdict where no query may be asked.

    Raises:
        ModelprintError: the suspect's file cannot be read.
    """
    if unreadable is not None:
        raise unreadable
    if weights is None:
        return Finding(misfit="its weights are not shown or not wanted, and nothing else is asked")
    return _by_weights(weights, fingerprint, how)


def _by_weights(weights: Level, fingerprint: Fingerprint, how: Judging, *, needed: int = 0, note: str = "") -> Finding:
    """The verdict where nothing is asked."""
    if weights.decision.score is None:
        return Finding(misfit=weights.decision.message + note)
    decision = decide_together([], weights, fingerprint, alpha=how.alpha)
    return _of(decision, "weights", needed=needed, note=note)


def _heard(
    fingerprint: Fingerprint, scheme: Scheme, suspect: AskedOnce, weights: Level | None, how: Judging
) -> Finding:
    """What the answers show, with the weights where these speak.

    Raises:
        ModelprintError: it is of another task, or cannot be asked.
    """
    most = Access.SCORES if scheme.parts else scheme.needs.suspect
    before = suspect.asked

    def heard_at(shown: Access) -> Heard:
        return hear(
            fingerprint,
            scheme,
            suspect,
            access=shown,
            alpha=how.alpha,
            budget=how.budget,
            stops_early=False,
            weights=weights,
        )

    shown = min(how.access, fingerprint.access, most)
    scheme.needs.check_access(scheme.name, shown)
    try:
        heard = heard_at(shown)
    except LabelsOnlyError:
        if not scheme.parts:
            raise
        shown = Access.LABELS
        heard = heard_at(shown)
    decision = heard.decision
    speaks = weights is not None and weights.decision.score is not None
    if weights is not None and speaks:
        decision = after_weights(decision, weights, fingerprint, alpha=how.alpha)
    read: Read = "weights" if speaks else "scores" if shown is Access.SCORES else "labels"
    return _of(decision, read, queries=suspect.asked - before, needed=int(heard.interview.asked.sum()))


def _of(decision: Decision, read: Read, *, needed: int = 0, queries: int = 0, note: str = "") -> Finding:
    return Finding(
        score=decision.score,
        p_value=decision.p_value,
        kinds=decision.kinds,
        access=read,
        queries=queries,
        needed=needed,
        relation=decision.relation,
        derived=decision.outcome == "derived",
        message=decision.message + note,
    )
