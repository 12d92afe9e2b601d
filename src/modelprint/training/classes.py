"""A model and the data that are made for it: one number of classes, in one order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from modelprint.core.errors import DataError
from modelprint.data.class_lists import numbered
from modelprint.data.labelled import LabelledSet
from modelprint.nn.class_count import ClassCountError
from modelprint.nn.loading import LoadedModel, open_model
from modelprint.nn.options import ModelOptions
from modelprint.training.loop import predict


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A model, and its data with the classes numbered as the model does.

    Attributes:
        notes: what a user should know of how they were matched.
    """

    model: LoadedModel
    data: LabelledSet
    notes: tuple[str, ...] = ()


def open_for(
    data: LabelledSet, reference: str | Path, options: ModelOptions, *, device: str | torch.device = "cpu"
) -> Opened:
    """A model for these data, which may lack some of its classes: it says how many there are, and perhaps their names.

    Raises:
        ModelError: as `open_model`.
        DataError: as `matched`.
    """
    try:
        model = open_model(reference, options, shape=data.shape, classes=data.classes, inputs=data.spec, device=device)
    except ClassCountError as error:
        if data.numbering == "list" or error.classes < data.classes:
            raise
        model = open_model(reference, options, shape=data.shape, classes=error.classes, inputs=data.spec, device=device)
        if data.numbering == "names" and model.class_names is None:
            raise  # which of its classes are these?
        return matched(data, model, classes=error.classes)
    return matched(data, model)


def matched(data: LabelledSet, model: LoadedModel, *, classes: int | None = None) -> Opened:
    """Data with the classes numbered as a model does, where both say what these are.

    Args:
        classes: how many the model tells apart; None: as its spec says, or as many as it has outputs.

    Raises:
        DataError: the data have class names that the model does not have.
    """
    data = _as_taken(data, model)
    if data.numbering == "numbers":
        count = classes or (None if model.spec is None else model.spec.classes) or _outputs(model, data)
        if count <= data.classes:
            return Opened(model=model, data=data)
        note = f"{data.name}: its labels run to {data.classes - 1}; the model tells {count} classes apart"
        return Opened(model=model, data=replace(data, class_names=numbered(count)), notes=(note,))
    names = model.class_names
    if data.numbering == "list" or names is None or data.class_names == names:
        return Opened(model=model, data=data)
    place = _places(names)
    strange = [name for name in data.class_names if plain_name(name) not in place]
    if strange:
        raise DataError(
            f"{data.name}: the model has no class called {', '.join(map(repr, strange[:5]))}; its classes are "
            f"{', '.join(names[:5])}{' ...' if len(names) > 5 else ''}: rename the folders, or list the data's names "
            "in the model's order with --classes FILE"
        )
    numbers = np.array([place[plain_name(name)] for name in data.class_names], dtype=np.int64)
    if len(set(numbers.tolist())) < len(numbers):
        raise DataError(f"{data.name}: two of its classes are one class of the model: give --classes FILE")
    note = f"{data.name}: classes are numbered as the model names them: {', '.join(names[:5])} ..."
    renumbered = replace(data, labels=numbers[data.labels], class_names=names, numbering="list")
    return Opened(model=model, data=renumbered, notes=(note,))


def _as_taken(data: LabelledSet, model: LoadedModel) -> LabelledSet:
    """Data as a model takes them, where it has columns, ranges or a vocabulary of its own.

    Raises:
        DataError: the data lack something that the model takes, or are of another kind.
    """
    if model.spec is None or model.spec.input is None:
        return data
    own = model.spec.modality
    if own == data.modality:
        return data
    if own.name != data.modality.name:
        raise DataError(f"{data.name} holds {data.modality.plural}, the model takes {own.plural}: use data of these")
    return replace(data, stored=own.brought(data.stored, data.modality, who=data.name), modality=own)


def _outputs(model: LoadedModel, data: LabelledSet) -> int:
    """How many outputs a model has for one input; as many as the data have classes, where it fails on it."""
    try:
        logits = predict(model.module, torch.from_numpy(np.array(data.stored[:1])), modality=data.modality)
    except Exception:  # somebody's code, in any way; what asks next says what is wrong
        return data.classes
    return logits.shape[1] if logits.ndim == 2 else data.classes


def _places(names: tuple[str, ...]) -> dict[str, int]:
    """The number of each class by its plain name.

    Raises:
        DataError: two are alike.
    """
    places: dict[str, int] = {}
    for number, name in enumerate(names):
        if plain_name(name) in places:
            raise DataError(f"the model calls two classes {plain_name(name)!r}: give --classes FILE")
        places[plain_name(name)] = number
    return places


def plain_name(name: str) -> str:
    """A name without what folders and configs write differently.

    >>> plain_name("Golden_Retriever"), plain_name("tench, Tinca tinca")
    ('golden retriever', 'tench')
    """
    return " ".join(name.split(",", maxsplit=1)[0].replace("_", " ").replace("-", " ").casefold().split())
