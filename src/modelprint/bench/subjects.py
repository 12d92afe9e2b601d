"""A model that is judged: its file, or the record that was made when the file was there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from modelprint.bench.evading import Respondent, modality_read_by
from modelprint.bench.records import SHEETS, RecordedModel, RecordedSuspect, Weighed, read_record
from modelprint.core.errors import FingerprintError, ModelprintError
from modelprint.core.suspect import Suspect
from modelprint.lineage import LineageResult, StateTensors, compare
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.ownership.enroll import plane_labels
from modelprint.ownership.fingerprint import WEIGHTS, Fingerprint
from modelprint.suspects.local import TorchSuspect
from modelprint.zoo.recording import SUFFIX


class Subject(ABC):
    """What judging needs of a model."""

    @abstractmethod
    def respondent(
        self, who: str, *, classes: int | None = None, partner: Path | None = None, device: str = "cpu"
    ) -> Respondent:
        """The model as a suspect, plainly and behind evasions.

        Args:
            classes: how many it must tell apart, where that is known.
            partner, device: as of `Respondent`.
        """

    def weighed(self, evasion: str) -> Weighed | None:
        """Its recorded accuracy on held-out inputs behind an evasion; None where that is to be measured now."""
        return None

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

    def respondent(
        self, who: str, *, classes: int | None = None, partner: Path | None = None, device: str = "cpu"
    ) -> Respondent:
        """The network itself."""
        suspect = TorchSuspect(self.model.module, identity=who, classes=classes, modality=modality_read_by(self.model))
        return Respondent(suspect, partner=partner, device=device)

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

    def respondent(
        self, who: str, *, classes: int | None = None, partner: Path | None = None, device: str = "cpu"
    ) -> Respondent:
        """Its recorded answers; behind an evasion those that it gave there."""

        def answering(evasion: str | None) -> Suspect:
            return RecordedSuspect(self.record, self.sheets, who=who, evasion=evasion)

        return Respondent(answering(None), partner=partner, device=device, recorded=answering)

    def weighed(self, evasion: str) -> Weighed | None:
        """As it was recorded."""
        if evasion not in self.record.accuracy:
            raise ModelprintError(f"the model was recorded without its accuracy behind {evasion}")
        return self.record.accuracy[evasion]

    def compared(self, fingerprint: Fingerprint) -> LineageResult:
        """As it was recorded."""
        held = str(fingerprint.manifest.weights)
        if held not in self.record.lineage:
            raise ModelprintError(f"the model was recorded without a comparison with the weights {held}")
        return self.record.lineage[held]


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
