"""Records of models whose weights are not kept: what they answer to every fingerprint's queries, and their lineage.

A zoo whose plan names a benchmark in `records` calls a `BenchRecorder` with every model that it makes. A record is one
npz file: scores on *sheets* of inputs, and the comparison of the weights with the reference of each fingerprint that
holds one. Inputs are known by their hashes, so that a record answers any fingerprint whose queries stand on a sheet,
also one behind an evasion that leaves the queries on it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, ValidationError

from modelprint.bench.evading import NONE, Respondent
from modelprint.core.access import Access
from modelprint.core.errors import IntegrityError, SuspectError, first_line
from modelprint.core.files import write_text
from modelprint.core.records import Record
from modelprint.core.suspect import Answers, Suspect, answers_from_scores
from modelprint.data.arrays import read_own_npz
from modelprint.data.splits import load_data
from modelprint.lineage import LineageReference, LineageResult, StateTensors, compare
from modelprint.modalities.image import IMAGE
from modelprint.nn.architectures import Normalized
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.suspects.local import TorchSuspect

VERSION = 1
FINGERPRINTS = "fingerprints"
SHEETS = "sheets"
WEIGHED = 200  # held-out inputs on which accuracy behind evasions is recorded
BATCH = 32  # inputs at once: what lies in a processor's cache is read faster
_META = "record"
_SCORES = "scores."
_DIGITS = 4  # of figures for each weight


class Sheet(Record):
    """Inputs that every model answers.

    Attributes:
        fingerprints: folders, beside the sheet's own, whose queries and plain inputs stand on it.
        data: further inputs, a data reference.
        evasion: behind which models answer; None: plainly.
        labels: whether of every answer the top-1 label alone is kept, as a score of 1.
        hashes: of all inputs as they are sent, each once, in their order.
    """

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    fingerprints: tuple[str, ...] = ()
    data: str | None = None
    evasion: str | None = None
    labels: bool = False
    hashes: tuple[str, ...]


class Weighed(Record):
    """The share of held-out inputs that a model gets right, and of how many."""

    accuracy: float
    images: int


@dataclass(frozen=True, kw_only=True)
class BenchRecorder:
    """Makes the record of a model.

    Attributes:
        sheets: their files.
        references: files of lineage references, by the SHA-256 that fingerprints know them by.
        holdout: data whose first `WEIGHED` inputs accuracy is measured on, plainly and behind `evasions`.
    """

    sheets: tuple[Path, ...]
    references: Mapping[str, Path]
    holdout: str
    evasions: tuple[str, ...] = ()

    def __call__(self, model: Normalized) -> bytes:
        """The record, an npz file."""
        tensors = StateTensors(model.body.state_dict())
        lineage = {
            name: shortened(compare(_reference(path), tensors, p_value=False)).model_dump(mode="json")
            for name, path in self.references.items()
        }
        # forward passes take half the time; the float16 of the record hides what changes in the last bits
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        try:
            arrays: dict[str, Any] = {_SCORES + sheet.stem: _answers(model, sheet) for sheet in self.sheets}
            accuracy = {name: value.model_dump() for name, value in self._weighed(model).items()}
        finally:
            model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        meta = json.dumps({"version": VERSION, "lineage": lineage, "accuracy": accuracy}, separators=(",", ":"))
        buffer = io.BytesIO()
        arrays[_META] = np.frombuffer(meta.encode(), np.uint8)
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    def _weighed(self, model: Normalized) -> dict[str, Weighed]:
        """The accuracy plainly and behind each evasion; nothing where none is planned."""
        if not self.evasions:
            return {}
        data = load_data(self.holdout)
        data = data.take(np.arange(min(WEIGHED, len(data))))
        respondent = _respondent(model)
        shares = {
            evasion: float((respondent.behind(evasion).ask(data.stored).labels == data.labels).mean())
            for evasion in (NONE, *self.evasions)
        }
        return {evasion: Weighed(accuracy=share, images=len(data)) for evasion, share in shares.items()}


def _respondent(model: Normalized) -> Respondent:
    return Respondent(TorchSuspect(model, identity="the model", batch_size=BATCH), partner=None)


def _answers(model: Normalized, sheet: Path) -> Float[np.ndarray, "n classes"]:
    """Scores, float16, plainly or behind the sheet's evasion; of a sheet of labels 1 for the top class, else 0."""
    read = read_sheet(sheet)
    scores = _respondent(model).behind(read.evasion or NONE).ask(inputs_of(sheet), access=Access.SCORES).scores
    assert scores is not None
    if read.labels:
        scores = np.eye(scores.shape[1])[scores.argmax(axis=1)]
    return scores.astype(np.float16)


def shortened(result: LineageResult) -> LineageResult:
    """A comparison whose figures for each weight have few digits; the score stays as it is."""

    def short(value: float | None) -> float | None:
        return None if value is None else round(value, _DIGITS)

    figures = tuple(
        figure.model_copy(
            update={
                "matched": short(figure.matched),
                "likeness": short(figure.likeness),
                "own": short(figure.own),
                "difference": short(figure.difference),
            }
        )
        for figure in result.weights
    )
    return result.model_copy(update={"weights": figures, "left_out": (), "extra": ()})


