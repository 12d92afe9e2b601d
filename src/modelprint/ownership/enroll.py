"""Enroll a model: make its fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import nn

from modelprint.core.access import Access
from modelprint.core.devices import device_of, resolve_device
from modelprint.core.errors import DataError, ModelError, UsageError
from modelprint.core.own_code import generators_kept
from modelprint.core.suspect import Answers
from modelprint.data.labelled import LabelledSet, shared_inputs
from modelprint.data.splits import load_data
from modelprint.lineage import LineageReference
from modelprint.modalities.base import Modality
from modelprint.modalities.space import Box
from modelprint.nn.architectures import form_of
from modelprint.nn.loading import LoadedModel, of_module
from modelprint.nn.options import ModelOptions
from modelprint.nn.trial import check_source
from modelprint.nn.vocabularies import with_vocabulary
from modelprint.ownership import weights
from modelprint.ownership.accuracy import known_rightly
from modelprint.ownership.asked_source import open_source
from modelprint.ownership.auto import PREFIX, trained_negatives
from modelprint.ownership.craft import craft
from modelprint.ownership.expect import expected_by
from modelprint.ownership.families import calibration_records
from modelprint.ownership.fingerprint import Fingerprint, library
from modelprint.ownership.measured import announce_crafting
from modelprint.ownership.negatives import (
    Inputs,
    Negatives,
    Notice,
    ask_negatives,
    behind,
    negative_models,
    unheard,
)
from modelprint.ownership.options import EnrollmentOptions
from modelprint.ownership.origin import Origin
from modelprint.ownership.plain import plain_inputs
from modelprint.ownership.plane import anchors, labels_on
from modelprint.ownership.remarks import remarks
from modelprint.ownership.resuming import finish, unfinished_enrollment
from modelprint.ownership.shadows import NONE, AnyShadows, check_place, keep, records, shadow_models
from modelprint.perturb.expectation import transforms_named
from modelprint.schemes import SCHEMES
from modelprint.schemes.auto import Auto, best_for
from modelprint.schemes.base import Enrollment, Progress, Queries, Scheme, silent
from modelprint.schemes.needs import gives_gradients
from modelprint.training.classes import matched
from modelprint.training.loop import predict
from modelprint.zoo.reference_models.shadows import Shadows
from modelprint.zoo.reference_models.shelf import Shelf, user_place
from modelprint.zoo.reference_models.training import HowTrained

SHARED_BY_CHANCE = 0.01
FEW = 4  # inputs that a source is tried out with


@generators_kept()
def enroll(
    model: str | Path | nn.Module | LoadedModel,
    data: str | LabelledSet,
    *,
    scheme: str | Scheme = "auto",
    settings: Mapping[str, str] | None = None,
    negatives: Negatives = (),
    train_data: str | LabelledSet | None = None,
    shadows: AnyShadows = None,
    keep_shadows: str | Path | None = None,
    how: HowTrained = HowTrained(),  # noqa: B008 - frozen
    budget: int | None = None,
    expect: str = "",
    from_scratch: bool = False,
    accuracy: float | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    seed: int = 0,
    jobs: int = 1,
    device: str | torch.device | None = None,
    out: str | Path | None = None,
    notice: Notice = unheard,
    progress: Progress = silent,
) -> Fingerprint:
    """The fingerprint of a model.

    Args:
        model: a file that `load_model` reads, or a module in evaluation mode that takes points (images: in [0, 1]).
        data: labelled inputs that the model was not trained on, or their name ("digits:queries").
        scheme: a registered name, or a configured scheme.
        settings: hyper-parameters as text, for a scheme that is named ({"l": "2"}).
        negatives: independent models that calibrate the threshold: a folder, modules, or "auto:N" to have N trained
            on `train_data` ("auto:N+M": and M of them copied; "auto:N,scratch:K": K from scratch beside N siblings).
            Each kind of model is ranked by itself.
        train_data: inputs of the source's training set; must share no image with `data`.
        shadows: for schemes that learn from shadow models: N to have N copies and N strangers trained on `train_data`,
            a folder whose models' cards tell copies of this source from strangers, or the models themselves.
        keep_shadows: a folder for the shadow models that are trained: on another processor training makes others.
        how: recipe and checkpoint of the models that are trained: from the checkpoint that the source started from,
            these are its siblings.
        budget: the most queries that the fingerprint may hold.
        from_scratch: the owner's declaration that the source was trained from no checkpoint; evidence from weights
            alone rests on it where there are too few calibration models.
        accuracy: that the source is known to have; one clearly below is refused. None: a poor one is refused, and one
            that its inputs prepared in another way make clearly better.
        expect: transforms that suspects may put inputs through ("jpeg,resize"); queries are made to survive them.
        options: how model files are read: the source's where it is a path, and those of folders where they do not say.
        seed: of every random choice.
        jobs: processes that train independent and shadow models.
        device: where models compute: auto, cpu, cuda, cuda:N or mps; None: the CPU for files, and where they lie for
            models in memory.
        out: where to save the fingerprint.
        notice: called with what the user should know: long work ahead, calibration models that are much weaker.

    Raises:
        ModelprintError: a model, data or parameters that do not fit; the message says which and what to do.
    """
    seeds = data if isinstance(data, LabelledSet) else load_data(data)
    source, seeds = _opened(model, seeds, options, device)
    chosen = configured(scheme, settings or {}, source=source, seeds=seeds, shadows=shadows)
    if from_scratch and how.init is not None:
        raise UsageError(
            "--from-scratch says that the source started from no checkpoint, --init names one: give one of them"
        )
    if expect:
        chosen = _expecting(chosen, expect, seeds.modality, notice=notice)
    trained_on = load_data(train_data) if isinstance(train_data, str) else train_data
    if trained_on is not None:
        trained_on = matched(trained_on, source, classes=seeds.classes).data
        seeds = without_shared(seeds, trained_on)
    few = seeds.modality.to_model(np.asarray(seeds.stored[:FEW]), device=device_of(source.module))
    check_source(source.module, few, gradients=chosen.needs.source == "gradients", who=str(source.path or "the source"))
    right = known_rightly(source, seeds, accuracy=accuracy, notice=notice)
    learns = chosen.needs.learns
    if keep_shadows is not None:
        check_place(Path(keep_shadows), shadows if learns else None)
    shelf = Shelf(user_place())
    learned = (
        shadow_models(
            shadows,
            source=source,
            seeds=seeds,
            train_data=trained_on,
            seed=seed,
            options=options,
            how=how.beside(source.module),
            shelf=shelf,
            jobs=jobs,
            notice=notice,
            progress=progress,
        )
        if learns
        else NONE
    )
    if keep_shadows is not None:
        keep(learned, Path(keep_shadows))
    inputs = Inputs(shape=seeds.shape, class_names=seeds.class_names, modality=seeds.modality)
    origin = Origin.of(source, how.checkpoint)
    if isinstance(negatives, str) and negatives.startswith(PREFIX):
        calibrating = trained_negatives(
            negatives,
            source=source,
            seeds=seeds,
            train_data=trained_on,
            how=how.beside(source.module),
            seed=seed,
            shelf=shelf,
            jobs=jobs,
            notice=notice,
            progress=progress,
        )
    else:
        calibrating = negative_models(
            negatives,
            inputs=inputs,
            source=origin,
            seeds=seeds,
            options=options,
            notice=notice,
        )
    context = Enrollment(
        source=source.module,
        seeds=seeds,
        train_images=trained_on,
        surrogates=learned.surrogates,
        references=learned.references,
        reference_copies=learned.reference_copies,
        budget=budget,
        progress=progress,
    )
    with unfinished_enrollment(chosen, source, context, seed=seed, out=out, notice=notice) as unfinished:
        announce_crafting(chosen, context, calibration=len(calibrating), notice=notice, kept_in=unfinished.place)
        crafted = craft(chosen, replace(context, unfinished=unfinished), seed=seed)
        queries = crafted.queries
        calibrating += chain.from_iterable(
            [behind(calibrating, name, inputs.modality, notice=notice) for name in expected_by(chosen)]
        )
        answers = ask_negatives(
            calibrating,
            queries.stored,
            inputs,
            device=device_of(source.module),
            unfinished=unfinished,
            progress=progress,
        )
    calibration = calibration_records(
        [one.record for one in calibrating],
        answers,
        [one.sketch for one in calibrating],
        source=crafted.source,
        source_sketch=origin.sketch,
        classes=inputs.classes,
        moved=chosen.needs.space == "continuous",
    )
    held = None
    if chosen.needs.weights:
        held = _weights_of(source, learned, how, alone=not chosen.needs.asks, notice=notice)
    if held is not None:
        calibration = weights.with_scores(calibration, held, calibrating, progress=progress)
    fingerprint = Fingerprint.bind(
        {
            "scheme": chosen.name,
            "parameters": chosen.parameters(),
            "seed": seed,
            "input": with_vocabulary(seeds.spec, source.module),
            "codec": seeds.modality.codec(queries.stored),
            "source": source.identity,
            "source_values": origin.values,
            "bases": sorted(origin.bases),
            "source_accuracy": float(right.mean()),
            "source_form": form_of(source.module),
            "seeds": len(seeds),
            "data": seeds.identity,
            "data_name": seeds.name,
            "report": dict(queries.report),
            "calibration": calibration,
            "shadows": records(learned),
            "budget": budget,
            "train_data": None if trained_on is None else trained_on.identity,
            "enrollment": EnrollmentOptions.of(
                train_data=None if trained_on is None else trained_on.name,
                shadows=shadows if learns else None,
                negatives=negatives,
                model=options,
                device=str(device_of(source.module)),
                how=how,
                from_scratch=from_scratch,
                accuracy=accuracy,
            ),
            "library": library(),
        },
        queries=queries.stored,
        true_labels=queries.labels,
        source=crafted.source,
        state=crafted.state,
        calibration=answers,
        plane=_plane(queries, crafted.source, source.module, seeds.modality) if chosen.needs.asks else None,
        weights=held,
        plain=plain_inputs(queries, crafted.source, seeds, right, seed=seed) if chosen.needs.asks else None,
    )
    for remark in remarks(fingerprint):
        notice(remark)
    if out is not None:
        fingerprint.save(out)
    shelf.clear()
    finish(unfinished, out=out)
    return fingerprint


def _expecting(scheme: Scheme, expect: str, modality: Modality, *, notice: Notice) -> Scheme:
    """The scheme that expects transforms; of several that judge together, the one that reads labels.

    Raises:
        UsageError: a transform that there is not.
    """
    transforms_named(expect, modality)  # refuses what there is not, before hours of work
    if scheme.parts:
        scheme = scheme.parts[Access.LABELS]
        notice(f"--expect prepares the queries of one scheme: labels are read, by {scheme.name}")
    return replace(scheme, expect=expect)


def _weights_of(
    source: LoadedModel, shadows: Shadows, how: HowTrained, *, alone: bool, notice: Notice
) -> LineageReference | None:
    """The source's weights as a fingerprint holds them; None where they cannot be read and answers are compared, too.

    Raises:
        ModelError: they cannot be read, and nothing else would be compared.
    """
    siblings = shadows.siblings if shadows.siblings is not None else (shadows.references if how.init else ())
    try:
        return weights.reference(source, checkpoint=None if how.init is None else Path(how.init), siblings=siblings)
    except ModelError as error:
        if alone:
            raise
        notice(f"weights will not be compared: {error}")
        return None


def configured(
    scheme: str | Scheme,
    settings: Mapping[str, str],
    *,
    source: LoadedModel,
    seeds: LabelledSet,
    shadows: AnyShadows,
    preset: str = "default",
) -> Scheme:
    """The scheme by its name, preset and settings; of `auto`, with the parts that the owner's means allow.

    Raises:
        UsageError: no such scheme, preset or hyper-parameter.
    """
    if not isinstance(scheme, str):
        return scheme
    chosen = SCHEMES[scheme].preset(preset)
    if isinstance(chosen, Auto):
        moves = isinstance(seeds.modality.space, Box) and gives_gradients(source.module, seeds)
        chosen = best_for(shadows=shadows is not None, gradients=moves)
    return chosen.with_settings(settings)


def without_shared(seeds: LabelledSet, train_data: LabelledSet) -> LabelledSet:
    """The seeds that do not stand in the training data.

    A set may hold the odd duplicate of its own; those seeds are dropped.

    Raises:
        DataError: more than 1 % of the seeds are training images.
    """
    if not shared_inputs(seeds, train_data):
        return seeds
    known = set(train_data.modality.hashes(train_data.stored))
    fresh = np.array([value not in known for value in seeds.modality.hashes(seeds.stored)])
    if (~fresh).mean() > SHARED_BY_CHANCE:
        raise DataError(
            f"{(~fresh).sum()} of {len(seeds)} {seeds.modality.plural} of {seeds.name} stand in the training data "
            f"{train_data.name}: "
            "independent models that memorised the queries would make the threshold too low and accuse innocents; "
            f"enroll with {seeds.modality.plural} that no model was trained on"
        )
    return seeds.take(np.flatnonzero(fresh))


def _plane(
    queries: Queries, answers: Answers, module: nn.Module, modality: Modality
) -> Mapping[str, np.ndarray] | None:
    """A planar slice for the report; None of inputs through which no plane can be laid."""
    if not isinstance(modality.space, Box):
        return None
    points = anchors(queries.stored, queries.group, answers)
    return {"anchors": points, "labels": plane_labels(module, points, modality)}


def plane_labels(module: nn.Module, points: np.ndarray, modality: Modality) -> np.ndarray:
    """Labels (k, k) of a model on the planar slice through three points."""

    def ask(inputs: np.ndarray) -> np.ndarray:
        labels: np.ndarray = predict(module, torch.from_numpy(inputs), modality=modality).argmax(1).numpy()
        return labels

    return labels_on(points, ask, modality=modality)


def _opened(
    model: str | Path | nn.Module | LoadedModel,
    seeds: LabelledSet,
    options: ModelOptions,
    device: str | torch.device | None,
) -> tuple[LoadedModel, LabelledSet]:
    """The source, and the seeds with the classes numbered as it does."""
    if isinstance(model, str | Path):
        opened = open_source(seeds, model, options, device=device or "cpu")
        return opened.model, opened.data
    source = of_module(model) if isinstance(model, nn.Module) else model
    if device is not None:
        source.module.to(resolve_device(device))
    return source, matched(seeds, source).data
