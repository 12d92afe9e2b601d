"""Sixty ways in which people save one model, each made by code, and what must come of it."""

from __future__ import annotations

import argparse
import json
import pickle
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from modelprint.nn.architectures import Normalized
from modelprint.nn.files import ModelCard, save_model
from modelprint.nn.options import ModelOptions
from tests.formats.layers import keras_model, layers_of, openvino_files, tflite_file
from tests.hostile import pickles

SHAPE = (1, 8, 8)
MEAN, STD = (0.3064,), (0.3763,)
NAMED = ModelOptions(arch="cnn", arch_args={"width": 8}, mean=MEAN, std=STD)  # for state dicts
SCALED = ModelOptions(mean=MEAN, std=STD)  # for files that hold the network without its normalisation
WHOLE = ModelOptions()
TRUSTED = ModelOptions(trust_code=True)
Make = Callable[[Path, Normalized], Path]


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way of saving a model.

    Attributes:
        make: saves a model into a folder; what is named to `verify`.
        options: what a user says of it.
        refused: what the refusal says; None: it is judged.
        needs: packages that must be there.
        says: what a note on the verdict must hold.
    """

    name: str
    make: Make = field(repr=False)
    options: ModelOptions = NAMED
    refused: str | None = None
    needs: tuple[str, ...] = ()
    says: str = ""


WAYS: list[Way] = []


def way(
    name: str,
    make: Make,
    options: ModelOptions = NAMED,
    *,
    refused: str | None = None,
    needs: tuple[str, ...] = (),
    says: str = "",
) -> None:
    """Add one to the list."""
    WAYS.append(Way(name=name, make=make, options=options, refused=refused, needs=needs, says=says))


def state_of(model: Normalized, prefix: str = "") -> dict[str, Tensor]:
    return {prefix + name: value.clone().contiguous() for name, value in model.body.state_dict().items()}


def other(model: Normalized) -> dict[str, Tensor]:
    """Weights of nothing, of the same shapes."""
    return {name: torch.zeros_like(value) for name, value in state_of(model).items()}


def torch_file(name: str, content: Callable[[Normalized], object], **options: Any) -> Make:
    """A checkpoint of that content."""

    def make(folder: Path, model: Normalized) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of source code that torch cannot save beside a network
            torch.save(content(model), folder / name, **options)
        return folder / name

    return make


def with_optimiser(model: Normalized) -> object:
    optimiser = torch.optim.AdamW(model.body.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10)
    return {
        "epoch": 7,
        "model": state_of(model),
        "optimizer": optimiser.state_dict(),
        "scheduler": schedule.state_dict(),
        "rng": torch.get_rng_state(),
        "args": argparse.Namespace(lr=0.1, out=Path("runs")),
    }


class Settings(dict):
    """As a training library has them: a class that whoever reads the file may not have."""


class Classifier(nn.Module):
    """Somebody's own module around the network."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("seen", torch.zeros(3), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.net(inputs)
        return logits


def averaged(model: Normalized) -> object:
    return torch.optim.swa_utils.AveragedModel(model.body).state_dict()


def quantised_by_scales(model: Normalized) -> object:
    """Integers, and beside them scales for each output channel."""
    state: dict[str, Tensor] = {}
    for name, value in state_of(model).items():
        if value.ndim > 1:
            scale = value.abs().flatten(1).max(1).values / 127
            state[name] = torch.round(value / scale.reshape(-1, *[1] * (value.ndim - 1))).to(torch.int8)
            state[name + "_scale"] = scale
        else:
            state[name] = value
    return state


