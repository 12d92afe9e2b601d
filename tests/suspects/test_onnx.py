from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from scipy import special

from modelprint.core.access import Access
from modelprint.core.errors import ModelError, SuspectError
from modelprint.nn.architectures import Normalized
from modelprint.nn.options import ModelOptions
from modelprint.suspects.onnx import OnnxSuspect

WEIGHTS = np.random.default_rng(1).normal(size=(16, 3)).astype(np.float32)


def save(
    path: Path,
    shape: list[object],
    *,
    dtype: int = TensorProto.FLOAT,
    nodes: list[onnx.NodeProto] | None = None,
    output: tuple[int, list[object]] = (TensorProto.FLOAT, ["n", 3]),
    domain: str = "",
) -> Path:
    """A linear classifier of 4 x 4 grey images."""
    nodes = nodes or [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["f"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"], domain=domain),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("y", *output)],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def expected(images: np.ndarray) -> np.ndarray:
    return (images.astype(np.float32) / 255).reshape(len(images), 16) @ WEIGHTS


@pytest.mark.parametrize("shape", [["n", 1, 4, 4], [None, 4, 4, 1], ["n", "c", "h", "w"], [16, 1, 4, 4], [1, 4, 4, 1]])
def test_layout_and_batch_size_are_read_from_the_file(tmp_path: Path, images: np.ndarray, shape: list[object]) -> None:
    suspect = OnnxSuspect(save(tmp_path / "m.onnx", shape, output=(TensorProto.FLOAT, [shape[0], 3])))
    answers = suspect.ask(images, access=Access.SCORES)
    np.testing.assert_allclose(answers.scores, expected(images), atol=1e-5)
    assert suspect.ask(images).scores is None


def test_nhwc_colour_images_are_transposed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["y"], axes=[1, 2], keepdims=0),
    ]
    suspect = OnnxSuspect(save(tmp_path / "m.onnx", ["n", 4, 4, 3], nodes=nodes))
    colour = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 4), dtype=np.uint8)
    answers = suspect.ask(colour, access=Access.SCORES)
    np.testing.assert_allclose(answers.scores, colour.mean(axis=(2, 3)) / 255, atol=1e-5)
    assert suspect.input_shape == (3, 4, 4)


def test_normalisation_is_applied(tmp_path: Path, images: np.ndarray) -> None:
    suspect = OnnxSuspect(save(tmp_path / "m.onnx", ["n", 1, 4, 4]), model=ModelOptions(mean=(0.5,), std=(0.25,)))
    wanted = ((images.astype(np.float32) / 255 - 0.5) / 0.25).reshape(40, 16) @ WEIGHTS
    np.testing.assert_allclose(suspect.ask(images, access=Access.SCORES).scores, wanted, atol=1e-4)


def test_preprocessing_is_that_of_a_checkpoint(tmp_path: Path) -> None:
    """An average of each channel, in the file's order, of images that are resized, reversed, scaled and normalised."""
    means = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    model = ModelOptions(mean=(90.0, 100.0, 110.0), std=(60.0, 50.0, 40.0), bgr=True, value_range=(0.0, 255.0))
    colour = np.random.default_rng(0).integers(0, 256, (5, 3, 9, 7), dtype=np.uint8)
    suspect = OnnxSuspect(save(tmp_path / "m.onnx", ["n", 3, 4, 6], nodes=means), model=model, shape=(3, 9, 7))
    prepared = Normalized(
        torch.nn.Identity(), (90.0, 100.0, 110.0), (60.0, 50.0, 40.0), bgr=True, value_range=(0.0, 255.0), size=(4, 6)
    )
    wanted = prepared(torch.from_numpy(colour) / 255).mean((2, 3))
    np.testing.assert_allclose(suspect.ask(colour, access=Access.SCORES).scores, wanted, atol=1e-4)
    assert suspect.notes == (f"{suspect.path} takes images of 4 x 6: those of 9 x 7 are resized to it",)


