"""Identify a suspect among several owners' fingerprints: whose model was it made from, if anybody's?

Each fingerprint ranks the suspect among its own calibration models, as `verify` does; what follows from all ranks
together, corrected for the number of owners, is in `attribution`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelprint.core.access import Access
from modelprint.core.convention import Advice, Convention
from modelprint.core.errors import MisfitError, ModelError, UsageError
from modelprint.core.identification import Identification
from modelprint.core.identity import digest_json
from modelprint.core.own_code import generators_kept
from modelprint.core.redaction import shown_reference
from modelprint.core.suspect import Answers, Cost, Suspect, summed
from modelprint.modalities.base import InputSpec
from modelprint.ownership.ahead import Notice, unheard
from modelprint.ownership.attribution import Compared, attributed
from modelprint.ownership.costs import announce_asking, cost_of
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.hearing import hear
from modelprint.ownership.opening import AnySuspect, opened, scheme_of
from modelprint.schemes.base import Progress, silent
from modelprint.suspects.open import SuspectOptions, on_device, open_suspect


@generators_kept()
def identify(
    suspect: AnySuspect,
    fingerprints: str | Path | Fingerprint | Sequence[str | Path | Fingerprint],
    *,
    access: str | Access = Access.LABELS,
    alpha: float = 0.05,
    budget: int | None = None,
    pool_kinds: bool = False,
    device: str | None = None,
    options: SuspectOptions | None = None,
    notice: Notice = unheard,
    progress: Progress = silent,
) -> Identification:
    """Which of the enrolled models a suspect was made from, if any.

    Args:
        suspect: a file, URL or recording; a module; or any callable from stored inputs (images: uint8 (n, c, h, w)) to
            labels (n,) or scores (n, classes). It is opened once (once for each kind of input, where fingerprints
            differ in it).
        fingerprints: one or more, of each owner, calibrated.
        access: "labels" or "scores"; no more than that leaves the suspect.
        alpha: the accepted chance of accusing anybody falsely, over all owners together.
        budget: the most queries to ask for each fingerprint; None: 200 of an address, else all.
        pool_kinds: rank kinds of too few calibration models with the most frequent kind, in place of no rate for them.
        device: where models compute: auto, cpu, cuda, cuda:N or mps; as of `options` unless given.

    Raises:
        ModelprintError: the suspect cannot be opened or asked, or a fingerprint cannot be read.
        UsageError: no fingerprint, one that is named twice, or alpha out of range.
    """
    if isinstance(fingerprints, str | Path | Fingerprint):  # a string is a sequence, too
        fingerprints = [fingerprints]
    prints = [_loaded(reference) for reference in fingerprints]
    _check(prints, alpha)
    level = Access.parse(access) if isinstance(access, str) else access
    party = _open(suspect, [fingerprint for _, fingerprint in prints], on_device(options, device))
    compared = []
    for number, (path, fingerprint) in enumerate(prints):
        progress("fingerprints", number, len(prints))
        respondent = party[fingerprint.manifest.input]
        if isinstance(respondent, Suspect):
            compared.append(
                _ask(
                    path,
                    fingerprint,
                    respondent,
                    level,
                    budget=budget,
                    alpha=alpha,
                    owners=len(prints),
                    pool_kinds=pool_kinds,
                    notice=notice,
                    progress=progress,
                )
            )
        else:
            compared.append(Compared(path=path, fingerprint=fingerprint, misfit=str(respondent)))
    progress("fingerprints", len(prints), len(prints))
    heard = [respondent.inner for respondent in party.values() if isinstance(respondent, _Shared)]
    for inner in {id(inner): inner for inner in heard}.values():
        inner.finish()
    return attributed(heard[0].identity if heard else shown_reference(str(suspect)), compared, alpha=alpha)


def cost(
    suspect: AnySuspect,
    fingerprints: Sequence[str | Path | Fingerprint],
    *,
    access: str | Access = Access.LABELS,
    budget: int | None = None,
    options: SuspectOptions | None = None,
) -> Cost:
    """What asking all fingerprints' queries would take at most; no query is sent.

    Raises:
        ModelprintError: as `identify` does.
    """
    prints = [_loaded(reference) for reference in fingerprints]
    _check(prints, 0.5)
    level = Access.parse(access) if isinstance(access, str) else access
    party = _open(suspect, [fingerprint for _, fingerprint in prints], options)
    costs: list[Cost] = []
    for _, fingerprint in prints:
        respondent = party[fingerprint.manifest.input]
        if isinstance(respondent, _Shared):
            costs.append(cost_of(fingerprint, scheme_of(fingerprint), respondent, access=level, budget=budget))
    return summed(costs)


def _loaded(reference: str | Path | Fingerprint) -> tuple[str | None, Fingerprint]:
    if isinstance(reference, Fingerprint):
        return None, reference
    return str(reference), Fingerprint.load(reference)


class _Shared(Suspect):
    """A suspect that several fingerprints ask: it is told the end once, after the last of them."""

    def __init__(self, inner: Suspect) -> None:
        self.inner = inner
        self.identity, self.access, self.free = inner.identity, inner.access, inner.free
        self.notes, self.budget = inner.notes, inner.budget

    def cost(self, inputs: np.ndarray, *, access: Access) -> Cost:
        """The inner suspect's."""
        return self.inner.cost(inputs, access=access)

    @property
    def repeats(self) -> bool:
        """As the inner suspect."""
        return self.inner.repeats

    def again(self, inputs: np.ndarray, *, access: Access) -> Answers | None:
        """The inner suspect's answers, asked anew."""
        return self.inner.again(inputs, access=access)

    def in_form(self, convention: Convention) -> Suspect | None:
        """The inner suspect, asked in another form."""
        return self.inner.in_form(convention)

    def advice(self, convention: Convention | None = None) -> Advice:
        """The inner suspect's."""
        return self.inner.advice(convention)

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        return self.inner.ask(images, access=access)