@dataclass(frozen=True, kw_only=True)
class RecordedModel:
    """A record, read.

    Attributes:
        scores: float16 (n, classes) for each sheet.
        lineage: the comparison with each reference.
        accuracy: plainly and behind each evasion.
    """

    scores: Mapping[str, np.ndarray]
    lineage: Mapping[str, LineageResult]
    accuracy: Mapping[str, Weighed]


def read_record(path: Path) -> RecordedModel:
    """A record.

    Raises:
        IntegrityError: it is damaged, or of a newer version.
    """
    arrays = read_own_npz(path)
    try:
        meta = json.loads(arrays.pop(_META).tobytes())
        lineage = {name: LineageResult.model_validate(value) for name, value in meta["lineage"].items()}
        accuracy = {name: Weighed.model_validate(value) for name, value in meta["accuracy"].items()}
    except (KeyError, ValueError, TypeError) as error:
        raise IntegrityError(f"{path} is no record of a model ({error}): take it from the repository again") from error
    if meta.get("version") != VERSION:
        raise IntegrityError(f"{path} is a record of version {meta.get('version')}: this modelprint reads {VERSION}")
    scores = {name.removeprefix(_SCORES): value for name, value in arrays.items() if name.startswith(_SCORES)}
    return RecordedModel(scores=scores, lineage=lineage, accuracy=accuracy)


class RecordedSuspect(Suspect):
    """A model that answers from its record.

    Args:
        sheets: the folder of the sheets on which it answered.
        evasion: behind which it answered; None: plainly.
    """

    def __init__(self, record: RecordedModel, sheets: Path, *, who: str, evasion: str | None = None) -> None:
        self.identity = who
        self.access = Access.SCORES
        self.modality = IMAGE
        self.rows: dict[str, np.ndarray] = {}
        for name, scores in record.scores.items():
            sheet = read_sheet(sheets / f"{name}.json")
            if sheet.evasion == evasion:
                self.rows.update(zip(sheet.hashes, scores, strict=True))

    def _ask(self, inputs: np.ndarray, access: Access) -> Answers:
        hashes = IMAGE.hashes(inputs)
        unknown = sum(value not in self.rows for value in hashes)
        if unknown:
            raise SuspectError(
                f"{self.identity} was recorded without {unknown} of these {len(hashes)} inputs, and its weights are "
                "not kept: only fingerprints that were there when it was made can judge it"
            )
        scores = np.stack([self.rows[value] for value in hashes]).astype(np.float32)
        answers = answers_from_scores(scores, who=self.identity)
        return answers.restricted(access)


def write_sheet(
    path: Path,
    fingerprints: Sequence[str],
    data: str | None = None,
    *,
    evasion: str | None = None,
    labels: bool = False,
    but: Sequence[str] = (),
) -> Sheet:
    """Write the sheet of some fingerprints and data, each input once; those with the hashes `but` are left out."""
    sheet = Sheet(fingerprints=tuple(fingerprints), data=data, evasion=evasion, labels=labels, hashes=())
    known = dict.fromkeys(value for value in _unique(sheet, path) if value not in set(but))
    sheet = sheet.model_copy(update={"hashes": tuple(known)})
    write_text(path, sheet.model_dump_json(by_alias=True) + "\n")
    return sheet


@lru_cache(maxsize=16)
def read_sheet(path: Path) -> Sheet:
    """A sheet.

    Raises:
        IntegrityError: it is missing or damaged.
    """
    try:
        return Sheet.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise IntegrityError(
            f"{path} is no sheet of inputs ({first_line(error)}): take it from the repository"
        ) from error


@lru_cache(maxsize=4)
def inputs_of(path: Path) -> np.ndarray:
    """The inputs of a sheet, as they are stored, in the order of its hashes."""
    sheet = read_sheet(path)
    every = _unique(sheet, path)
    return np.stack([every[value] for value in sheet.hashes])


def _unique(sheet: Sheet, path: Path) -> dict[str, np.ndarray]:
    """The inputs of a sheet's fingerprints and data, by their hashes."""
    every: dict[str, np.ndarray] = {}
    for name in sheet.fingerprints:
        fingerprint = Fingerprint.load(path.parent.parent / FINGERPRINTS / name, weights=False)
        further = [] if fingerprint.plain is None else list(fingerprint.plain.stored)
        every.update(zip(fingerprint.hashes, [*fingerprint.queries, *further], strict=True))
    if sheet.data is not None:
        stored = load_data(sheet.data).stored
        every.update(zip(IMAGE.hashes(stored), stored, strict=True))
    return every


@lru_cache(maxsize=8)
def _reference(path: Path) -> LineageReference:
    return LineageReference.load(path)
