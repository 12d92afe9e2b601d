"""What a fingerprint holds of the source to judge weights by: its balanced weights, and the part that is its own.

Two bytes for each weight; four where a part is shared, because the source's own part is held beside the whole. Whoever
has the reference has the source's weights up to the scales of its channels: it is for the owner and for a judge.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors.torch import save
from torch import Tensor

from modelprint.core.errors import FingerprintError, ModelError, first_line
from modelprint.core.files import write_bytes
from modelprint.core.records import Record
from modelprint.lineage.forms import Form, balanced
from modelprint.lineage.pairing import paired
from modelprint.lineage.source_forms import SourceForms
from modelprint.lineage.tensors import SafetensorsTensors, StateTensors, Tensors
from modelprint.lineage.weights import UnreadableError, Weight, read_form, weights_of
from modelprint.lineage.wiring import Wired, wired

_SMALL = 2**17  # numbers
_SOURCE, _OWN, _ROWS, _COLUMNS = "source/", "own/", "rows/", "columns/"


class Manifest(Record):
    """What is known of a reference beside its tensors.

    Attributes:
        layers: in the order of use.
        shared: how many models' common part was taken away from the source's own part.
        left_out: weights of the source that say nothing, with the reason.
    """

    layers: tuple[Wired, ...]
    shared: int
    left_out: dict[str, str]


class LineageReference:
    """The source's side of a comparison.

    Attributes:
        manifest: layers, and how the own part was made.
        tensors: float16 "source/NAME" and, with shared models, "own/NAME"; float32 factors "rows/NAME", "columns/NAME".
        keeps: whether forms that were read once stay in memory, for the next comparison, too.
    """

    def __init__(self, manifest: Manifest, tensors: Tensors, *, keeps: bool = False) -> None:
        self.manifest = manifest
        self.tensors = tensors
        self._forms = SourceForms(self) if keeps else None

    @property
    def layers(self) -> tuple[Wired, ...]:
        """The source's weights, in the order of use."""
        return self.manifest.layers

    @property
    def numel(self) -> int:
        """How many numbers its weights hold."""
        return sum(layer.numel for layer in self.layers)

    def stored(self, layer: Wired) -> Form:
        """A weight of the source, balanced, float16 (rows, columns, kernel)."""
        return self.tensors.read(_SOURCE + layer.name)

    def form(self, layer: Wired) -> Form:
        """A weight of the source, balanced, float32 (rows, columns, kernel)."""
        return self.stored(layer).float()

    def own(self, layer: Wired) -> Form:
        """The part of it that no shared model explains; the whole, where none is shared."""
        return self.tensors.read(_OWN + layer.name).float() if self.manifest.shared else self.form(layer)

    def factors(self, layer: Wired) -> tuple[Tensor, Tensor]:
        """What rows and columns of the source's weight were multiplied by to balance it."""
        return self.tensors.read(_ROWS + layer.name), self.tensors.read(_COLUMNS + layer.name)

    def forms(self) -> SourceForms:
        """The weights as comparisons read them."""
        return self._forms or SourceForms(self)

    def in_memory(self) -> LineageReference:
        """The same, its tensors read; of a small source in the forms that comparisons read, too."""
        state = {name: self.tensors.read(name) for name in self.tensors.shapes}
        return LineageReference(self.manifest, StateTensors(state), keeps=self.numel <= _SMALL)

    def to_bytes(self) -> bytes:
        """One safetensors file; the same reference always gives the same bytes."""
        state = {name: self.tensors.read(name).contiguous() for name in self.tensors.shapes}
        return save(state, {"lineage": self.manifest.model_dump_json()})

    def save(self, path: Path) -> None:
        """Write one safetensors file, atomically."""
        write_bytes(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> LineageReference:
        """A reference whose tensors stay in the file until they are used.

        Raises:
            FingerprintError: the file is no reference.
        """
        try:
            tensors = SafetensorsTensors(path)
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                manifest = Manifest.model_validate_json(json.loads(file.read(length))["__metadata__"]["lineage"])
        except (ModelError, ValidationError, ValueError, KeyError, TypeError) as error:
            raise FingerprintError(f"{path} is no reference of weights ({first_line(error)}): enroll again") from error
        return cls(manifest, tensors)


def reference_of(source: Tensors, *, shared: Sequence[Tensors] = ()) -> LineageReference:
    """The reference of a source.

    Args:
        shared: models whose common part is no evidence: the public checkpoint that the source was tuned from, siblings
            tuned from it, or both. Their channels stand in the source's order. None of them may be among the models
            that calibrate a verdict. Of each weight, as many tensors are in memory as there are models.

    Raises:
        ModelError: the source has no weight that can be compared.
    """
    layers: list[Wired] = []
    state: dict[str, Tensor] = {}
    left_out: dict[str, str] = {}
    weights = weights_of(source)
    every_layer = wired(weights)
    alike = [_alike(every_layer, model) for model in shared]
    for layer, weight in zip(every_layer, weights, strict=True):
        try:
            whole = balanced(read_form(source, weight, run=layer.run))
        except UnreadableError as error:
            left_out[layer.name] = str(error)
            continue
        layers.append(layer)
        state[_SOURCE + layer.name] = whole.form.half()
        state[_ROWS + layer.name], state[_COLUMNS + layer.name] = whole.rows, whole.columns
        if shared:
            forms = _forms(shared, alike, layer)
            state[_OWN + layer.name] = own_part(whole.form, forms).half()
    if not layers:
        raise ModelError("the source has no weight that can be compared: " + "; ".join(left_out.values()))
    manifest = Manifest(layers=tuple(layers), shared=len(shared), left_out=left_out)
    return LineageReference(manifest, StateTensors(state))


def own_part(source: Form, shared: Sequence[Form]) -> Form:
    """The residual of a weight's regression on the same weight of other models (least squares, no constant).

    >>> own_part(torch.tensor([[[1.0, 2.0]]]), [torch.tensor([[[1.0, 0.0]]])]).flatten().tolist()
    [0.0, 2.0]
    """
    if not shared:
        return source
    columns = torch.stack([form.flatten() for form in shared], 1)
    columns = columns / columns.norm(dim=0).clamp_min(1e-12)
    basis, triangle = torch.linalg.qr(columns.double())
    basis = basis[:, triangle.diagonal().abs() > 1e-6]  # a model that others make up adds nothing
    flat = source.flatten().double()
    residual: Form = (flat - basis @ (basis.T @ flat)).reshape(source.shape).float()
    return residual


def _alike(layers: Sequence[Wired], model: Tensors) -> dict[str, Weight]:
    """The weights of a shared model that have the source's shape, by the source's names."""
    pairs = paired(layers, model).pairs
    return {pair.layer.name: pair.weight for pair in pairs if pair.weight.shape == pair.layer.shape}


def _forms(shared: Sequence[Tensors], weights: Sequence[Mapping[str, Weight]], layer: Wired) -> list[Form]:
    forms = []
    for model, named in zip(shared, weights, strict=True):
        if layer.name in named:
            try:
                forms.append(balanced(read_form(model, named[layer.name], run=layer.run)).form)
            except UnreadableError:
                continue
    return forms
