"""A small TOML file that says how to ask any other JSON API.

path = "/classify"                  # added to the URL; may be left out
[request]
kind = "base64-json"                # tensor | png | jpeg | base64-json | multipart
body = { instances = "$images", top_k = 5 }     # "$image": one per request; "$images": a list of `item`s
item = { b64 = "$image" }           # multipart: field = "file" and, beside it, form = { top_k = "5" }
[response]
labels = "predictions.*.class"      # path of the labels; "*" goes through a list
scores = "predictions.*.probs"      # path of the scores; one of both is enough
[class_names]
Sneakers = "Sneaker"                # the API's name = your name or class number
"""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, JsonValue, ValidationError, model_validator

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError
from modelprint.core.records import Record
from modelprint.core.suspect import Answers
from modelprint.core.untrusted import read_regular
from modelprint.modalities.image import IMAGE
from modelprint.modalities.wire import Layout, Number, Picture
from modelprint.modalities.wire import Wire as Carrier
from modelprint.suspects.dialects import Dialect, from_json, to_json
from modelprint.suspects.interpret import ClassIndex, answers_from_json
from modelprint.suspects.wire import Call, Said, extended

ONE, MANY = "$image", "$images"


class MappingRequest(Record):
    """How images are sent.

    Attributes:
        kind: a tensor in JSON, the bytes of a picture, pictures in base64 within JSON, or a form with a file in it.
        body: the JSON, with "$image" or "$images" where they go; for `tensor` and `base64-json`.
        item: what stands in "$images" for each image, with "$image" in it.
        picture: the file type within base64 and uploads.
        field, form: of an upload: the name of its file, and what goes with it.
        layout, dtype, mean, std: of tensors; floats are in [0, 1] before `mean` and `std`.
    """

    kind: Literal["tensor", "png", "jpeg", "base64-json", "multipart"]
    body: JsonValue = None
    item: JsonValue = ONE
    picture: Picture = "png"
    field: str = "file"
    form: dict[str, str] = Field(default_factory=dict)
    layout: Layout | None = None
    dtype: Number = "float32"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if self.kind in ("png", "jpeg", "multipart"):
            if self.body is not None:
                raise ValueError(f"a {self.kind} request is the picture itself: leave body out, or use base64-json")
        elif self.body is not None and not (_holds(self.body, ONE) or _holds(self.body, MANY)):
            raise ValueError(f'body has no place for the images: put "{ONE}" or "{MANY}" there')
        if not _holds(self.item, ONE):
            raise ValueError(f'item has no "{ONE}"')
        return self


class MappingResponse(Record):
    """Where the answers are: dotted paths, "*" for every entry of a list, "" for the whole."""

    labels: str | None = None
    scores: str | None = None

    @model_validator(mode="after")
    def _has_a_path(self) -> Self:
        if self.labels is None and self.scores is None:
            raise ValueError("name the path of labels or of scores")
        return self


class Mapping(Record):
    """The file."""

    path: str = ""
    method: Literal["POST", "PUT"] = "POST"
    request: MappingRequest
    response: MappingResponse
    class_names: dict[str, int | str] = Field(default_factory=dict)


