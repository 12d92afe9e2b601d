"""Another head on a frozen trunk: a new last layer for other classes, and nothing else moves.

J. Yosinski, J. Clune, Y. Bengio, H. Lipson, "How transferable are features in deep neural networks?", NIPS 2014: frozen
features serve another task.

Differs from the paper: the last layer alone is new; the task is as in `transfer`. Costs a training of one layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from modelprint.attacks.base import ATTACKS
from modelprint.attacks.transfer import Transfer


@ATTACKS.register("head-swap")
@dataclass(frozen=True, kw_only=True)
class HeadSwap(Transfer):
    """A new head, on features that stay."""

    name: ClassVar[str] = "head-swap"
    trunk_stays: ClassVar[bool] = True
