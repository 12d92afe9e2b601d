"""What may happen to an image between the one who asks and the model: mirrored, blurred, compressed, resized ...

A thief does it to shake a fingerprint off, an honest server to fit images to its model.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from modelprint.core.errors import DataError
from modelprint.core.registry import Registry
from modelprint.modalities.image.storage import as_unit, to_bytes
from modelprint.modalities.transform import Transform, generators

if TYPE_CHECKING:
    import torch

Images = Float[np.ndarray, "n c h w"]


TRANSFORMS: Registry[type[Transform]] = Registry("transform")


@TRANSFORMS.register("flip")
@dataclass(frozen=True, kw_only=True)
class Flip(Transform):
    """Left and right swapped."""

    def __call__(self, images: Images, *, seed: int = 0) -> Images:
        """Mirror images."""
        return np.ascontiguousarray(images[..., ::-1])

    def back(self, gradient: Images) -> Images:
        """Mirrored."""
        return np.ascontiguousarray(gradient[..., ::-1])


@TRANSFORMS.register("noise")
@dataclass(frozen=True, kw_only=True)
class Noise(Transform):
    """Gaussian noise in every pixel.

    Attributes:
        scale: its standard deviation, on the [0, 1] scale.
    """

    scale: float = 0.05

    def __call__(self, images: Images, *, seed: int = 0) -> Images:
        """Noisy images, clipped to [0, 1]."""
        noise = [draw.standard_normal(images.shape[1:], np.float32) for draw in generators(images, seed)]
        noisy: Images = images + np.float32(self.scale) * np.reshape(noise, images.shape)
        return noisy.clip(0.0, 1.0)


@TRANSFORMS.register("blur")
@dataclass(frozen=True, kw_only=True)
class Blur(Transform):
    """A Gaussian blur.

    Attributes:
        sigma: its standard deviation, in pixels.
    """

    sigma: float = 0.7

    def __call__(self, images: Images, *, seed: int = 0) -> Images:
        """Blurred images; beyond the border the outermost pixels go on."""
        return self._filtered(images).clip(0.0, 1.0)

    def back(self, gradient: Images) -> Images:
        """Blurred: a symmetric filter is its own transpose, but for the outermost pixels."""
        return self._filtered(gradient)

    def _filtered(self, images: Images) -> Images:
        from scipy import ndimage

        blurred: Images = ndimage.gaussian_filter(images, (0, 0, self.sigma, self.sigma), mode="nearest")
        return blurred


@TRANSFORMS.register("jpeg")
@dataclass(frozen=True, kw_only=True)
class Jpeg(Transform):
    """Stored as a JPEG file, and read again.

    Attributes:
        quality: of the file, 1 to 95.
    """

    quality: int = 30

    def __call__(self, images: Images, *, seed: int = 0) -> Images:
        """What the files hold.

        Raises:
            DataError: images of neither 1 nor 3 channels.
        """
        from PIL import Image

        if images.shape[1] not in (1, 3):
            raise DataError(f"JPEG holds 1 or 3 channels, the images have {images.shape[1]}")
        stored = to_bytes(images)
        read = np.empty_like(stored)
        for place, image in enumerate(stored):
            stream = io.BytesIO()
            pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
            Image.fromarray(pixels).save(stream, format="JPEG", quality=self.quality)
            decoded = np.asarray(Image.open(stream, formats=("JPEG",)))
            read[place] = decoded[None] if len(image) == 1 else decoded.transpose(2, 0, 1)
        return as_unit(read)


@TRANSFORMS.register("bit-depth")
@dataclass(frozen=True, kw_only=True)
class BitDepth(Transform):
    """Rounded to fewer levels.

    Attributes:
        bits: of a pixel; 2 ** bits levels are left.
    """

    bits: int = 2

    def __call__(self, images: Images, *, seed: int = 0) -> Images:
        """The nearest levels."""
        steps = np.float32(2**self.bits - 1)
        levels: Images = np.rint(images * steps) / steps
        return levels


@TRANSFORMS.register("resize")
@dataclass(frozen=True, kw_only=True)
class Resize(Transform):
    """Enlarged, and the middle cut out, as servers do before a network (256 pixels, of which 224 are taken).

    Attributes:
        scale: how much larger the image becomes.
    """

    scale: float = 256 / 224

    def __call__(self, images: Images, *, seed: int = 0) -> Images:
        """The middle of the enlarged images (bilinear)."""
        import torch

        middle = self._middle(torch.from_numpy(images)).clamp(0.0, 1.0)
        return np.ascontiguousarray(middle.numpy())

    def back(self, gradient: Images) -> Images:
        """The transpose of a linear map."""
        import torch

        with torch.inference_mode(mode=False), torch.enable_grad():
            onward = torch.from_numpy(gradient.copy())
            somewhere = torch.zeros_like(onward, requires_grad=True)
            (before,) = torch.autograd.grad(self._middle(somewhere), somewhere, onward)
        return before.numpy()

    def _middle(self, images: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        height, width = images.shape[-2:]
        larger = (round(height * self.scale), round(width * self.scale))
        grown = functional.interpolate(images, size=larger, mode="bilinear", align_corners=False)
        top, left = (larger[0] - height) // 2, (larger[1] - width) // 2
        return grown[..., top : top + height, left : left + width]
