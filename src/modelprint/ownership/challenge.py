"""A fresh challenge: the scheme of a bundle on a judge's images, with a judge's seed, asked of the suspect itself.

Re-derivation repeats what the owner chose, his images included: from images that he chose or made against somebody the
published algorithm makes queries against somebody. A judge's own images, or a public set, leave him no choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from modelprint.core.access import Access
from modelprint.core.errors import DataError, IntegrityError, UsageError
from modelprint.core.redaction import shown_reference
from modelprint.core.verdict import Verdict
from modelprint.data.labelled import LabelledSet
from modelprint.data.sets import NAMED_SETS
from modelprint.data.splits import load_data, parse_reference
from modelprint.nn.loading import LoadedModel
from modelprint.nn.options import ModelOptions
from modelprint.ownership.enroll import SHARED_BY_CHANCE, enroll, without_shared
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.forms import KEPT
from modelprint.ownership.negatives import Negatives, Notice, unheard
from modelprint.ownership.opening import AnySuspect, scheme_of
from modelprint.ownership.rederive import how_enrolled
from modelprint.ownership.shadows import AnyShadows
from modelprint.ownership.verify import examine
from modelprint.schemes.base import Progress, silent
from modelprint.suspects.open import SuspectOptions
from modelprint.zoo.reference_models.training import HowTrained

Whose = Literal["judge", "owner", "both", "nobody"]
COMMITTED = "the owner's data"
LEARNED = "the source's training data"
RECORDINGS = (".jsonl", ".npz", ".csv")


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """What the scheme says on other images.

    Attributes:
        verdict: of the suspect itself, on the fresh queries.
        seed: of the fresh fingerprint.
        data: what the judge calls his images; `images`: how many were used, `left_out` of which stood in a set below.
        compared: the sets that these images were compared with, image by image.
        not_compared: likewise, those that were not at hand.
        models: whose the calibration models are, by hash; `calibration`: how many.
        shadows: whose the shadow models are; nobody's where the scheme has none.
        same_suspect: whether the suspect has the identity that the bundle names.
        fingerprint: the fresh one.
    """

    verdict: Verdict
    seed: int
    data: str
    images: int
    left_out: int
    compared: tuple[str, ...]
    not_compared: tuple[str, ...]
    models: Whose
    calibration: int
    shadows: Whose
    same_suspect: bool
    fingerprint: Fingerprint

    @property
    def settles(self) -> bool:
        """Whether it says derived or not shown."""
        return self.verdict.verdict != "inconclusive"

    def contradiction(self, stated: Verdict) -> str | None:
        """Why it contradicts the bundle's verdict; None where it does not, or where either is inconclusive."""
        return contradiction(stated, self.verdict)


def contradiction(stated: Verdict, fresh: Verdict) -> str | None:
    """Why two verdicts of one suspect contradict each other; None where they do not, or where either says nothing."""
    outcomes = {stated.verdict, fresh.verdict}
    if outcomes != {"derived", "not-shown"}:
        return None
    return (
        f"the bundle says {stated.verdict} (p = {_p(stated)}), the fresh challenge {fresh.verdict} (p = {_p(fresh)}, "
        f"alpha = {fresh.alpha:g}): its verdict does not stand on your data"
    )


def challenge(
    fingerprint: Fingerprint,
    source: LoadedModel,
    data: LabelledSet,
    suspect: AnySuspect,
    *,
    seed: int,
    alpha: float,
    access: str | Access,
    stated_suspect: str,
    budget: int | None = None,
    negatives: Negatives = (),
    pool_kinds: bool = False,
    owners_data: LabelledSet | None = None,
    train_data: LabelledSet | None = None,
    shadows: AnyShadows = None,
    how: HowTrained | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    suspect_options: SuspectOptions | None = None,
    jobs: int = 1,
    notice: Notice = unheard,
    progress: Progress = silent,
) -> Challenge:
    """Enroll the source by a fingerprint's scheme and parameters on other images, and verify the suspect.

    Args:
        fingerprint: the owner's.
        source: the model that it is of.
        data: labelled inputs of the judge, or of a public set.
        suspect: asked anew; a recording answers no fresh query.
        seed: the judge's.
        alpha, access, budget, pool_kinds: of the fresh verdict.
        stated_suspect: the identity of the suspect that the bundle names.
        negatives: calibration models; without any the verdict is inconclusive.
        owners_data: what the owner committed, so that both can be compared image by image.
        train_data, shadows, how: for schemes that learn from shadow models, as of `enroll`; without `how` as the
            fingerprint says.
        options: how model files are read; `suspect_options`: how the suspect is.

    Raises:
        IntegrityError: another source than the fingerprint's, or `owners_data` that he did not commit.
        UsageError: the owner's seed, a recording for a suspect, or shadow models that are needed and not named.
        DataError: images of another task; or more than 1 % of them are the owner's, or the source learned from them.
        ModelprintError: no fingerprint can be made, or a model cannot be asked.
    """
    manifest, scheme = fingerprint.manifest, scheme_of(fingerprint)
    if source.identity != manifest.source:
        raise IntegrityError(f"the source is {source.identity}, the fingerprint is of {manifest.source}: another model")
    if seed == manifest.seed:
        raise UsageError(f"seed {seed} is the one that the owner committed: choose another one, or none")
    if isinstance(suspect, str | Path) and Path(suspect).suffix.lower() in RECORDINGS:
        raise UsageError(
            f"{shown_reference(str(suspect))} answers no fresh query: name the suspect itself, a model or an address"
        )
    if manifest.shadows and shadows is None:
        raise UsageError(
            f"{scheme.name} learns from shadow models here: name them with --shadow N, trained on --train-data, or "
            "--shadow FOLDER"
        )
    if data.shape != tuple(manifest.input.shape) or data.classes != manifest.input.classes:
        raise DataError(
            f"{data.name} has {data.modality.plural} {data.shape} of {data.classes} classes, the fingerprint is of "
            f"{tuple(manifest.input.shape)} and {manifest.input.classes}: name a set of the same task"
        )
    seeds, compared, not_compared = _others(fingerprint, source, data, owners_data, train_data)
    fresh = enroll(
        source,
        seeds,
        scheme=scheme,
        negatives=negatives,
        train_data=train_data,
        shadows=shadows,
        how=how or how_enrolled(fingerprint, shadows, options),
        budget=manifest.budget,
        options=options,
        accuracy=_least_accuracy(fingerprint),
        seed=seed,
        jobs=jobs,
        notice=notice,
        progress=progress,
    )
    verdict = examine(
        fresh,
        suspect,
        access=access,
        alpha=alpha,
        budget=budget,
        pool_kinds=pool_kinds,
        options=suspect_options,
        notice=notice,
        progress=progress,
        slice_plane=False,
    ).verdict
    calibration = [model.identity for model in fresh.manifest.calibration]
    return Challenge(
        verdict=verdict,
        seed=seed,
        data=data.name,
        images=len(seeds),
        left_out=len(data) - len(seeds),
        compared=compared,
        not_compared=not_compared,
        models=whose(calibration, [model.identity for model in manifest.calibration]),
        calibration=len(calibration),
        shadows=whose(
            [model.identity for model in fresh.manifest.shadows], [model.identity for model in manifest.shadows]
        ),
        same_suspect=verdict.suspect == stated_suspect,
        fingerprint=fresh,
    )


