import io

import numpy as np
import pytest
import torch

from modelprint.core.errors import ModelError
from modelprint.lineage import StateTensors, compare, open_tensors, reference_of
from tests.lineage.nets import cnn_net

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def net():
    return cnn_net(0)


def exported(net, *, fold):
    buffer = io.BytesIO()
    mode = torch.onnx.TrainingMode.EVAL if fold else torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(
        net, (torch.zeros(1, 1, 8, 8),), buffer, dynamo=False, training=mode, do_constant_folding=fold, opset_version=17
    )
    return buffer.getvalue()


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_an_exported_model_is_the_same_model(net, tmp_path, fold):
    path = tmp_path / "model.onnx"
    path.write_bytes(exported(net, fold=fold))
    result = compare(reference_of(StateTensors(net.state_dict())), open_tensors(path))
    assert result.score == pytest.approx(1, abs=1e-3)
    assert result.compared == 1


def test_quantised_and_transposed_weights_are_read(tmp_path):
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    scale = np.abs(weight).max(1) / 127
    initialisers = [
        numpy_helper.from_array(np.round(weight / scale[:, None]).astype(np.int8), "q"),
        numpy_helper.from_array(scale.astype(np.float32), "scale"),
        numpy_helper.from_array(np.zeros(6, np.int8), "zero"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["w"], axis=0),
        helper.make_node("Transpose", ["w"], ["wt"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "wt"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    path = tmp_path / "q.onnx"
    path.write_bytes(
        helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], initialisers)).SerializeToString()
    )
    tensors = open_tensors(path)
    (name,) = tensors.shapes
    np.testing.assert_allclose(tensors.read(name).numpy(), weight, atol=0.02)


def test_a_file_that_is_no_onnx_is_refused(tmp_path):
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="not an ONNX file"):
        open_tensors(path)
