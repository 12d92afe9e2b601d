"""A small TOML file that says how to ask any other JSON API.

path = "/classify"                  # added to the URL; may be left out
query = { version = "3" }           # added to the URL's query
headers = { X-Api-Key = "${MODELPRINT_API_KEY}" }      # secrets come from the environment
[aws]                               # signs requests to Amazon: service = "rekognition", region = "eu-west-1"
[request]
kind = "base64-json"                # tensor | records | png | jpeg | base64 | base64-json | multipart
body = { instances = "$images", top_k = 5 }     # "$image": one per request; "$images": a list of `item`s
item = { b64 = "$image" }           # multipart: field = "file" and, beside it, form = { top_k = "5" }
content_type = "application/octet-stream"
least_size = 64                     # smaller pictures are sent enlarged, pixel by pixel
[poll]                              # for APIs that answer with a receipt
url = "urls.get"                    # its place in the receipt; or path = "/results/$id" and id = "event_id"
status = "status"                   # whose value is then one of done = ["succeeded"], failed = ["failed"]
[response]
labels = "predictions.*.class"      # path of the labels; "*" goes through a list, "tags?" may be absent: abstained
scores = "predictions.*.probs"      # path of the scores; one of both is enough
name = "tagName"                    # of entries like {"tagName": ..., "certainty": ...}: their keys
score = "certainty"
[class_names]
Sneakers = "Sneaker"                # the API's name = your name or class number
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

from modelprint.core.errors import SuspectError
from modelprint.core.records import Record
from modelprint.core.untrusted import read_regular
from modelprint.modalities.wire import Layout, Number, Picture
from modelprint.suspects.entries import Reading
from modelprint.suspects.templates import MANY, ONE, holds

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}")  # RFC 9110, 5.1
_CONTENT_TYPE = r"^[\w.+-]{1,60}/[\w.+-]{1,60}(; ?[\w-]{1,20}=[\w.-]{1,40})?$"
_OURS = ("content-length", "content-type", "transfer-encoding", "connection", "host", "accept-encoding", "expect")


class MappingRequest(Record):
    """How images are sent.

    Attributes:
        kind: a tensor in JSON, the bytes of a picture or a sound, a picture in base64 and nothing else, pictures in
            base64 within JSON, or a form with a file in it.
        body: the JSON, with "$image" or "$images" where they go, and "$shape" for the tensor's; for `tensor` and
            `base64-json`. In `base64-json`, "$image" may be a part of a text.
        item: what stands in "$images" for each image, with "$image" in it.
        picture: the file type within base64 and uploads.
        content_type: of the request; what suits the kind unless given.
        least_size: the shorter side, in pixels, that pictures are enlarged to by a whole factor where they are smaller.
        field, form: of an upload: the name of its file, and what goes with it.
        layout, dtype, mean, std: of tensors; floats are in [0, 1], or in `range`, before `mean` and `std`.
        value_range, bgr: of tensors, too; the first is written `range`. As in `ModelOptions`.
    """

    kind: Literal["tensor", "records", "png", "jpeg", "wav", "base64", "base64-json", "multipart"]
    body: JsonValue = None
    item: JsonValue = ONE
    picture: Picture = "png"
    content_type: str | None = Field(default=None, pattern=_CONTENT_TYPE)
    least_size: int | None = Field(default=None, ge=1, le=4096)
    field: str = "file"
    form: dict[str, str] = Field(default_factory=dict)
    layout: Layout | None = None
    dtype: Number = "float32"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    value_range: tuple[float, float] = Field(default=(0.0, 1.0), alias="range")
    bgr: bool = False

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        within = self.kind == "base64-json"
        if self.kind not in ("tensor", "records", "base64-json"):
            if self.body is not None:
                raise ValueError(f"a {self.kind} request is the picture itself: leave body out, or use base64-json")
        elif self.body is not None and not (holds(self.body, ONE, within=within) or holds(self.body, MANY)):
            raise ValueError(f'body has no place for the images: put "{ONE}" or "{MANY}" there')
        if not holds(self.item, ONE, within=within):
            raise ValueError(f'item has no "{ONE}"')
        if self.kind == "multipart" and self.content_type is not None:
            raise ValueError("the content type of a form holds its boundary: leave content_type out")
        if self.kind == "tensor" and self.least_size is not None:
            raise ValueError("least_size is for pictures: a tensor's size is that of --size")
        return self


class MappingPoll(Record):
    """Where the answer is, of an API that gives a receipt first.

    Attributes:
        url: the place, in the receipt, of an address on the same server; or
        path, id: the address, with "$id" where that goes which stands at this place of the receipt.
        status: the place of a word, in the receipt and in what the address gives, which says how far it is; without it
            the first good answer counts.
        done, failed: these words, in any case.
        seconds: how long to wait for one answer.
        every: the most seconds between two questions.
    """

    url: str | None = None
    path: str | None = None
    id: str | None = None
    status: str | None = None
    done: tuple[str, ...] = ("succeeded", "completed", "done")
    failed: tuple[str, ...] = ("failed", "canceled", "cancelled", "error")
    seconds: float = Field(default=120.0, gt=0, le=3600)
    every: float = Field(default=2.0, gt=0, le=60)

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if (self.url is None) == (self.path is None):
            raise ValueError("name the url's place in the receipt, or a path and the id's place")
        if self.path is not None and (self.id is None or "$id" not in self.path):
            raise ValueError('a path needs "$id" in it, and the place of the id')
        return self


class MappingAws(Record):
    """Whose signature requests to Amazon Web Services carry (Signature Version 4)."""

    service: str = Field(pattern=r"^[A-Za-z0-9-]{1,60}$")
    region: str = Field(pattern=r"^[A-Za-z0-9-]{1,60}$")
    key_id: str = "${MODELPRINT_API_KEY_ID}"
    secret: str = "${MODELPRINT_API_SECRET}"  # noqa: S105 - where it is, not what
    token: str = ""


class MappingResponse(Record):
    """Where the answers are: dotted paths, "*" for every entry of a list, "" for the whole, "tags?" may be absent.

    Attributes:
        labels, scores: the paths.
        format: JSON, plain text, or an event stream, of which the data of `event` is read as JSON.
        name, score: the keys, in entries, of class and score, where these are not the usual ones.
        ranked: the best entry comes first, and no score says so.
        other_labels: what a label is that is none of the classes: an error, or no answer.
    """

    labels: str | None = None
    scores: str | None = None
    format: Literal["json", "text", "events"] = "json"
    event: str = "complete"
    name: str | None = None
    score: str | None = None
    ranked: bool = False
    other_labels: Literal["refused", "abstained"] = "refused"

    @model_validator(mode="after")
    def _has_a_path(self) -> Self:
        if self.labels is None and self.scores is None:
            raise ValueError("name the path of labels or of scores")
        return self

    @property
    def reading(self) -> Reading:
        """How entries are read."""
        return Reading(name=self.name, score=self.score, ranked=self.ranked, others=self.other_labels)


class Mapping(Record):
    """The file.

    Attributes:
        path, query: added to the address.
        headers: of every request; they may name variables of the environment, as the query and the body may.
        aws: how requests are signed.
    """

    path: str = ""
    query: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    method: Literal["POST", "PUT"] = "POST"
    aws: MappingAws | None = None
    request: MappingRequest
    poll: MappingPoll | None = None
    response: MappingResponse
    class_names: dict[str, int | str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _signs_what_it_asks(self) -> Self:
        if self.aws is not None and self.poll is not None:
            raise ValueError("there is no signed question for a receipt's answer: leave aws or poll out")
        return self

    @field_validator("headers")
    @classmethod
    def _whole_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(name):
                raise ValueError(f"{ascii(name)[:60]} is no name of a header")
            if name.lower() in _OURS:
                raise ValueError(f"{name} is set by modelprint; for content-type use request.content_type")
            if not (value.isascii() and value.isprintable() and len(value) <= 4096):
                raise ValueError(f"{name} holds characters that no header takes")
        return headers


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
