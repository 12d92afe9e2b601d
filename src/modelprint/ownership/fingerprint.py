"""A fingerprint on disk: a manifest and its tensors, checked byte for byte when read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import load, save

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, IntegrityError, first_line
from modelprint.core.files import write_folder
from modelprint.core.identity import canonical_json, digest
from modelprint.core.suspect import Answers
from modelprint.core.untrusted import read_inside
from modelprint.modalities.base import Modality, modality_of
from modelprint.ownership.fingerprint_arrays import STATE, check_arrays
from modelprint.ownership.kinds import Group
from modelprint.ownership.manifest import CalibrationModel as CalibrationModel
from modelprint.ownership.manifest import Likeness as Likeness
from modelprint.ownership.manifest import LikenessBy as LikenessBy
from modelprint.ownership.manifest import Manifest as Manifest
from modelprint.ownership.manifest import ShadowRecord as ShadowRecord
from modelprint.ownership.plain import PlainInputs, check_plain, plain_from

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
        plain: unperturbed inputs that the source classifies rightly; None in fingerprints of before they were kept, and
            of schemes that ask nothing.
    """

    manifest: Manifest
    queries: np.ndarray
    true_labels: np.ndarray
    source: Answers
    state: Mapping[str, np.ndarray]
    calibration: tuple[Answers, ...] = ()
    plane: Mapping[str, np.ndarray] | None = None
    weights: LineageReference | None = None
    plain: PlainInputs | None = None

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def modality(self) -> Modality:
        """What kind of inputs the queries are."""
        return modality_of(self.manifest.input)

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """SHA-256 of each query, and of the plain inputs that are no queries, in that order."""
        further = () if self.plain is None else self.modality.hashes(self.plain.stored)
        return (*self.modality.hashes(self.queries), *further)

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
        plain: PlainInputs | None = None,
    ) -> Self:
        """A fingerprint whose manifest binds its files.

        Args:
            manifest: every field but the hash of the tensors; that of weights that are not at hand, where there are.
        """
        data = save(_flatten(queries, true_labels, source, state, calibration, plane, plain))
        held = manifest.get("weights") if weights is None else digest(weights.to_bytes())
        bound = {"tensors": digest(data), "weights": held}
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
            plain=plain,
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
        fields = self.manifest.model_dump(mode="json", exclude={"tensors", "calibration"})
        return Fingerprint.bind(
            {**fields, "calibration": [model.model_dump(mode="json") for model in models]},
            queries=self.queries,
            true_labels=self.true_labels,
            source=self.source,
            state=self.state,
            calibration=answers,
            plane=self.plane,
            weights=self.weights,
            plain=self.plain,
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
        tensors = save(
            _flatten(self.queries, self.true_labels, self.source, self.state, self.calibration, self.plane, self.plain)
        )
        return {MANIFEST: canonical_json(self.manifest.model_dump(mode="json")), TENSORS: tensors}

    @classmethod
    def load(cls, path: Path | str, *, weights: bool = True) -> Self:
        """Read and check a fingerprint.

        Args:
            weights: whether what it holds of the source's weights is read, which must then be there.

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
        if loaded.manifest.weights is None or not weights:
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
            codecs = modality_of(manifest.input).codecs
            check_arrays(
                arrays, spec=manifest.input, codec=np.dtype(codecs[manifest.codec]), models=len(manifest.calibration)
            )
            check_plain(
                arrays, shape=manifest.input.shape, classes=manifest.input.classes, types=tuple(codecs.values())
            )
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
            plain=plain_from(arrays),
        )


def _flatten(  # noqa: PLR0917 - the parts of one folder, in order
    queries: np.ndarray,
    true_labels: np.ndarray,
    source: Answers,
    state: Mapping[str, np.ndarray],
    calibration: tuple[Answers, ...],
    plane: Mapping[str, np.ndarray] | None,
    plain: PlainInputs | None,
) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {
        "queries": queries,
        "true_labels": true_labels.astype(np.int64),
        "source.labels": source.labels.astype(np.int64),
        **{STATE + name: value for name, value in state.items()},
        **{f"plane.{name}": value for name, value in (plane or {}).items()},
        **({} if plain is None else plain.arrays()),
    }
    if source.scores is not None:
        arrays["source.scores"] = source.scores.astype(np.float32)
    if calibration:
        arrays["calibration.labels"] = np.stack([answers.labels for answers in calibration]).astype(np.int64)
        scores = [answers.scores for answers in calibration if answers.scores is not None]
        if len(scores) == len(calibration):
            arrays["calibration.scores"] = np.stack(scores).astype(np.float32)
    return {name: np.ascontiguousarray(value) for name, value in sorted(arrays.items())}