@pytest.mark.parametrize("open_sizes", [["n", 3, "h", "w"], [None, "h", "w", 3]])
def test_a_size_that_the_file_leaves_open_may_be_given(tmp_path: Path, open_sizes: list[object]) -> None:
    axes = [2, 3] if open_sizes[1] == 3 else [1, 2]
    sizes = [
        helper.make_node("ReduceMean", ["x"], ["y"], axes=axes, keepdims=0),
    ]
    path = save(tmp_path / "m.onnx", open_sizes, nodes=sizes)
    colour = np.random.default_rng(0).integers(0, 256, (5, 3, 9, 7), dtype=np.uint8)
    given = OnnxSuspect(path, model=ModelOptions(size=(2, 2)), shape=(3, 9, 7))
    halved = torch.nn.functional.interpolate(
        torch.from_numpy(colour) / 255, (2, 2), mode="bilinear", antialias=True
    ).mean((2, 3))
    np.testing.assert_allclose(given.ask(colour, access=Access.SCORES).scores, halved, atol=1e-5)
    assert "resized" in given.notes[0]
    assert OnnxSuspect(path, shape=(3, 9, 7)).notes == ()


def test_bytes_are_resized_and_reversed_too(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f"], ["y"], axes=[1, 2], keepdims=0),
    ]
    path = save(tmp_path / "m.onnx", ["n", 2, 2, 3], nodes=nodes, dtype=TensorProto.UINT8)
    flat = np.broadcast_to(np.array([10, 20, 30], np.uint8)[None, :, None, None], (4, 3, 8, 8)).copy()
    scores = OnnxSuspect(path, model=ModelOptions(bgr=True)).ask(flat, access=Access.SCORES).scores
    np.testing.assert_array_equal(scores, [[30, 20, 10]] * 4)


def test_uint8_inputs_get_bytes(tmp_path: Path, images: np.ndarray) -> None:
    suspect = OnnxSuspect(save(tmp_path / "m.onnx", ["n", 1, 4, 4], dtype=TensorProto.UINT8))
    np.testing.assert_allclose(suspect.ask(images, access=Access.SCORES).scores, 255 * expected(images), rtol=1e-4)
    assert (suspect.ask(images.astype(np.float32) / 255).labels == suspect.ask(images).labels).all()


def test_a_file_that_gives_labels(tmp_path: Path, images: np.ndarray) -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["s"]),
        helper.make_node("ArgMax", ["s"], ["y"], axis=1, keepdims=0),
    ]
    path = save(tmp_path / "m.onnx", ["n", 1, 4, 4], nodes=nodes, output=(TensorProto.INT64, ["n"]))
    suspect = OnnxSuspect(path)
    assert (suspect.ask(images).labels == expected(images).argmax(1)).all()
    with pytest.raises(SuspectError, match="--access labels"):
        suspect.ask(images, access=Access.SCORES)


def test_other_shapes_and_classes_are_named(tmp_path: Path, images: np.ndarray) -> None:
    path = save(tmp_path / "m.onnx", ["n", 1, 4, 4])
    with pytest.raises(SuspectError, match=r"\(n, 1, 4, 4\) but the queries are \(n, 2, 8, 8\)"):
        OnnxSuspect(path).ask(np.zeros((2, 2, 8, 8), np.uint8))
    with pytest.raises(SuspectError, match="3 classes apart, expected 10"):
        OnnxSuspect(path, classes=10).ask(images)


