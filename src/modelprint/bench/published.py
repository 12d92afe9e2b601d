"""Figures of the literature, to stand beside ours: ADV-TRA's Tables 1 to 4 (Xu et al., NeurIPS 2024).

CIFAR-10, CIFAR-100 and ImageNet, their models, 100 suspects per source; for orientation, not for comparison to the
digit.
"""

from __future__ import annotations

from dataclasses import dataclass

METHODS = ("IPGuard", "CAE", "UAP", "ADV-TRA")
OURS = {"IPGuard": "ipguard", "CAE": "cae", "UAP": "uap", "ADV-TRA": "adv-tra", "CoRt (DeepJudge)": "cort"}
DATA_SETS = {"CIFAR-10": "cifar10", "CIFAR-100": "cifar100", "ImageNet": "imagenet"}


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A line of the detection rates on CIFAR-10.

    Attributes:
        ours: what our zoos call the same suspect: attacks, or the kind of an independent model.
        mutation: r, ADV-TRA's mean mutation rate.
        rates: of IPGuard, CAE, UAP, ADV-TRA.
    """

    suspect: str
    ours: tuple[str, ...]
    accuracy: float
    mutation: float
    rates: tuple[float, float, float, float]


def _line(suspect: str, ours: tuple[str, ...], *figures: float) -> Detection:
    accuracy, mutation, *rates = figures
    first, second, third, fourth = rates
    return Detection(
        suspect=suspect, ours=ours, accuracy=accuracy, mutation=mutation, rates=(first, second, third, fourth)
    )


DETECTION = (
    _line("FTLL", ("FTLL",), 0.868, 0.043, 0.978, 0.956, 0.958, 0.952),
    _line("FTAL", ("FTAL",), 0.867, 0.058, 0.942, 0.934, 0.954, 0.950),
    _line("RTLL", ("RTLL",), 0.865, 0.030, 0.917, 0.921, 0.944, 0.947),
    _line("RTAL", ("RTAL",), 0.864, 0.143, 0.621, 0.663, 0.719, 0.763),
    _line("prune 20 %", ("prune 20 %", "prune 20 %, fine-tuned"), 0.872, 0.035, 0.895, 0.924, 0.946, 0.955),
    _line("prune 40 %", ("prune 40 %", "prune 40 %, fine-tuned"), 0.869, 0.064, 0.783, 0.894, 0.934, 0.945),
    _line("prune 80 %", ("prune 80 %", "prune 80 %, fine-tuned"), 0.825, 0.257, 0.587, 0.628, 0.634, 0.678),
    _line("adversarial .001", ("adversarial 0.001",), 0.859, 0.238, 0.423, 0.421, 0.513, 0.758),
    _line("adversarial .01", ("adversarial 0.01",), 0.863, 0.394, 0.162, 0.158, 0.348, 0.612),
    _line("adversarial .1", ("adversarial 0.1",), 0.865, 0.205, 0.184, 0.256, 0.402, 0.628),
    _line("independent SAST", ("SAST",), 0.879, 0.714, 0.631, 0.561, 0.412, 0.143),
    _line("independent SADT", ("SADT",), 0.876, 0.722, 0.497, 0.422, 0.382, 0.126),
    _line("independent DAST", ("DAST",), 0.875, 0.762, 0.454, 0.389, 0.323, 0.124),
    _line("independent DADT", ("DADT",), 0.874, 0.787, 0.357, 0.219, 0.313, 0.116),
)

# T1%F, T10%F, AUC
OVERALL: dict[str, dict[str, tuple[float, float, float]]] = {
    "CoRt (DeepJudge)": {
        "CIFAR-10": (0.26, 0.32, 0.70), "CIFAR-100": (0.29, 0.38, 0.72), "ImageNet": (0.20, 0.28, 0.59),
    },
    "IPGuard": {"CIFAR-10": (0.30, 0.46, 0.77), "CIFAR-100": (0.43, 0.63, 0.80), "ImageNet": (0.27, 0.40, 0.69)},
    "CAE": {"CIFAR-10": (0.48, 0.64, 0.80), "CIFAR-100": (0.51, 0.70, 0.83), "ImageNet": (0.39, 0.48, 0.76)},
    "UAP": {"CIFAR-10": (0.76, 0.78, 0.91), "CIFAR-100": (0.77, 0.83, 0.92), "ImageNet": (0.46, 0.56, 0.85)},
    "ADV-TRA": {"CIFAR-10": (1.00, 1.00, 1.00), "CIFAR-100": (1.00, 1.00, 1.00), "ImageNet": (0.88, 0.90, 0.96)},
}  # fmt: skip

# F1 of IPGuard, CAE, UAP, ADV-TRA; under the attack, what our zoos call it
EXTRACTION: dict[str, tuple[str, dict[str, tuple[float, float, float, float]]]] = {
    "PRADA": ("JBDA", {"CIFAR-100": (0.70, 0.76, 0.85, 0.90), "ImageNet": (0.59, 0.63, 0.72, 0.83)}),
    "Knockoff": ("Knockoff", {"CIFAR-100": (0.69, 0.84, 0.87, 0.93), "ImageNet": (0.62, 0.68, 0.75, 0.86)}),
    "HL": ("data-free", {"CIFAR-100": (0.35, 0.38, 0.51, 0.67), "ImageNet": (0.29, 0.27, 0.44, 0.58)}),
}

# on two RTX 4090, CIFAR-10
SECONDS = {
    "training the source": 5820.0,
    "400 adversarial points (PGD)": 49.0,
    "10 trajectories of 40 points": 342.0,
}