CHECKPOINTS: dict[str, tuple[str, Callable[[Normalized], object]]] = {
    "state-dict": ("m.pt", state_of),
    "under-state_dict": ("m.pth", lambda m: {"state_dict": state_of(m), "epoch": 3}),
    "training-loop": ("m.pth.tar", with_optimiser),
    "lightning": (
        "m.ckpt",
        lambda m: {
            "state_dict": {**state_of(m, "model."), "train_acc.correct": torch.zeros(2), "loss.weight": torch.ones(10)},
            "hyper_parameters": Settings(lr=0.1),
            "pytorch-lightning_version": "2.5.0",
            "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.9), "path": Path("x")}},
        },
    ),
    "data-parallel": ("m.pth", lambda m: state_of(m, "module.")),
    "compiled": ("m.pt", lambda m: state_of(m, "_orig_mod.")),
    "compiled-data-parallel": ("m.pt", lambda m: {"model": state_of(m, "_orig_mod.module.")}),
    "ema-alone": ("m.bin", lambda m: {"model_ema": state_of(m)}),
    "student": ("m.pth", lambda m: {"student": state_of(m, "backbone.")}),
    "teacher": ("m.pth", lambda m: {"teacher": state_of(m)}),
    "params": ("m.pth", lambda m: {"params": state_of(m)}),
    "weights": ("m.th", lambda m: {"weights": state_of(m)}),
    "averaged-model": ("m.pt", averaged),
    "profiled": (
        "m.pt",
        lambda m: {
            **state_of(m),
            "total_ops": torch.zeros(1, dtype=torch.float64),
            "features.0.0.total_params": torch.zeros(1, dtype=torch.float64),
        },
    ),
    "without-counters": ("m.pt", lambda m: {n: v for n, v in state_of(m).items() if "num_batches" not in n}),
    "numbers-beside": ("m.pt", lambda m: {"net": state_of(m), "loss": np.float64(0.1), "best": np.int64(3)}),
    "arrays-of-numpy": ("m.pt", lambda m: {name: value.numpy() for name, value in state_of(m).items()}),
    "half": ("m.pt", lambda m: {name: v.half() if v.is_floating_point() else v for name, v in state_of(m).items()}),
    "bfloat16": ("m.pt", lambda m: {n: v.bfloat16() if v.is_floating_point() else v for n, v in state_of(m).items()}),
    "double": ("m.pt", lambda m: {name: v.double() if v.is_floating_point() else v for name, v in state_of(m).items()}),
    "integers-with-scales": ("m.pt", quantised_by_scales),
}
for _name, (_file, _content) in CHECKPOINTS.items():
    way(f"checkpoint/{_name}", torch_file(_file, _content))
way("checkpoint/before-1.6", torch_file("m.pth", state_of, _use_new_zipfile_serialization=False))
way("checkpoint/protocol-4", torch_file("m.pt", lambda m: {"model": state_of(m)}, pickle_protocol=4))
way(
    "checkpoint/settings-beside",
    torch_file("m.pt", lambda m: {"model": state_of(m), "cfg": Settings(lr=0.1), "shape": types.SimpleNamespace(h=8)}),
    says="only tensors were read",
)
way("checkpoint/whole-network", torch_file("m.pt", lambda m: Classifier(m.body)), says="tests.formats.ways.Classifier")
way(
    "checkpoint/whole-network-before-1.6",
    torch_file("m.pt", lambda m: {"model": Classifier(m.body)}, _use_new_zipfile_serialization=False),
    says="only tensors were read",
)
way(
    "checkpoint/raw-and-ema",
    torch_file("m.pth", lambda m: {"state_dict": state_of(m), "state_dict_ema": other(m)}),
    says="--weights ema takes the averaged ones",
)
way(
    "checkpoint/ema-of-two",
    torch_file("m.pth", lambda m: {"state_dict": other(m), "state_dict_ema": state_of(m)}),
    ModelOptions(arch="cnn", arch_args={"width": 8}, mean=MEAN, std=STD, weights="ema"),
)


def with_card(folder: Path, model: Normalized, *, dtype: torch.dtype = torch.float32) -> Path:
    from modelprint.nn.spec import ModelSpec

    spec = ModelSpec(arch="cnn", arch_args={"width": 8}, channels=1, size=8, classes=10, mean=MEAN, std=STD)
    save_model(folder / "m.safetensors", model, ModelCard(spec=spec), dtype=dtype)
    return folder / "m.safetensors"


def plain_safetensors(name: str) -> Make:
    def make(folder: Path, model: Normalized) -> Path:
        save_file(state_of(model), folder / name, metadata={"format": "pt"})
        return folder / name

    return make


def shards(folder: Path, model: Normalized, *, whole: bool) -> Path:
    """Two files and their index; the folder, or the index, is named."""
    state = state_of(model)
    names = sorted(state)
    parts = {"pytorch_model-1.bin": names[::2], "pytorch_model-2.bin": names[1::2]}
    for file, part in parts.items():
        torch.save({name: state[name] for name in part}, folder / file)
    places = {name: file for file, part in parts.items() for name in part}
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return folder if whole else index


