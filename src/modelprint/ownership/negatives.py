"""Independent models that calibrate a threshold: loaded, trained or copied, and asked."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from modelprint.core.errors import FingerprintError, ModelprintError, UsageError
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.data.labelled import LabelledSet
from modelprint.modalities.base import Modality
from modelprint.nn.loading import LoadedModel, load_folder, weights_identity
from modelprint.nn.options import ModelOptions
from modelprint.ownership.fingerprint import CalibrationModel
from modelprint.perturb.expectation import Behind, transforms_named
from modelprint.schemes.base import Progress, silent
from modelprint.training.loop import predict

Negatives = str | Path | Sequence[nn.Module | LoadedModel]
COPY = "COPY"  # the kind of a calibration model that was made from another model


@dataclass(frozen=True, kw_only=True)
class Negative:
    """An independent model, ready to be asked."""

    module: nn.Module
    record: CalibrationModel


def negative_models(
    negatives: Negatives,
    *,
    source: LoadedModel | None,
    seeds: LabelledSet | None,
    train_data: LabelledSet | None = None,
    seed: int = 0,
    source_identity: str = "",
    shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    jobs: int = 1,
    progress: Progress = silent,
) -> list[Negative]:
    """The independent models that a user named, loaded or trained.

    Args:
        source_identity: where the source itself is not at hand.
        options: what holds for every file of a folder that does not say it itself.

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
        found: Sequence[nn.Module | LoadedModel] = load_folder(negatives, options, shape=shape, classes=classes)
    else:
        found = negatives
    known = {source.identity, weights_identity(source.module)} if source is not None else {source_identity}
    return [_named(model, number, seeds=seeds, source=source, known=known) for number, model in enumerate(found)]


def behind(negatives: Sequence[Negative], name: str, modality: Modality) -> list[Negative]:
    """The same models, asked through a transform, so that the error rate holds behind it, too."""
    (transform,) = transforms_named(name, modality)
    return [
        Negative(module=Behind(one.module, transform), record=one.record.model_copy(update={"behind": name}))
        for one in negatives
    ]


def ask_negatives(
    negatives: Sequence[Negative],
    stored: np.ndarray,
    classes: int,
    *,
    modality: Modality,
    progress: Progress = silent,
) -> tuple[Answers, ...]:
    """What each independent model says to every query.

    Raises:
        ModelprintError: a model with other classes, or NaN outputs.
    """
    queries = torch.from_numpy(stored)
    answers: list[Answers] = []
    for number, negative in enumerate(negatives):
        progress("calibration models", number, len(negatives))
        told = answers_from_scores(
            predict(negative.module, queries, modality=modality).numpy(), who=negative.record.name
        )
        assert told.scores is not None
        if told.scores.shape[1] != classes:
            raise ModelprintError(
                f"{negative.record.name} tells {told.scores.shape[1]} classes apart, the fingerprint {classes}: "
                "calibrate on models of the same task"
            )
        answers.append(told)
    return tuple(answers)


def of_module(module: nn.Module) -> LoadedModel:
    """A module that lies in memory."""
    return LoadedModel(module=module.eval(), identity=weights_identity(module), spec=None, card=None, path=None)


def _parent(model: LoadedModel) -> str | None:
    """What a model's card says that it was made from."""
    return None if model.card is None else model.card.recipe.get("source")


def _named(
    model: nn.Module | LoadedModel,
    number: int,
    *,
    seeds: LabelledSet | None,
    source: LoadedModel | None,
    known: Collection[str],
) -> Negative:
    if isinstance(model, nn.Module):
        model = of_module(model)
    name = f"model-{number}" if model.path is None else model.path.name
    recipe = model.card.recipe if model.card is not None else {}
    if seeds is not None and recipe.get("data_sha256") == seeds.identity:
        raise FingerprintError(
            f"{name} was trained on {seeds.name}, the images that the queries are made of: "
            "it would make the threshold too low; leave it out"
        )
    accuracy = None
    if seeds is not None:
        predicted = predict(model.module, torch.from_numpy(seeds.stored), modality=seeds.modality).argmax(1).numpy()
        accuracy = float((predicted == seeds.labels).mean())
    kind = recipe.get("independent")
    if "source" in recipe:
        if recipe["source"] in known:
            raise FingerprintError(f"{name} was made from the source, it is no independent model: leave it out")
        kind = "SHARED" if source is not None and recipe["source"] == _parent(source) else COPY
    victim = recipe["source"] if kind == COPY else None
    record = CalibrationModel(name=name, identity=model.identity, accuracy=accuracy, kind=kind, made_from=victim)
    return Negative(module=model.module, record=record)


def _trained(
    negatives: str,
    *,
    source: LoadedModel | None,
    seeds: LabelledSet | None,
    train_data: LabelledSet | None,
    seed: int,
    jobs: int,
    progress: Progress,
) -> list[Negative]:
    from modelprint.zoo.reference_models.calibration import independent_models, third_party_copies

    count, copied = _counts(negatives)
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
    independent = independent_models(
        train_data,
        source.spec,
        count,
        seed=seed,
        jobs=jobs,
        holdout=seeds,
        progress=lambda done, _: progress("calibration models", done, count + copied),
    )
    copies = third_party_copies(
        train_data,
        source.spec,
        independent[:copied],
        seed=seed,
        jobs=jobs,
        holdout=seeds,
        progress=lambda done, _: progress("calibration models", count + done, count + copied),
    )
    return [
        *(
            _auto(model, name=f"auto-{number}", kind=model.card.recipe.get("independent") if model.card else None)
            for number, model in enumerate(independent)
        ),
        *(
            _auto(model, name=f"auto-{number}, copied", kind=COPY, made_from=independent[number].identity)
            for number, model in enumerate(copies)
        ),
    ]


def _auto(model: LoadedModel, *, name: str, kind: str | None, made_from: str | None = None) -> Negative:
    accuracy = None if model.card is None else model.card.accuracy
    record = CalibrationModel(name=name, identity=model.identity, accuracy=accuracy, kind=kind, made_from=made_from)
    return Negative(module=model.module, record=record)


def _counts(negatives: str) -> tuple[int, int]:
    """How many independent models, and of how many of them a copy, "auto:N" or "auto:N+M" asks for."""
    parts = re.fullmatch(r"auto:(\d+)(?:\+(\d+))?", negatives)
    count, copied = (0, 0) if parts is None else (int(parts[1]), int(parts[2] or 0))
    if parts is None or copied > count:
        raise UsageError(
            f"--negatives {negatives}: auto:N trains N independent models, auto:N+M copies M of them, too; whole "
            "numbers, M at most N"
        )
    return count, copied
