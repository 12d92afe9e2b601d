"""`serve-model`'s application, and the client that talks to it and to other servers of the protocol."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from modelprint.core.access import Access
from modelprint.core.errors import ModelprintError, SuspectError
from modelprint.modalities.image.resizing import resized
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.local import CallableSuspect
from modelprint.suspects.serving import create_app, serve
from tests.suspects.servers import Reply, Request, Scripted, running, truth

Connect = Callable[..., HttpSuspect]


def scores_of(images: np.ndarray) -> np.ndarray:
    """Scores that depend on every pixel, to the last bit."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat = flat / np.float32(255) if images.dtype == np.uint8 else flat
    return np.stack([flat @ np.linspace(-1, 1, 16, dtype=np.float32) * k for k in (1, -1, 0.3)], axis=1)


def app(access: Access, function: Callable[[np.ndarray], np.ndarray] = scores_of) -> Any:
    return create_app(CallableSuspect(function), name="net", input_shape=(1, 4, 4), classes=3, access=access)


@pytest.fixture(scope="module")
def labels_url() -> Iterator[str]:
    with running(app(Access.LABELS)) as url:
        yield url


@pytest.fixture(scope="module")
def scores_url() -> Iterator[str]:
    with running(app(Access.SCORES)) as url:
        yield url


@pytest.mark.parametrize(
    "path", ["", "/", "/v2", "/v2/models/net", "/v2/models/net/infer", "/v2/models/net/versions/1"]
)
def test_labels_there_and_back(connect: Connect, labels_url: str, images: np.ndarray, path: str) -> None:
    suspect = connect(labels_url + path)
    assert suspect.access == Access.LABELS
    assert (suspect.ask(images).labels == scores_of(images).argmax(1)).all()
    with pytest.raises(SuspectError, match="gives labels only"):
        suspect.ask(images, access=Access.SCORES)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_scores_there_and_back_to_the_last_bit(
    connect: Connect, scores_url: str, images: np.ndarray, dtype: type
) -> None:
    queries = images if dtype == np.uint8 else images.astype(np.float32) / np.float32(255)
    suspect = connect(scores_url, max_in_flight=3)
    np.testing.assert_array_equal(suspect.ask(queries, access=Access.SCORES).scores, scores_of(queries))
    assert suspect.ask(queries).scores is None


def test_a_server_of_labels_leaks_no_scores(labels_url: str, images: np.ndarray) -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [40, 1, 4, 4], "data": images.reshape(-1).tolist()}
    body = {"inputs": [tensor], "outputs": [{"name": "scores"}], "parameters": {"access": "scores"}}
    reply = httpx.post(f"{labels_url}/v2/models/net/infer", json=body).json()
    assert reply == {
        "model_name": "net",
        "model_version": "1",
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [40], "data": scores_of(images).argmax(1).tolist()}
        ],
    }
    assert httpx.get(f"{labels_url}/v2/models/net").json()["outputs"] == [
        {"name": "label", "datatype": "INT64", "shape": [-1]}
    ]


def test_labels_ask_a_server_of_scores_for_labels_only_where_it_has_both(connect: Connect, images: np.ndarray) -> None:
    outputs = [
        {"name": "p", "datatype": "FP32", "shape": [-1, 4]},
        {"name": "top", "datatype": "INT64", "shape": [-1]},
    ]
    wanted: list[object] = []

    def script(request: Request, number: int) -> Reply:
        if number < 0:
            return Reply(
                {
                    "name": "m",
                    "inputs": [{"name": "x", "datatype": "UINT8", "shape": [-1, 1, 4, 4]}],
                    "outputs": outputs,
                }
            )
        wanted.extend(output["name"] for output in request.json["outputs"])
        data = np.array(request.json["inputs"][0]["data"]).reshape(request.json["inputs"][0]["shape"])
        return Reply({"outputs": [{**outputs[1], "shape": [len(data)], "data": truth(data).tolist()}]})

    with Scripted(script) as server:
        suspect = connect(f"{server.url}/v2/models/m", batch_size=40)
        assert (suspect.ask(images).labels == truth(images)).all()
    assert wanted == ["top"]