def spec_file(folder: Path, model: Normalized) -> Path:
    torch.save(state_of(model), folder / "w.pt")
    (folder / "m.toml").write_text(
        f'weights = "w.pt"\narch = "cnn"\narch_args = {{ width = 8 }}\nmean = [{MEAN[0]}]\nstd = [{STD[0]}]\n'
    )
    return folder / "m.toml"


def folder_with_config(folder: Path, model: Normalized) -> Path:
    save_file(state_of(model), folder / "model.safetensors")
    return folder


way("safetensors/with-a-card", with_card, WHOLE)
way("safetensors/half-with-a-card", lambda folder, m: with_card(folder, m, dtype=torch.float16), WHOLE)
way("safetensors/of-others", plain_safetensors("m.safetensors"))
way("safetensors/another-suffix", plain_safetensors("m.weights"))
way("safetensors/called-pt", plain_safetensors("m.pt"))
way("folder/model.safetensors", folder_with_config)
way("shards/folder", lambda folder, m: shards(folder, m, whole=True))
way("shards/index", lambda folder, m: shards(folder, m, whole=False))
way("spec-file", spec_file, WHOLE)


def exported(folder: Path, model: Normalized) -> Path:
    program = torch.export.export(model, (torch.rand(2, *SHAPE),), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, folder / "m.pt2")
    return folder / "m.pt2"


def scripted(name: str, *, traced: bool) -> Make:
    def make(folder: Path, model: Normalized) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated
            body = model.body
            script: Any = torch.jit.trace(body, torch.rand(2, *SHAPE)) if traced else torch.jit.script(body)
            torch.jit.save(script, folder / name)
        return folder / name

    return make


TRUSTED_SCALED = ModelOptions(mean=MEAN, std=STD, trust_code=True)
way("program/exported", exported, TRUSTED)
way("program/exported-untrusted", exported, WHOLE, refused="pass --trust-code")
way("program/traced", scripted("m.pt", traced=True), TRUSTED_SCALED)
way("program/scripted", scripted("m.ts", traced=False), TRUSTED_SCALED)
way("program/scripted-untrusted", scripted("m.pt", traced=False), WHOLE, refused="TorchScript archive holds code: pass")


def onnx_file(
    folder: Path, model: Normalized, *, batch: int | None = None, whole: bool = True, name: str = "m.onnx"
) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older exporter
        torch.onnx.export(
            model if whole else model.body,
            (torch.zeros(batch or 1, *SHAPE),),
            folder / name,
            input_names=["images"],
            dynamic_axes=None if batch else {"images": {0: "n"}},
            dynamo=False,
        )
    return folder / name


