"""A fingerprint on disk: a manifest and its tensors, checked byte for byte when read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    BeforeValidator,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from safetensors.numpy import load, save

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, IntegrityError, first_line
from modelprint.core.files import write_folder
from modelprint.core.identity import canonical_json, digest
from modelprint.core.records import Record
from modelprint.core.suspect import Answers
from modelprint.core.untrusted import read_inside
from modelprint.modalities.base import InputSpec, Modality, modality_of, read_spec
from modelprint.ownership.fingerprint_arrays import STATE, check_arrays
from modelprint.ownership.kinds import Group, group_of
from modelprint.ownership.options import EnrollmentOptions

if TYPE_CHECKING:
    from modelprint.lineage import LineageReference

MANIFEST = "manifest.json"
TENSORS = "tensors.safetensors"
WEIGHTS = "weights.safetensors"


def library() -> str:
    """The versions that make fingerprints here, as manifests record them."""
    import torch

    import modelprint

    return f"modelprint {modelprint.__version__}, torch {torch.__version__}"


def _spec(value: Any) -> Any:
    return read_spec(value) if isinstance(value, Mapping) else value


AnyInputSpec = Annotated[SerializeAsAny[InputSpec], BeforeValidator(_spec)]


LikenessBy = Literal["weights", "scores", "labels"]


class Likeness(Record):
    """What two models have in common that independent ones do not.

    Attributes:
        to: the name of the other model.
        by: what was compared.
        distance: of the weights or log-odds, relative to their size; 0 where labels are the same.
        family: that the model belongs to for that reason; not written of a likeness to the source.
    """

    to: str
    by: LikenessBy
    distance: float
    family: str | None = None

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value is not None}


class CalibrationModel(Record):
    """An independent model whose answers calibrate the threshold.

    Attributes:
        name: its file name.
        identity: SHA-256 of its file.
        accuracy: on the enrollment's seeds.
        kind: SAST, SADT, DAST, DADT, SHARED (from the source's base) or OTHER (from another public checkpoint), where
            known; COPY, if it was made from another model than the source.
        made_from: SHA-256 of that other model; not written where there is none.
        behind: the transform through which it was asked, where that is expected; not written where there is none.
        joined: what makes it one family with an earlier model; not written where it is its own.
        near_source: what it has in common with the source; not written where that is no more than others have.
        weights: the score of its weights against the source's; not written where they were not compared, or cannot be.
    """

    name: str
    identity: str
    accuracy: float | None = None
    kind: str | None = None
    made_from: str | None = None
    behind: str | None = None
    joined: Likeness | None = None
    near_source: Likeness | None = None
    weights: float | None = None

    @property
    def family(self) -> str:
        """What its scores depend on: itself, or the model that it copies or nearly equals.

        Siblings are drawn each for itself.
        """
        if self.joined is not None and self.joined.family is not None:
            return self.joined.family
        return self.made_from or self.identity

    @property
    def group(self) -> Group:
        """Within which it is ranked."""
        return group_of(self.kind, self.behind)

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        optional = ("made_from", "behind", "joined", "near_source", "weights")
        return {name: value for name, value in fields.items() if value is not None or name not in optional}


class ShadowRecord(Record):
    """A shadow model that the scheme learned from.

    Attributes:
        name: its file name, or what made it.
        identity: SHA-256 of its file or weights.
        side: made from the source, or independent of it.
    """

    name: str
    identity: str
    side: Literal["copy", "stranger"]


class Manifest(Record):
    """Everything about a fingerprint but its tensors.

    Attributes:
        parameters: the scheme's hyper-parameters.
        input: what models of the task take, by modality; `codec`: in which of its types the queries are stored.
        source: SHA-256 of the source's file or weights.
        source_values: SHA-256 over the values of its weights, whatever the form of their file (`nn.likeness`); not
            written by versions that did not keep it, nor for models without weights.
        bases: SHA-256 of the checkpoints that the source was made from, which its siblings share; not written where
            none is known.
        source_accuracy: on the seeds.
        data: SHA-256 and name of the seeds.
        report: what crafting did.
        calibration: the independent models, in the order of their answers.
        shadows: the models that the scheme learned from, if any; not written where there are none.
        budget: the cap that the queries were made under, and `train_data`: SHA-256 of the source's training
            inputs that were named; whoever makes the queries again needs both. Not written where there are none.
        enrollment: what else the owner said; not written by versions that did not keep it, nor where nothing was said.
        tensors: SHA-256 of the tensors file.
        weights: SHA-256 of the file that holds the source's weights, for schemes that compare them; not written
            without one.
    """

    schema_version: Literal[1] = 1
    scheme: str
    parameters: dict[str, Any]
    seed: int
    input: AnyInputSpec
    codec: str
    source: str
    source_values: str | None = None
    bases: tuple[str, ...] = ()
    source_accuracy: float
    data: str
    data_name: str
    report: dict[str, Any]
    calibration: tuple[CalibrationModel, ...]
    shadows: tuple[ShadowRecord, ...] = ()
    budget: int | None = None
    train_data: str | None = None
    enrollment: EnrollmentOptions | None = None
    library: str
    tensors: str
    weights: str | None = None

    @model_validator(mode="after")
    def _stores_what_the_modality_stores(self) -> Self:
        codecs = modality_of(self.input).codecs
        if self.codec not in codecs:
            raise ValueError(f"queries are stored as {self.codec!r}: this version knows {', '.join(codecs)}")
        return self

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        for name in ("source_values", "bases", "shadows", "budget", "train_data", "enrollment", "weights"):
            if not getattr(self, name):
                fields.pop(name, None)
        return fields


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What enrolling makes, and all that verifying needs.

    Attributes:
        queries: (n, ...), stored as the codec says.
        true_labels: int64 (n,).
        source: the source's answers, with scores.
        state: the scheme's own named arrays.
        calibration: the answers of each calibration model to every query.
        plane: a planar slice for the report: "anchors" (3, ...), the queries it goes through, and "labels" (k, k)
            of the source; may be absent.
        weights: of the source, for schemes that compare them; absent from bundles, which show them to nobody.
    """

    manifest: Manifest
    queries: np.ndarray
    true_labels: np.ndarray
    source: Answers
    state: Mapping[str, np.ndarray]
    calibration: tuple[Answers, ...] = ()
    plane: Mapping[str, np.ndarray] | None = None
    weights: LineageReference | None = None

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def modality(self) -> Modality:
        """What kind of inputs the queries are."""
        return modality_of(self.manifest.input)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the manifest, which binds the tensors."""
        return digest(canonical_json(self.manifest.model_dump(mode="json")))

    @classmethod
    def bind(
        cls,
        manifest: Mapping[str, Any],
        *,
        queries: np.ndarray,
        true_labels: np.ndarray,
        source: Answers,
        state: Mapping[str, np.ndarray],
        calibration: tuple[Answers, ...] = (),
        plane: Mapping[str, np.ndarray] | None = None,
        weights: LineageReference | None = None,
    ) -> Self:
        """A fingerprint whose manifest binds its files; `manifest` holds every field but their hashes."""
        data = save(_flatten(queries, true_labels, source, state, calibration, plane))
        bound = {"tensors": digest(data), "weights": None if weights is None else digest(weights.to_bytes())}
        record = Manifest.model_validate({**manifest, **bound})
        return cls(
            manifest=record,
            queries=queries,
            true_labels=true_labels,
            source=source,
            state=state,
            calibration=calibration,
            plane=plane,
            weights=weights,
        )

    @property
    def groups(self) -> tuple[Group, ...]:
        """The group of each calibration model."""
        return tuple(model.group for model in self.manifest.calibration)

    @property
    def families(self) -> tuple[str, ...]:
        """The family of each calibration model."""
        return tuple(model.family for model in self.manifest.calibration)

    @property
    def access(self) -> Access:
        """The most that suspects are read by: scores, unless a calibration model gave labels only."""
        labels_only = any(answers.scores is None for answers in self.calibration)
        return Access.LABELS if labels_only else Access.WEIGHTS

    def recalibrated(self, models: tuple[CalibrationModel, ...], answers: tuple[Answers, ...]) -> Fingerprint:
        """The same queries with other calibration models (its identity changes)."""
        fields = self.manifest.model_dump(mode="json", exclude={"tensors", "weights", "calibration"})
        return Fingerprint.bind(
            {**fields, "calibration": [model.model_dump(mode="json") for model in models]},
            queries=self.queries,
            true_labels=self.true_labels,
            source=self.source,
            state=self.state,
            calibration=answers,
            plane=self.plane,
            weights=self.weights,
        )

    def save(self, path: Path | str) -> None:
        """Write the folder, whole or not at all.

        Raises:
            ModelprintError: the place cannot be written.
        """
        weights = {} if self.weights is None else {WEIGHTS: self.weights.to_bytes()}
        write_folder(Path(path), {**self.to_bytes(), **weights, "SHA256": self.identity.encode()})

    def to_bytes(self) -> dict[str, bytes]:
        """Manifest and tensors, as they are written and bundled."""
        tensors = save(_flatten(self.queries, self.true_labels, self.source, self.state, self.calibration, self.plane))
        return {MANIFEST: canonical_json(self.manifest.model_dump(mode="json")), TENSORS: tensors}

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read and check a fingerprint.

        Raises:
            FingerprintError: missing, or of a format this version does not know.
            IntegrityError: any byte differs from what was written.
        """
        folder = Path(path)
        if not (folder / MANIFEST).is_file():
            raise FingerprintError(f"{folder} is no fingerprint: it has no {MANIFEST}. `modelprint enroll` makes one")
        try:
            manifest_bytes = read_inside(folder, MANIFEST)
            tensor_bytes = read_inside(folder, TENSORS)
            stated = read_inside(folder, "SHA256")
        except OSError as error:
            raise IntegrityError(f"{folder} is incomplete: {error}") from error
        except ValueError as error:
            raise IntegrityError(f"{folder} is no folder of its own files: {error}; copy it with cp -L") from error
        if stated != digest(manifest_bytes).encode():
            raise IntegrityError(f"{folder / MANIFEST} was changed after enrollment: its SHA-256 is not the stated one")
        loaded = cls.from_bytes(manifest_bytes, tensor_bytes, who=folder)
        if loaded.manifest.weights is None:
            return loaded
        try:
            if digest(read_inside(folder, WEIGHTS)) != loaded.manifest.weights:
                raise IntegrityError(
                    f"{folder / WEIGHTS} was changed after enrollment: its SHA-256 is not the stated one"
                )
        except OSError as error:
            raise IntegrityError(f"{folder} is incomplete: {error}") from error
        from modelprint.lineage import LineageReference

        return replace(loaded, weights=LineageReference.load(folder / WEIGHTS))

    @classmethod
    def from_bytes(cls, manifest_bytes: bytes, tensor_bytes: bytes, *, who: Path) -> Self:
        """A fingerprint from the bytes of its manifest and tensors; `who` is its place, for messages.

        Raises:
            FingerprintError: of a format this version does not know.
            IntegrityError: the tensors are not those of the manifest.
        """
        try:
            manifest = Manifest.model_validate_json(manifest_bytes)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise FingerprintError(
                f"{who / MANIFEST} is not a manifest this version reads: {where + ': ' if where else ''}{first['msg']}"
            ) from error
        if manifest.tensors != "sha256:" + hashlib.sha256(tensor_bytes).hexdigest():
            raise IntegrityError(f"{who / TENSORS} was changed after enrollment: its SHA-256 is not the stated one")
        try:
            arrays = load(tensor_bytes)
            del tensor_bytes  # answers of many models take as much again
            codec = np.dtype(modality_of(manifest.input).codecs[manifest.codec])
            check_arrays(arrays, spec=manifest.input, codec=codec, models=len(manifest.calibration))
            return cls._from_arrays(manifest, arrays)
        except KeyError as error:
            raise FingerprintError(f"{who / TENSORS} does not hold a fingerprint's tensors: no {error}") from error
        except Exception as error:  # of headers that make no sense, the reader raises nearly anything
            raise FingerprintError(
                f"{who / TENSORS} does not hold a fingerprint's tensors: {first_line(error)}"
            ) from error

    @classmethod
    def _from_arrays(cls, manifest: Manifest, arrays: dict[str, np.ndarray]) -> Self:
        labels = arrays.get("calibration.labels", np.zeros((0, 0), np.int64))
        scores = arrays.get("calibration.scores")
        calibration = tuple(
            Answers(labels=labels[i].astype(np.int64, copy=False), scores=None if scores is None else scores[i])
            for i in range(len(manifest.calibration))
        )
        plane = {name: arrays[f"plane.{name}"] for name in ("anchors", "labels") if f"plane.{name}" in arrays}
        return cls(
            manifest=manifest,
            queries=arrays["queries"],
            true_labels=arrays["true_labels"],
            source=Answers(labels=arrays["source.labels"].astype(np.int64), scores=arrays.get("source.scores")),
            state={name[len(STATE) :]: value for name, value in arrays.items() if name.startswith(STATE)},
            calibration=calibration,
            plane=plane or None,
        )


def _flatten(  # noqa: PLR0917 - the parts of one folder, in order
    queries: np.ndarray,
    true_labels: np.ndarray,
    source: Answers,
    state: Mapping[str, np.ndarray],
    calibration: tuple[Answers, ...],
    plane: Mapping[str, np.ndarray] | None,
) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {
        "queries": queries,
        "true_labels": true_labels.astype(np.int64),
        "source.labels": source.labels.astype(np.int64),
        **{STATE + name: value for name, value in state.items()},
        **{f"plane.{name}": value for name, value in (plane or {}).items()},
    }
    if source.scores is not None:
        arrays["source.scores"] = source.scores.astype(np.float32)
    if calibration:
        arrays["calibration.labels"] = np.stack([answers.labels for answers in calibration]).astype(np.int64)
        scores = [answers.scores for answers in calibration if answers.scores is not None]
        if len(scores) == len(calibration):
            arrays["calibration.scores"] = np.stack(scores).astype(np.float32)
    return {name: np.ascontiguousarray(value) for name, value in sorted(arrays.items())}
