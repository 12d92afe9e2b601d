"""What our zoos call the suspects of the published tables; the figures stand in the schemes (`published`)."""

from __future__ import annotations

from dataclasses import dataclass

from modelprint.schemes import SCHEMES
from modelprint.schemes.published import DataSet, Published

DATA_SETS: dict[DataSet, str] = {"CIFAR-10": "cifar10", "CIFAR-100": "cifar100", "ImageNet": "imagenet"}


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A line of the published detection rates on CIFAR-10.

    Attributes:
        name: in the paper.
        ours: what our zoos call the same suspect: attacks, or the kind of an independent model.
        accuracy: in the paper.
    """

    name: str
    ours: tuple[str, ...]
    accuracy: float


SUSPECTS = (
    Suspect(name="FTLL", ours=("FTLL",), accuracy=0.868),
    Suspect(name="FTAL", ours=("FTAL",), accuracy=0.867),
    Suspect(name="RTLL", ours=("RTLL",), accuracy=0.865),
    Suspect(name="RTAL", ours=("RTAL",), accuracy=0.864),
    Suspect(name="prune 20 %", ours=("prune 20 %", "prune 20 %, fine-tuned"), accuracy=0.872),
    Suspect(name="prune 40 %", ours=("prune 40 %", "prune 40 %, fine-tuned"), accuracy=0.869),
    Suspect(name="prune 80 %", ours=("prune 80 %", "prune 80 %, fine-tuned"), accuracy=0.825),
    Suspect(name="adversarial .001", ours=("adversarial 0.001",), accuracy=0.859),
    Suspect(name="adversarial .01", ours=("adversarial 0.01",), accuracy=0.863),
    Suspect(name="adversarial .1", ours=("adversarial 0.1",), accuracy=0.865),
    Suspect(name="independent SAST", ours=("SAST",), accuracy=0.879),
    Suspect(name="independent SADT", ours=("SADT",), accuracy=0.876),
    Suspect(name="independent DAST", ours=("DAST",), accuracy=0.875),
    Suspect(name="independent DADT", ours=("DADT",), accuracy=0.874),
)
# attacks by extraction: what our zoos call them
EXTRACTION = {
    "PRADA": "JBDA",
    "Knockoff": "Knockoff",
    "HL": "data-free",
}


def published_schemes() -> dict[str, Published]:
    """The schemes that the literature reports figures of, by their names here; the worst on CIFAR-10 first.

    >>> [figures.name for figures in published_schemes().values()]
    ['CoRt (DeepJudge)', 'IPGuard', 'CAE', 'UAP', 'ADV-TRA']
    """
    known = {name: figures for name in SCHEMES if (figures := SCHEMES[name].published) is not None}
    return dict(sorted(known.items(), key=lambda item: item[1].overall["CIFAR-10"].auc))
