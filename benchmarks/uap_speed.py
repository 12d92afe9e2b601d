"""How fast universal perturbations are made, and how many labels they change.

    pip install -e ".[compare]"
    python -m benchmarks.uap_speed --folder benchmarks/zoo/fashion

On the zoo's first source, from the same images and at the same epsilon, in turn: gradient ascent with default settings
and with few, long steps; DeepFool-UAP of this library with the published settings, and its first pass alone; one pass
of the Adversarial Robustness Toolbox (left out where it is not installed). Seconds are processor time of the process,
so that other work on the machine counts little. Fooling rates on held-out images, as stored in 8 bits. Writes
benchmarks/results/uap_speed.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.common import alternating, provenance, ratio, write_result
from modelprint.perturb.uap import Ascent, DeepFoolUniversal, fooling_rate
from research.studies.uap_zoo import Zoo

SHORT = Ascent(epochs=5, step=0.2)


def toolbox(model: nn.Module, images: Tensor, *, epsilon: float, passes: int) -> Tensor:
    """The public toolbox's universal perturbation by DeepFool."""
    from art.attacks.evasion import UniversalPerturbation
    from art.estimators.classification import PyTorchClassifier

    classifier = PyTorchClassifier(
        model=model,
        loss=nn.CrossEntropyLoss(),
        input_shape=tuple(images.shape[1:]),
        nb_classes=10,
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    random.seed(0)  # the toolbox draws its order from the global generator
    attack = UniversalPerturbation(
        classifier,
        attacker="deepfool",
        attacker_params={"max_iter": 10, "epsilon": 0.02, "verbose": False},
        delta=0.2,
        max_iter=passes,
        eps=epsilon,
        norm="inf",
        verbose=False,
    )
    attack.generate(images.numpy())
    return torch.from_numpy(np.asarray(attack.noise, dtype=np.float32)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="of the fashion zoo")
    parser.add_argument("--epsilon", type=float, default=30 / 255)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--passes", type=int, default=10, help="of DeepFool over the images, at most")
    parser.add_argument("--toolbox-passes", type=int, default=1, help="the same, of the toolbox")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    zoo = Zoo(arguments.folder)
    model = zoo.module(zoo.sources[0])
    images = torch.from_numpy(zoo.train.stored[: arguments.images]).float() / 255
    held_out = torch.from_numpy(zoo.seeds.stored).float() / 255
    epsilon: float = arguments.epsilon

    def by(way: Ascent | DeepFoolUniversal) -> Callable[[], Tensor]:
        return lambda: way.find(model, images, epsilon=epsilon, generator=torch.Generator().manual_seed(0))

    ways: dict[str, Callable[[], Tensor]] = {
        "ascent": by(Ascent()),
        "short_ascent": by(SHORT),
        "deepfool": by(DeepFoolUniversal(passes=arguments.passes)),
        "one_pass": by(DeepFoolUniversal(passes=1)),
    }
    if importlib.util.find_spec("art") is not None:
        ways["toolbox"] = lambda: toolbox(model, images, epsilon=epsilon, passes=arguments.toolbox_passes)
    shifts: dict[str, Tensor] = {}

    def kept(name: str, way: Callable[[], Tensor]) -> Callable[[], None]:
        return lambda: shifts.update({name: way()})

    tasks = {name: kept(name, way) for name, way in ways.items()}
    seconds = alternating(tasks, rounds=arguments.rounds, clock=time.process_time)
    result: dict[str, Any] = {
        "epsilon": epsilon,
        "images": len(images),
        "passes": {"deepfool": arguments.passes, "one_pass": 1, "toolbox": arguments.toolbox_passes},
        "short_ascent": asdict(SHORT),
        "clock": "processor time of the process",
        "held_out": len(held_out),
        "seconds": {name: {"median": statistics.median(values), "all": values} for name, values in seconds.items()},
        "fooling_rate": {name: fooling_rate(model, held_out, shift) for name, shift in shifts.items()},
        "largest_pixel": {name: float(shift.abs().max()) for name, shift in shifts.items()},
        "over_ascent": {name: ratio(seconds[name], seconds["ascent"]) for name in seconds if "ascent" not in name},
        "over_short_ascent": {
            name: ratio(seconds[name], seconds["short_ascent"]) for name in seconds if "ascent" not in name
        },
        "provenance": provenance(),
    }
    write_result("uap_speed.json", result)
    for name in seconds:
        print(name, f"{statistics.median(seconds[name]):.2f} s", f"{result['fooling_rate'][name]:.1%}")


if __name__ == "__main__":
    main()
