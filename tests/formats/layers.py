"""A small convolutional classifier as a list of layers, and that list in the formats of other libraries."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

Kind = Literal["conv", "pool", "mean", "dense"]
NONE = np.zeros(0, np.float32)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer; weights as torch has them: (out, in, 3, 3) or (out, in). A conv is followed by ReLU."""

    kind: Kind
    weight: np.ndarray = field(default_factory=lambda: NONE)
    bias: np.ndarray = field(default_factory=lambda: NONE)


def layers_of(body: nn.Module) -> list[Layer]:
    """The layers of modelprint's `cnn`, each batch norm folded into the convolution before it."""
    listed: list[Layer] = []
    weight, bias = torch.zeros(0), torch.zeros(0)
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach()
        elif isinstance(module, nn.BatchNorm2d):
            factor = module.weight.detach() / torch.sqrt(module.running_var + module.eps)
            bias = module.bias.detach() - module.running_mean * factor
            listed.append(Layer(kind="conv", weight=_array(weight * factor[:, None, None, None]), bias=_array(bias)))
        elif isinstance(module, nn.MaxPool2d):
            listed.append(Layer(kind="pool"))
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            listed.append(Layer(kind="mean"))
        elif isinstance(module, nn.Linear):
            listed.append(Layer(kind="dense", weight=_array(module.weight.detach()), bias=_array(module.bias.detach())))
    return listed


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.numpy(), np.float32)


def keras_model(layers: list[Layer], *, softmax: bool = False, code: bool = False) -> Any:
    """A functional model of Keras, on torch.

    Args:
        code: whether a Lambda layer comes last.
    """
    from modelprint.suspects.foreign.keras_library import keras

    inputs = values = keras.Input((8, 8, 1))
    weights: dict[str, Layer] = {}
    for number, layer in enumerate(layers):
        name = f"{layer.kind}{number}"
        weights[name] = layer
        if layer.kind == "conv":
            values = keras.layers.Conv2D(len(layer.bias), 3, padding="same", activation="relu", name=name)(values)
        elif layer.kind == "pool":
            values = keras.layers.MaxPooling2D(name=name)(values)
        elif layer.kind == "mean":
            values = keras.layers.GlobalAveragePooling2D(name=name)(values)
        else:
            values = keras.layers.Dense(len(layer.bias), name=name)(values)
    if softmax:
        values = keras.layers.Softmax()(values)
    if code:
        values = keras.layers.Lambda(lambda scores: scores * 2)(values)
    model = keras.Model(inputs, values)
    for name, layer in weights.items():
        if layer.kind == "conv":
            model.get_layer(name).set_weights([layer.weight.transpose(2, 3, 1, 0), layer.bias])
        elif layer.kind == "dense":
            model.get_layer(name).set_weights([layer.weight.T, layer.bias])
    return model


def tflite_file(
    layers: list[Layer],
    *,
    batch: int | None = 1,
    integers: Literal["none", "weights", "ends"] = "none",
    size: tuple[int, int, int] = (8, 8, 1),
) -> bytes:
    """A TFLite file.

    Args:
        batch: images at a time; None: any number.
        integers: "weights": of 8 bits, computing in floats; "ends": inputs and outputs of 8 bits, too.
        size: (height, width, channels).
    """
    return tflite_graph(layers, batch=batch, integers=integers, size=size).packed()


def tflite_graph(
    layers: list[Layer],
    *,
    batch: int | None = 1,
    integers: Literal["none", "weights", "ends"] = "none",
    size: tuple[int, int, int] = (8, 8, 1),
) -> TfliteGraph:
    """The parts of such a file, to be changed before they are packed."""
    graph = TfliteGraph()
    schema = graph.schema
    place = graph.tensor("images", (batch or 1, *size), signature=batch is None)
    graph.inputs = [place]
    if integers == "ends":
        graph.tensors[place].type = schema.TensorType.INT8
        graph.tensors[place].quantization = _quantization(schema, [1 / 255], [-128])
        floats = graph.tensor("floats", (batch or 1, *size), signature=batch is None)
        graph.operator(schema.BuiltinOperator.DEQUANTIZE, [place], floats)
        place = floats
    shape: tuple[int, ...] = (batch or 1, *size)
    for number, layer in enumerate(layers):
        place, shape = graph.layer(layer, number, place, shape, any_number=batch is None, integers=integers != "none")
    if integers == "ends":
        last = graph.tensor("stored", shape, signature=batch is None, type_=schema.TensorType.INT8)
        graph.tensors[last].quantization = _quantization(schema, [0.25], [0])
        graph.operator(schema.BuiltinOperator.QUANTIZE, [place], last)
        place = last
    graph.outputs = [place]
    return graph