class MappedApi(Dialect):
    """An API as a mapping file describes it.

    Args:
        url: to which the file's path is added.
        names: the fingerprint's class names, in order; empty when not known.
        aliases: what else the API calls classes; these win over the file's.
        wire: of the inputs' modality.

    Raises:
        SuspectError: the file maps to a class name that there is not.
    """

    def __init__(
        self,
        url: str,
        mapping: Mapping,
        *,
        names: tuple[str, ...] = (),
        aliases: dict[str, int] | None = None,
        wire: Carrier = IMAGE.wire,
    ) -> None:
        self.wire = wire
        self.url = extended(url, "/" + mapping.path.lstrip("/")) if mapping.path else url
        self.mapping = mapping
        self.index = ClassIndex.aliased(names, {**mapping.class_names, **(aliases or {})}, who="the mapping file")
        request = mapping.request
        kinds: dict[str, Picture] = {"png": "png", "jpeg": "jpeg"}
        self._picture = kinds.get(request.kind)
        one_by_one = self._picture is not None or request.kind == "multipart" or _holds(self._body(), ONE)
        self.largest_batch = 1 if one_by_one else None
        if mapping.response.scores is None:
            self.access = Access.LABELS

    def request(self, images: np.ndarray, access: Access) -> Call:
        """The picture, or the JSON with the images in their place."""
        request = self.mapping.request
        if self._picture is not None:
            body, content_type = self.wire.file(images[0], self._picture), f"image/{self._picture}"
        elif request.kind == "multipart":
            body, content_type = upload(self.wire.file(images[0], request.picture), request)
        else:
            items = [_filled(request.item, {ONE: value}) for value in self._values(images)]
            filled = _filled(self._body(), {ONE: items[0], MANY: items})
            body, content_type = to_json(filled), "application/json"
        return Call(
            url=self.url,
            method=self.mapping.method,
            body=body,
            content_type=content_type,
            said=tuple(_texts(request.model_dump(include={"form", "body", "item"}))),
        )

    def answers(self, body: bytes, count: int, access: Access) -> Answers:
        """What stands at the path of scores, if these are wanted or all there is, else at that of labels."""
        parsed = from_json(body, who=self.endpoint)
        paths = self.mapping.response
        path = paths.scores if access >= Access.SCORES or paths.labels is None else paths.labels
        values = at_path(parsed, path or "", who=self.endpoint)
        if self.largest_batch == 1 and not (isinstance(values, list) and "*" in (path or "")):
            values = [values]
        return answers_from_json(values, count, index=self.index, who=self.endpoint)

    def _body(self) -> Any:
        request = self.mapping.request
        if request.body is not None:
            return request.body
        return {"inputs": MANY} if request.kind == "tensor" else {"image": ONE}

    def _values(self, images: np.ndarray) -> list[Any]:
        request = self.mapping.request
        if request.kind == "tensor":
            encoder = self.wire.encoder(layout=request.layout, dtype=request.dtype, mean=request.mean, std=request.std)
            values: list[Any] = encoder.encode(images).tolist()
            return values
        return [base64.b64encode(self.wire.file(image, request.picture)).decode() for image in images]


def upload(data: bytes, request: MappingRequest) -> tuple[bytes, str]:
    """A picture as multipart/form-data (RFC 7578), and the content type with its boundary."""
    import httpx

    name = f"query.{request.picture}"
    files = {request.field: (name, data, f"image/{request.picture}")}
    message = httpx.Request("POST", "http://localhost", files=files, data=request.form)
    return message.read(), message.headers["content-type"]


def read_mapping(path: Path | str) -> Mapping:
    """Read a mapping file.

    Raises:
        SuspectError: missing, not TOML, or with wrong fields; the message names them.
    """
    try:
        return Mapping.model_validate(tomllib.loads(read_regular(Path(path)).decode()))
    except OSError as error:
        raise SuspectError(f"the mapping file {path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in entry['loc']) or 'file'}: {entry['msg']}" for entry in error.errors()[:5]
        )
        raise SuspectError(f"the mapping file {path} is not right: {mistakes}") from error
    except (ValueError, RecursionError) as error:  # TOML, UTF-8
        raise SuspectError(f"the mapping file {path} is not TOML: {error}") from error


def at_path(value: Any, path: str, *, who: str) -> Any:
    """What stands at a dotted path of a JSON value.

    >>> at_path({"a": [{"b": 1}, {"b": 2}]}, "a.*.b", who="api")
    [1, 2]

    Raises:
        SuspectError: nothing there; the message says how far it went.
    """
    head, _, rest = path.partition(".")
    if not head:
        return value
    if head == "*":
        if isinstance(value, list):
            return [at_path(entry, rest, who=who) for entry in value]
    elif isinstance(value, dict) and head in value:
        return at_path(value[head], rest, who=who)
    elif isinstance(value, list) and head.isdigit() and int(head) < len(value):
        return at_path(value[int(head)], rest, who=who)
    reached = f"an object with {ascii(sorted(value))[:120]}" if isinstance(value, dict) else ascii(value)[:60]
    raise SuspectError(f"{who}: the answer has nothing at {path!r}, but {reached}: mend the mapping file's path")


def _holds(value: JsonValue, placeholder: str) -> bool:
    if isinstance(value, dict):
        return any(_holds(entry, placeholder) for entry in value.values())
    if isinstance(value, list):
        return any(_holds(entry, placeholder) for entry in value)
    return value == placeholder


def _texts(value: Any, name: str = "") -> Iterator[Said]:
    """The texts in a JSON value, each with the name of its field."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _texts(entry, key)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry, name)
    elif isinstance(value, str) and value not in (ONE, MANY):
        yield Said(name=name, text=value)


def _filled(value: Any, items: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(entry, items) for key, entry in value.items()}
    if isinstance(value, list):
        return [_filled(entry, items) for entry in value]
    return items[value] if isinstance(value, str) and value in items else value
