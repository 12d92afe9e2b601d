"""Images as a modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, UInt8

from modelprint.core.convention import Convention
from modelprint.core.errors import DataError
from modelprint.core.registry import Registry
from modelprint.modalities.base import MODALITIES, Labelled, Modality, Scale
from modelprint.modalities.image import mixing, storage
from modelprint.modalities.image.augmentation import shifted
from modelprint.modalities.image.conventions import conventions, resized
from modelprint.modalities.image.fitting import mean_and_spread
from modelprint.modalities.image.picture import png_uri
from modelprint.modalities.image.spec import ImageSpec
from modelprint.modalities.image.transforms import TRANSFORMS
from modelprint.modalities.image.wire import ImageWire
from modelprint.modalities.space import Box
from modelprint.modalities.transform import Points, Transform
from modelprint.modalities.wire import Wire

if TYPE_CHECKING:
    import torch
    from torch import Tensor

VISIBLE = (10, 15, 20, 30, 40, 50, 64)  # levels by which a universal perturbation may change a pixel, in order


class Image(Modality):
    """Images, 8 bits a channel, models of which take [0, 1]; normalisation belongs to the model."""

    name: ClassVar[str] = "image"
    singular: ClassVar[str] = "image"
    plural: ClassVar[str] = "images"
    parts: ClassVar[str] = "pixels"
    codecs: ClassVar[Mapping[str, np.dtype[Any]]] = {"uint8-image": storage.STORED, "float32": storage.POINTS}
    transforms: Registry[type[Transform]] = TRANSFORMS
    wire: Wire = ImageWire()
    mixes: ClassVar[bool] = True

    @property
    def space(self) -> Box:
        """[0, 1] in steps of an 8-bit level."""
        return Box(low=0.0, high=1.0, step=1 / storage.LEVELS)

    def spec(self, shape: tuple[int, ...], class_names: Sequence[str]) -> ImageSpec:
        """Channels, height, width and classes."""
        channels, height, width = shape
        return ImageSpec(channels=channels, height=height, width=width, class_names=tuple(class_names))

    def read_spec(self, fields: Mapping[str, Any]) -> ImageSpec:
        """The spec of a manifest, of before modalities or since."""
        return ImageSpec.model_validate(fields)

    def scale(self, stored: np.ndarray, *, block: int | None = None) -> Scale:
        """Of each channel, to four digits."""
        mean_of, std_of = mean_and_spread(stored, block=block)
        return Scale(
            mean=tuple(round(float(value), 4) for value in mean_of),
            std=tuple(round(max(float(value), 1e-3), 4) for value in std_of),
        )

    def check_set(self, stored: np.ndarray, *, who: str) -> None:
        """Refuse all but 8-bit images."""
        if stored.ndim != 4 or stored.dtype != storage.STORED:
            raise DataError(f"{who}: expected uint8 (n, c, h, w), got {stored.dtype} {stored.shape}")

    def check(self, inputs: np.ndarray) -> None:
        """Refuse images that are not (n, c, h, w) in 8 bits or in [0, 1]."""
        storage.check_images(inputs)

    def to_model(
        self,
        inputs: np.ndarray | Tensor,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """Floats in [0, 1], channels last in memory."""
        return storage.to_model(inputs, device=device, dtype=dtype)

    def to_stored(self, points: Tensor) -> UInt8[Tensor, "n c h w"]:
        """The nearest of 256 levels."""
        return storage.to_stored(points)

    def as_points(self, inputs: np.ndarray) -> Points:
        """Float32 in [0, 1]."""
        return storage.as_unit(inputs)

    def stored_as(self, codec: str) -> str:
        """8-bit images, or floats."""
        return "8-bit images" if codec == "uint8-image" else super().stored_as(codec)

    def whole_steps(self, change: float) -> float:
        """Whole 8-bit levels."""
        return self._levels(change) / storage.LEVELS

    def within(self, points: Tensor, change: float) -> tuple[Tensor, Tensor]:
        """The least and largest value of each pixel, on whole levels, so that rounding leaves none."""
        levels, at = self._levels(change), points.mul(float(storage.LEVELS)).round_()
        low, high = (at - levels).clamp_(min=0), (at + levels).clamp_(max=storage.LEVELS)
        return low.div_(float(storage.LEVELS)), high.div_(float(storage.LEVELS))

    def steps(self, inputs: np.ndarray) -> Float[np.ndarray, "n ..."]:
        """Levels of 8 bits."""
        levels: np.ndarray = inputs.astype(np.float64)
        return levels if inputs.dtype == storage.STORED else levels * storage.LEVELS

    def largest_change(self, one: np.ndarray, other: np.ndarray) -> Float[np.ndarray, " n"]:
        """In levels first, which are exact."""
        unit = float(storage.LEVELS) if one.dtype == storage.STORED else 1.0
        change = np.abs(other.astype(np.float32) - one.astype(np.float32)).reshape(len(one), -1).max(1)
        largest: np.ndarray = change / unit
        return largest

    @property
    def changes(self) -> tuple[float, ...]:
        """From 10 levels to 64."""
        return tuple(level / storage.LEVELS for level in VISIBLE)

    def rows(self, points: Tensor) -> Float[Tensor, "n h w c"]:
        """Channels last."""
        return points.permute(0, 2, 3, 1)

    def from_rows(self, rows: Float[Tensor, "n h w c"]) -> Tensor:
        """Channels first again."""
        return rows.permute(0, 3, 1, 2)

    def augmented(
        self, stored: Tensor, kind: str, *, shift: int, generator: torch.Generator
    ) -> UInt8[Tensor, "b c h w"]:
        """Images moved over black ("shift"), and half of them mirrored, too ("shift-flip")."""
        if kind not in ("shift", "shift-flip"):
            return super().augmented(stored, kind, shift=shift, generator=generator)
        return shifted(stored, shift, flip=kind == "shift-flip", generator=generator)

    def mix(self, data: Labelled, count: int, *, generator: torch.Generator) -> Labelled:
        """CutMix."""
        return mixing.cutmix(data, count, generator=generator)

    def neighbours(self, data: Labelled) -> Labelled:
        """The mirror images that differ from the images themselves."""
        turned = mixing.mirrored(data)
        return turned.take(np.flatnonzero((turned.stored != data.stored).reshape(len(data), -1).any(axis=1)))

    def drawn(self, shape: tuple[int, ...], count: int, *, generator: torch.Generator) -> UInt8[np.ndarray, "n c h w"]:
        """Noise."""
        import torch

        return torch.randint(storage.LEVELS + 1, (count, *shape), dtype=torch.uint8, generator=generator).numpy()

    def conventions(self, shape: tuple[int, ...]) -> tuple[tuple[Convention, ...], ...]:
        """Ranges, normalisations and orders of colours first; other sizes then."""
        return tuple(conventions(shape)), tuple(resized(shape))

    def picture(self, stored: np.ndarray, *, before: np.ndarray | None = None) -> str:
        """A small PNG, in which nothing is marked."""
        return png_uri(stored)

    @staticmethod
    def _levels(change: float) -> int:
        return int(change * storage.LEVELS + 1e-6)


IMAGE = Image()
MODALITIES.register("image")(IMAGE)
