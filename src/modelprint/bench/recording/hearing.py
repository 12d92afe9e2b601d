"""One model is opened and asked; what is kept of it are its answers and a sketch of its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from modelprint.bench.recording.model_cards import Published, published
from modelprint.core.access import Access
from modelprint.core.errors import DataError, ModelError, ModelprintError, SuspectError
from modelprint.core.identity import digest_file, digest_json
from modelprint.core.suspect import Answers, Suspect
from modelprint.core.unfinished import Unfinished
from modelprint.data.labelled import LabelledSet
from modelprint.nn.folders import RECORDED, FolderModel
from modelprint.nn.kinds import kind_of
from modelprint.nn.likeness import WeightSketch, sketch_of
from modelprint.nn.loading import LoadedModel
from modelprint.nn.places import weights_of
from modelprint.ownership.accuracy import CHANCE, accuracy_of, chance_of
from modelprint.ownership.ahead import Notice
from modelprint.ownership.folder_suspects import Inputs, open_folder_model
from modelprint.ownership.origin import made_from, origin_of
from modelprint.suspects.local import TorchSuspect
from modelprint.suspects.recorded import RecordedSuspect
from modelprint.training.classes import plain_name

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class HeardModel:
    """A model that answered everything.

    Attributes:
        identity: SHA-256 of its file, or its address.
        key: of everything that decides its answers; the same key, the same answers.
        parents: SHA-256 of what it was made from, as its card or `models.toml` says.
        family, joined_by: SHA-256 of the first model of its family, and why it is of it, as an earlier table says.
    """

    id: str
    identity: str
    format: str
    key: str
    published: Published
    kind: str | None
    parents: tuple[str, ...]
    accuracy: float
    answers: Answers
    sketch: WeightSketch | None
    notes: tuple[str, ...]
    family: str | None = None
    joined_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What every model is asked, and how.

    Attributes:
        access: the most that is kept of an answer.
        earlier: the answers of an older table on the same inputs, by key.
        unfinished: where answers are kept until the table is written.
    """

    data: LabelledSet
    access: Access
    device: str | None
    earlier: Mapping[str, Arrays]
    unfinished: Unfinished
    notice: Notice

    @property
    def inputs(self) -> Inputs:
        """What all models take and tell apart."""
        data = self.data
        return Inputs(shape=data.shape, class_names=data.class_names, modality=data.modality)


def heard(name: str, one: FolderModel, questions: Questions) -> HeardModel:
    """A model's answers to all inputs, or what is kept of them.

    Raises:
        ModelprintError: it cannot be read, does not fit, did not answer everything, or knows nothing of the task.
    """
    data = questions.data
    hashes = data.modality.hashes(data.stored)
    suspect = open_folder_model(one, questions.inputs, asked_by=data.identity, hashes=hashes, device=questions.device)
    loaded = suspect.loaded if isinstance(suspect, TorchSuspect) else None
    key = _key(one, suspect, loaded, questions)

    def compute() -> dict[str, np.ndarray]:
        arrays = _asked(one, suspect, loaded, questions)
        _check_knows(name, suspect, arrays["labels"], questions)
        return arrays

    kept = questions.earlier.get(key) or _piece(key, compute, loaded, questions)
    answers = Answers(labels=kept["labels"].astype(np.int64), scores=kept.get("scores"))
    recipe = {} if loaded is None or loaded.card is None else loaded.card.recipe
    parents = (one.entry.made_from, made_from(recipe), origin_of(recipe))
    return HeardModel(
        id=name,
        identity=_identity(one, suspect),
        format=_format(one),
        key=key,
        published=published(one),
        kind=one.entry.kind,
        parents=tuple(parent for parent in parents if parent is not None),
        accuracy=float((answers.labels == data.labels).mean()),
        answers=answers,
        sketch=None if loaded is None else sketch_of(loaded.module),
        notes=suspect.notes,
    )


def _piece(
    key: str, compute: Callable[[], dict[str, np.ndarray]], loaded: LoadedModel | None, questions: Questions
) -> Arrays:
    """What a model answers, kept where nothing but the key decides it."""
    if loaded is not None and loaded.spec is None:
        return compute()
    return questions.unfinished.piece(key, compute)


