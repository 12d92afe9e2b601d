"""The Open Inference Protocol (v2, REST), as KServe, Triton, MLServer and `modelprint serve-model` speak it.

Source: github.com/kserve/open-inference-protocol, "inference_rest.md"; the model listing is Triton's model repository
extension.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from modelprint.core.access import Access
from modelprint.core.errors import MisfitError, SuspectError
from modelprint.core.redaction import shown_url
from modelprint.core.suspect import Answers
from modelprint.modalities.wire import NUMBERS, Encoder
from modelprint.suspects.dialects import Dialect, from_json, to_json
from modelprint.suspects.interpret import answers_from_json, answers_from_outputs, class_index
from modelprint.suspects.options import SuspectOptions
from modelprint.suspects.preparing import declared_encoder, resizing_note
from modelprint.suspects.wire import Call, StatusError, Wire, extended, with_path

_MODEL_PATH = re.compile(r"^(?P<server>.*?)/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?(?:/infer)?/?$")
_FLOATS = ("FP16", "FP32", "FP64")
_INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")


class _Foreign(BaseModel):
    """What other people's servers say; more fields than these are theirs to add."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class TensorMetadata(_Foreign):
    """Name, type and shape of an input or output; -1 = any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class ModelMetadata(_Foreign):
    """The answer to GET /v2/models/NAME."""

    name: str = ""
    inputs: tuple[TensorMetadata, ...] = ()
    outputs: tuple[TensorMetadata, ...] = ()


class _Output(_Foreign):
    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]


class _Response(_Foreign):
    outputs: tuple[_Output, ...]


class OpenInference(Dialect):
    """One model of a server.

    Args:
        url: of the model, ".../v2/models/NAME", perhaps with "/versions/V".
        metadata: what the server says of it.
        options: class names, input shape, layout (where the metadata leave it open), preprocessing.

    Raises:
        SuspectError: no image input, or other inputs or another number of classes than expected.
    """

    def __init__(self, url: str, metadata: ModelMetadata, options: SuspectOptions) -> None:
        self.model_url = url
        self.url = extended(url, "/infer")
        self.options = options
        self.index = class_index(options)
        if len(metadata.inputs) > 1:
            names = ", ".join(ascii(entry.name) for entry in metadata.inputs)
            raise SuspectError(f"{self.endpoint} takes several inputs ({names}): expected one, the images")
        wire, plural = options.modality.wire, options.modality.plural
        sizes = (-1,) * (4 if options.input_shape is None else 1 + len(wire.sent_shape(options.input_shape)))
        self._input = (*metadata.inputs, TensorMetadata(name="input-0", datatype=wire.datatypes[0], shape=sizes))[0]
        if self._input.datatype not in wire.datatypes:
            shown = " or ".join(one for one in wire.datatypes if one != "FP64")
            raise SuspectError(f"{self.endpoint} takes {self._input.datatype!a}: expected {shown} {plural}")
        self.largest_batch = self._input.shape[0] if self._input.shape and self._input.shape[0] > 0 else None
        self._scores = _first(metadata.outputs, lambda entry: entry.datatype in _FLOATS and not self._lone(entry.shape))
        self._labels = _first(metadata.outputs, lambda entry: entry.datatype in (*_INTEGERS, "BYTES"))
        if metadata.outputs and self._scores is None:
            self.access = Access.LABELS
        if options.input_shape is not None:
            self._encoder(options.input_shape)
        self.notes = resizing_note(
            self._input.shape,
            options.input_shape,
            modality=options.modality,
            model=options.model,
            who=self.endpoint,
        )
        if (
            self._scores is not None
            and options.expected_classes
            and self._scores.shape[-1] not in (-1, self.index.outputs.width)
        ):
            raise MisfitError(
                f"{self.endpoint} tells {self._scores.shape[-1]} classes apart, expected {options.expected_classes}: "
                "it was made for other classes, or this is the wrong fingerprint. If some of its outputs are your "
                "classes, say which in a file of class names (--class-names)"
            )

    @property
    def endpoint(self) -> str:
        """The model's address, without secrets."""
        return shown_url(self.model_url)

    def _lone(self, shape: tuple[int, ...]) -> bool:
        """Whether an output has one number for each image, which is no share of two classes."""
        return shape[-1:] == (1,) and not self.index.outputs.single

    def request(self, images: np.ndarray, access: Access) -> Call:
        """One tensor, with the one output that answers what was asked for."""
        tensor = self._encoder(images.shape[1:]).encode(images)
        wanted = self._scores if access >= Access.SCORES or self._labels is None else self._labels
        body: dict[str, Any] = {
            "inputs": [
                {
                    "name": self._input.name,
                    "datatype": self._input.datatype,
                    "shape": list(tensor.shape),
                    "data": tensor.reshape(-1).tolist(),
                }
            ]
        }
        if wanted is not None:
            body["outputs"] = [{"name": wanted.name}]
        return Call(url=self.url, method="POST", body=to_json(body))

    def answers(self, body: bytes, count: int, access: Access) -> Answers:
        """Scores where there are any and they are wanted, else labels."""
        parsed = from_json(body, who=self.endpoint)
        try:
            outputs = _Response.model_validate(parsed).outputs
        except ValidationError as error:
            reason = ascii(parsed.get("error"))[:160] if isinstance(parsed, dict) else ascii(parsed)[:40]
            raise SuspectError(
                f"{self.endpoint} gave JSON without outputs ({reason}): it does not speak the Open Inference Protocol, "
                "check --api"
            ) from error
        floats = [entry for entry in outputs if entry.datatype in _FLOATS and not self._lone(entry.shape)]
        labels = [entry for entry in outputs if entry not in floats]
        chosen = (floats + labels if access >= Access.SCORES else labels + floats)[:1]
        if not chosen:
            raise SuspectError(f"{self.endpoint} gave no outputs: expected labels or scores")
        return self._read(chosen[0], count)

    def _read(self, output: _Output, count: int) -> Answers:
        if output.shape[:1] != (count,):
            raise SuspectError(
                f"{self.endpoint} gave {output.shape[0] if output.shape else 1} answers to {count} images: "
                "lower --batch-size, or check that the server takes batches"
            )
        if output.datatype == "BYTES":
            return answers_from_json(output.data, count, index=self.index, who=self.endpoint)
        try:
            values = np.array(output.data, dtype=np.float64).reshape(output.shape)
            if output.datatype in _INTEGERS:
                values = values.astype(np.int64)
        except (ValueError, TypeError, OverflowError) as error:
            raise SuspectError(
                f"{self.endpoint} gave an output that is not {output.datatype} of shape {list(output.shape)}: "
                "too few numbers, or no numbers"
            ) from error
        return answers_from_outputs(values, who=self.endpoint, outputs=self.index.outputs)

    def _encoder(self, shape: tuple[int, ...]) -> Encoder:
        return declared_encoder(
            self._input.shape,
            shape,
            modality=self.options.modality,
            model=self.options.model,
            dtype=NUMBERS[self._input.datatype],
            layout=self.options.layout,
            who=self.endpoint,
        )


