"""How fast `modelprint.training.loop.fit` trains, beside a bare PyTorch loop that does the same arithmetic.

    python -m benchmarks.train_speed

Both train the same network from the same weights on the same images, with the same optimizer and batch size, in turn.
Without augmentation the bare loop is what anybody writes in ten lines: what is measured is the price of the library's
loop. With it, the bare loop shifts and mirrors whole batches by slicing, the cheapest augmentation there is. Two
clocks: the wall's, which on a busy machine counts the waiting for a processor, too, and the processor's, which does
not. Writes benchmarks/results/train_speed.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.common import provenance, ratio, write_result
from modelprint.data.splits import load_data
from modelprint.nn.spec import build
from modelprint.training.loop import TrainRecipe, fit
from modelprint.training.train import spec_for


def bare(model: nn.Module, images: Tensor, labels: Tensor, recipe: TrainRecipe) -> None:
    """The loop that anybody would write: floats made once, one-cycle SGD."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()
    inputs = images.float().div(255).contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
    )
    batches = -(-len(images) // recipe.batch_size)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.lr, total_steps=recipe.epochs * batches, pct_start=0.25, cycle_momentum=False
    )
    for _ in range(recipe.epochs):
        for index in torch.split(torch.randperm(len(images)), recipe.batch_size):
            batch = inputs[index]
            if recipe.augment != "none":
                batch = _shifted(batch, recipe.shift)
            loss = functional.cross_entropy(model(batch), labels[index])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()


def _shifted(batch: Tensor, shift: int) -> Tensor:
    """One shift, and one toss of a mirror, for the whole batch."""
    height, width = batch.shape[-2:]
    down, right = torch.randint(0, 2 * shift + 1, (2,)).tolist()
    padded = functional.pad(batch, (shift, shift, shift, shift))
    crop = padded[:, :, down : down + height, right : right + width]
    crop = crop.flip(3) if torch.rand(()) < 0.5 else crop
    return crop.contiguous(memory_format=torch.channels_last)


def measure(arch: str, recipe: TrainRecipe, *, data: str, rounds: int) -> dict[str, Any]:
    """Images per second of both loops, and the ratio of their speeds."""
    part = load_data(data)
    spec = spec_for(part, arch)
    images, labels = torch.from_numpy(part.stored), torch.from_numpy(part.labels)
    timed = timed_in_turn(
        {
            "fit": lambda: fit(build(spec), images, labels, recipe, generator=torch.Generator().manual_seed(0)),
            "bare": lambda: bare(build(spec), images, labels, recipe),
        },
        rounds=rounds,
    )
    total = recipe.epochs * len(part)
    return {
        "arch": arch,
        "data": data,
        "batch_size": recipe.batch_size,
        "augment": recipe.augment,
        **{
            clock: {
                "images_per_second": {name: total / statistics.median(times) for name, times in seconds.items()},
                "speed_of_fit_over_bare": ratio(seconds["bare"], seconds["fit"]),
                "seconds": seconds,
            }
            for clock, seconds in timed.items()
        },
    }


def timed_in_turn(tasks: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds on both clocks of each task in each round, the tasks in turn, after one round that is not counted."""
    clocks = {"wall": time.perf_counter, "processor": time.process_time}
    seconds: dict[str, dict[str, list[float]]] = {clock: {name: [] for name in tasks} for clock in clocks}
    for number in range(rounds + 1):
        for name, task in tasks.items():
            started = {clock: read() for clock, read in clocks.items()}
            task()
            for clock, read in clocks.items():
                if number:
                    seconds[clock][name].append(read() - started[clock])
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    plain = TrainRecipe(epochs=1, augment="none")
    shifted = TrainRecipe(epochs=1, augment="shift-flip", shift=2)
    rows = {
        "plain": measure("cnn", plain, data="fashion-mnist:owner[0:6400]", rounds=arguments.rounds),
        "augmented": measure("cnn", shifted, data="fashion-mnist:owner[0:6400]", rounds=arguments.rounds),
        "resnet20": measure("resnet20", shifted, data="fashion-mnist:owner[0:1280]", rounds=arguments.rounds),
    }
    write_result("train_speed.json", {"rows": rows, "provenance": provenance()})
    for name, row in rows.items():
        for clock in ("wall", "processor"):
            print(name, clock, {loop: round(speed) for loop, speed in row[clock]["images_per_second"].items()})
            print("  fit over bare:", row[clock]["speed_of_fit_over_bare"])


if __name__ == "__main__":
    main()
