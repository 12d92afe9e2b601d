"""MLflow, image bytes, mapping files: against FastAPI applications that answer as these services do."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI, Request, Response
from PIL import Image

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.mapping import at_path, read_mapping
from tests.suspects.servers import running, truth

Connect = Callable[..., HttpSuspect]
NAMES = ("cat", "dog", "ship", "T-shirt/top")


def scores_of(images: np.ndarray) -> np.ndarray:
    return np.eye(4)[truth(images)] * 0.7 + 0.1


def pixels(data: bytes) -> np.ndarray:
    """(1, c, h, w) of a picture file."""
    array = np.asarray(Image.open(io.BytesIO(data)))
    return (array[None] if array.ndim == 2 else array.transpose(2, 0, 1))[None]


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """Several services in one application, told apart by path."""
    app = FastAPI()

    @app.get("/{kind}/ping")
    def ping(kind: str) -> Response:
        return Response("\n") if kind.startswith("mlflow") else Response(status_code=404)

    @app.post("/mlflow-{form}/invocations")
    async def invocations(form: str, request: Request) -> Any:
        tensor = np.array((await request.json())["inputs"], dtype=np.float32)
        if form == "nhwc":
            tensor = tensor.transpose(0, 3, 1, 2)
        scores = scores_of(tensor)
        forms: dict[str, Any] = {
            "rows": scores.tolist(),
            "nhwc": scores.tolist(),
            "labels": truth(tensor).tolist(),
            "dict": {"label": truth(tensor).tolist(), "probabilities": scores.tolist()},
            "output": {"output_0": scores.tolist()},
            "records": [dict(zip(NAMES, row, strict=True)) for row in scores.tolist()],
        }
        return {"predictions": forms[form]}

    @app.post("/image")
    async def image(request: Request) -> Any:
        assert request.headers["content-type"] in ("image/png", "image/jpeg")
        scores = scores_of(pixels(await request.body()))[0]
        ranked = sorted(zip(NAMES, scores.tolist(), strict=True), key=lambda pair: -pair[1])
        return [{"label": name, "score": score} for name, score in ranked]

    @app.post("/classify")
    async def classify(request: Request) -> Any:
        body = await request.json()
        assert body["top_k"] == 1
        images = np.concatenate([pixels(base64.b64decode(item["b64"])) for item in body["instances"]])
        return {"results": [{"best": {"name": f"the {NAMES[label]}"}} for label in truth(images)]}

    @app.put("/tensor")
    async def tensor(request: Request) -> Any:
        images = np.array((await request.json())["x"]["data"])
        assert images.max() > 1
        return {"out": [{"p": row} for row in scores_of(images.transpose(0, 3, 1, 2)).tolist()]}

    with running(app) as url:
        yield url


@pytest.mark.parametrize("form", ["rows", "labels", "dict", "output", "records"])
def test_mlflow_in_each_form(connect: Connect, service: str, images: np.ndarray, form: str) -> None:
    suspect = connect(f"{service}/mlflow-{form}", class_names=NAMES)
    answers = suspect.ask(images)
    assert (answers.labels == truth(images)).all()
    assert answers.scores is None


@pytest.mark.parametrize("form", ["rows", "dict", "output", "records"])
def test_mlflow_scores(connect: Connect, service: str, images: np.ndarray, form: str) -> None:
    answers = connect(f"{service}/mlflow-{form}/invocations", class_names=NAMES).ask(images, access=Access.SCORES)
    np.testing.assert_allclose(answers.scores, scores_of(images), rtol=1e-6)


def test_mlflow_channels_last(connect: Connect, service: str, images: np.ndarray) -> None:
    colour = np.repeat(images, 3, axis=1)
    suspect = connect(f"{service}/mlflow-nhwc", api="mlflow", layout="nhwc")
    assert (suspect.ask(colour).labels == truth(colour)).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_image_bytes(connect: Connect, service: str, images: np.ndarray, channels: int) -> None:
    colour = np.repeat(images, channels, axis=1)
    suspect = connect(f"{service}/image", api="image", class_names=NAMES)
    assert (suspect.ask(colour).labels == truth(colour)).all()
    answers = suspect.ask(colour[:5], access=Access.SCORES)
    np.testing.assert_allclose(answers.scores, scores_of(colour[:5]), rtol=1e-6)


def test_image_bytes_as_jpeg(connect: Connect, service: str) -> None:
    flat = np.stack([np.full((1, 8, 8), value, np.uint8) for value in (0, 1, 2, 3)])  # survives JPEG
    assert connect(f"{service}/image", api="image", class_names=NAMES, picture="jpeg").ask(flat).labels.tolist() == [
        0,
        1,
        2,
        3,
    ]


def test_image_bytes_need_the_class_names(connect: Connect, service: str, images: np.ndarray) -> None:
    with pytest.raises(SuspectError, match=r"names were not given"):
        connect(f"{service}/image", api="image").ask(images)


def test_pictures_have_one_or_three_channels(connect: Connect, service: str) -> None:
    with pytest.raises(SuspectError, match="2 channels"):
        connect(f"{service}/image", api="image", class_names=NAMES).ask(np.zeros((1, 2, 4, 4), np.uint8))


BASE64 = """
path = "/classify"
[request]
kind = "base64-json"
body = { instances = "$images", top_k = 1 }
item = { b64 = "$image" }
[response]
labels = "results.*.best.name"
[class_names]
"the cat" = "cat"
"the dog" = 1
"the ship" = "ship"
"the T-shirt/top" = "T-shirt/top"
"""
TENSOR = """
method = "PUT"
[request]
kind = "tensor"
dtype = "uint8"
layout = "nhwc"
body = { x = { data = "$images" } }
[response]
scores = "out.*.p"
"""
PNG = """
path = "image"
[request]
kind = "png"
[response]
labels = "0.label"
scores = ""
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "api.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "path"), [(BASE64, ""), (TENSOR, "/tensor"), (PNG, "/")])
def test_mapping_files(
    connect: Connect, service: str, images: np.ndarray, tmp_path: Path, text: str, path: str
) -> None:
    suspect = connect(service + path, mapping=write(tmp_path, text), class_names=NAMES)
    assert (suspect.ask(images).labels == truth(images)).all()
    if "scores" in text:
        answers = suspect.ask(images, access=Access.SCORES)
        np.testing.assert_allclose(answers.scores, scores_of(images), rtol=1e-6)
    else:
        assert suspect.access == Access.LABELS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path = ", "is not TOML"),
        ("[request]\nkind = 'fax'\n[response]\nlabels = ''", r"request\.kind: .*'tensor', 'records', 'png'"),
        ("[request]\nkind = 'png'\n[response]\n", "name the path of labels or of scores"),
        ("[request]\nkind = 'png'\nbody = {}\n[response]\nlabels = ''", "leave body out"),
        ("[request]\nkind = 'tensor'\nbody = { x = 1 }\n[response]\nlabels = ''", "no place for the images"),
        ("[request]\nkind = 'tensor'\nitem = 3\n[response]\nlabels = ''", 'item has no "\\$image"'),
        ("[request]\nkind = 'png'\ntypo = 1\n[response]\nlabels = ''", r"request\.typo: Extra inputs"),
    ],
)
def test_mapping_files_that_are_wrong_are_told_so(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SuspectError, match=message):
        read_mapping(write(tmp_path, text))


def test_mapping_to_an_unknown_class_or_path(
    connect: Connect, service: str, images: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(SuspectError, match=r"the mapping file answered class 'ship'|class 'ship'"):
        connect(service, mapping=write(tmp_path, BASE64), class_names=("cat", "dog"))
    wrong = write(tmp_path, PNG.replace("0.label", "0.name"))
    with pytest.raises(SuspectError, match=r"nothing at 'name', but an object with \['label', 'score'\]"):
        connect(service, mapping=wrong, class_names=NAMES).ask(images)
    with pytest.raises(SuspectError, match=r"no\.toml cannot be read"):
        read_mapping(tmp_path / "no.toml")
    with pytest.raises(SuspectError, match="--api mapping needs --mapping"):
        connect(service, api="mapping")


def test_paths_go_through_lists() -> None:
    value = {"a": [{"b": [1, 2]}, {"b": [3, 4]}]}
    assert at_path(value, "a.*.b.1", who="api") == [2, 4]
    assert at_path(value, "", who="api") is value
    for path in ("a.2", "a.*.c", "*", "a.0.b.x"):
        with pytest.raises(SuspectError, match="has nothing at"):
            at_path(value, path, who="api")