def model_url(wire: Wire, url: str, model: str | None) -> str:
    """The address of one model: the one in the URL, the one that is named, or a server's only one.

    Raises:
        SuspectError: the server has several models, or none.
    """
    path = urlsplit(url).path
    match = _MODEL_PATH.match(path)
    if match is not None:
        version = f"/versions/{match['version']}" if match["version"] else ""
        return with_path(url, f"{match['server']}/v2/models/{match['model']}{version}")
    server = with_path(url, path.rstrip("/").removesuffix("/v2"))
    names = [model] if model is not None else _listed(wire, server)
    if len(names) != 1:
        have = ", ".join(ascii(name) for name in names[:20]) or "none that is ready"
        raise SuspectError(f"{shown_url(url)} has {len(names)} models ({have}): name one with --model")
    return extended(server, f"/v2/models/{quote(names[0], safe='')}")


def read_metadata(wire: Wire, url: str) -> ModelMetadata:
    """What a server says of the model at an address.

    Raises:
        SuspectError: no such model, or garbage.
    """
    parsed = from_json(wire.send(Call(url=url)), who=shown_url(url))
    try:
        return ModelMetadata.model_validate(parsed)
    except ValidationError as error:
        raise SuspectError(
            f"{shown_url(url)} gave no model metadata: {error.errors()[0]['msg']}, check --api"
        ) from error


def _listed(wire: Wire, server: str) -> list[str]:
    """The ready models, from the repository index, or from the listing at /v2/models."""
    listings = (
        Call(url=extended(server, "/v2/repository/index"), method="POST", body=b"{}"),
        Call(url=extended(server, "/v2/models")),
    )
    for call in listings:
        try:
            parsed = from_json(wire.send(call), who=shown_url(call.url))
        except StatusError:
            continue
        entries = parsed.get("models", []) if isinstance(parsed, dict) else parsed
        names = [
            entry.get("name") if isinstance(entry, dict) else entry
            for entry in (entries if isinstance(entries, list) else [])
            if not isinstance(entry, dict) or entry.get("state", "READY") == "READY"
        ]
        return sorted({name for name in names if isinstance(name, str)})
    raise SuspectError(f"{shown_url(server)} does not list its models: name one with --model")


def _first(entries: tuple[TensorMetadata, ...], test: Any) -> TensorMetadata | None:
    return next((entry for entry in entries if test(entry)), None)
