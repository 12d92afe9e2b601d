"""Calibration models, which the threshold is set on: those that a user named, and what they answer.

A model is opened when it is asked, and let go: however many there are, one lies in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, ModelprintError, SuspectError
from modelprint.core.identity import canonical_json, digest_file, digest_json
from modelprint.core.redaction import shown_reference
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.core.unfinished import Unfinished
from modelprint.data.labelled import LabelledSet
from modelprint.modalities.base import Modality
from modelprint.modalities.transform import Transform
from modelprint.nn.folders import RECORDED, FolderModel, folder_models
from modelprint.nn.likeness import WeightSketch, sketch_of, weight_distance
from modelprint.nn.loading import LoadedModel, of_module, weights_identity
from modelprint.nn.models_file import SOURCE
from modelprint.nn.options import ModelOptions
from modelprint.nn.refs import ModelRef, stored_model
from modelprint.nn.spec import ModelSpec
from modelprint.ownership.accuracy import accuracy_of
from modelprint.ownership.ahead import Notice as Notice
from modelprint.ownership.ahead import unheard as unheard
from modelprint.ownership.fingerprint import CalibrationModel
from modelprint.ownership.folder_suspects import Inputs as Inputs
from modelprint.ownership.folder_suspects import open_folder_model
from modelprint.ownership.origin import Origin, made_from, origin_of
from modelprint.perturb.expectation import Behind, transforms_named
from modelprint.schemes.base import Progress, silent
from modelprint.suspects.local import TorchSuspect
from modelprint.suspects.recorded import RecordedSuspect
from modelprint.training.loop import predict

Negatives = str | Path | Sequence[nn.Module | LoadedModel | ModelRef]
COPY = "COPY"  # the kind of a calibration model that was made from another model


@dataclass(frozen=True, kw_only=True)
class Negative:
    """A calibration model that can be asked.

    Attributes:
        record: what a fingerprint says of it.
        model: a network of torch, or
        folder_model: something else that answers: an ONNX file, a recording, a server.
        transform: what inputs go through first, where suspects are expected to do that.
        sketch: of its weights, where they were read from a file or lie in memory.
    """

    record: CalibrationModel
    model: ModelRef | None = None
    folder_model: FolderModel | None = None
    transform: Transform | None = None
    sketch: WeightSketch | None = None

    @property
    def recorded(self) -> bool:
        """Whether it is a recording, which answers nothing but the queries that it holds."""
        return self.folder_model is not None and Path(self.folder_model.reference).suffix.lower() in RECORDED

    def ask(self, stored: np.ndarray, inputs: Inputs, *, device: torch.device | None = None) -> Answers:
        """Its answers, with scores where it gives any.

        Raises:
            ModelprintError: it cannot be asked, tells other classes apart, or did not answer everything.
        """
        if self.model is not None:
            with self.model.opened(device) as module:
                seen = module if self.transform is None else Behind(module, self.transform)
                taken, modality = _as_taken(self.model.spec, stored, inputs.modality)
                answers = answers_from_scores(
                    predict(seen, torch.from_numpy(taken), modality=modality).numpy(), who=self.record.name
                )
        else:
            assert self.folder_model is not None
            seen_inputs = stored if self.transform is None else self.transform(inputs.modality.as_points(stored))
            answers = _asked(self.folder_model, seen_inputs, inputs)
        classes = inputs.classes if answers.scores is None else answers.scores.shape[1]
        if classes != inputs.classes or (len(answers) and answers.labels.max() >= inputs.classes):
            raise ModelprintError(
                f"{self.record.name} tells {max(classes, int(answers.labels.max()) + 1)} classes apart, the "
                f"fingerprint {inputs.classes}: calibrate on models of the same task"
            )
        if not answers.answered.all():
            raise ModelprintError(
                f"{self.record.name} answered {answers.answered.sum()} of {len(answers)} queries: record all of them, "
                "or leave it out"
            )
        return answers


def negative_models(
    negatives: Negatives,
    *,
    inputs: Inputs,
    source: Origin,
    seeds: LabelledSet | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    notice: Notice = unheard,
) -> list[Negative]:
    """The calibration models of a folder, or those given.

    Args:
        source: what is known of the enrolled model.
        seeds: labelled images, where they are at hand; accuracy is measured on them.
        options: what holds for every file of a folder that does not say it itself.
        notice: called with what the user should know.

    Raises:
        FingerprintError: a model was trained on the seeds, is the source or made from it, or is near chance.
        ModelprintError: models that cannot be read, or do not fit; all of a folder are named.
    """
    if not isinstance(negatives, str | Path):
        return [
            _checked(_of_memory(model), f"model-{number}", source=source, seeds=seeds, notice=notice)
            for number, model in enumerate(negatives)
        ]
    models: list[Negative] = []
    misfits: list[str] = []
    for one in folder_models(negatives, options):
        try:
            models.append(_of_folder(one, inputs=inputs, source=source, seeds=seeds, notice=notice))
        except FingerprintError:
            raise
        except ModelprintError as error:
            misfits.append(str(error) if one.name in str(error) else f"{one.name}: {error}")
    if misfits:
        more = f" (and {len(misfits) - 1} more: {'; '.join(misfits[1:])})" if len(misfits) > 1 else ""
        raise ModelprintError(f"{misfits[0]}{more}; these calibration models do not fit: leave them out of {negatives}")
    return models


def behind(negatives: Sequence[Negative], name: str, modality: Modality, *, notice: Notice = unheard) -> list[Negative]:
    """The same models, asked through a transform, so that the error rate holds behind it, too."""
    (transform,) = transforms_named(name, modality)
    plain = [one.record.name for one in negatives if one.recorded]
    if plain:
        notice(f"{', '.join(plain)}: recorded answers are not known behind {name}; they count for plain suspects only")
    return [
        replace(one, transform=transform, record=one.record.model_copy(update={"behind": name}))
        for one in negatives
        if not one.recorded
    ]


def ask_negatives(
    negatives: Sequence[Negative],
    stored: np.ndarray,
    inputs: Inputs,
    *,
    device: torch.device | None = None,
    unfinished: Unfinished | None = None,
    progress: Progress = silent,
) -> tuple[Answers, ...]:
    """What each calibration model says to every query.

    Args:
        unfinished: where answers are kept until all are there.

    Raises:
        ModelprintError: a model with other classes, or NaN outputs.
    """
    answers: list[Answers] = []
    for number, negative in enumerate(negatives):
        progress("calibration models", number, len(negatives))
        ask = partial(negative.ask, stored, inputs, device=device)
        spec = None if negative.model is None else negative.model.spec
        answers.append(ask() if spec is None or unfinished is None else _kept(negative, spec, ask, unfinished))
    return tuple(answers)


def _kept(negative: Negative, spec: ModelSpec, ask: Callable[[], Answers], unfinished: Unfinished) -> Answers:
    """The answers of a network whose spec says all of it, or what is kept of them."""
    name = ["calibration model", negative.record.identity, spec.canonical(), negative.record.behind]

    def scores() -> dict[str, np.ndarray]:
        heard = ask().scores
        assert heard is not None
        return {"scores": heard}

    kept = unfinished.piece(canonical_json(name).decode(), scores)
    return answers_from_scores(kept["scores"], who=negative.record.name)


def _of_memory(model: nn.Module | LoadedModel | ModelRef) -> ModelRef:
    return of_module(model) if isinstance(model, nn.Module) else model


def _of_folder(
    one: FolderModel,
    *,
    inputs: Inputs,
    source: Origin,
    seeds: LabelledSet | None,
    notice: Notice,
) -> Negative:
    if one.is_torch and one.path is not None:
        ref, opened = stored_model(
            one.path,
            one.options,
            shape=inputs.shape,
            classes=inputs.classes,
            inputs=inputs.spec,
            files_first=one.files_first,
            resize=True,
        )
        for note in opened.notes:
            notice(note)
        negative = _checked(ref, one.name, source=source, seeds=seeds, notice=notice, opened=opened.module)
    else:
        negative = _answering(one, inputs=inputs, seeds=seeds, notice=notice)
    return _as_said(negative, one, source=source)


def _as_said(negative: Negative, one: FolderModel, *, source: Origin) -> Negative:
    """With what the folder's `models.toml` says of it."""
    parent = one.entry.made_from
    if parent is not None and (parent == SOURCE or parent in source.identities):
        raise _of_the_source(one.name)
    if one.entry.kind is None and parent is None:
        return negative
    kind = one.entry.kind or ("SHARED" if parent in source.bases else COPY)
    record = negative.record.model_copy(update={"kind": kind, "made_from": parent if kind == COPY else None})
    return replace(negative, record=record)