def _key(one: FolderModel, suspect: Suspect, loaded: LoadedModel | None, questions: Questions) -> str:
    """SHA-256 of everything that decides the answers."""
    spec = None if loaded is None or loaded.spec is None else loaded.spec.canonical()
    files = [one.entry.class_names, one.entry.mapping]
    return digest_json(
        [
            _identity(one, suspect),
            spec,
            None if spec is not None else asdict(one.options),
            one.entry.model_dump(mode="json", exclude={"licence", "origin", "kind", "made_from"}),
            [None if file is None else digest_file(one.folder / file) for file in files],
            str(questions.access),
        ]
    )


def _asked(
    one: FolderModel, suspect: Suspect, loaded: LoadedModel | None, questions: Questions
) -> dict[str, np.ndarray]:
    """Labels and, where it gives them, scores.

    Raises:
        ModelprintError: not every input was answered, or with classes that the data do not have.
    """
    data = questions.data
    order = None if one.entry.class_names is not None else _class_order(loaded, data)
    try:
        answers = suspect.ask(data.stored, access=min(suspect.access, questions.access))
    except ModelprintError as error:
        raise SuspectError(str(error).replace(suspect.identity, one.name)) from error
    suspect.finish()
    if not answers.answered.all():
        raise SuspectError(
            f"it answered {int(answers.answered.sum())} of {len(answers)} {data.modality.plural}: a table holds "
            "models that answered all of them"
        )
    width = data.classes if answers.scores is None else answers.scores.shape[1]
    if width != data.classes or answers.labels.max() >= data.classes:
        raise ModelError(
            f"it tells {max(width, int(answers.labels.max()) + 1)} classes apart, {data.name} {data.classes}: a table "
            "is of one task"
        )
    labels, scores = answers.labels, answers.scores
    if order is not None:
        labels = np.argsort(order)[labels]
        scores = None if scores is None else scores[:, order]
    return {"labels": labels.astype(np.int32)} | ({} if scores is None else {"scores": scores})


def _class_order(loaded: LoadedModel | None, data: LabelledSet) -> Int[np.ndarray, " classes"] | None:
    """The model's number of each class of the data; None where they are the same, or one side has no names.

    Raises:
        DataError: it names other classes.
    """
    if loaded is None or loaded.class_names is None or data.numbering == "numbers":
        return None
    theirs, ours = ([plain_name(name) for name in names] for names in (loaded.class_names, data.class_names))
    if theirs == ours or all(name.isdigit() for name in ours):
        return None
    if sorted(theirs) != sorted(ours) or len(set(ours)) < len(ours):
        odd = next((name for name in loaded.class_names if plain_name(name) not in ours), loaded.class_names[0])
        raise DataError(
            f"its files name other classes ({odd!a} ...) than {data.name} ({data.class_names[0]!a} ...): name in "
            "models.toml a file of class names that says which is which, or leave it out"
        )
    return np.array([theirs.index(name) for name in ours], dtype=np.int64)


def _check_knows(name: str, suspect: Suspect, labels: np.ndarray, questions: Questions) -> None:
    """Nothing, if more answers are right than guesses would be; a form in which far more would be is said.

    Raises:
        ModelprintError: no more are.
    """
    data = questions.data
    right = labels == data.labels
    if suspect.free and not isinstance(suspect, RecordedSuspect):
        accuracy_of(suspect, name, right, data, notice=questions.notice)
    elif right.mean() <= CHANCE * chance_of(data):
        raise ModelprintError(f"it classifies {right.mean():.1%} of {data.name} rightly, no better than chance")


def _identity(one: FolderModel, suspect: Suspect) -> str:
    """SHA-256 of what answered; of the recording, where somebody recorded it, as that names whom it likes."""
    recorded = one.path is not None and isinstance(suspect, RecordedSuspect)
    return digest_file(Path(one.reference)) if recorded else suspect.identity


def _format(one: FolderModel) -> str:
    if one.path is None:
        return "address"
    if one.path.suffix.lower() in RECORDED:
        return "answers"
    try:
        return kind_of(weights_of(one.path)) if one.path.is_dir() else kind_of(one.path)
    except ModelError:
        return kind_of(one.path)