class ChannelsLast(nn.Module):
    """A network as other libraries lay out images, which gives probabilities."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.net(inputs.permute(0, 3, 1, 2))
        return logits.softmax(1)


def onnx_channels_last(folder: Path, model: Normalized) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            ChannelsLast(model).eval(),
            (torch.zeros(1, 8, 8, 1),),
            folder / "m.onnx",
            input_names=["images"],
            dynamo=False,
        )
    return folder / "m.onnx"


def onnx_weights_outside(folder: Path, model: Normalized) -> Path:
    import onnx

    path = onnx_file(folder, model)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="m.data", size_threshold=0)
    return path


def onnx_of_integers(folder: Path, model: Normalized) -> Path:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(onnx_file(folder, model, name="f.onnx"), folder / "m.onnx", weight_type=QuantType.QUInt8)
    (folder / "f.onnx").unlink()
    return folder / "m.onnx"


ONNX = ("onnx", "onnxruntime")
way("onnx/any-batch", onnx_file, WHOLE, needs=ONNX)
way("onnx/batches-of-four", lambda folder, m: onnx_file(folder, m, batch=4), WHOLE, needs=ONNX)
way("onnx/without-normalisation", lambda folder, m: onnx_file(folder, m, whole=False), SCALED, needs=ONNX)
way("onnx/channels-last-probabilities", onnx_channels_last, WHOLE, needs=ONNX)
way("onnx/weights-outside", onnx_weights_outside, WHOLE, needs=ONNX)
way("onnx/integers", onnx_of_integers, WHOLE, needs=ONNX)


def tflite(name: str = "m.tflite", **options: Any) -> Make:
    def make(folder: Path, model: Normalized) -> Path:
        (folder / name).write_bytes(tflite_file(layers_of(model.body), **options))
        return folder / name

    return make


TFLITE = ("ai_edge_litert",)
way("tflite/floats", tflite(), SCALED, needs=TFLITE)
way("tflite/any-batch", tflite(batch=None), SCALED, needs=TFLITE)
way("tflite/batches-of-three", tflite(batch=3), SCALED, needs=TFLITE)
way("tflite/weights-of-8-bits", tflite(integers="weights"), SCALED, needs=TFLITE)
way("tflite/called-bin", tflite("m.bin"), SCALED, needs=TFLITE)


def keras(name: str, **options: Any) -> Make:
    def make(folder: Path, model: Normalized) -> Path:
        keras_model(layers_of(model.body), **options).save(folder / name)
        return folder / name

    return make


def keras_weights(folder: Path, model: Normalized) -> Path:
    keras_model(layers_of(model.body)).save_weights(folder / "m.weights.h5")
    return folder / "m.weights.h5"


KERAS = ("keras", "h5py")
way("keras/keras", keras("m.keras"), SCALED, needs=KERAS)
way("keras/probabilities", keras("m.keras", softmax=True), SCALED, needs=KERAS)
way("keras/h5", keras("m.h5"), SCALED, needs=KERAS)
way("keras/weights-alone", keras_weights, SCALED, needs=KERAS, refused="holds weights without a model")
way("keras/lambda", keras("m.keras", code=True), SCALED, needs=KERAS, refused="holds a Lambda layer, which is code")


def openvino(*, half: bool = False) -> Make:
    def make(folder: Path, model: Normalized) -> Path:
        return openvino_files(onnx_file(folder, model), folder / "m.xml", half=half)

    return make


OPENVINO = ("openvino", *ONNX)
way("openvino/floats", openvino(), WHOLE, needs=OPENVINO)
way("openvino/half", openvino(half=True), WHOLE, needs=OPENVINO)


def raw(name: str, data: bytes) -> Make:
    def make(folder: Path, model: Normalized) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def truncated(folder: Path, model: Normalized) -> Path:
    path = torch_file("m.pt", state_of)(folder, model)
    path.write_bytes(path.read_bytes()[:2000])
    return path


EVIL = pickles.program(pickles.dictionary(model=pickles.call("os", "system", pickles.text("exit"))))
ROUND = "ONNX file, at an http address, as a Python callable .*, or by its answers in a CSV file"


def optimiser_alone(model: Normalized) -> object:
    return {"optimizer": {"lr": 0.1}}


def adapter(model: Normalized) -> object:
    matrices = {name: value for name, value in state_of(model).items() if value.ndim > 1}
    return {f"{name}.lora_A": torch.zeros(4, value.shape[0]) for name, value in matrices.items()}


def generators(model: Normalized) -> object:
    return {"generator": state_of(model), "discriminator": other(model)}


way("refused/generator", torch_file("m.pt", generators), refused="no classifier")
way("refused/code", raw("m.pt", pickles.archive(EVIL)), refused=f"pickled code .*{ROUND}")
way("refused/truncated", truncated, refused="truncated")
way("refused/optimiser", torch_file("m.pt", optimiser_alone), refused=f"no weights by name .*{ROUND}")
way("refused/pointer", raw("m.pt", b"version https://git-lfs.github.com/spec/v1\n"), refused="git lfs pull")
way("refused/core-ml", raw("m.mlmodel", b"\x08\x05"), refused=f"Core ML model, which is not read: .*{ROUND}")
way("refused/tensorrt", raw("m.engine", b"ftrt"), refused=f"TensorRT engine, which is not read: .*{ROUND}")
way("refused/pickle", raw("m.pkl", pickle.dumps({"w": 1}, 0)), refused=f"a pickle, which is not read.*{ROUND}")
way("refused/unknown", raw("m.xyz", b"weights"), refused=f"no model file.*{ROUND}")
way("refused/adapter", torch_file("m.pt", adapter), refused="it lacks")
