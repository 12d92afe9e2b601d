"""Identify a suspect among several owners' fingerprints: whose model was it made from, if anybody's?

Each fingerprint ranks the suspect among its own calibration models, as `verify` does; what follows from all ranks
together, corrected for the number of owners, is in `attribution`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelprint.core.access import Access
from modelprint.core.errors import LabelsOnlyError, MisfitError, ModelError, UsageError
from modelprint.core.identification import Identification
from modelprint.core.identity import digest_json
from modelprint.core.own_code import generators_kept
from modelprint.core.redaction import shown_reference
from modelprint.core.suspect import Cost, Suspect, summed
from modelprint.modalities.base import InputSpec
from modelprint.ownership.ahead import Notice, unheard
from modelprint.ownership.attribution import Compared, attributed
from modelprint.ownership.combined import decide_together
from modelprint.ownership.costs import announce_asking, cost_of
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.hearing import Heard, hear
from modelprint.ownership.opening import AnySuspect, level_of, opened, scheme_of
from modelprint.ownership.verify_weights import Compared as WeightsCompared
from modelprint.ownership.verify_weights import weights_beside
from modelprint.schemes.base import Progress, silent
from modelprint.suspects.open import SuspectOptions, on_device, open_suspect
from modelprint.suspects.sharing import AskedOnce


@generators_kept()
def identify(
    suspect: AnySuspect,
    fingerprints: str | Path | Fingerprint | Sequence[str | Path | Fingerprint],
    *,
    access: str | Access | None = None,
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
        access: "labels", "scores" or "weights"; no more than that leaves the suspect. None: what the scheme of each
            fingerprint reads.
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
    by_weights = {
        fingerprint.identity: _weights(suspect, fingerprint, access, alpha / len(prints), pool_kinds=pool_kinds)
        for _, fingerprint in prints
    }
    spoken = [one for one in by_weights.values() if one is not None and one.speaks]
    party = _open(
        suspect,
        [fingerprint for _, fingerprint in prints if scheme_of(fingerprint).needs.asks],
        on_device(options, device),
        may_fail=bool(spoken),
    )
    compared = []
    for number, (path, fingerprint) in enumerate(prints):
        progress("fingerprints", number, len(prints))
        respondent, weights = party.get(fingerprint.manifest.input), by_weights[fingerprint.identity]
        if isinstance(respondent, Suspect) and scheme_of(fingerprint).needs.asks:
            compared.append(
                _ask(
                    path,
                    fingerprint,
                    respondent,
                    access,
                    weights=weights,
                    budget=budget,
                    alpha=alpha,
                    owners=len(prints),
                    pool_kinds=pool_kinds,
                    notice=notice,
                    progress=progress,
                )
            )
        else:
            reason = None if respondent is None or isinstance(respondent, Suspect) else str(respondent)
            compared.append(
                _by_weights(path, fingerprint, weights, reason, alpha=alpha, owners=len(prints), pool_kinds=pool_kinds)
            )
    progress("fingerprints", len(prints), len(prints))
    heard = [respondent.inner for respondent in party.values() if isinstance(respondent, AskedOnce)]
    for inner in {id(inner): inner for inner in heard}.values():
        inner.finish()
    identities = [*(inner.identity for inner in heard), *(one.identity for one in spoken)]
    return attributed(identities[0] if identities else shown_reference(str(suspect)), compared, alpha=alpha)


def cost(
    suspect: AnySuspect,
    fingerprints: Sequence[str | Path | Fingerprint],
    *,
    access: str | Access | None = None,
    budget: int | None = None,
    options: SuspectOptions | None = None,
) -> Cost:
    """What asking all fingerprints' queries would take at most; no query is sent.

    Raises:
        ModelprintError: as `identify` does.
    """
    prints = [_loaded(reference) for reference in fingerprints]
    _check(prints, 0.5)
    party = _open(suspect, [fingerprint for _, fingerprint in prints], options)
    costs: list[Cost] = []
    for _, fingerprint in prints:
        respondent, scheme = party[fingerprint.manifest.input], scheme_of(fingerprint)
        if isinstance(respondent, AskedOnce) and scheme.needs.asks:
            level = min(level_of(scheme, access), fingerprint.access, respondent.access, Access.SCORES)
            costs.append(cost_of(fingerprint, scheme, respondent, access=level, budget=budget))
    return summed(costs)


def _weights(
    suspect: AnySuspect, fingerprint: Fingerprint, access: str | Access | None, alpha: float, *, pool_kinds: bool
) -> WeightsCompared | None:
    """What a suspect's weights say to a fingerprint that compares them; None where they are not read."""
    scheme = scheme_of(fingerprint)
    if not scheme.needs.weights or level_of(scheme, access) < Access.WEIGHTS:
        return None
    return weights_beside(fingerprint, suspect, alpha=alpha, pool_kinds=pool_kinds)