def _checked(
    ref: ModelRef,
    name: str,
    *,
    source: Origin,
    seeds: LabelledSet | None,
    notice: Notice,
    opened: nn.Module | None = None,
) -> Negative:
    """A network as a calibration model, unless it is no independent one; `opened`: it, where it is open already."""
    if opened is None:
        with ref.opened() as module:
            return _checked(ref, name, source=source, seeds=seeds, notice=notice, opened=module)
    name = name if ref.path is None else ref.path.name
    recipe = ref.card.recipe if ref.card is not None else {}
    if seeds is not None and recipe.get("data_sha256") == seeds.identity:
        raise FingerprintError(
            f"{name} was trained on {seeds.name}, the inputs that the queries are made of: "
            "it would make the threshold too low; leave it out"
        )
    sketch = sketch_of(opened)
    if source.identities & {ref.identity, weights_identity(opened)} or _same_weights(sketch, source):
        raise FingerprintError(f"{name} is the source itself, no independent model: leave it out")
    accuracy = None
    if seeds is not None:
        taken, modality = _as_taken(ref.spec, seeds.stored, seeds.modality)
        predicted = predict(opened, torch.from_numpy(taken), modality=modality).argmax(1).numpy()
        asked = TorchSuspect(opened, ref.identity, modality=seeds.modality, takes=modality)
        accuracy = accuracy_of(asked, name, predicted == seeds.labels, seeds, notice=notice)
    kind, parent = kind_of_model(ref, name, source)
    record = CalibrationModel(name=name, identity=ref.identity, accuracy=accuracy, kind=kind, made_from=parent)
    return Negative(record=record, model=ref, sketch=sketch)