def _check(prints: Sequence[tuple[str | None, Fingerprint]], alpha: float) -> None:
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, got {alpha}")
    if not prints:
        raise UsageError("no fingerprint was named: name one for each owner")
    known: dict[str, str | None] = {}
    for path, fingerprint in prints:
        if fingerprint.identity in known:
            raise UsageError(
                f"{path or 'a fingerprint'} is the same as {known[fingerprint.identity] or 'another'} "
                f"({fingerprint.identity}): name each once, it counts as an owner"
            )
        known[fingerprint.identity] = path


def _open(
    suspect: AnySuspect, prints: Sequence[Fingerprint], options: SuspectOptions | None
) -> dict[InputSpec, _Shared | MisfitError | ModelError]:
    """The suspect as each kind of input meets it, or why it does not fit.

    Raises:
        ModelprintError: the suspect cannot be opened at all.
    """
    opened_as: dict[InputSpec, _Shared | MisfitError | ModelError] = {}
    for spec in dict.fromkeys(fingerprint.manifest.input for fingerprint in prints):
        same = [fingerprint for fingerprint in prints if fingerprint.manifest.input == spec]
        asked_by = digest_json(sorted(fingerprint.identity for fingerprint in same))
        try:
            opened_as[spec] = _Shared(opened(suspect, same[0], options, asked_by=asked_by, also=same[1:]))
        except (MisfitError, ModelError) as error:
            opened_as[spec] = error
    broken = [error for error in opened_as.values() if isinstance(error, ModelError)]
    if len(broken) == len(opened_as) and not _opens_by_itself(suspect, options):
        raise broken[0]
    return opened_as


def _opens_by_itself(suspect: AnySuspect, options: SuspectOptions | None) -> bool:
    """Whether a model file can be read where no fingerprint says what it should take: then it is another task's."""
    try:
        open_suspect(str(suspect), options or SuspectOptions())
    except ModelError:
        return False
    return True


def _ask(
    path: str | None,
    fingerprint: Fingerprint,
    suspect: Suspect,
    access: Access,
    *,
    budget: int | None,
    alpha: float,
    owners: int,
    pool_kinds: bool,
    notice: Notice,
    progress: Progress,
) -> Compared:
    """Ask one fingerprint's queries, and score and rank the answers as `verify` does."""
    scheme = scheme_of(fingerprint)
    if not scheme.needs.asks:
        return Compared(
            path=path, fingerprint=fingerprint, misfit=f"scheme {scheme.name} compares model files: use `verify`"
        )
    level = min(access, fingerprint.access)
    try:
        announce_asking(fingerprint, scheme, suspect, access=level, budget=budget, notice=notice)
        heard = hear(
            fingerprint,
            scheme,
            suspect,
            access=level,
            budget=budget,
            alpha=alpha,
            owners=owners,
            pool_kinds=pool_kinds,
            stops_early=False,
            progress=progress,
        )
    except MisfitError as error:
        return Compared(path=path, fingerprint=fingerprint, misfit=str(error))
    return Compared(
        path=path,
        fingerprint=fingerprint,
        decision=heard.decision,
        queries=int(heard.interview.asked.sum()),
        notes=(*suspect.notes, *([] if heard.change is None else [heard.change])),
    )
