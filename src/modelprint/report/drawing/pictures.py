"""Maps of decision regions as data URIs, and the colours and names of classes."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from modelprint.core.suspect import ABSTAINED
from modelprint.report.drawing.text import plain_name

if TYPE_CHECKING:
    from PIL import Image

# Paul Tol's "muted" scheme, safe for colour blindness, light enough or dark enough to write a number on.
PALETTE = (
    "#88CCEE",
    "#CC6677",
    "#DDCC77",
    "#117733",
    "#332288",
    "#AA4499",
    "#44AA99",
    "#999933",
    "#882255",
    "#BBBBBB",
)
_SMALLEST_REGION = 2.5  # pixels from a region's inmost point to its edge, below which it gets no number


@dataclass(frozen=True, kw_only=True)
class Region:
    """Where to write a class's number on a map: x and y from 0 to 1, of the inmost point of its largest part."""

    label: int
    x: float
    y: float
    ink: str


@dataclass(frozen=True, kw_only=True)
class RegionMap:
    """A map of decision regions: a small PNG to be scaled up, and where to number it."""

    uri: str
    regions: list[Region]


def colour(label: int) -> str:
    """The colour of a class; after ten they come again, which is why regions are numbered, too."""
    return PALETTE[label % len(PALETTE)]


def ink(label: int) -> str:
    """Black or white, whichever is easier to read on a class's colour."""
    red, green, blue = (int(colour(label)[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#fff"


def class_name(label: int, class_names: Sequence[str], *, longest: int = 24) -> str:
    """A class's name, or its number where it has none.

    >>> from modelprint.core.suspect import UNANSWERED
    >>> [class_name(label, ["cat", "dog"]) for label in (1, 7, UNANSWERED, ABSTAINED)]
    ['dog', 'class 7', 'no answer', 'abstained']
    """
    if label < 0:
        return "abstained" if label == ABSTAINED else "no answer"
    return plain_name(class_names[label], longest=longest) if label < len(class_names) else f"class {label}"


def region_map(labels: Int[np.ndarray, "k k"]) -> RegionMap:
    """A map of the class at every point of a planar slice; unanswered points are black."""
    from PIL import Image

    picture = Image.fromarray(np.where(labels >= 0, labels % len(PALETTE), len(PALETTE)).astype(np.uint8))
    picture.putpalette([int(value[i : i + 2], 16) for value in (*PALETTE, "#000000") for i in (1, 3, 5)])
    regions = [region for label in np.unique(labels[labels >= 0]) if (region := _inmost(labels, int(label)))]
    return RegionMap(uri=_encoded(picture), regions=regions)


def _inmost(labels: np.ndarray, label: int) -> Region | None:
    from scipy.ndimage import distance_transform_edt

    distance = distance_transform_edt(np.pad(labels == label, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(distance.argmax()), distance.shape)
    if distance[row, column] < max(_SMALLEST_REGION, 0.05 * len(labels)):
        return None
    return Region(
        label=label, ink=ink(label), x=float((column + 0.5) / labels.shape[1]), y=float((row + 0.5) / labels.shape[0])
    )


def _encoded(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
