"""Enroll a model: make its fingerprint."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

import modelprint
from modelprint.core.errors import DataError, FingerprintError, ModelprintError, UsageError
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.data.image_set import ImageSet, shared_images
from modelprint.data.splits import load_data
from modelprint.nn.loading import LoadedModel, load_folder, load_model, weights_identity
from modelprint.ownership.craft import craft
from modelprint.ownership.fingerprint import CalibrationModel, Fingerprint, InputSpec
from modelprint.ownership.plane import anchors, labels_on
from modelprint.ownership.shadows import NONE, AnyShadows, records, shadow_models
from modelprint.perturb.expectation import Behind, transforms_named
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Enrollment, Progress, Scheme, right_and_wrong, silent
from modelprint.training.loop import predict

Negatives = str | Path | Sequence[nn.Module | LoadedModel]
SHARED_BY_CHANCE = 0.01
COPY = "COPY"  # the kind of a calibration model that was made from another model


@dataclass(frozen=True, kw_only=True)
class Negative:
    """An independent model, ready to be asked."""

    module: nn.Module
    record: CalibrationModel


def enroll(
    model: str | Path | nn.Module | LoadedModel,
    data: str | ImageSet,
    *,
    scheme: str | Scheme = "adv-tra",
    settings: Mapping[str, str] | None = None,
    negatives: Negatives = (),
    train_data: str | ImageSet | None = None,
    shadows: AnyShadows = None,
    budget: int | None = None,
    expect: str = "",
    seed: int = 0,
    jobs: int = 1,
    out: str | Path | None = None,
    progress: Progress = silent,
) -> Fingerprint:
    """The fingerprint of a model.

    Args:
        model: a file that `load_model` reads, or a module in evaluation mode that takes inputs in [0, 1].
        data: labelled images that the model was not trained on, or their name ("digits:queries").
        scheme: a registered name, or a configured scheme.
        settings: hyper-parameters as text, for a scheme that is named ({"l": "2"}).
        negatives: independent models that calibrate the threshold: a folder, modules, or "auto:N" to have N trained
            on `train_data` ("auto:N+M": and M of them copied). Models whose card names another model that they were
            made from are ranked by themselves, where they are enough.
        train_data: images of the source's training set; must share no image with `data`.
        shadows: for schemes that learn from shadow models: N to have N copies and N strangers trained on `train_data`,
            a folder whose models' cards tell copies of this source from strangers, or the models themselves.
        budget: the most queries that the fingerprint may hold.
        expect: transforms that suspects may put images through ("jpeg,resize"); queries are made to survive them.
        seed: of every random choice.
        jobs: processes that train independent and shadow models.
        out: where to save the fingerprint.

    Raises:
        ModelprintError: a model, data or parameters that do not fit; the message says which and what to do.
    """
    seeds = data if isinstance(data, ImageSet) else load_data(data)
    source = _opened(model, seeds)
    chosen = SCHEMES[scheme]().with_settings(settings or {}) if isinstance(scheme, str) else scheme
    if expect:
        transforms_named(expect)  # refuses what there is not, before hours of work
        chosen = replace(chosen, expect=expect)
    trained_on = load_data(train_data) if isinstance(train_data, str) else train_data
    if trained_on is not None:
        seeds = without_shared(seeds, trained_on)
    right = right_and_wrong(source.module, seeds)
    learned = (
        shadow_models(
            shadows, source=source, seeds=seeds, train_data=trained_on, seed=seed, jobs=jobs, progress=progress
        )
        if chosen.needs.shadows or chosen.needs.shadows_welcome
        else NONE
    )
    context = Enrollment(
        source=source.module,
        seeds=seeds,
        train_images=trained_on,
        shadow_copies=tuple(model.module for model in learned.copies),
        shadow_strangers=tuple(model.module for model in learned.strangers),
        shadow_robbed=tuple(model.module for model in learned.robbed),
        budget=budget,
        progress=progress,
    )
    made = craft(chosen, context, seed=seed)
    queries, told = made.queries, made.source
    others = negative_models(
        negatives, source=source, seeds=seeds, train_data=trained_on, seed=seed, jobs=jobs, progress=progress
    )
    others = [*others, *(seen for name in expected_by(chosen) for seen in behind(others, name))]
    points = anchors(queries.images, queries.group, told)
    fingerprint = Fingerprint.bind(
        {
            "scheme": chosen.name,
            "parameters": chosen.parameters(),
            "seed": seed,
            "input": InputSpec(
                channels=seeds.shape[0], height=seeds.shape[1], width=seeds.shape[2], class_names=seeds.class_names
            ),
            "codec": queries.codec,
            "source": source.identity,
            "source_accuracy": float(right.mean()),
            "data": seeds.identity,
            "data_name": seeds.name,
            "report": dict(queries.report),
            "calibration": [other.record for other in others],
            "shadows": records(learned),
            "budget": budget,
            "train_data": None if trained_on is None else trained_on.identity,
            "library": f"modelprint {modelprint.__version__}, torch {torch.__version__}",
        },
        queries=queries.images,
        true_labels=queries.labels,
        source=told,
        state=made.state,
        calibration=ask_negatives(others, queries.images, seeds.classes, progress=progress),
        plane={"anchors": points, "labels": plane_labels(source.module, points)},
    )
    if out is not None:
        fingerprint.save(out)
    return fingerprint


def without_shared(seeds: ImageSet, train_data: ImageSet) -> ImageSet:
    """The seeds that do not stand in the training data.

    A set may hold the odd duplicate of its own; those seeds are dropped.

    Raises:
        DataError: more than 1 % of the seeds are training images.
    """
    if not shared_images(seeds, train_data):
        return seeds
    from modelprint.core.identity import image_hashes

    known = set(image_hashes(train_data.images))
    fresh = np.array([value not in known for value in image_hashes(seeds.images)])
    if (~fresh).mean() > SHARED_BY_CHANCE:
        raise DataError(
            f"{(~fresh).sum()} of {len(seeds)} images of {seeds.name} stand in the training data {train_data.name}: "
            "independent models that memorised the queries would make the threshold too low and accuse innocents; "
            "enroll with images that no model was trained on"
        )
    return seeds.take(np.flatnonzero(fresh))


def negative_models(
    negatives: Negatives,
    *,
    source: LoadedModel | None,
    seeds: ImageSet | None,
    train_data: ImageSet | None = None,
    seed: int = 0,
    source_identity: str = "",
    shape: tuple[int, int, int] | None = None,
    classes: int | None = None,
    jobs: int = 1,
    progress: Progress = silent,
) -> list[Negative]:
    """The independent models that a user named, loaded or trained.

    Args:
        source_identity: where the source itself is not at hand.

    Raises:
        FingerprintError: a model was trained on the seeds, or made from the source.
        UsageError: "auto:N" without training data, or for a source whose architecture is not known.
    """
    if isinstance(negatives, str) and negatives.startswith("auto:"):
        return _trained(
            negatives, source=source, seeds=seeds, train_data=train_data, seed=seed, jobs=jobs, progress=progress
        )
    if seeds is not None:
        shape, classes = seeds.shape, seeds.classes
    if isinstance(negatives, str | Path):
        found: Sequence[nn.Module | LoadedModel] = load_folder(negatives, shape=shape, classes=classes)
    else:
        found = negatives
    known = {source.identity, weights_identity(source.module)} if source is not None else {source_identity}
    return [_named(model, number, seeds=seeds, source=source, known=known) for number, model in enumerate(found)]


def expected_by(scheme: Scheme) -> list[str]:
    """The names of the transforms that a scheme expects."""
    return [name.strip() for name in scheme.expect.split(",") if name.strip()]


def behind(negatives: Sequence[Negative], name: str) -> list[Negative]:
    """The same models, asked through a transform, so that the error rate holds behind it, too."""
    (transform,) = transforms_named(name)
    return [
        Negative(module=Behind(one.module, transform), record=one.record.model_copy(update={"behind": name}))
        for one in negatives
    ]


def ask_negatives(
    negatives: Sequence[Negative], images: np.ndarray, classes: int, *, progress: Progress = silent
) -> tuple[Answers, ...]:
    """What each independent model says to every query.

    Raises:
        ModelprintError: a model with other classes, or NaN outputs.
    """
    queries = torch.from_numpy(images)
    answers: list[Answers] = []
    for number, negative in enumerate(negatives):
        progress("calibration models", number, len(negatives))
        told = answers_from_scores(predict(negative.module, queries).numpy(), who=negative.record.name)
        assert told.scores is not None
        if told.scores.shape[1] != classes:
            raise ModelprintError(
                f"{negative.record.name} tells {told.scores.shape[1]} classes apart, the fingerprint {classes}: "
                "calibrate on models of the same task"
            )
        answers.append(told)
    return tuple(answers)


def plane_labels(module: nn.Module, points: np.ndarray) -> np.ndarray:
    """Labels (k, k) of a model on the planar slice through three points."""
    return labels_on(points, lambda images: predict(module, torch.from_numpy(images)).argmax(1).numpy())


def _opened(model: str | Path | nn.Module | LoadedModel, seeds: ImageSet) -> LoadedModel:
    if isinstance(model, LoadedModel):
        return model
    if isinstance(model, nn.Module):
        return _of_module(model)
    return load_model(model, shape=seeds.shape, classes=seeds.classes)


def _of_module(module: nn.Module) -> LoadedModel:
    return LoadedModel(module=module.eval(), identity=weights_identity(module), spec=None, card=None, path=None)


def _parent(model: LoadedModel) -> str | None:
    """What a model's card says that it was made from."""
    return None if model.card is None else model.card.recipe.get("source")


