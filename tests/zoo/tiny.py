"""A zoo of very small networks, and a program that builds it so that a test can kill it.

python -m tests.zoo.tiny FOLDER JOBS            builds
python -m tests.zoo.tiny FOLDER fork            reads lines; each "build" forks a builder and prints its process id
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from modelprint.data.splits import load_data
from modelprint.training.loop import TrainRecipe
from modelprint.zoo.design import Copy, Design, Network
from modelprint.zoo.plan import Plan

QUICK = TrainRecipe(epochs=6, lr=0.1, batch_size=64, augment="none")


SURROGATES = (
    Copy(attack="rtll", label="RTLL", data="owner[0:200]"),
    Copy(attack="extract-labels", label="extracted, labels", data="owner[100:400]", settings={"epochs": "4"}),
)


def tiny_plan(*, strangers: int = 4, surrogates: int = 1, data_of_knockoff: str = "digits:attacker") -> Plan:
    """A source, one more from a base, a few copies, a few independent models."""
    return Design(
        name="tiny",
        data="digits",
        size=1797,
        network=Network(arch="mlp", arch_args={"width": 16, "depth": 1}, train=QUICK),
        others=(Network(arch="mlp", arch_args={"width": 24}, train=QUICK),),
        sources=1,
        tuning={"lr": "0.02", "epochs": "2"},
        surrogates=SURROGATES[:surrogates],
        test_copies=(
            Copy(attack="ftal", label="FTAL", settings={"epochs": "2"}),
            Copy(attack="transfer", label="transfer", settings={"epochs": "2"}),
            Copy(attack="knockoff", label="Knockoff", settings={"epochs": "2"}, data=data_of_knockoff),
        ),
        sweep=(Copy(attack="prune", label="prune 50 %", settings={"rate": "0.5"}),),
        shadow={"SAST": 2},
        calibration={"SAST": strangers, "SADT": 1, "DAST": 1, "DADT": 1, "SHARED": 2},
        test={"SAST": strangers, "SHARED": 1},
    ).plan()


def main(folder: Path, how: str) -> None:
    from modelprint import zoo

    if how != "fork":
        zoo.build(tiny_plan(strangers=10), folder=folder, jobs=int(how))
        return
    plan = tiny_plan(strangers=10)
    load_data("digits:owner")  # what loads lazily is loaded before the builders are forked
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1).step()
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            zoo.build(plan, folder=folder)
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)
        sys.stdout.write("ended\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
