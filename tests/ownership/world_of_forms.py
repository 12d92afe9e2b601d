"""Colour digits, and the same network behind every convention: as a file, as an ONNX file, and behind an address."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastapi import FastAPI, Request
from safetensors.torch import save_file
from torch import nn

from modelprint.core.convention import Convention
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.options import ModelOptions
from modelprint.ownership.fingerprint import Fingerprint
from tests.suspects.servers import running

CODE = '''
import torch
from torch import nn
from modelprint.nn.architectures import Normalized, cnn


class Undone(nn.Module):
    """A network behind the inverse of a convention: it wants its inputs prepared so."""

    def __init__(self, body, mean, std, low, high, bgr):
        super().__init__()
        self.body, self.low, self.high, self.bgr = body, low, high, bgr
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, inputs):
        points = (inputs * self.std + self.mean - self.low) / (self.high - self.low)
        return self.body(points.flip(1) if self.bgr else points)


def net(mean, std, low, high, bgr, own_mean, own_std):
    body = Normalized(cnn(channels=3, size=8, classes=10, width=8), tuple(own_mean), tuple(own_std))
    return Undone(body, mean, std, low, high, bgr)
'''


def coloured(data: LabelledSet) -> LabelledSet:
    """Digits in colour: the three channels differ, so that their order matters."""
    grey = data.stored[:, 0].astype(np.float32)
    stored = np.stack([grey, 0.35 * grey, 255 - 0.8 * grey], axis=1).round().astype(np.uint8)
    return LabelledSet(name=f"coloured {data.name}", stored=stored, labels=data.labels, class_names=data.class_names)


def arguments(convention: Convention) -> dict[str, object]:
    """Of `net`, for a network that wants a convention."""
    low, high = convention.value_range
    return {
        "mean": list(convention.mean), "std": list(convention.std), "low": low, "high": high, "bgr": convention.bgr
    }  # fmt: skip


def as_options(convention: Convention) -> dict[str, Any]:
    """The fields of `ModelOptions` that say a convention."""
    return {
        "mean": convention.mean,
        "std": convention.std,
        "bgr": convention.bgr or None,
        "value_range": convention.value_range,
    }


@dataclass(frozen=True, kw_only=True)
class Suspected:
    """A model, and whether it is a copy."""

    name: str
    module: Normalized
    verdict: str

    def undone(self, convention: Convention) -> nn.Module:
        """It, wanting its inputs prepared by a convention."""
        space: dict[str, Any] = {}
        exec(CODE, space)
        network: nn.Module = space["Undone"](self.module, **arguments(convention))
        return network.eval()


@dataclass(frozen=True, kw_only=True)
class World:
    """A fingerprint, a copy of its source, and an independent model."""

    fingerprint: Fingerprint
    suspects: tuple[Suspected, ...]


def weights_file(suspect: Suspected, folder: Path) -> tuple[Path, Path]:
    """Its weights, and the code of the network that they are of."""
    code, weights = folder / "net.py", folder / f"{suspect.name}.safetensors"
    code.write_text(CODE)
    save_file({f"body.{name}": value.contiguous() for name, value in suspect.module.state_dict().items()}, weights)
    return weights, code


def file_options(suspect: Suspected, code: Path, convention: Convention, said: Convention | None) -> ModelOptions:
    """How to read its weights as a network that wants one convention, asked by what is said."""
    fields = {} if said is None else as_options(said)
    own = {"own_mean": suspect.module.mean.flatten().tolist(), "own_std": suspect.module.std.flatten().tolist()}
    return ModelOptions(arch=f"{code}:net", arch_args={**arguments(convention), **own}, **fields)


def exported(suspect: Suspected, path: Path) -> Path:
    """An ONNX file of its body."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the older exporter is quicker, and says so
        torch.onnx.export(
            suspect.module,
            (torch.zeros(2, 3, 8, 8),),
            str(path),
            dynamo=False,
            input_names=["points"],
            output_names=["logits"],
            dynamic_axes={"points": {0: "n"}, "logits": {0: "n"}},
        )
    return path


def onnx_file(whole: Path, convention: Convention, path: Path) -> Path:
    """The file with nodes before it that undo a convention."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(whole)
    low, high = convention.value_range
    scale = np.broadcast_to(np.float32(convention.std) / np.float32(high - low), 3).reshape(1, 3, 1, 1)
    shift = np.broadcast_to((np.float32(convention.mean) - low) / np.float32(high - low), 3).reshape(1, 3, 1, 1)
    order = np.array([2, 1, 0] if convention.bgr else [0, 1, 2])
    for name, value in (("scale", scale), ("shift", shift), ("order", order)):
        typed = value if name == "order" else value.astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(typed), name))
    before = [
        helper.make_node("Mul", ["images", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["shifted"]),
        helper.make_node("Gather", ["shifted", "order"], ["points"], axis=1),
    ]
    nodes = [*before, *model.graph.node]
    del model.graph.node[:], model.graph.input[:]
    model.graph.node.extend(nodes)
    model.graph.input.append(helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 8, 8]))
    onnx.save(model, path)
    return path


@contextmanager
def served(networks: dict[str, nn.Module]) -> Iterator[str]:
    """Networks behind one address, each at /NAME/invocations as MLflow serves models."""
    app = FastAPI()

    @app.post("/{name}/invocations")
    async def predict(name: str, request: Request) -> dict[str, list[list[float]]]:
        with torch.inference_mode():
            inputs = torch.tensor((await request.json())["inputs"], dtype=torch.float32)
            return {"predictions": networks[name](inputs).tolist()}

    with running(app) as url:
        yield url