def test_missing_truncated_and_garbled_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no\.onnx cannot be read"):
        OnnxSuspect(tmp_path / "no.onnx")
    whole = save(tmp_path / "m.onnx", ["n", 1, 4, 4]).read_bytes()
    for data in (b"", whole[: len(whole) // 2], b"garbage"):
        (tmp_path / "bad.onnx").write_bytes(data)
        with pytest.raises(ModelError, match=r"bad\.onnx is not an ONNX file"):
            OnnxSuspect(tmp_path / "bad.onnx")


def test_weights_in_other_files_are_read_and_hashed(tmp_path: Path, images: np.ndarray) -> None:
    path = save(tmp_path / "m.onnx", ["n", 1, 4, 4])
    whole = OnnxSuspect(path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    split = OnnxSuspect(path)
    np.testing.assert_allclose(split.ask(images, access=Access.SCORES).scores, expected(images), atol=1e-5)
    data = bytearray((tmp_path / "w.bin").read_bytes())
    data[0] ^= 1
    (tmp_path / "w.bin").write_bytes(data)
    assert len({whole.identity, split.identity, OnnxSuspect(path).identity}) == 3
    (tmp_path / "w.bin").unlink()
    with pytest.raises(ModelError, match=r"weights in 'w\.bin', which cannot be read \(No such file"):
        OnnxSuspect(path)


@pytest.mark.parametrize("place", ["../w.bin", "/etc/passwd", "link.bin", "folder/w.bin"])
def test_weights_elsewhere_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "in").mkdir()
    path = save(tmp_path / "in" / "m.onnx", ["n", 1, 4, 4])
    model = onnx.load(path)
    (tmp_path / "w.bin").write_bytes(WEIGHTS.tobytes())
    (tmp_path / "in" / "link.bin").symlink_to(tmp_path / "w.bin")
    (tmp_path / "in" / "folder").symlink_to(tmp_path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"keeps weights elsewhere: .*refused"):
        OnnxSuspect(path)


def test_libraries_of_operators_are_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not an ONNX file that onnxruntime can run"):
        OnnxSuspect(save(tmp_path / "custom.onnx", ["n", 1, 4, 4], domain="some.library"))


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("shape", [["n", 3, 1, 1], None])
def test_outputs_as_other_exporters_shape_them(
    tmp_path: Path, images: np.ndarray, softmax: bool, shape: list[object] | None
) -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["s"]),
        helper.make_node("Softmax" if softmax else "Identity", ["s"], ["p"]),
        helper.make_node("Unsqueeze", ["p", "axes"], ["y"]) if shape else helper.make_node("Identity", ["p"], ["y"]),
    ]
    path = save(tmp_path / "m.onnx", ["n", 1, 4, 4], nodes=nodes, output=(TensorProto.FLOAT, shape))  # type: ignore[arg-type]
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 3], np.int64), "axes"))
    onnx.save(model, path)
    scores = OnnxSuspect(path).ask(images, access=Access.SCORES).scores
    wanted = special.softmax(expected(images), axis=1) if softmax else expected(images)
    np.testing.assert_allclose(scores, wanted, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("batch", ["any", "one"])
def test_a_network_that_torch_exported(tmp_path: Path, images: np.ndarray, batch: str) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(16, 3))
    axes = {"images": {0: "n"}} if batch == "any" else None
    torch.onnx.export(
        net.eval(),
        (torch.zeros(1, 1, 4, 4),),
        tmp_path / "m.onnx",
        input_names=["images"],
        dynamic_axes=axes,
        dynamo=False,
    )
    with torch.no_grad():
        wanted = net(torch.from_numpy(images).float() / 255).numpy()
    scores = OnnxSuspect(tmp_path / "m.onnx").ask(images, access=Access.SCORES).scores
    np.testing.assert_allclose(scores, wanted, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_weights_of_eight_bits(tmp_path: Path, images: np.ndarray) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = save(tmp_path / "m.onnx", ["n", 1, 4, 4])
    quantize_dynamic(path, tmp_path / "q.onnx", weight_type=QuantType.QInt8, reduce_range=True)
    labels = OnnxSuspect(tmp_path / "q.onnx").ask(images).labels
    assert (labels == expected(images).argmax(1)).mean() >= 0.9


def test_half_precision(tmp_path: Path, images: np.ndarray) -> None:
    path = save(tmp_path / "m.onnx", ["n", 1, 4, 4], dtype=TensorProto.FLOAT16)
    scores = OnnxSuspect(path).ask(images, access=Access.SCORES).scores
    np.testing.assert_allclose(scores, expected(images), atol=0.02)


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "m.onnx", ["n", 1, 4, 4])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"pip install 'modelprint\[onnx\]'"):
        OnnxSuspect(path)
