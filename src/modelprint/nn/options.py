"""What a user says of a model that its file does not say: one record, from the command line to the loader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelprint.core.errors import UsageError

RAW, EMA = "raw", "ema"


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How to read model files; None and the defaults: as the file says, or as the data let one know.

    Attributes:
        arch: a registered name, `file.py:callable`, `package.module:callable`, `timm:NAME`, `torchvision:NAME` or
            `hf:FOLDER`. Code that is named here is run.
        arch_args: keyword arguments of the architecture.
        mean, std: normalisation per channel, on the scale of `value_range`; one value stands for all channels.
        size: (height, width) that the network takes; inputs of another size are resized to it.
        bgr: whether the network takes blue, green, red instead of red, green, blue.
        value_range: what 0 and 1 become before they are normalised; (0, 255) for networks that see bytes, (1, 0) for
            those that see light as dark.
        head: the name of the layer that attacks on the last layer touch; None: the last linear layer that is used.
        weights: which weights of a checkpoint that holds several: "raw", "ema", or the key that they lie under.
        trust_code: whether a file may bring code: `.pt2`, or an architecture that a file names by its code.
        seconds: for unpickling a checkpoint; None: by its size.
    """

    arch: str | None = None
    arch_args: Mapping[str, object] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    size: tuple[int, int] | None = None
    bgr: bool | None = None
    value_range: tuple[float, float] | None = None
    head: str | None = None
    weights: str = RAW
    trust_code: bool = False
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.size is not None and min(self.size) < 1:
            raise UsageError(f"size must be at least 1 x 1, got {self.size[0]} x {self.size[1]}")
        if self.value_range is not None and self.value_range[0] == self.value_range[1]:
            raise UsageError(f"range must have two different ends, such as 0 255, got {self.value_range[0]:g} twice")
