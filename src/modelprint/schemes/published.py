"""Figures that the literature reports of a scheme: to stand beside ours for orientation, not to be met to the digit.

They are all from the tables of one comparison: T. Xu, C. Wang, G. Liu, Y. Yang, K. Peng, W. Liu, "United We Stand,
Divided We Fall", NeurIPS 2024, on CIFAR-10, CIFAR-100 and ImageNet, with the authors' models, 100 suspects per source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

DataSet = Literal["CIFAR-10", "CIFAR-100", "ImageNet"]


@dataclass(frozen=True, kw_only=True)
class Overall:
    """Found at 1 % and at 10 % false positives, and the area under the curve; over all copies."""

    tpr_at_1: float
    tpr_at_10: float
    auc: float


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a comparison reports of one scheme.

    Attributes:
        name: what it calls the scheme.
        overall: its Table 2, by data set.
        detection: detection rates on CIFAR-10 by suspect, its Table 1.
        mutation: mean mutation rates of the same suspects, where it reports them.
        f1: on extracted copies, by attack and data set, its Table 3.
        seconds: on two RTX 4090, CIFAR-10, by what was done, its Table 4.
    """

    name: str
    overall: Mapping[DataSet, Overall]
    detection: Mapping[str, float] = field(default_factory=dict)
    mutation: Mapping[str, float] = field(default_factory=dict)
    f1: Mapping[str, Mapping[DataSet, float]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