def test_health_metadata_and_listing(labels_url: str) -> None:
    get = httpx.get
    assert get(f"{labels_url}/v2").json()["name"] == "modelprint"
    assert get(f"{labels_url}/v2/health/live").json() == {"live": True}
    assert get(f"{labels_url}/v2/health/ready").json() == {"ready": True}
    assert get(f"{labels_url}/v2/models/net/ready").json()["ready"] is True
    assert get(f"{labels_url}/v2/models/net/versions/1").json()["inputs"][0]["shape"] == [-1, 1, 4, 4]
    assert httpx.post(f"{labels_url}/v2/repository/index", json={}).json()[0]["name"] == "net"
    for path in ("/v2/models/other", "/v2/models/net/versions/2"):
        reply = get(labels_url + path)
        assert reply.status_code == 404
        assert "there is 'net'" in reply.json()["error"]


GOOD: dict[str, Any] = {"name": "images", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [0.5] * 16}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{not json", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ({"inputs": []}, "inference request with one input"),
        ({"inputs": [GOOD, GOOD]}, "inference request with one input"),
        ({"inputs": [{**GOOD, "datatype": "BYTES"}]}, "inputs.0.datatype"),
        ({"inputs": [{**GOOD, "shape": [-1, 1, 4, 4]}]}, "got (-1, 1, 4, 4)"),
        ({"inputs": [{**GOOD, "shape": [10**15, 1, 4, 4]}]}, "not numbers of shape"),
        ({"inputs": [{**GOOD, "shape": [1, 16]}]}, "expected inputs of shape (n, 1, 4, 4), got (1, 16)"),
        ({"inputs": [{**GOOD, "shape": [1, 3, 4, 4]}]}, r"expected inputs of shape (n, 1, 4, 4), got (1, 3, 4, 4)"),
        ({"inputs": [{**GOOD, "data": [0.5] * 15}]}, "not numbers of shape (1, 1, 4, 4)"),
        ({"inputs": [{**GOOD, "data": ["x"] * 16}]}, "not numbers"),
        ({"inputs": [{**GOOD, "data": [255.0] * 16}]}, "divide by 255"),
        ({"inputs": [{**GOOD, "datatype": "UINT8", "data": [256] * 16}]}, "whole numbers from 0 to 255"),
        ({"inputs": [{**GOOD, "datatype": "UINT8", "data": [0.5] * 16}]}, "whole numbers from 0 to 255"),
        (
            b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [NaN'
            + b", 1" * 15
            + b"]}]}",
            "NaN",
        ),
    ],
)
def test_bad_requests_get_400_and_a_reason(labels_url: str, body: Any, message: str) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = httpx.post(f"{labels_url}/v2/models/net/infer", content=data)
    assert reply.status_code == 400
    assert message in reply.json()["error"]


def test_nested_data_are_taken(labels_url: str) -> None:
    body = {"inputs": [{**GOOD, "data": [[[[0.5] * 4] * 4]]}]}
    assert httpx.post(f"{labels_url}/v2/models/net/infer", json=body).status_code == 200


def test_a_broken_model_is_the_servers_fault(connect: Connect, images: np.ndarray) -> None:
    broken = app(Access.LABELS, lambda batch: np.full((len(batch), 3), np.nan))
    with running(broken) as url, pytest.raises(SuspectError, match=r"answered 500 .*NaN or infinite outputs"):
        connect(url).ask(images)


def test_other_images_and_classes_are_refused_before_any_image_is_sent(connect: Connect, scores_url: str) -> None:
    with pytest.raises(SuspectError, match=r"\(n, 1, 4, 4\) but the queries are \(n, 2, 32, 32\)"):
        connect(scores_url, input_shape=(2, 32, 32))
    with pytest.raises(SuspectError, match="3 classes apart, expected 2"):
        connect(scores_url, class_names=("a", "b"))


def test_images_of_another_size_are_resized_to_that_of_the_server(connect: Connect, scores_url: str) -> None:
    larger = np.random.default_rng(0).integers(0, 256, (6, 1, 9, 7), dtype=np.uint8)
    suspect = connect(scores_url, input_shape=(1, 9, 7))
    smaller = resized(larger.astype(np.float32) / 255, (4, 4))
    expected = connect(scores_url).ask(smaller, access=Access.SCORES).scores
    np.testing.assert_allclose(suspect.ask(larger, access=Access.SCORES).scores, expected, atol=1e-6)
    assert [note.split(" takes ")[1] for note in suspect.notes] == ["images of 4 x 4: those of 9 x 7 are resized to it"]


METADATA = {"name": "m", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, -1, -1, -1]}], "outputs": []}


def other_server(listing: Any, metadata: Any = METADATA, listing_at: str = "/v2/repository/index") -> Any:
    def script(request: Request, number: int) -> Reply:
        if request.path == "/v2":
            return Reply({"name": "other", "version": "2"})
        if request.path == listing_at:
            return Reply(listing)
        return Reply(metadata) if request.path.startswith("/v2/models/") else Reply(status=404)

    return Scripted(script)


