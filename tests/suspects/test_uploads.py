"""A service as a thief may run it: pictures come as forms, classes have its own names, the top k are answered."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from fastapi import FastAPI, Form, UploadFile
from PIL import Image

import modelprint
from modelprint.cli.app import run
from modelprint.core.errors import SuspectError
from modelprint.nn.files import save_model
from modelprint.ownership.enroll import enroll
from modelprint.schemes.adv_tra import AdvTra
from modelprint.suspects.class_names import ask_class_names, per_class, read_class_names
from modelprint.suspects.options import SuspectOptions
from tests.conftest import Digits
from tests.suspects.servers import running

WORDS = ("five", "naught", "three", "nine", "one", "two", "seven", "eight", "six", "four")  # of its outputs 0 .. 9
OWN = {"naught": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
CLASS_OF = [OWN[word] for word in WORDS]  # its output, and the class that is meant
NAMES = "".join(f'"{word}" = "{number}"\n' for word, number in OWN.items())
UPLOAD = """
[request]
kind = "multipart"
field = "image"
form = { top_k = "3" }
picture = "PICTURE"
[response]
labels = "top.0.name"
"""
BASE64 = """
path = "/json"
[request]
kind = "base64-json"
body = { image = "$image" }
picture = "PICTURE"
[response]
labels = "top.0.name"
"""


@pytest.fixture(scope="module")
def place(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uploads")
    save_model(folder / "source.safetensors", digits.source, digits.trained.card)
    enroll(
        digits.source,
        digits.queries,
        scheme=AdvTra(trajectories=5, m=3),
        negatives=digits.strangers,
        out=folder / "fp",
    )
    return folder


@pytest.fixture(scope="module")
def url(digits: Digits) -> Iterator[str]:
    """The source behind such a service; its outputs are in another order."""
    app = FastAPI()
    order = np.argsort(CLASS_OF)  # the output that means each class

    def answer(data: bytes, top_k: int) -> Any:
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
        with torch.inference_mode():
            own = digits.source(torch.from_numpy(pixels.copy())[None, None].float() / 255)[0].softmax(0).numpy()
        theirs = own[CLASS_OF]
        ranked = np.argsort(-theirs)[:top_k]
        assert order[np.argmax(own)] == ranked[0]
        return {"top": [{"name": WORDS[place], "confidence": float(theirs[place])} for place in ranked]}

    @app.post("/classify")
    async def classify(image: UploadFile, top_k: Annotated[int, Form()] = 1) -> Any:
        assert image.filename is not None
        assert image.content_type == f"image/{image.filename.rpartition('.')[2]}"
        return answer(await image.read(), top_k)

    @app.post("/classify/json")
    async def as_json(body: dict[str, str]) -> Any:
        return answer(base64.b64decode(body["image"]), 1)

    with running(app) as address:
        yield address + "/classify"


def described(folder: Path, text: str, picture: str, names: str = "") -> Path:
    path = folder / "api.toml"
    path.write_text(text.replace("PICTURE", picture) + (f"[class_names]\n{names}" if names else ""))
    return path


@pytest.mark.parametrize("text", [UPLOAD, BASE64])
@pytest.mark.parametrize("picture", ["png", "jpeg"])
def test_a_copy_behind_uploads_is_checked_like_its_file(
    place: Path, url: str, tmp_path: Path, text: str, picture: str
) -> None:
    options = SuspectOptions(mapping=described(tmp_path, text, picture, NAMES), ledger=tmp_path / "ledger.jsonl")
    over_http = modelprint.verify(place / "fp", url, options=options)
    from_file = modelprint.verify(place / "fp", place / "source.safetensors")
    assert over_http.details["trajectories"] == from_file.details["trajectories"] == 5
    if picture == "png":
        assert over_http.model_copy(update={"suspect": ""}) == from_file.model_copy(update={"suspect": ""})
    assert 0 <= over_http.details["mean_mutation_rate"] < 0.5  # JPEG changes pixels, and with them some labels


def test_class_names_are_found_by_asking(
    place: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    mapping = described(tmp_path, UPLOAD, "png")
    words = ["map-classes", url, "digits:attacker", "--mapping", str(mapping), "--out", "names.toml", "--images", "5"]
    assert run(words) == 0
    assert "10 classes, from the answers to 50 images" in capsys.readouterr().out
    assert {name: int(str(own)) for name, own in read_class_names(tmp_path / "names.toml").class_names.items()} == OWN
    asked = ["verify", str(place / "fp"), url, "--mapping", str(mapping), "--ledger", "l.jsonl", "--format", "json"]
    assert run([*asked, "--class-names", "names.toml"]) == 0
    assert json.loads(capsys.readouterr().out)["matched"] == 5
    assert run(asked) == 1
    assert "map its names to yours" in capsys.readouterr().err


def test_numbers_in_another_order_are_mapped_too(tmp_path: Path, connect: Callable[..., Any]) -> None:
    from tests.suspects.servers import Reply, Scripted

    images = np.arange(40, dtype=np.uint8).repeat(16).reshape(40, 1, 4, 4)

    def script(request: Any, number: int) -> Reply:
        first = [image[0][0][0] * 255 for image in request.json["inputs"]]
        labels = [(round(value) + 1) % 4 for value in first]
        return Reply({"predictions": np.eye(4)[labels].tolist() if "scores" in request.path else labels})

    with Scripted(script) as server:
        for place in ("labels", "scores"):
            url = f"{server.url}/{place}/invocations"
            found = ask_class_names(url, images, np.arange(40) % 4, 4, options=SuspectOptions())
            assert found.names == ("1", "2", "3", "0")
            aliases = {name: number for number, name in enumerate(found.names)}
            suspect = connect(url, class_aliases=aliases, class_names=tuple("abcd"), ledger=None)
            assert suspect.ask(images).labels.tolist() == [number % 4 for number in range(40)]


def test_a_service_that_does_not_tell_the_classes_apart_gets_no_names() -> None:
    from tests.suspects.servers import Reply, Scripted

    script = lambda request, number: Reply({"predictions": ["x"] * len(request.json["inputs"])})  # noqa: E731
    images = np.arange(40, dtype=np.uint8).repeat(16).reshape(40, 1, 4, 4)
    with Scripted(script) as server, pytest.raises(SuspectError, match=r"no name of its own for class 1 \(0%\)"):
        ask_class_names(f"{server.url}/invocations", images, np.arange(40) % 4, 4, options=SuspectOptions())


@pytest.mark.parametrize(
    ("text", "message"),
    [("[class_names", "is not TOML"), ("a = 1", "holds no class names"), ("[class_names]\na = 1.5", "class_names.a")],
)
def test_files_of_class_names_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "names.toml").write_text(text)
    with pytest.raises(SuspectError, match=message):
        read_class_names(tmp_path / "names.toml")
    assert per_class(np.array([], np.int64), 3).tolist() == []
