"""An answer table from models that others trained: each is asked once, and its weights stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np

from modelprint.bench.recording.hearing import Arrays, HeardModel, Questions, heard
from modelprint.bench.recording.likeness import Kin, duplicates, kinship
from modelprint.bench.recording.listing import listed, without_folder
from modelprint.bench.recording.table_file import (
    TRUTH,
    DuplicateModel,
    RecordedModel,
    TableFile,
    UnreadModel,
    is_table,
    read_labels,
    read_scores,
    read_table_file,
    write_table,
)
from modelprint.core.access import Access
from modelprint.core.errors import DataError, ModelprintError
from modelprint.core.provenance import provenance
from modelprint.core.redaction import shown_reference
from modelprint.core.unfinished import Unfinished
from modelprint.data.labelled import LabelledSet
from modelprint.nn.options import ModelOptions
from modelprint.ownership.ahead import Notice, unheard

Progress = Callable[[str, int, int], None]


def record_population(
    place: Path,
    data: LabelledSet,
    out: Path,
    *,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    access: Access = Access.SCORES,
    device: str | None = None,
    notice: Notice = unheard,
    progress: Progress = lambda stage, done, total: None,
) -> TableFile:
    """Ask every model of a folder or list, and write what it answers; what an older table at the place has is kept.

    A model that cannot be read, does not fit or knows nothing of the task stands in the table with the reason. One that
    is another one saved again is named, and counts once.

    Args:
        place: a folder of models, or a text file that names one a line.
        data: labelled inputs of the task, which no model should have been trained on.
        out: the table's folder.
        options: how files are read that do not say it themselves.
        access: LABELS: scores are not kept.
        device: where models compute.
        notice: called with what the user should know.

    Raises:
        DataError: no list, no model that could be recorded, or a table of a newer version at the place.
        ModelError: no folder, or no models in it.
        ModelprintError: the place cannot be written.
    """
    listing = listed(place, options)
    if listing.passed:
        notice(f"no model lies at the top of {', '.join(listing.passed)}: name files deeper down in a list")
    unread = list(listing.unread)
    models: list[HeardModel] = []
    work = {"answer table": data.identity, "access": str(access)}
    beside = out.parent / f".{out.name}.unfinished"
    with Unfinished(beside, work=work, label={"for": str(out)}, notice=notice, every=0.0) as unfinished:
        questions = Questions(
            data=data,
            access=access,
            device=device,
            earlier=_earlier(out, data),
            unfinished=unfinished,
            notice=notice,
        )
        for number, (name, one) in enumerate(listing.models.items()):
            progress("models", number, len(listing.models))
            if one.entry.url is not None:
                notice(f"{shown_reference(one.reference)} is asked {len(data)} {data.modality.plural}")
            try:
                if name == TRUTH:
                    raise DataError(f"{name} is what a table calls the true labels: rename this model")
                models.append(heard(name, one, questions))
            except ModelprintError as error:
                unread.append(UnreadModel(id=name, error=without_folder(str(error), one.folder)))
        progress("models", len(listing.models), len(listing.models))
        if not models:
            raise DataError(f"no model of {place} could be recorded: {_reasons(unread)}")
        table = sorted_out(models, unread, _of_inputs(data))
        kept = {model.id for model in table.models}
        write_table(
            out,
            table,
            truth=data.labels,
            labels={model.id: model.answers.labels.astype(np.int32) for model in models if model.id in kept},
            scores={
                model.id: model.answers.scores
                for model in models
                if model.id in kept and model.answers.scores is not None
            },
        )
        unfinished.clear()
    return table


def _earlier(out: Path, data: LabelledSet) -> dict[str, Arrays]:
    """The answers that a table at the place holds, by key; none, where it is of other inputs.

    Raises:
        DataError: it cannot be read, or a newer version wrote it.
    """
    if not is_table(out):
        return {}
    table = read_table_file(out)
    if table.data_sha256 != data.identity:
        raise DataError(f"{out} is a table of the answers to {table.data}, not to {data.name}: choose another place")
    labels, scores = read_labels(out), read_scores(out)
    return {
        model.key: {"labels": labels[model.id]} | ({"scores": scores[model.id]} if model.id in scores else {})
        for model in table.models
    }


def _of_inputs(data: LabelledSet) -> TableFile:
    """A table of no models yet."""
    return TableFile(
        data=data.name,
        data_sha256=data.identity,
        modality=data.modality.name,
        inputs=len(data),
        classes=data.class_names,
        models=(),
    )


def sorted_out(models: Sequence[HeardModel], unread: Sequence[UnreadModel], empty: TableFile) -> TableFile:
    """The table of some models: which of them are one, and which one family.

    Args:
        empty: what the table says of its inputs.
    """
    ordered = sorted(models, key=_precedence)
    same = duplicates(ordered, classes=len(empty.classes))
    kept = [model for place, model in enumerate(ordered) if place not in same]
    place_of = {model.id: place for place, model in enumerate(kept)}
    stands_for = {
        model.id: place_of[ordered[same[place].of if place in same else place].id]
        for place, model in enumerate(ordered)
    }
    kin = kinship(kept, _names(ordered, stands_for), classes=len(empty.classes))
    duplicated = tuple(
        DuplicateModel(
            id=ordered[place].id,
            sha256=ordered[place].identity,
            format=ordered[place].format,
            licence=ordered[place].published.licence,
            origin=ordered[place].published.origin,
            of=ordered[alike.of].id,
            by=alike.by,
            distance=alike.distance,
        )
        for place, alike in same.items()
    )
    recorded = (_recorded(model, kin[place], kept) for place, model in enumerate(kept))
    return empty.model_copy(
        update={
            "models": tuple(sorted(recorded, key=lambda one: one.id)),
            "duplicates": duplicated,
            "unread": tuple(unread),
            "provenance": provenance(),
        }
    )


def _precedence(model: HeardModel) -> tuple[bool, bool, int, str, str]:
    """Of several files of one model, the one that shows and says most stands for it."""
    said = (model.published.licence, model.published.origin, model.published.base_model, model.kind)
    unknown = sum(value is None for value in said)
    return model.answers.scores is None, model.sketch is None, unknown, PurePath(model.id).stem, model.id


def _names(models: Sequence[HeardModel], stands_for: Mapping[str, int]) -> dict[str, int]:
    """The place of the model that each SHA-256, id and origin names."""
    places: dict[str, int] = {}
    for model in models:
        for name in (model.identity, model.id, model.published.origin):
            if name is not None:
                places.setdefault(name, stands_for[model.id])
    return places


def _recorded(model: HeardModel, kin: Kin, kept: Sequence[HeardModel]) -> RecordedModel:
    return RecordedModel(
        id=model.id,
        sha256=model.identity,
        format=model.format,
        licence=model.published.licence,
        origin=model.published.origin,
        base_model=model.published.base_model,
        access="labels" if model.answers.scores is None else "scores",
        accuracy=round(model.accuracy, 5),
        kind=model.kind,
        made_from=None if kin.made_from is None else kept[kin.made_from].id,
        family=kept[kin.family].id,
        joined_by=kin.joined_by,
        notes=model.notes,
        key=model.key,
    )


def _reasons(unread: Sequence[UnreadModel]) -> str:
    first = unread[0]
    more = f" (and {len(unread) - 1} more)" if len(unread) > 1 else ""
    return f"{first.id}: {first.error}{more}"
