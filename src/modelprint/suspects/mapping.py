"""An API as a mapping file describes it (`mapping_file`)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import numpy as np

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError
from modelprint.core.suspect import Answers
from modelprint.modalities.image import IMAGE
from modelprint.modalities.wire import Picture, TensorForm
from modelprint.modalities.wire import Wire as Carrier
from modelprint.suspects.aws_signature import AwsKey, signed_headers
from modelprint.suspects.dialects import Dialect, from_json, to_json
from modelprint.suspects.event_stream import data_of_event
from modelprint.suspects.interpret import ClassIndex, answers_from_json
from modelprint.suspects.mapping_file import Mapping as Mapping
from modelprint.suspects.mapping_file import MappingRequest
from modelprint.suspects.mapping_file import read_mapping as read_mapping
from modelprint.suspects.outputs import OutputForm
from modelprint.suspects.paths import at_path as at_path
from modelprint.suspects.polling import awaited
from modelprint.suspects.proxies import check_carriers
from modelprint.suspects.templates import MANY, ONE, SHAPE, filled, holds, resolved, texts, variables
from modelprint.suspects.wire import Call, Said, Wire, extended

_ACCEPT = {"json": None, "text": "text/plain, */*", "events": "text/event-stream"}
_OF_PICTURES = "kind, picture and least_size"


class MappedApi(Dialect):
    """An API as a mapping file describes it.

    Args:
        url: to which the file's path and query are added.
        names: the fingerprint's class names, in order; empty when not known.
        aliases: what else the API calls classes; these win over the file's. form: what its outputs stand for.
        wire: of the inputs' modality.
        shape: of an input, where it is known.
        secrets: whether the file may name variables of the environment.

    Raises:
        SuspectError: the file maps to a class name that there is not, or names a variable that is not there.
    """

    def __init__(
        self,
        url: str,
        mapping: Mapping,
        *,
        names: tuple[str, ...] = (),
        aliases: dict[str, int | str] | None = None,
        form: OutputForm = OutputForm(),  # noqa: B008 - frozen
        wire: Carrier = IMAGE.wire,
        shape: tuple[int, ...] | None = None,
        secrets: bool = True,
    ) -> None:
        self.wire = wire
        self.mapping = mapping
        entries = "layout, dtype, range, mean, std and bgr" if mapping.request.kind == "tensor" else _OF_PICTURES
        self.preparing = f"look at {entries} of [request] in the mapping file"
        called = {**mapping.class_names, **(aliases or {})}
        self.index = ClassIndex.aliased(names, called, who="the mapping file", form=form)
        request = mapping.request
        aws = None if mapping.aws is None else mapping.aws.model_dump()
        sent = {
            "query": mapping.query,
            "headers": mapping.headers,
            "body": self._body(),
            "form": request.form,
            "aws": aws,
        }
        self._named = variables(sent)
        if self._named and not secrets:
            raise SuspectError(
                f"the mapping file names {', '.join(self._named)[:80]}: no secret is sent to an address that a file "
                "names; --trust-code allows it"
            )
        sent = resolved(sent, who="the mapping file")
        self.headers: dict[str, str] = sent["headers"]
        self._template, self._form = sent["body"], sent["form"]
        self._aws = None if aws is None else AwsKey(**sent["aws"])
        self._server = _with_query(url, sent["query"])
        self.url = extended(self._server, "/" + mapping.path.lstrip("/")) if mapping.path else self._server
        if self._named:
            check_carriers(self.url, carried=self._named)
        kinds: dict[str, Picture] = {"png": "png", "jpeg": "jpeg", "wav": "wav"}
        self._picture = kinds.get(request.kind, request.picture)
        batches = request.kind in ("tensor", "records", "base64-json") and not holds(self._template, ONE, within=True)
        self.largest_batch = None if batches else 1
        if mapping.response.scores is None:
            self.access = Access.LABELS
        enlarging = None if shape is None else wire.enlarging(shape, request.least_size)
        self.notes = () if enlarging is None else (f"{self.endpoint} gets {enlarging}",)

    def request(self, images: np.ndarray, access: Access) -> Call:
        """The picture, or the JSON with the images in their place."""
        request = self.mapping.request
        kind = request.kind
        if kind in ("png", "jpeg", "wav"):
            body, content_type = self._file(images[0]), self.wire.file_type(self._picture)
        elif kind == "base64":
            body, content_type = base64.b64encode(self._file(images[0])), "text/plain"
        elif kind == "multipart":
            body, content_type = upload(
                self._file(images[0]), request, self._form, file_type=self.wire.file_type(self._picture)
            )
        else:
            body, content_type = to_json(self._filled(images)), "application/json"
        content_type, headers = request.content_type or content_type, self.headers
        if self._aws is not None:
            signed = {**headers, "content-type": content_type}
            added = signed_headers(
                self._aws, method=self.mapping.method, url=self.url, body=body, headers=signed, now=datetime.now(UTC)
            )
            headers = {**headers, **added}
        return Call(
            url=self.url,
            method=self.mapping.method,
            body=body,
            content_type=content_type,
            headers=headers,
            accept=_ACCEPT[self.mapping.response.format],
            token_placed=bool(self._named),
            said=tuple(
                Said(name=name, text=text)
                for name, text in texts(request.model_dump(include={"form", "body", "item"}))
                if text not in (ONE, MANY, SHAPE)
            ),
        )

    def exchange(self, wire: Wire, images: np.ndarray, access: Access) -> bytes:
        """The answer, after as many questions as the file says."""
        call = self.request(images, access)
        body = wire.once(call)
        poll = self.mapping.poll
        return body if poll is None else awaited(wire, call, body, poll, server=self._server, who=self.endpoint)

    def answers(self, body: bytes, count: int, access: Access) -> Answers:
        """What stands at the path of scores, if these are wanted or all there is, else at that of labels."""
        paths = self.mapping.response
        path = paths.scores if access >= Access.SCORES or paths.labels is None else paths.labels
        values = at_path(self._parsed(body), path or "", who=self.endpoint)
        if self.largest_batch == 1 and not (isinstance(values, list) and "*" in (path or "")):
            values = [values]
        return answers_from_json(values, count, index=self.index, who=self.endpoint, reading=paths.reading)

    def _parsed(self, body: bytes) -> Any:
        response = self.mapping.response
        if response.format == "text":
            return body.decode("utf-8", "replace").strip()
        if response.format == "events":
            body = data_of_event(body, response.event, who=self.endpoint)
        return from_json(body, who=self.endpoint)

    def _body(self) -> Any:
        request = self.mapping.request
        if request.body is not None:
            return request.body
        return {"inputs": MANY} if request.kind in ("tensor", "records") else {"image": ONE}

    def _filled(self, images: np.ndarray) -> Any:
        request = self.mapping.request
        if request.kind == "tensor":
            form = TensorForm(
                layout=request.layout,
                dtype=request.dtype,
                mean=request.mean,
                std=request.std,
                bgr=request.bgr,
                value_range=request.value_range,
            )
            encoder = self.wire.encoder(form)
            tensor = encoder.encode(images)
            values, shape = tensor.tolist(), list(tensor.shape)
        elif request.kind == "records":
            values = self.wire.records(images)
            shape = [len(values)]
        else:
            values = [base64.b64encode(self._file(image)).decode() for image in images]
            shape = [len(values)]
        items = [filled(request.item, {ONE: value}) for value in values]
        return filled(self._template, {ONE: items[0], MANY: items, SHAPE: shape})

    def _file(self, image: np.ndarray) -> bytes:
        return self.wire.file(self.wire.enlarged(image, self.mapping.request.least_size), self._picture)


def upload(data: bytes, request: MappingRequest, form: dict[str, str], *, file_type: str) -> tuple[bytes, str]:
    """A file as multipart/form-data (RFC 7578), and the content type with its boundary."""
    import httpx

    name = f"query.{file_type.rpartition('/')[2]}"
    files = {request.field: (name, data, file_type)}
    message = httpx.Request("POST", "http://localhost", files=files, data=form)
    return message.read(), message.headers["content-type"]


def _with_query(url: str, query: dict[str, str]) -> str:
    if not query:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(query))))))
