"""What servers speak: how a batch of images becomes a request, and a response becomes answers."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError
from modelprint.core.redaction import shown_url
from modelprint.core.suspect import Answers
from modelprint.modalities.image import IMAGE
from modelprint.modalities.wire import Encoder, Picture
from modelprint.modalities.wire import Wire as Carrier
from modelprint.suspects.interpret import ClassIndex, answers_from_json
from modelprint.suspects.wire import Call, Wire


class Dialect(ABC):
    """A protocol, with the address it is spoken at.

    Attributes:
        url: where images are sent.
        access: the most that it may give.
        largest_batch: images that one request may hold; None where that is open.
        index: the classes, as far as they are known.
        notes: what the verdict should say of how images are sent.
        preparing: which words of the user say how images are prepared, for those who asked in the wrong form.
    """

    url: str
    access: Access = Access.SCORES
    largest_batch: int | None = None
    index: ClassIndex
    notes: tuple[str, ...] = ()
    preparing: str = "say how it wants its inputs: --mean, --std, --range, --bgr, --size, --layout"

    @property
    def classes(self) -> int | None:
        """The number of classes, where it is known."""
        return self.index.classes

    @property
    def endpoint(self) -> str:
        """The address without secrets."""
        return shown_url(self.url)

    @abstractmethod
    def request(self, images: np.ndarray, access: Access) -> Call:
        """The request that asks for inputs (n, ...)."""

    def exchange(self, wire: Wire, images: np.ndarray, access: Access) -> bytes:
        """The body of the answer to inputs (n, ...).

        Raises:
            LostError: no answer, or one that says to try again.
            SuspectError: anything else.
        """
        return wire.once(self.request(images, access))

    @abstractmethod
    def answers(self, body: bytes, count: int, access: Access) -> Answers:
        """The answers in a response to `count` images.

        Raises:
            SuspectError: garbage, too few answers, NaN, other classes; the message names the address.
        """


class Invocations(Dialect):
    """MLflow's scoring server: POST /invocations with {"inputs": tensor}, answered by {"predictions": ...}.

    Source: MLflow documentation, "Deploy MLflow Model as a Local Inference Server".
    """

    def __init__(self, url: str, *, tensors: Encoder, index: ClassIndex, wire: Carrier = IMAGE.wire) -> None:
        self.url, self.tensors, self.index, self.wire = url, tensors, index, wire

    def request(self, images: np.ndarray, access: Access) -> Call:
        """The tensor as nested lists, or as the modality has records."""
        return Call(url=self.url, method="POST", body=to_json(self.wire.invocation(images, self.tensors)))

    def answers(self, body: bytes, count: int, access: Access) -> Answers:
        """Predictions as labels, rows of scores, or records; also as an object with one such list per output."""
        parsed = from_json(body, who=self.endpoint)
        if not isinstance(parsed, dict) or "predictions" not in parsed:
            raise SuspectError(
                f'{self.endpoint} gave JSON without "predictions": it does not speak MLflow, check --api'
            )
        values = parsed["predictions"]
        if isinstance(values, dict):
            values = _column(values, access)
        return answers_from_json(values, count, index=self.index, who=self.endpoint)


class ImagePost(Dialect):
    """One image file per request, answered by [{"label": ..., "score": ...}], as hosted inference APIs do.

    JPEG changes pixels and with them, now and then, labels: PNG unless the server takes nothing else.
    """

    largest_batch = 1
    preparing = "look at --picture, and at what the server does with pictures"

    def __init__(self, url: str, *, index: ClassIndex, kind: Picture = "png", wire: Carrier = IMAGE.wire) -> None:
        self.url, self.index, self.kind, self.wire = url, index, kind, wire

    def request(self, images: np.ndarray, access: Access) -> Call:
        """The bytes of the one image."""
        body, content_type = self.wire.file(images[0], self.kind), self.wire.file_type(self.kind)
        return Call(url=self.url, method="POST", body=body, content_type=content_type)

    def answers(self, body: bytes, count: int, access: Access) -> Answers:
        """The label with the highest score; scores only where every class has one."""
        parsed = from_json(body, who=self.endpoint)
        if isinstance(parsed, dict) and isinstance(parsed.get("predictions"), list):
            parsed = parsed["predictions"]
        return answers_from_json([parsed], count, index=self.index, who=self.endpoint)


def to_json(value: Any) -> bytes:
    """Compact JSON; the shortest digits that bring the same float32 back are the caller's business."""
    return json.dumps(value, separators=(",", ":")).encode()


def from_json(body: bytes, *, who: str) -> Any:
    """The value of a JSON text from outside.

    Raises:
        SuspectError: no JSON.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        start = ascii(body[:40].decode("utf-8", "replace"))
        raise SuspectError(
            f"{who} gave {len(body)} bytes that are not JSON, starting with {start}: "
            "check the address and the protocol (--api)"
        ) from error


def _column(columns: dict[str, Any], access: Access) -> Any:
    """The one output of several that answers what was asked for."""
    names = ("label", "labels", "class", "prediction", "predictions", "scores", "probabilities", "logits")
    for name in reversed(names) if access >= Access.SCORES else names:
        if name in columns:
            return columns[name]
    return next(iter(columns.values())) if len(columns) == 1 else columns
