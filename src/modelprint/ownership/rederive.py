"""Make a fingerprint again from what was committed, and compare: queries made by hand do not come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelprint.core.errors import DataError, IntegrityError, UsageError
from modelprint.core.identity import digest
from modelprint.core.suspect import Answers
from modelprint.data.labelled import LabelledSet
from modelprint.data.sets import NAMED_SETS
from modelprint.data.splits import parse_reference
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import model_bytes
from modelprint.nn.loading import LoadedModel, weights_identity
from modelprint.nn.options import ModelOptions
from modelprint.nn.refs import ModelRef
from modelprint.ownership.craft import Crafted, craft
from modelprint.ownership.enroll import without_shared
from modelprint.ownership.fingerprint import Fingerprint, ShadowRecord, library
from modelprint.ownership.opening import scheme_of
from modelprint.ownership.shadows import NONE, AnyShadows, is_number, records, shadow_models
from modelprint.schemes.base import Enrollment, Progress, State, silent
from modelprint.zoo.reference_models.shadows import Shadows
from modelprint.zoo.reference_models.training import HowTrained

STEPS = 1  # between values that are stored, that a coordinate may differ by
COORDINATES = 0.01  # the share of a query's coordinates that may
NUMBERS = 1e-3  # that the source's scores, and the state, may differ, absolutely and relatively


@dataclass(frozen=True, kw_only=True)
class Rederived:
    """A fingerprint that came out again.

    Attributes:
        queries: how many; `differing`: those not the same bit for bit, all within the tolerance.
        scores_off: the largest difference of a score of the source.
        exact: queries, answers and state are the same bit for bit.
    """

    queries: int
    differing: int
    scores_off: float
    exact: bool


def rederive(
    fingerprint: Fingerprint,
    source: LoadedModel,
    data: LabelledSet,
    *,
    train_data: LabelledSet | None = None,
    shadows: AnyShadows = None,
    how: HowTrained | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    jobs: int = 1,
    progress: Progress = silent,
) -> Rederived:
    """Craft again by the published algorithm and compare every query, label and number.

    On one machine, with one version of the libraries and as many threads, all is the same bit for bit. Elsewhere a
    coordinate may differ by one step of what can be stored (images: one level of 8 bits), in a hundredth of a query's
    coordinates, and a number by a thousandth; what was measured with other threads and instructions stays far
    inside (`research/studies/rederive_machines.py`).

    Args:
        source, data, train_data, shadows, options: as `enroll` was given; each must have the committed hash.
        how: as `enroll` was given; None: recipe, its settings and checkpoint as the fingerprint names them. Code that a
            fingerprint names runs only where the options trust it.

    Raises:
        IntegrityError: something has another hash than was committed, or the first query that does not come out.
        UsageError: something is missing that this fingerprint was made from, or it names code that nobody trusts.
    """
    manifest, scheme = fingerprint.manifest, scheme_of(fingerprint)
    if source.identity != manifest.source:
        raise IntegrityError(f"the source is {source.identity}, the fingerprint is of {manifest.source}: another model")
    if manifest.train_data is not None and train_data is None:
        raise UsageError("this fingerprint was made with the source's training data: name it with --train-data")
    if (None if train_data is None else train_data.identity) != manifest.train_data:
        raise IntegrityError("the training data are not the committed ones: their SHA-256 differs")
    seeds = data if train_data is None else _without(data, train_data)
    if seeds.identity != manifest.data:
        raise IntegrityError(
            f"{data.name} is {seeds.identity}, queries were made of {manifest.data}: "
            f"other {fingerprint.modality.plural}"
        )
    if manifest.shadows and shadows is None:
        raise UsageError("this fingerprint learned from shadow models: --shadow with the N or folder of enrollment")
    learned = (
        shadow_models(
            shadows,
            source=source,
            seeds=seeds,
            train_data=train_data,
            seed=manifest.seed,
            options=options,
            how=(how or how_enrolled(fingerprint, shadows, options)).beside(source.module),
            jobs=jobs,
            progress=progress,
        )
        if manifest.shadows
        else NONE
    )
    _compare_shadows(manifest.shadows, learned)
    context = Enrollment(
        source=source.module,
        seeds=seeds,
        train_images=train_data,
        surrogates=learned.surrogates,
        references=learned.references,
        reference_copies=learned.reference_copies,
        budget=manifest.budget,
        progress=progress,
    )
    return compared(fingerprint, craft(scheme, context, seed=manifest.seed))


def how_enrolled(
    fingerprint: Fingerprint,
    shadows: AnyShadows,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
) -> HowTrained:
    """How a fingerprint says that its shadow models were trained.

    Raises:
        UsageError: by code or from a checkpoint, which a file cannot have run or opened unasked, and models are to be
            trained.
    """
    said = fingerprint.manifest.enrollment
    if said is None or not is_number(shadows):
        return HowTrained()
    if said.recipe is not None and ":" in said.recipe and not options.trust_code:
        raise UsageError(
            f"this fingerprint names code, {said.recipe}, as the recipe of its shadow models: name it yourself with "
            "--recipe, or say --trust-code where you know it"
        )
    return HowTrained(recipe=said.recipe, settings=said.recipe_settings, init=init_enrolled(fingerprint, options))


def init_enrolled(fingerprint: Fingerprint, options: ModelOptions) -> str | None:
    """The checkpoint that a fingerprint says its shadow models started from.

    Raises:
        UsageError: it is a path of the owner's, which nobody named here or trusts.
    """
    said = fingerprint.manifest.enrollment
    if said is None or said.init is None or options.trust_code:
        return None if said is None else said.init
    raise UsageError(
        f"this fingerprint names a file, {said.init}, as the checkpoint of its shadow models: name your copy of it "
        "with --init, or say --trust-code where you know it"
    )


def data_enrolled(fingerprint: Fingerprint) -> str:
    """The published data set that a fingerprint says its queries were made of.

    Raises:
        UsageError: it is a path of the owner's: which file is opened here is for the judge to say.
    """
    name = fingerprint.manifest.data_name
    if parse_reference(name)[0] not in NAMED_SETS:
        raise UsageError(
            f"this fingerprint was made of {name}, which is no published set: name your copy of these "
            f"{fingerprint.modality.plural} with --data"
        )
    return name


def compared(fingerprint: Fingerprint, crafted: Crafted) -> Rederived:
    """How far a fingerprint is from what was crafted again.

    Raises:
        IntegrityError: the first query, answer or number beyond the tolerance.
    """
    try:
        differing = _compare_queries(fingerprint, crafted.queries.stored, crafted.queries.labels)
        off = _compare_answers(fingerprint.source, crafted.source)
        same = _compare_state(fingerprint.state, crafted.state)
    except IntegrityError as error:
        raise IntegrityError(f"{error}{_caveat(fingerprint)}") from error
    return Rederived(
        queries=len(fingerprint), differing=differing, scores_off=off, exact=same and not differing and off == 0.0
    )


def _caveat(fingerprint: Fingerprint) -> str:
    """What else than a forger's hand may make a fingerprint differ."""
    caveat = ""
    if getattr(scheme_of(fingerprint), "precision", "double") == "single":
        caveat += "; it was made in single precision, where rounding alone can do that on another processor"
    if fingerprint.manifest.library != library():
        caveat += f"; it was made by {fingerprint.manifest.library}, this is {library()}: check with the same"
    return caveat