def _least_accuracy(fingerprint: Fingerprint) -> float | None:
    """What the source must know of other images, where its owner said how much it knows; None: as any source."""
    said = None if fingerprint.manifest.enrollment is None else fingerprint.manifest.enrollment.accuracy
    return None if said is None else KEPT * min(said, fingerprint.manifest.source_accuracy)


def whose(named: list[str], committed: list[str]) -> Whose:
    """Whose models these are, by their hashes: the owner's are those that he committed.

    >>> whose(["a", "b"], ["b"]), whose(["a"], []), whose(["b"], ["a", "b"]), whose([], ["a"])
    ('both', 'judge', 'owner', 'nobody')
    """
    known = set(committed)
    owners = sum(identity in known for identity in named)
    if not named:
        return "nobody"
    if owners in (0, len(named)):
        return "owner" if owners else "judge"
    return "both"


def _others(
    fingerprint: Fingerprint,
    source: LoadedModel,
    data: LabelledSet,
    owners_data: LabelledSet | None,
    train_data: LabelledSet | None,
) -> tuple[LabelledSet, tuple[str, ...], tuple[str, ...]]:
    """The judge's images without the owner's, and what was, and was not, compared.

    Raises:
        DataError: more than 1 % are the owner's, or training images.
        IntegrityError: `owners_data` are not what he committed.
    """
    manifest = fingerprint.manifest
    if data.identity == manifest.data:
        raise DataError(
            f"{data.name} is the set that the owner committed: a fresh challenge needs {data.modality.plural} of your "
            "own, or of a public set; to make his queries again, say --rederive"
        )
    recipe = {} if source.card is None else source.card.recipe
    if data.identity in (manifest.train_data, recipe.get("data_sha256")):
        raise DataError(f"{data.name} is what the source was trained on: name {data.modality.plural} that it never saw")
    if owners_data is not None and manifest.train_data is None and owners_data.identity != manifest.data:
        raise IntegrityError(f"{owners_data.name} is {owners_data.identity}, the owner committed {manifest.data}")
    committed = owners_data or _same_named_set(manifest.data_name, data)
    learned = train_data or _same_named_set(str(recipe.get("data", "")), data)
    fresh = _without(data, fingerprint.queries, "the owner's queries")
    sets = {COMMITTED: committed, LEARNED: learned}
    for name, known in sets.items():
        if known is None:
            continue
        fresh = _without(fresh, known.stored, name) if name == COMMITTED else without_shared(fresh, known)
    return (
        fresh,
        ("the owner's queries", *(name for name, known in sets.items() if known is not None)),
        tuple(name for name, known in sets.items() if known is None),
    )


def _same_named_set(reference: str, data: LabelledSet) -> LabelledSet | None:
    """Another part of the named set that the judge's images are of, which therefore is at hand.

    A path that a file names is never opened, and a part that does not exist is no part.
    """
    try:
        named, own = (parse_reference(text)[0] for text in (reference, data.name))
        return load_data(reference) if named == own and named in NAMED_SETS else None
    except DataError:
        return None


def _without(data: LabelledSet, known: np.ndarray, what: str) -> LabelledSet:
    """The images that do not stand among known ones.

    Raises:
        DataError: more than 1 % do.
    """
    if known.shape[1:] != data.stored.shape[1:] or known.dtype != data.stored.dtype:
        return data
    hashes = set(data.modality.hashes(known))
    fresh = np.array([value not in hashes for value in data.modality.hashes(data.stored)])
    if (~fresh).mean() > SHARED_BY_CHANCE:
        raise DataError(
            f"{(~fresh).sum()} of {len(data)} {data.modality.plural} of {data.name} stand in {what}: what he chose "
            f"tells nothing new; name {data.modality.plural} of your own, or of a public set"
        )
    return data if fresh.all() else data.take(np.flatnonzero(fresh))


def _p(verdict: Verdict) -> str:
    return "none" if verdict.p_value is None else f"{verdict.p_value:.3g}"