def _by_weights(
    path: str | None,
    fingerprint: Fingerprint,
    weights: WeightsCompared | None,
    reason: str | None,
    *,
    alpha: float,
    owners: int,
    pool_kinds: bool,
) -> Compared:
    """A suspect that is not asked, by its weights alone.

    Args:
        reason: why it cannot be asked; None where the scheme asks nothing.
    """
    if weights is None or not weights.speaks:
        unread = (
            f"scheme {fingerprint.manifest.scheme} compares weights, and none were read: name the suspect's model "
            "file, without --access"
        )
        why = unread if weights is None else weights.level.decision.message
        return Compared(path=path, fingerprint=fingerprint, misfit=reason or why)
    decision = decide_together([], weights.level, fingerprint, alpha=alpha, owners=owners, pool_kinds=pool_kinds)
    notes = () if reason is None else (f"it was not asked: {reason}",)
    return Compared(path=path, fingerprint=fingerprint, decision=decision, notes=notes)


def _loaded(reference: str | Path | Fingerprint) -> tuple[str | None, Fingerprint]:
    if isinstance(reference, Fingerprint):
        return None, reference
    return str(reference), Fingerprint.load(reference)


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
    suspect: AnySuspect, prints: Sequence[Fingerprint], options: SuspectOptions | None, *, may_fail: bool = False
) -> dict[InputSpec, AskedOnce | MisfitError | ModelError]:
    """The suspect as each kind of input meets it, or why it does not fit.

    Args:
        may_fail: whether it is of use without being asked.

    Raises:
        ModelprintError: the suspect cannot be opened at all.
    """
    opened_as: dict[InputSpec, AskedOnce | MisfitError | ModelError] = {}
    for spec in dict.fromkeys(fingerprint.manifest.input for fingerprint in prints):
        same = [fingerprint for fingerprint in prints if fingerprint.manifest.input == spec]
        asked_by = digest_json(sorted(fingerprint.identity for fingerprint in same))
        try:
            opened_as[spec] = AskedOnce(opened(suspect, same[0], options, asked_by=asked_by, also=same[1:]))
        except (MisfitError, ModelError) as error:
            opened_as[spec] = error
    broken = [error for error in opened_as.values() if isinstance(error, ModelError)]
    if broken and not may_fail and len(broken) == len(opened_as) and not _opens_by_itself(suspect, options):
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
    access: str | Access | None,
    *,
    weights: WeightsCompared | None,
    budget: int | None,
    alpha: float,
    owners: int,
    pool_kinds: bool,
    notice: Notice,
    progress: Progress,
) -> Compared:
    """Ask one fingerprint's queries, and score and rank the answers as `verify` does."""
    scheme = scheme_of(fingerprint)
    level = min(level_of(scheme, access), fingerprint.access, Access.SCORES)

    def heard_at(shown: Access) -> Heard:
        announce_asking(fingerprint, scheme, suspect, access=shown, budget=budget, notice=notice)
        return hear(
            fingerprint,
            scheme,
            suspect,
            access=shown,
            budget=budget,
            alpha=alpha,
            owners=owners,
            pool_kinds=pool_kinds,
            stops_early=False,
            weights=None if weights is None else weights.level,
            progress=progress,
        )

    try:
        try:
            heard = heard_at(level)
        except LabelsOnlyError:
            if access is not None or not scheme.parts:
                raise
            heard = heard_at(Access.LABELS)
    except MisfitError as error:
        return Compared(path=path, fingerprint=fingerprint, misfit=str(error))
    return Compared(
        path=path,
        fingerprint=fingerprint,
        decision=heard.decision,
        queries=int(heard.interview.asked.sum()),
        notes=(*suspect.notes, *([] if heard.change is None else [heard.change])),
    )