def _named(
    model: nn.Module | LoadedModel,
    number: int,
    *,
    seeds: ImageSet | None,
    source: LoadedModel | None,
    known: Collection[str],
) -> Negative:
    if isinstance(model, nn.Module):
        model = _of_module(model)
    name = f"model-{number}" if model.path is None else model.path.name
    recipe = model.card.recipe if model.card is not None else {}
    if seeds is not None and recipe.get("data_sha256") == seeds.identity:
        raise FingerprintError(
            f"{name} was trained on {seeds.name}, the images that the queries are made of: "
            "it would make the threshold too low; leave it out"
        )
    accuracy = None
    if seeds is not None:
        predicted = predict(model.module, torch.from_numpy(seeds.images)).argmax(1).numpy()
        accuracy = float((predicted == seeds.labels).mean())
    kind = recipe.get("independent")
    if "source" in recipe:
        if recipe["source"] in known:
            raise FingerprintError(f"{name} was made from the source, it is no independent model: leave it out")
        kind = "SHARED" if source is not None and recipe["source"] == _parent(source) else COPY
    record = CalibrationModel(name=name, identity=model.identity, accuracy=accuracy, kind=kind)
    return Negative(module=model.module, record=record)


def _trained(
    negatives: str,
    *,
    source: LoadedModel | None,
    seeds: ImageSet | None,
    train_data: ImageSet | None,
    seed: int,
    jobs: int,
    progress: Progress,
) -> list[Negative]:
    from modelprint.zoo.copies_of_strangers import auto_copies
    from modelprint.zoo.independents import auto_negatives

    count, thefts = _counts(negatives)
    if train_data is None:
        raise UsageError(
            f"--negatives {negatives} trains models: name the source's training images with --train-data; they must "
            "share no image with the data that queries are made of, or the threshold would accuse innocents"
        )
    if source is None or source.spec is None:
        raise UsageError(
            f"--negatives {negatives} trains the source's architecture, which this file does not name: "
            "give --arch, or a folder of independent models"
        )
    trained = auto_negatives(
        train_data,
        source.spec,
        count,
        seed=seed,
        jobs=jobs,
        holdout=seeds,
        progress=lambda done, _: progress("calibration models", done, count + thefts),
    )
    stolen = auto_copies(
        train_data,
        source.spec,
        trained[:thefts],
        seed=seed,
        jobs=jobs,
        holdout=seeds,
        progress=lambda done, _: progress("calibration models", count + done, count + thefts),
    )
    honest = [
        Negative(
            module=model.model,
            record=CalibrationModel(
                name=f"auto-{number}",
                identity=weights_identity(model.model),
                accuracy=model.card.accuracy,
                kind=model.card.recipe.get("independent"),
            ),
        )
        for number, model in enumerate(trained)
    ]
    copies = [
        Negative(
            module=model.module,
            record=CalibrationModel(
                name=f"auto-{number}, copied",
                identity=model.identity,
                accuracy=None if model.card is None else model.card.accuracy,
                kind=COPY,
            ),
        )
        for number, model in enumerate(stolen)
    ]
    return [*honest, *copies]


def _counts(negatives: str) -> tuple[int, int]:
    """How many independent models, and of how many of them a copy, "auto:N" or "auto:N+M" asks for."""
    found = re.fullmatch(r"auto:(\d+)(?:\+(\d+))?", negatives)
    count, thefts = (0, 0) if found is None else (int(found[1]), int(found[2] or 0))
    if found is None or thefts > count:
        raise UsageError(
            f"--negatives {negatives}: auto:N trains N independent models, auto:N+M copies M of them, too; whole "
            "numbers, M at most N"
        )
    return count, thefts
