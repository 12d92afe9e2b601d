"""A model that is judged: its file, or the record that was made when the file was there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from modelprint.bench.records import SHEETS, RecordedModel, RecordedSuspect, read_record
from modelprint.core.errors import FingerprintError, ModelprintError
from modelprint.core.suspect import Suspect
from modelprint.lineage import LineageResult, StateTensors, compare
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.ownership.enroll import plane_labels
from modelprint.ownership.fingerprint import WEIGHTS, Fingerprint
from modelprint.suspects.local import TorchSuspect
from modelprint.zoo.recording import SUFFIX


class Subject(ABC):
    """What judging needs of a model."""

    @abstractmethod
    def answering(self, who: str, classes: int | None = None) -> Suspect:
        """The model as a suspect, that must tell so many classes apart where that is known."""

    @abstractmethod
    def compared(self, fingerprint: Fingerprint) -> LineageResult:
        """Its weights, compared with those that a fingerprint holds of its source."""

    def labels_on_plane(self, fingerprint: Fingerprint) -> np.ndarray | None:
        """What it answers on a fingerprint's planar slice; None where there is none, or the model is not at hand."""
        return None


class FileSubject(Subject):
    """A model whose weights are there."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model

    def answering(self, who: str, classes: int | None = None) -> Suspect:
        """The network itself."""
        return TorchSuspect(self.model.module, identity=who, classes=classes, modality=modality_read_by(self.model))

    def compared(self, fingerprint: Fingerprint) -> LineageResult:
        """Computed now."""
        if fingerprint.weights is None:
            raise FingerprintError(
                f"the fingerprint holds no weights of its source here ({WEIGHTS} is missing): craft it again"
            )
        return compare(fingerprint.weights, StateTensors(self.model.module.state_dict()), p_value=False)

    def labels_on_plane(self, fingerprint: Fingerprint) -> np.ndarray | None:
        """Computed now."""
        if fingerprint.plane is None:
            return None
        return plane_labels(self.model.module, fingerprint.plane["anchors"], fingerprint.modality)


class RecordSubject(Subject):
    """A model of which the record alone is there.

    Args:
        sheets: the folder of the sheets on which it answered.
    """

    def __init__(self, record: RecordedModel, sheets: Path) -> None:
        self.record = record
        self.sheets = sheets

    def answering(self, who: str, classes: int | None = None) -> Suspect:
        """Its recorded answers."""
        return RecordedSuspect(self.record, self.sheets, who=who)

    def compared(self, fingerprint: Fingerprint) -> LineageResult:
        """As it was recorded."""
        held = str(fingerprint.manifest.weights)
        if held not in self.record.lineage:
            raise ModelprintError(f"the model was recorded without a comparison with the weights {held}")
        return self.record.lineage[held]


def modality_read_by(model: LoadedModel) -> Modality:
    """What kind of inputs a model takes: images, unless its spec says otherwise."""
    return IMAGE if model.spec is None else model.spec.modality


def subject_of(path: Path, device: str) -> Subject:
    """The model in a file, or in a record.

    Raises:
        ModelError: the file cannot be read.
        IntegrityError: the record is damaged.
    """
    if path.suffix == SUFFIX:
        return RecordSubject(read_record(path), path.parent.parent / SHEETS)
    return FileSubject(load_model(path, device=device))


def held_fingerprint(place: Path) -> Fingerprint:
    """A fingerprint, with what it holds of its source's weights where that is there."""
    return Fingerprint.load(place, weights=(place / WEIGHTS).is_file())