def _quantization(schema: Any, scales: list[float], zeros: list[int]) -> Any:
    quantised = schema.QuantizationParametersT()
    quantised.scale, quantised.zeroPoint = scales, zeros
    return quantised


class TfliteGraph:
    """Tensors, buffers and operators of one TFLite graph."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.more: list[Any] = []  # other graphs of the file
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [schema.BufferT()]
        self.operators: list[Any] = []
        self.codes: list[Any] = []
        self.inputs: list[int] = []
        self.outputs: list[int] = []

    def tensor(
        self, name: str, shape: tuple[int, ...], *, signature: bool = False, type_: int = 0, buffer: int = 0
    ) -> int:
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), type_, buffer
        if signature:
            tensor.shapeSignature = [-1, *shape[1:]]
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, name: str, values: np.ndarray, *, integers: bool = False) -> int:
        """A constant; of 8 bits with a scale for each of the first axis, where asked."""
        types = self.schema.TensorType
        scale = None
        if integers and values.ndim > 1:
            flat = np.abs(values).reshape(len(values), -1).max(1)
            scale = np.where(flat > 0, flat / 127, 1.0).astype(np.float32)
            values = np.rint(values / scale.reshape(-1, *[1] * (values.ndim - 1))).astype(np.int8)
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.buffers.append(buffer)
        kinds = {"float32": types.FLOAT32, "int8": types.INT8, "int32": types.INT32}
        place = self.tensor(name, values.shape, type_=kinds[values.dtype.name], buffer=len(self.buffers) - 1)
        if scale is not None:
            self.tensors[place].quantization = _quantization(self.schema, scale.tolist(), [0] * len(scale))
        return place

    def operator(self, code: int, inputs: list[int], output: int, options: Any = None, kind: int = 0) -> None:
        entry = self.schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, code, 3 if options is not None else 2
        self.codes.append(entry)
        operator = self.schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.codes) - 1, inputs, [output]
        operator.builtinOptions, operator.builtinOptionsType = options, kind
        self.operators.append(operator)

    def layer(
        self, layer: Layer, number: int, place: int, shape: tuple[int, ...], *, any_number: bool, integers: bool
    ) -> tuple[int, tuple[int, ...]]:
        """Where the layer's output lies, and its shape."""
        schema, codes, options = self.schema, self.schema.BuiltinOperator, self.schema.BuiltinOptions
        name = f"{layer.kind}{number}"
        inputs = [place]
        if layer.kind in ("conv", "dense"):
            weight = layer.weight.transpose(0, 2, 3, 1) if layer.kind == "conv" else layer.weight
            inputs += [
                self.constant(f"{name}/w", weight, integers=integers and layer.kind == "conv"),
                self.constant(f"{name}/b", layer.bias),
            ]
        if layer.kind == "conv":
            shape = (*shape[:3], len(layer.bias))
            conv = schema.Conv2DOptionsT()
            conv.padding, conv.strideW, conv.strideH = schema.Padding.SAME, 1, 1
            conv.dilationWFactor = conv.dilationHFactor = 1
            conv.fusedActivationFunction = schema.ActivationFunctionType.RELU
            code, chosen, kind = codes.CONV_2D, conv, options.Conv2DOptions
        elif layer.kind == "pool":
            shape = (shape[0], shape[1] // 2, shape[2] // 2, shape[3])
            pool = schema.Pool2DOptionsT()
            pool.padding, pool.strideW, pool.strideH, pool.filterWidth, pool.filterHeight = (
                schema.Padding.VALID,
                2,
                2,
                2,
                2,
            )
            code, chosen, kind = codes.MAX_POOL_2D, pool, options.Pool2DOptions
        elif layer.kind == "mean":
            shape = (shape[0], shape[3])
            inputs.append(self.constant(f"{name}/axes", np.array([1, 2], np.int32)))
            code, chosen, kind = codes.MEAN, schema.ReducerOptionsT(), options.ReducerOptions
        else:
            shape = (shape[0], len(layer.bias))
            code, chosen, kind = codes.FULLY_CONNECTED, schema.FullyConnectedOptionsT(), options.FullyConnectedOptions
        output = self.tensor(name, shape, signature=any_number)
        self.operator(code, inputs, output, chosen, kind)
        return output, shape

    def loop_for_ever(self) -> None:
        """A loop before the output, whose condition is always true."""
        schema = self.schema
        state = self.outputs[0]
        shape = tuple(self.tensors[state].shape)
        result = self.tensor("looped", shape)
        loop = schema.WhileOptionsT()
        loop.condSubgraphIndex, loop.bodySubgraphIndex = 1, 2
        self.operator(schema.BuiltinOperator.WHILE, [state], result, loop, schema.BuiltinOptions.WhileOptions)
        self.outputs = [result]
        true = schema.BufferT()
        true.data = np.ones(1, np.uint8)
        self.buffers.append(true)
        condition, body = TfliteGraph(), TfliteGraph()
        condition.inputs = [condition.tensor("v", shape)]
        yes = condition.tensor("yes", (), type_=schema.TensorType.BOOL, buffer=len(self.buffers) - 1)
        condition.outputs = [yes]
        body.inputs = [body.tensor("v", shape)]
        body.outputs = [body.tensor("w", shape)]
        sine = schema.OperatorCodeT()
        sine.builtinCode, sine.deprecatedBuiltinCode = schema.BuiltinOperator.SIN, schema.BuiltinOperator.SIN
        sine.version = 1
        self.codes.append(sine)
        step = schema.OperatorT()
        step.opcodeIndex, step.inputs, step.outputs = len(self.codes) - 1, body.inputs, body.outputs
        body.operators = [step]
        self.more = [condition.subgraph(), body.subgraph()]

    def fill(self, size: int) -> None:
        """Ones of a size before the output, which is their largest."""
        schema = self.schema
        dims = self.constant("dims", np.array([size >> 30 or 1, min(size, 2**30)], np.int32))
        one = self.constant("one", np.ones((), np.float32))
        ones = self.tensor("ones", (1, 1))
        self.operator(schema.BuiltinOperator.FILL, [dims, one], ones)
        axes = self.constant("all", np.array([0, 1], np.int32))
        largest = self.tensor("largest", ())
        self.operator(
            schema.BuiltinOperator.REDUCE_MAX,
            [ones, axes],
            largest,
            schema.ReducerOptionsT(),
            schema.BuiltinOptions.ReducerOptions,
        )
        result = self.tensor("sum", tuple(self.tensors[self.outputs[0]].shape))
        self.operator(
            schema.BuiltinOperator.ADD,
            [self.outputs[0], largest],
            result,
            schema.AddOptionsT(),
            schema.BuiltinOptions.AddOptions,
        )
        self.outputs = [result]

    def subgraph(self) -> Any:
        graph = self.schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = self.inputs, self.outputs
        return graph

    def packed(self) -> bytes:
        """The file."""
        import flatbuffers

        model = self.schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [self.subgraph(), *self.more], self.buffers
        model.operatorCodes = self.codes
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def openvino_files(onnx_file: Path, path: Path, *, half: bool = False) -> Path:
    """An OpenVINO model made from an ONNX file: `path`, and its weights beside it."""
    import openvino

    openvino.save_model(openvino.Core().read_model(onnx_file), path, compress_to_fp16=half)
    return path
