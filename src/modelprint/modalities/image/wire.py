"""Images as a foreign model wants them: layout, type, normalisation, PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from modelprint.core.errors import DataError, MisfitError, SuspectError
from modelprint.modalities.image.colours import OTHER_CHANNELS, recoloured
from modelprint.modalities.image.picture import pil
from modelprint.modalities.image.resizing import resized
from modelprint.modalities.image.storage import LEVELS, as_unit, to_bytes
from modelprint.modalities.wire import PLAIN, Layout, Number, Picture, TensorForm, Wire


def layout_of(declared: Sequence[int | None], shape: tuple[int, ...], *, who: str) -> Layout:
    """Whether a declared input shape, batch axis first, holds images channels first or last.

    >>> layout_of([None, 32, 32, 3], (3, 32, 32), who="model")
    'nhwc'

    Args:
        declared: sizes; None or -1 where any is taken.
        shape: (channels, height, width) of the images.

    Raises:
        MisfitError: the images fit neither way; the message gives both shapes.
    """
    channels, height, width = shape
    wanted = [None if size is None or size < 0 else size for size in declared[1:]]
    layouts: dict[Layout, tuple[int, int, int]] = {
        "nchw": (channels, height, width),
        "nhwc": (height, width, channels),
    }
    for layout, sizes in layouts.items():
        if len(wanted) == 3 and all(want in (None, size) for want, size in zip(wanted, sizes, strict=True)):
            return layout
    stated = ", ".join("any" if size is None else str(size) for size in wanted)
    raise MisfitError(
        f"{who} takes inputs of shape (n, {stated}) but the queries are (n, {channels}, {height}, {width}): "
        "it was made for other images, or this is the wrong fingerprint"
    )


def size_taken(declared: Sequence[int | None], shape: tuple[int, ...]) -> tuple[int, int] | None:
    """The (height, width) that a model declares, where images of the same channels have another one.

    >>> size_taken([None, 3, 240, 240], (3, 224, 224)), size_taken([None, 224, 224, 3], (3, 224, 224))
    ((240, 240), None)

    Args:
        declared: sizes, batch axis first; None or -1 where any is taken.
        shape: (channels, height, width) of the images.
    """
    channels, *size = shape
    sizes = [size or -1 for size in declared[1:]]
    ways = [tuple(sizes[1:])] if sizes[:1] == [channels] else []
    ways += [tuple(sizes[:2])] if sizes[2:] == [channels] else []
    if tuple(size) in ways:
        return None
    return next(((way[0], way[1]) for way in ways if len(way) == 2 and min(way) > 0), None)


@dataclass(frozen=True, kw_only=True)
class TensorFormat:
    """How images become a model's input tensor.

    Attributes:
        layout: channels first or last.
        dtype: "float32" in [0, 1], or "uint8".
        mean, std: per channel on the scale of `value_range`, taken off and divided by; none for "uint8".
        size: (height, width) that images of another size are resized to first; None: as they are.
        bgr: whether channels go in reverse order.
        value_range: what 0 and 1 become before they are normalised; of no meaning for "uint8".
        channels: that images of others get first; None: as they are.
    """

    layout: Layout = "nchw"
    dtype: Number = "float32"
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    size: tuple[int, int] | None = None
    bgr: bool = False
    value_range: tuple[float, float] = (0.0, 1.0)
    channels: int | None = None

    def encode(self, images: Shaped[np.ndarray, "n c h w"]) -> Shaped[np.ndarray, "n ..."]:
        """The tensor: of `dtype`, in `layout`."""
        if self.channels is not None:
            images = recoloured(images, self.channels)
        if self.size is not None and images.shape[2:] != self.size:
            images = resized(as_unit(images), self.size)
        if self.bgr:
            images = images[:, ::-1]
        tensor = to_bytes(images) if self.dtype == "uint8" else self._normalised(as_unit(images))
        return np.ascontiguousarray(tensor.transpose(0, 2, 3, 1) if self.layout == "nhwc" else tensor)

    def _normalised(self, images: Float[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n c h w"]:
        low, high = self.value_range
        if (low, high) != (0.0, 1.0):
            images = np.float32(low) + np.float32(high - low) * images
        if self.mean is not None:
            images = images - np.asarray(self.mean, np.float32)[:, None, None]
        if self.std is not None:
            images = images / np.asarray(self.std, np.float32)[:, None, None]
        return images


def picture(image: Shaped[np.ndarray, "c h w"], kind: Picture = "png") -> bytes:
    """The file of one image, grey or RGB, 8 bits; JPEG (quality 95) changes pixels, PNG does not.

    Raises:
        SuspectError: neither 1 nor 3 channels, or another kind of file.
    """
    if kind == "wav":
        raise SuspectError("images cannot be sent as WAV files: use png or jpeg")
    if image.shape[0] not in (1, 3):
        raise SuspectError(f"an image of {image.shape[0]} channels cannot be sent as a picture: expected 1 or 3")
    stream = io.BytesIO()
    pil(to_bytes(image)).save(
        stream, format=kind.upper(), **({"quality": 95, "subsampling": 0} if kind == "jpeg" else {})
    )
    return stream.getvalue()


class ImageWire(Wire):
    """Tensors in either order of axes, floats or bytes, and PNG or JPEG files."""

    suffix: ClassVar[str] = "png"
    exact: ClassVar[tuple[str, ...]] = ("uint8-image",)
    datatypes: ClassVar[tuple[str, ...]] = ("FP32", "FP64", "UINT8")

    def encoder(self, form: TensorForm = PLAIN) -> TensorFormat:
        """A tensor's format; channels come first unless the layout says otherwise."""
        return TensorFormat(
            layout=form.layout or "nchw",
            dtype=form.dtype,
            mean=form.mean,
            std=form.std,
            size=form.size,
            bgr=form.bgr,
            value_range=form.value_range,
            channels=form.channels,
        )

    def enlarged(self, one: Shaped[np.ndarray, "c h w"], least: int | None) -> Shaped[np.ndarray, "c h2 w2"]:
        """An image whose shorter side has at least so many pixels, each pixel repeated equally often.

        >>> ImageWire().enlarged(np.zeros((1, 8, 10), np.uint8), 20).shape
        (1, 24, 30)
        """
        if least is None or min(one.shape[1:]) >= least:
            return one
        factor = -(-least // min(one.shape[1:]))
        return one.repeat(factor, axis=1).repeat(factor, axis=2)

    def enlarging(self, shape: tuple[int, ...], least: int | None) -> str | None:
        """The sizes before and after.

        >>> ImageWire().enlarging((1, 4, 4), 10)
        'images of 4 x 4 enlarged to 12 x 12, each pixel repeated'
        """
        _, height, width = self.enlarged(np.zeros(shape, np.uint8), least).shape
        if (height, width) == shape[1:]:
            return None
        return f"images of {shape[1]} x {shape[2]} enlarged to {height} x {width}, each pixel repeated"

    def other_shapes(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """Grey for colours, colours for grey."""
        return ((OTHER_CHANNELS[shape[0]], *shape[1:]),) if shape[0] in OTHER_CHANNELS else ()

    def recoloured(self, inputs: Shaped[np.ndarray, "n c h w"], channels: int) -> Shaped[np.ndarray, "n c2 h w"]:
        """Images of 1 or 3 channels."""
        return recoloured(inputs, channels)

    def channels_taken(self, declared: Sequence[int | None], shape: tuple[int, ...]) -> int | None:
        """The channels of a model that takes grey where images have colours, or the other way round."""
        channels = OTHER_CHANNELS.get(shape[0])
        ends = (declared[1], declared[-1]) if len(declared) == 4 else ()  # channels stand first or last
        return channels if channels in ends and shape[0] not in ends else None

    def size_taken(self, declared: Sequence[int | None], shape: tuple[int, ...]) -> tuple[int, int] | None:
        """(height, width), where the model fixes them and images have others."""
        return size_taken(declared, shape)

    def layout(self, declared: Sequence[int | None], shape: tuple[int, ...], *, who: str) -> Layout:
        """Whether channels come first or last."""
        return layout_of(declared, shape, who=who)

    def decoded(self, values: np.ndarray, dtype: Number) -> np.ndarray:
        """Floats as they are, bytes as 8-bit images."""
        if dtype == "float32":
            return values
        if not ((values >= 0) & (values <= LEVELS)).all() or (values != np.rint(values)).any():
            raise DataError(f"UINT8 data must be whole numbers from 0 to {LEVELS}")
        return values.astype(np.uint8)

    def file(self, one: np.ndarray, kind: Picture = "png") -> bytes:
        """The file of one image."""
        return picture(one, kind)
