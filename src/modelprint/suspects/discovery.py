"""Which protocol an address speaks."""

from __future__ import annotations

import json
from typing import Any, Literal
from urllib.parse import urlsplit

from modelprint.core.errors import SuspectError
from modelprint.core.redaction import check_address, shown_url
from modelprint.suspects.dialects import Dialect, ImagePost, Invocations
from modelprint.suspects.interpret import class_index
from modelprint.suspects.mapping import MappedApi, read_mapping
from modelprint.suspects.oip import OpenInference, model_url, read_metadata
from modelprint.suspects.options import SuspectOptions
from modelprint.suspects.preparing import plain_encoder, resizing_note
from modelprint.suspects.wire import Call, StatusError, Wire, extended, with_path

_NOT_HERE = frozenset({400, 404, 405, 406, 415, 422, 501})


def find_dialect(wire: Wire, url: str, options: SuspectOptions) -> Dialect:
    """How to talk to the server at a URL; asks it where the URL and the options do not say. No image is sent.

    Raises:
        SuspectError: no server there, none of the protocols, no such model, other images or classes.
    """
    check_url(url)
    api = options.api
    if api == "auto":
        api = "mapping" if options.mapping is not None else _recognised(wire, url)
    index = class_index(options)
    if api == "mapping":
        if options.mapping is None:
            raise SuspectError(f"{shown_url(url)}: --api mapping needs --mapping FILE.toml")
        mapping = read_mapping(options.mapping)
        return MappedApi(
            url,
            mapping,
            names=options.class_names,
            aliases=dict(options.class_aliases),
            form=options.outputs,
            wire=options.modality.wire,
            shape=options.input_shape,
            secrets=options.send_token,
        )
    if api == "image":
        return ImagePost(url, index=index, kind=options.picture, wire=options.modality.wire)
    if api == "mlflow":
        address = url if urlsplit(url).path.endswith("/invocations") else extended(url, "/invocations")
        tensors = plain_encoder(options.modality, options.model, layout=options.layout)
        spoken = Invocations(address, tensors=tensors, index=index, wire=options.modality.wire)
        spoken.notes = resizing_note(
            (), options.input_shape, modality=options.modality, model=options.model, who=spoken.endpoint
        )
        return spoken
    address = model_url(wire, url, options.model_name)
    return OpenInference(address, read_metadata(wire, address), options)


def check_url(url: str) -> None:
    """Refuse what is not an address, and addresses that hold credentials.

    >>> check_url("https://me:secret@host/")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    modelprint.core.errors.SuspectError: https://host/ was given with a user name or password: ...
    """
    check_address(url)
    if "@" in urlsplit(url).netloc:
        raise SuspectError(
            f"{shown_url(url)} was given with a user name or password: these would end in files and messages; "
            "set the environment variable MODELPRINT_API_TOKEN instead"
        )


def _recognised(wire: Wire, url: str) -> Literal["oip", "mlflow"]:
    path = urlsplit(url).path
    if "/v2/models/" in path:
        return "oip"
    if path.endswith("/invocations"):
        return "mlflow"
    server = with_path(url, path.rstrip("/").removesuffix("/v2"))
    greeting = _asked(wire, extended(server, "/v2"))
    if isinstance(greeting, dict) and ("name" in greeting or "extensions" in greeting):
        return "oip"
    if _asked(wire, extended(server, "/ping")) is not None:
        return "mlflow"
    raise SuspectError(
        f"{shown_url(url)} speaks neither the Open Inference Protocol (GET /v2) nor MLflow (GET /ping): "
        "say what it speaks with --api image, or --mapping FILE.toml"
    )


def _asked(wire: Wire, url: str) -> Any:
    """The JSON (or the text) at an address; None where there is nothing."""
    try:
        body = wire.send(Call(url=url))
    except StatusError as error:
        if error.status in _NOT_HERE:
            return None
        raise
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
