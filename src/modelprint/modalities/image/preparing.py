"""What is done with a picture when it is read: turned upright, laid on a background, brought to a mode and a size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from modelprint.core.errors import DataError
from modelprint.modalities.image.storage import STORED

if TYPE_CHECKING:
    from PIL import Image

Crop = Literal["none", "center", "pad"]
Mode = Literal["rgb", "gray"]
_DEEPEST, _STEP = 65535, 257  # of 16 bits: the largest number; how many of its steps are one of 8 bits
_ORIENTATION = 0x0112  # the tag of Exif


class UnreadableError(DataError):
    """A file that is no picture, or a damaged one; others of its folder may be whole."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How pictures are brought to one form.

    Attributes:
        size: (height, width); None: pictures keep theirs.
        crop: how another shape is brought to it: "none" squeezes the whole picture, "center" keeps the middle, "pad"
            keeps the whole picture and lays it on the background.
        mode: colour, or grey (0.299 R + 0.587 G + 0.114 B); None: pictures keep what they have.
        background: a colour as Pillow names it ("white", "#808080"), on which transparent pictures are laid.
    """

    size: tuple[int, int] | None = None
    crop: Crop = "none"
    mode: Mode | None = None
    background: str = "white"

    def __post_init__(self) -> None:
        from PIL import ImageColor

        if self.size is not None and not 1 <= min(self.size) <= max(self.size) <= 2**14:
            raise DataError(f"size {self.size[0]} x {self.size[1]}: each side is from 1 to {2**14} pixels")
        if self.crop not in get_args(Crop):
            raise DataError(f"crop {self.crop!r} is none of {', '.join(get_args(Crop))}")
        if self.mode not in (None, *get_args(Mode)):
            raise DataError(f"mode {self.mode!r} is none of {', '.join(get_args(Mode))}")
        if self.size is None and self.crop != "none":
            raise DataError(f"crop {self.crop} needs a size: give --size 224, or the size that your model takes")
        try:
            ImageColor.getrgb(self.background)
        except ValueError as error:
            raise DataError(f"background {self.background!r} is no colour: use white, black or #808080") from error


AS_THEY_ARE = Preparation()


def prepared(image: Image.Image, how: Preparation, name: str) -> np.ndarray:
    """What an open picture shows, (h, w) grey or (h, w, 3), of 8 bits.

    Args:
        name: its path, for messages.

    Raises:
        UnreadableError: it holds numbers that no rule makes levels of 8 bits.
    """
    from PIL import Image as Pictures
    from PIL import ImageColor, ImageOps

    image.load()  # what some formats say of themselves stands behind their pixels
    turn = _orientation(image)
    background = ImageColor.getrgb(how.background)[:3]
    shown = _eight_bits(image, background, name)
    if turn != 1:
        shown = _upright(shown, turn)
    if how.mode is not None:
        shown = shown.convert("RGB" if how.mode == "rgb" else "L")
    if how.size is not None and (shown.height, shown.width) != how.size:
        size = (how.size[1], how.size[0])
        smooth = Pictures.Resampling.BILINEAR
        if how.crop == "none":
            shown = shown.resize(size, smooth)
        elif how.crop == "center":
            shown = ImageOps.fit(shown, size, smooth)
        else:
            around = background if shown.mode == "RGB" else _grey(background)
            shown = ImageOps.pad(shown, size, smooth, color=around)
    return np.asarray(shown)


def channels_of(mode: str) -> int:
    """How many channels are stored of a picture in one of Pillow's modes."""
    return 1 if mode in ("1", "L") or mode.startswith(("I", "F")) else 3


def _eight_bits(image: Image.Image, background: tuple[int, ...], name: str) -> Image.Image:
    """The picture as grey or colour of 8 bits; numbers of 16 bits are divided by 257."""
    from PIL import Image as Pictures

    if image.mode == "F":
        raise UnreadableError(f"{name} holds floating-point numbers: save it as a PNG of 8 or 16 bits")
    if image.mode in ("LAB", "HSV"):
        raise UnreadableError(f"{name} holds colours as {image.mode}: save it as RGB")
    if image.mode.startswith("I"):
        if image.mode == "I" and image.format == "TIFF":
            raise UnreadableError(f"{name} holds numbers of 32 bits, whose range nobody states: save it as a PNG")
        deep = np.asarray(image)
        if deep.min(initial=0) < 0 or deep.max(initial=0) > _DEEPEST:
            raise UnreadableError(f"{name} holds numbers of more than 16 bits: save it as a PNG of 8 or 16 bits")
        return Pictures.fromarray(((deep.astype(np.int64) + _STEP // 2) // _STEP).astype(STORED))
    kind = "L" if channels_of(image.mode) == 1 else "RGB"
    if not image.has_transparency_data:
        return image.convert(kind)
    see_through = image.convert("RGBA")
    if see_through.getchannel("A").getextrema() == (255, 255):
        return image.convert(kind)
    ground = Pictures.new("RGBA", see_through.size, (*background, 255))
    return Pictures.alpha_composite(ground, see_through).convert("RGB").convert(kind)


def _orientation(image: Image.Image) -> int:
    """How a camera was held, 1 to 8, by Exif; 1 where it does not say, or says it in a way that cannot be read."""
    if image.format == "TIFF":  # which Pillow turns itself
        return 1
    try:
        turn = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # of damaged Exif, Pillow raises nearly anything; the pixels may be whole
        return 1
    return turn if 1 <= turn <= 8 else 1


def _upright(image: Image.Image, turn: int) -> Image.Image:
    from PIL import Image as Pictures

    ways = Pictures.Transpose
    steps = {
        2: ways.FLIP_LEFT_RIGHT,
        3: ways.ROTATE_180,
        4: ways.FLIP_TOP_BOTTOM,
        5: ways.TRANSPOSE,
        6: ways.ROTATE_270,
        7: ways.TRANSVERSE,
        8: ways.ROTATE_90,
    }
    return image.transpose(steps[turn])


def _grey(colour: tuple[int, ...]) -> int:
    """As Pillow makes grey of a colour."""
    from PIL import Image as Pictures

    return int(np.asarray(Pictures.new("RGB", (1, 1), (colour[0], colour[1], colour[2])).convert("L"))[0, 0])
