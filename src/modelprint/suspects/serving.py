"""A model behind the Open Inference Protocol, for `modelprint serve-model` and for tests against a real server."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelprint.core.access import Access
from modelprint.core.errors import DataError, ModelprintError
from modelprint.core.suspect import Suspect
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.wire import NUMBERS, TEXTS

try:
    import uvicorn
    from fastapi import APIRouter, FastAPI, HTTPException, Request
    from fastapi.concurrency import run_in_threadpool
    from fastapi.responses import JSONResponse
except ModuleNotFoundError as missing:
    raise ModelprintError("serving a model needs FastAPI and uvicorn: pip install 'modelprint[serve]'") from missing

MAX_REQUEST = 256 * 2**20
Json = dict[str, Any]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class _Input(_Lenient):
    name: str
    shape: tuple[int, ...]
    datatype: str
    data: list[Any]


class _Infer(_Lenient):
    inputs: list[_Input] = Field(min_length=1, max_length=1)


class ServedModel:
    """One model as the protocol sees it.

    Args:
        suspect: what answers, one request at a time.
        name: of the model, in its address /v2/models/NAME.
        input_shape: of an input.
        classes: their number, where it is known.
        access: what clients may see: with `labels` an INT64 output "label", from `scores` on an FP32 output "scores".
    """

    def __init__(
        self,
        suspect: Suspect,
        *,
        name: str,
        input_shape: tuple[int, ...],
        classes: int | None,
        access: Access,
        modality: Modality = IMAGE,
    ) -> None:
        self.modality, self.sent = modality, modality.wire.sent_shape(input_shape)
        self.suspect, self.name, self.input_shape, self.classes = suspect, name, input_shape, classes
        self.access = Access.SCORES if access >= Access.SCORES else Access.LABELS
        self._one_at_a_time = threading.Lock()

    def metadata(self) -> Json:
        """The answer to GET /v2/models/NAME."""
        output: Json = {"name": "label", "datatype": "INT64", "shape": [-1]}
        if self.access == Access.SCORES:
            output = {"name": "scores", "datatype": "FP32", "shape": [-1, self.classes or -1]}
        return {
            "name": self.name,
            "versions": ["1"],
            "platform": "modelprint",
            "inputs": [
                {"name": self.modality.plural, "datatype": self.modality.wire.datatypes[0], "shape": [-1, *self.sent]}
            ],
            "outputs": [output],
        }

    def infer(self, body: bytes) -> Json:
        """The answer to a request.

        Raises:
            DataError: a request that cannot be answered; the message says why.
        """
        images = self._images(body)
        with self._one_at_a_time:
            answers = self.suspect.ask(images, access=self.access)
        values = answers.labels if answers.scores is None else answers.scores
        output = {**self.metadata()["outputs"][0], "shape": list(values.shape), "data": values.reshape(-1).tolist()}
        return {"model_name": self.name, "model_version": "1", "outputs": [output]}

    def _images(self, body: bytes) -> np.ndarray:
        try:
            tensor = _Infer.model_validate(json.loads(body)).inputs[0]
        except ValidationError as error:
            mistakes = "; ".join(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors()[:3])
            raise DataError(f"not an inference request with one input: {mistakes}") from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"the request is not JSON: {error}") from error
        known = self.modality.wire.datatypes
        if tensor.datatype not in known:
            raise DataError(f"inputs.0.datatype: {tensor.datatype!a} is not taken here: send {' or '.join(known)}")
        if tensor.shape[1:] != self.sent or tensor.shape[:1] < (0,):
            raise DataError(f"expected inputs of shape (n, {str(self.sent)[1:]}, got {tensor.shape}")
        number = NUMBERS[tensor.datatype]
        try:
            values = np.asarray(tensor.data, dtype=object if number == TEXTS else np.float32).reshape(tensor.shape)
        except (ValueError, TypeError, OverflowError) as error:
            raise DataError(f"the data are not numbers of shape {tensor.shape}: {error}") from error
        return self.modality.wire.decoded(values, number)


def create_app(
    suspect: Suspect,
    *,
    name: str,
    input_shape: tuple[int, ...],
    classes: int | None,
    access: Access,
    modality: Modality = IMAGE,
) -> FastAPI:
    """An application that serves one model, see `ServedModel`; bad requests get status 400 and are told why."""
    model = ServedModel(suspect, name=name, input_shape=input_shape, classes=classes, access=access, modality=modality)
    app = FastAPI(title="modelprint", openapi_url=None)
    app.include_router(_server_routes(model))
    for prefix in ("/v2/models/{asked}", "/v2/models/{asked}/versions/{version}"):
        app.include_router(_model_routes(model), prefix=prefix)

    @app.exception_handler(ModelprintError)
    def explain(request: Request, error: ModelprintError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=400 if isinstance(error, DataError) else 500)

    @app.exception_handler(HTTPException)
    def refuse(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, status_code=error.status_code)

    return app


def _server_routes(model: ServedModel) -> APIRouter:
    router = APIRouter()

    @router.get("/v2")
    def server() -> Json:
        return {"name": "modelprint", "version": "1", "extensions": ["model_repository"]}

    @router.get("/v2/health/live")
    def live() -> Json:
        return {"live": True}

    @router.get("/v2/health/ready")
    def ready() -> Json:
        return {"ready": True}

    @router.post("/v2/repository/index")
    def index() -> list[Json]:
        return [{"name": model.name, "version": "1", "state": "READY", "reason": ""}]

    return router


def _model_routes(model: ServedModel) -> APIRouter:
    router = APIRouter()

    def check(asked: str, version: str = "1") -> None:
        if (asked, version) != (model.name, "1"):
            raise HTTPException(404, f"no model {asked!r} of version {version!r} here: there is {model.name!r}, 1")

    @router.get("")
    def metadata(asked: str, version: str = "1") -> Json:
        check(asked, version)
        return model.metadata()

    @router.get("/ready")
    def ready(asked: str, version: str = "1") -> Json:
        check(asked, version)
        return {"name": model.name, "ready": True}

    @router.post("/infer")
    async def infer(request: Request, asked: str, version: str = "1") -> JSONResponse:
        check(asked, version)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_REQUEST:
                raise HTTPException(413, f"the request is larger than {MAX_REQUEST >> 20} MiB: send fewer images")
        return JSONResponse(await run_in_threadpool(model.infer, bytes(body)))

    return router


def serve(
    app: Callable[..., Any],
    port: int,
    host: str = "127.0.0.1",
    *,
    on_start: Callable[[str], None] | None = None,
    lifespan: Literal["on", "off"] = "off",
) -> None:
    """Serve until interrupted.

    Args:
        app: of ASGI.
        port: 0 takes a free one.
        on_start: called with the address, "http://127.0.0.1:8000", once connections are taken.
        lifespan: whether the application is told of its start and its end.

    Raises:
        ModelprintError: the port is taken or not allowed.
    """
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelprintError(f"cannot listen on {host}:{port} ({reason}): choose another --port") from error
    with listener:
        if on_start is not None:
            on_start(f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}")
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan=lifespan, ws="none")
        uvicorn.Server(config).run(sockets=[listener])
