"""Seventeen public APIs of image classifiers on loopback, each as its public documentation describes it.

The addresses of the documentation stand in `examples/apis/NAME.toml`. Each stub checks what the real one insists on:
path, headers, content type, key, least size of pictures. Answers come in an order that says nothing.
"""

from __future__ import annotations

import base64
import io
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response, UploadFile
from PIL import Image
from torch import nn

from modelprint.suspects.aws_signature import AwsKey, signed_headers

KEY, KEY_ID = "a-key-for-tests-0123456789", "AKIDEXAMPLE"
TOKEN = "a-token-for-tests-0123456789"


@dataclass
class Model:
    """What stands behind an API.

    Attributes:
        threshold: below it, no class is named.
    """

    module: nn.Module
    names: tuple[str, ...]
    threshold: float = 0.0
    jobs: dict[str, list[Any]] = field(default_factory=dict)  # of APIs that give receipts: polls left, answer

    def scores(self, tensor: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) of pictures (n, c, h, w) in [0, 1]."""
        with torch.inference_mode():
            logits = self.module(torch.from_numpy(np.ascontiguousarray(tensor, np.float32)))
        scores: np.ndarray = logits.softmax(1).numpy()
        return scores

    def of_picture(self, data: bytes, *, least: int = 1) -> dict[str, float]:
        """Scores by class name of a picture file, by name: those above the threshold."""
        picture = Image.open(io.BytesIO(data))
        if min(picture.size) < least:
            raise HTTPException(400, f"pictures must be at least {least} x {least}, got {picture.size}")
        pixels = np.asarray(picture.convert("L").resize((8, 8), Image.Resampling.BOX), np.float32) / 255
        row = self.scores(pixels[None, None])[0].tolist()
        return {name: score for name, score in sorted(zip(self.names, row, strict=True)) if score >= self.threshold}

    def of_text(self, text: str, *, least: int = 1) -> dict[str, float]:
        """The same of a picture in base64."""
        return self.of_picture(base64.b64decode(text, validate=True), least=least)

    def of_uri(self, uri: str) -> dict[str, float]:
        """The same of a picture in a data URI."""
        head, _, text = uri.partition(",")
        if head != "data:image/png;base64":
            raise HTTPException(422, f"no data URI of a picture: {head[:40]}")
        return self.of_text(text)


def best(scores: dict[str, float]) -> str | None:
    """The class with the highest score."""
    return max(scores, key=lambda name: scores[name], default=None)


def demand(condition: bool, status: int, reason: str) -> None:
    """Refuse a request, as the real server does."""
    if not condition:
        raise HTTPException(status, reason)


def wanted_type(request: Request, kind: str) -> None:
    demand(request.headers["content-type"] == kind, 415, f"expected {kind}, got {request.headers['content-type']}")


Register = Callable[[APIRouter, Model], None]
SHAPES: dict[str, Register] = {}


def shape(name: str) -> Callable[[Register], Register]:
    def register(one: Register) -> Register:
        SHAPES[name] = one
        return one

    return register


def application(models: dict[str, Model]) -> FastAPI:
    """All APIs over all models, at /WHO/NAME."""
    app = FastAPI()
    for who, model in models.items():
        for name, register in SHAPES.items():
            router = APIRouter(prefix=f"/{who}/{name}")
            register(router, model)
            app.include_router(router)
    return app


@shape("tf-serving")
def tf_serving(router: APIRouter, model: Model) -> None:
    @router.post("/v1/models/classifier:predict")
    async def predict(request: Request) -> Any:
        tensor = np.array((await request.json())["instances"], np.float32)
        demand(tensor.shape[1:] == (8, 8, 1), 400, f"shape {tensor.shape}")
        return {"predictions": model.scores(tensor.transpose(0, 3, 1, 2)).tolist()}


@shape("torchserve")
def torchserve(router: APIRouter, model: Model) -> None:
    @router.post("/predictions/classifier")
    async def predict(request: Request) -> Any:
        wanted_type(request, "application/octet-stream")
        scores = model.of_picture(await request.body())
        five = sorted(scores, key=lambda name: -scores[name])[:5]
        return {name: scores[name] for name in sorted(five)}


@shape("kserve-v2")
def kserve_v2(router: APIRouter, model: Model) -> None:
    @router.post("/v2/models/classifier/infer")
    async def infer(request: Request) -> Any:
        (tensor,) = (await request.json())["inputs"]
        values = np.array(tensor["data"], np.float32)
        demand(list(values.shape) == tensor["shape"] and tensor["datatype"] == "FP32", 400, f"shape {tensor['shape']}")
        labels = model.scores(values).argmax(1)
        output = {"name": "label", "datatype": "INT64", "shape": [len(labels)], "data": labels.tolist()}
        return {"model_name": "classifier", "model_version": "1", "outputs": [output]}


@shape("vertex")
def vertex(router: APIRouter, model: Model) -> None:
    @router.post("/v1/projects/PROJECT/locations/REGION/endpoints/ENDPOINT:predict")
    async def predict(request: Request) -> Any:
        demand(request.headers.get("authorization") == f"Bearer {TOKEN}", 401, "no valid token")
        body = await request.json()
        predictions = []
        for instance in body["instances"]:
            scores = model.of_text(instance["content"])
            kept = {name: score for name, score in scores.items() if score >= body["parameters"]["confidenceThreshold"]}
            predictions.append(
                {
                    "ids": [str(1000 + number) for number in range(len(kept))],
                    "displayNames": list(kept),
                    "confidences": list(kept.values()),
                }
            )
        return {"predictions": predictions, "deployedModelId": "1", "modelDisplayName": "digits"}


@shape("azure-custom-vision")
def azure_custom_vision(router: APIRouter, model: Model) -> None:
    @router.post("/customvision/v3.0/Prediction/PROJECT/classify/iterations/ITERATION/image")
    async def classify(request: Request) -> Any:
        demand(request.headers.get("prediction-key") == KEY, 401, "Access denied due to invalid subscription key")
        demand("authorization" not in request.headers, 400, "a token for somebody else")
        wanted_type(request, "application/octet-stream")
        tags = [
            {"probability": score, "tagId": str(uuid.uuid4()), "tagName": name, "tagType": "Regular"}
            for name, score in model.of_picture(await request.body()).items()
        ]
        return {"id": str(uuid.uuid4()), "project": "PROJECT", "iteration": "ITERATION", "predictions": tags}


@shape("rekognition")
def rekognition(router: APIRouter, model: Model) -> None:
    @router.post("")
    async def post(request: Request) -> Any:
        demand(request.headers.get("x-amz-target") == "RekognitionService.DetectCustomLabels", 400, "no operation")
        wanted_type(request, "application/x-amz-json-1.1")
        demand(_aws_signed(request, await request.body()), 403, "InvalidSignatureException")
        body = await request.json()
        scores = model.of_text(body["Image"]["Bytes"], least=64)
        labels = [{"Name": name, "Confidence": 100 * score, "Geometry": None} for name, score in scores.items()]
        return {"CustomLabels": [label for label in labels if label["Confidence"] >= body["MinConfidence"]]}


def _aws_signed(request: Request, body: bytes) -> bool:
    """Whether the signature is that of the key; `test_aws_signature.py` compares it with Amazon's own examples."""
    said = request.headers
    now = datetime.strptime(said["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    key = AwsKey(service="rekognition", region="REGION", key_id=KEY_ID, secret=KEY)
    signed = {name: said[name] for name in ("content-type", "x-amz-target")}
    again = signed_headers(key, method=request.method, url=str(request.url), body=body, headers=signed, now=now)
    return again["authorization"] == said["authorization"]


@shape("google-vision")
def google_vision(router: APIRouter, model: Model) -> None:
    @router.post("/v1/images:annotate")
    async def annotate(request: Request) -> Any:
        demand(request.query_params.get("key") == KEY, 403, "no valid key")
        responses: list[dict[str, Any]] = []
        for one in (await request.json())["requests"]:
            demand(one["features"][0]["type"] == "LABEL_DETECTION", 400, "no such feature")
            scores = model.of_text(one["image"]["content"])
            labels = [
                {"mid": f"/m/{number}", "description": name, "score": score, "topicality": 1 - score}
                for number, (name, score) in enumerate(scores.items())
            ]
            responses.append({"labelAnnotations": labels} if labels else {})
        return {"responses": responses}


@shape("clarifai")
def clarifai(router: APIRouter, model: Model) -> None:
    @router.post("/v2/users/USER/apps/APP/models/MODEL/outputs")
    async def outputs(request: Request) -> Any:
        demand(request.headers.get("authorization") == f"Key {KEY}", 401, "Invalid API key")
        outputs = []
        for one in (await request.json())["inputs"]:
            concepts = [
                {"id": f"ai_{number}", "name": name, "value": score, "app_id": "main"}
                for number, (name, score) in enumerate(model.of_text(one["data"]["image"]["base64"]).items())
            ]
            outputs.append({"status": {"code": 10000}, "data": {"concepts": concepts} if concepts else {}})
        return {"status": {"code": 10000, "description": "Ok"}, "outputs": outputs}


@shape("roboflow")
def roboflow(router: APIRouter, model: Model) -> None:
    @router.post("/PROJECT/1")
    async def classify(request: Request) -> Any:
        demand(request.query_params.get("api_key") == KEY, 403, "Forbidden")
        wanted_type(request, "application/x-www-form-urlencoded")
        scores = model.of_text((await request.body()).decode())
        predictions = [
            {"class": name, "class_id": number, "confidence": round(score, 4)}
            for number, (name, score) in enumerate(scores.items())
        ]
        top = best(scores)
        return {"time": 0.01, "image": {"width": 8, "height": 8}, "predictions": predictions, "top": top or ""}


@shape("hf-inference")
def hf_inference(router: APIRouter, model: Model) -> None:
    @router.post("/hf-inference/models/USER/MODEL")
    async def classify(request: Request) -> Any:
        demand(request.headers.get("authorization") == f"Bearer {TOKEN}", 401, "Invalid username or password.")
        body = await request.json()
        scores = model.of_text(body["inputs"])
        ranked = sorted(scores, key=lambda name: -scores[name])[: body["parameters"]["top_k"]]
        return [{"label": name, "score": scores[name]} for name in ranked]


def label_output(scores: dict[str, float]) -> dict[str, Any]:
    """The data of a gr.Label."""
    return {
        "label": best(scores),
        "confidences": [{"label": name, "confidence": score} for name, score in scores.items()],
    }


@shape("gradio-3")
def gradio_3(router: APIRouter, model: Model) -> None:
    @router.post("/api/predict")
    async def predict(request: Request) -> Any:
        (uri,) = (await request.json())["data"]
        return {"data": [label_output(model.of_uri(uri))], "is_generating": False, "duration": 0.01}


@shape("gradio")
def gradio(router: APIRouter, model: Model) -> None:
    @router.post("/gradio_api/call/predict")
    async def call(request: Request) -> Any:
        (file,) = (await request.json())["data"]
        name = uuid.uuid4().hex
        model.jobs[name] = [0, label_output(model.of_uri(file["url"]))]
        return {"event_id": name}

    @router.get("/gradio_api/call/predict/{name}")
    async def events(name: str) -> Response:
        demand(name in model.jobs, 404, "no such event")
        data = json.dumps([model.jobs.pop(name)[1]])
        text = f"event: heartbeat\ndata: null\n\nevent: generating\ndata: []\n\nevent: complete\ndata: {data}\n\n"
        return Response(text, media_type="text/event-stream")


@shape("bentoml")
def bentoml(router: APIRouter, model: Model) -> None:
    @router.post("/classify")
    async def classify(image: UploadFile) -> Response:
        return Response(best(model.of_picture(await image.read())) or "", media_type="text/plain")


@shape("fastapi-upload")
def fastapi_upload(router: APIRouter, model: Model) -> None:
    @router.post("/predict")
    async def predict(file: UploadFile) -> Any:
        scores = model.of_picture(await file.read())
        top = best(scores)
        return {"filename": file.filename, "prediction": top, "confidence": scores.get(top or "", 0.0)}


@shape("fastapi-json")
def fastapi_json(router: APIRouter, model: Model) -> None:
    @router.post("/predict")
    async def predict(body: dict[str, str]) -> Any:
        scores = model.of_text(body["image"])
        return {"class_name": best(scores), "probabilities": scores}


@shape("ollama")
def ollama(router: APIRouter, model: Model) -> None:
    @router.post("/api/chat")
    async def chat(request: Request) -> Any:
        body = await request.json()
        demand(body["stream"] is False and body["model"] == "llava", 400, "a stream was not asked for")
        (text,) = body["messages"][0]["images"]
        name = best(model.of_text(text, least=32))
        said = "I am not sure what this shows." if name is None else f" {name}.\n"
        return {"model": "llava", "message": {"role": "assistant", "content": said}, "done": True}


@shape("replicate")
def replicate(router: APIRouter, model: Model) -> None:
    def state(request: Request, name: str) -> dict[str, Any]:
        polls, scores = model.jobs[name]
        done = polls == 0
        model.jobs[name][0] = max(0, polls - 1)
        path = f"{router.prefix}/v1/predictions/{name}"
        return {
            "id": name,
            "status": "succeeded" if done else "starting",
            "output": [{"label": key, "score": score} for key, score in scores.items()] if done else None,
            "urls": {"get": f"{str(request.base_url).rstrip('/')}{path}", "cancel": f"{path}/cancel"},
        }

    @router.post("/v1/predictions", status_code=201)
    async def create(request: Request) -> Any:
        demand(request.headers.get("authorization") == f"Bearer {TOKEN}", 401, "Unauthenticated")
        name = uuid.uuid4().hex
        model.jobs[name] = [2, model.of_uri((await request.json())["input"]["image"])]
        return state(request, name)

    @router.get("/v1/predictions/{name}")
    async def get(request: Request, name: str) -> Any:
        demand(request.headers.get("authorization") == f"Bearer {TOKEN}", 401, "Unauthenticated")
        return state(request, name)