def _compare_shadows(stated: Sequence[ShadowRecord], again: Shadows) -> None:
    sides = [record.side for record in records(again)]
    models = (*again.surrogates, *again.references, *again.reference_copies)
    fits = [record.side for record in stated] == sides and all(
        record.identity in _hashes(model) for record, model in zip(stated, models, strict=True)
    )
    if not fits:
        raise IntegrityError(
            "the shadow models are not the committed ones: their SHA-256 differs; where they were trained at "
            "enrollment, another processor or other libraries train others: take the folder that `enroll "
            "--keep-shadows` wrote"
        )


def _hashes(model: ModelRef) -> set[str]:
    """Of a model's file, its weights alone, and the file that it would be: one of these was committed."""
    with model.opened() as module:
        hashes = {model.identity, weights_identity(module)}
        if model.card is not None and isinstance(module, Normalized):
            hashes.add(digest(model_bytes(module, model.card)))
    return hashes


def _without(data: LabelledSet, train_data: LabelledSet) -> LabelledSet:
    try:
        return without_shared(data, train_data)
    except DataError as error:
        raise IntegrityError(f"no fingerprint is made of such inputs: {error}") from error


def _compare_queries(fingerprint: Fingerprint, images: np.ndarray, labels: np.ndarray) -> int:
    stated = fingerprint.queries
    if stated.shape != images.shape or stated.dtype != images.dtype:
        raise IntegrityError(
            f"the published algorithm makes {len(images)} queries {images.dtype} {images.shape[1:]} here, the "
            f"fingerprint holds {len(stated)} {stated.dtype} {stated.shape[1:]}"
        )
    modality = fingerprint.modality
    differing = 0
    for number, (one, other) in enumerate(zip(stated, images, strict=True)):
        if np.array_equal(one, other):
            continue
        differing += 1
        off = np.abs(modality.steps(one) - modality.steps(other))
        if off.max() > STEPS or (off > 0).mean() > COORDINATES:
            raise IntegrityError(
                f"query {number} is not what the published algorithm makes of the committed source and seed: "
                f"{(off > 0).mean():.1%} of its coordinates differ, by up to {off.max():.0f} steps (tolerance: "
                f"{COORDINATES:.0%}, {STEPS})"
            )
    if not np.array_equal(fingerprint.true_labels, labels):
        number = int(np.flatnonzero(fingerprint.true_labels != labels)[0])
        raise IntegrityError(f"query {number} has another true label than the input that it is made of")
    return differing


def _compare_answers(stated: Answers, again: Answers) -> float:
    if not np.array_equal(stated.labels, again.labels):
        number = int(np.flatnonzero(stated.labels != again.labels)[0])
        raise IntegrityError(
            f"the source answers class {again.labels[number]} to query {number}, the fingerprint says "
            f"{stated.labels[number]}"
        )
    if stated.scores is None or again.scores is None:
        return 0.0
    off = np.abs(stated.scores - again.scores)
    if not np.allclose(stated.scores, again.scores, rtol=NUMBERS, atol=NUMBERS):
        number = int(off.max(axis=1).argmax())
        raise IntegrityError(f"the source's scores of query {number} differ by {off.max():.3g} from the fingerprint's")
    return float(off.max())


def _compare_state(stated: State, again: State) -> bool:
    """Whether the state is the same bit for bit."""
    if set(stated) != set(again):
        raise IntegrityError(f"the fingerprint's state holds {sorted(stated)}, enrolling makes {sorted(again)}")
    exact = True
    for name in sorted(stated):
        one, other = np.asarray(stated[name]), np.asarray(again[name])
        if one.shape == other.shape and np.array_equal(one, other):
            continue
        exact = False
        close = (
            one.shape == other.shape and one.dtype.kind == "f" and np.allclose(one, other, rtol=NUMBERS, atol=NUMBERS)
        )
        if not close:
            raise IntegrityError(f"the fingerprint's {name} is not what enrolling makes: it was changed")
    return exact