def _as_taken(spec: ModelSpec | None, stored: np.ndarray, modality: Modality) -> tuple[np.ndarray, Modality]:
    """Stored inputs as a model has them, which may know other ranges of the same columns, and their modality."""
    if spec is None or spec.input is None or spec.modality == modality:
        return stored, modality
    return spec.modality.brought(stored, modality, who="the queries"), spec.modality


def _same_weights(sketch: WeightSketch | None, source: Origin) -> bool:
    """Whether these are the source's weights, whatever the names in their file and the format of their numbers."""
    if sketch is None:
        return False
    if source.sketch is None:
        return sketch.values == source.values
    distance = weight_distance(sketch, source.sketch)
    return distance is not None and distance.same


def kind_of_model(model: ModelRef, name: str, source: Origin) -> tuple[str | None, str | None]:
    """The kind of an independent model by its card, and what it was made from if it is a copy.

    Raises:
        FingerprintError: it was made from the source.
    """
    recipe = model.card.recipe if model.card is not None else {}
    parent, start = made_from(recipe), origin_of(recipe)
    if parent is not None and parent in source.identities:
        raise _of_the_source(name)
    if parent is not None:
        return ("SHARED", None) if parent in source.bases else (COPY, parent)
    if start is not None:
        return ("SHARED" if start in source.bases else "OTHER"), None
    return recipe.get("independent"), None


def _of_the_source(name: str) -> FingerprintError:
    return FingerprintError(f"{name} was made from the source, it is no independent model: leave it out")


def _answering(one: FolderModel, *, inputs: Inputs, seeds: LabelledSet | None, notice: Notice) -> Negative:
    """What answers, but is no network of torch: accuracy is measured where asking is free."""
    if one.path is not None and one.path.suffix.lower() == ".csv":  # it is read once the queries are known
        return Negative(record=CalibrationModel(name=one.name, identity=digest_file(one.path)), folder_model=one)
    suspect = open_folder_model(one, inputs, asked_by="")
    accuracy = None
    record = CalibrationModel(name=one.name, identity=suspect.identity)
    negative = Negative(record=record, folder_model=one)
    if one.entry.url is not None:
        notice(f"{shown_reference(one.reference)} is asked as a calibration model, as models.toml says")
    elif seeds is not None and not negative.recorded:
        predicted = suspect.ask(seeds.stored).labels
        accuracy = accuracy_of(suspect, one.name, predicted == seeds.labels, seeds, notice=notice)
    return replace(negative, record=record.model_copy(update={"accuracy": accuracy}))


def _asked(one: FolderModel, stored: np.ndarray, inputs: Inputs) -> Answers:
    hashes = inputs.modality.hashes(stored)
    suspect = open_folder_model(one, inputs, asked_by=digest_json(hashes), hashes=hashes)
    if isinstance(suspect, RecordedSuspect) and not suspect.checked:
        raise SuspectError(
            f"{one.name} names queries by their number: answers of calibration models are taken by the SHA-256 of each "
            "query alone, the column `query` of an export's answers.csv"
        )
    answers = suspect.ask(stored, access=min(suspect.access, Access.SCORES))
    suspect.finish()
    return answers