@pytest.mark.parametrize(
    ("listing", "place"),
    [
        ([{"name": "m"}], "/v2/repository/index"),
        ([{"name": "m", "state": "READY"}, {"name": "old", "state": "UNAVAILABLE"}], "/v2/repository/index"),
        ({"models": ["m"]}, "/v2/models"),
    ],
)
def test_a_bare_address_with_one_model_needs_no_name(connect: Connect, listing: Any, place: str) -> None:
    with other_server(listing, listing_at=place) as server:
        assert connect(server.url).dialect.endpoint == f"{server.url}/v2/models/m"


def test_several_models_need_a_name(connect: Connect) -> None:
    with other_server([{"name": "m"}, {"name": "n/2"}]) as server:
        with pytest.raises(SuspectError, match=r"has 2 models \('m', 'n/2'\): name one with --model"):
            connect(server.url)
        assert connect(server.url, model_name="n/2").dialect.endpoint == f"{server.url}/v2/models/n%2F2"
    with other_server([]) as server, pytest.raises(SuspectError, match="has 0 models"):
        connect(server.url)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (b"<html>", "not JSON"),
        ([], "no model metadata"),
        ({"inputs": [{"name": "a"}]}, "no model metadata"),
        ({"inputs": [{"name": n, "datatype": "FP32", "shape": [-1]} for n in "ab"]}, r"several inputs \('a', 'b'\)"),
        ({"inputs": [{"name": "a", "datatype": "BYTES", "shape": [-1]}]}, "takes 'BYTES': expected FP32 or UINT8"),
    ],
)
def test_strange_metadata_are_named(connect: Connect, metadata: Any, message: str) -> None:
    with other_server([{"name": "m"}], metadata) as server, pytest.raises(SuspectError, match=message):
        connect(server.url)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([], "gave no outputs"),
        ([{"name": "y", "datatype": "FP32", "shape": [3, 2], "data": [0.5] * 6}], "3 answers to 8 images"),
        ([{"name": "y", "datatype": "FP32", "shape": [8, 2], "data": [0.5] * 6}], "not FP32 of shape"),
        ([{"name": "y", "datatype": "FP32", "shape": [8, 2], "data": ["a"] * 16}], "not FP32 of shape"),
        ([{"name": "y", "datatype": "BYTES", "shape": [8], "data": ["cat"] * 8}], "names were not given"),
    ],
)
def test_strange_answers_are_named(connect: Connect, images: np.ndarray, outputs: Any, message: str) -> None:
    script = lambda request, number: Reply(METADATA if number < 0 else {"outputs": outputs})  # noqa: E731
    with Scripted(script) as server, pytest.raises(SuspectError, match=message):
        connect(f"{server.url}/v2/models/m").ask(images)


def test_a_server_of_neither_protocol(connect: Connect) -> None:
    said = r"neither the Open Inference Protocol .* --api image, or --mapping"
    with Scripted(lambda request, number: Reply(status=404)) as server, pytest.raises(SuspectError, match=said):
        connect(server.url)


def test_one_image_at_a_time_where_the_server_says_so(connect: Connect, images: np.ndarray) -> None:
    metadata = {**METADATA, "inputs": [{"name": "x", "datatype": "UINT8", "shape": [1, 4, 4, 1]}]}

    def script(request: Request, number: int) -> Reply:
        if number < 0:
            return Reply(metadata)
        tensor = request.json["inputs"][0]
        assert tensor["shape"] == [1, 4, 4, 1]
        label = tensor["data"][0] % 4
        return Reply({"outputs": [{"name": "y", "datatype": "INT64", "shape": [1, 1], "data": [label]}]})

    with Scripted(script) as server:
        suspect = connect(f"{server.url}/v2/models/m", max_in_flight=4)
        assert (suspect.ask(images).labels == truth(images)).all()


def test_a_taken_port_is_said() -> None:
    refused = pytest.raises(ModelprintError, match="choose another --port")
    with socket.create_server(("127.0.0.1", 0)) as taken, refused:
        serve(app(Access.LABELS), taken.getsockname()[1])


def test_serve_says_where_it_listens() -> None:
    said: list[str] = []

    def stop(url: str) -> None:
        said.append(url)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serve(app(Access.LABELS), 0, on_start=stop)
    assert said[0].startswith("http://127.0.0.1:")
    assert not said[0].endswith(":0")
