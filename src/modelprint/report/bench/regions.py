"""Decision regions of the source, each of its copies, and independent models, on one planar slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from modelprint.report.drawing.figure import ClassKey, LabelledMap, class_keys
from modelprint.report.drawing.pictures import region_map
from modelprint.report.drawing.text import percent, plain_name
from modelprint.results.records import JudgedModel, Regions
from modelprint.results.view import View

_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True)
class RegionMaps:
    """All maps, their legend, and what they show in a sentence."""

    reading: str
    maps: Sequence[LabelledMap]
    classes: Sequence[ClassKey]


def slice_labels(letters: str, side: int) -> Int[np.ndarray, "side side"] | None:
    """The classes of a slice, -1 where there is no letter for the class; None if it is no square of that side.

    >>> slice_labels("01a?", 2).tolist(), slice_labels("01", 2)
    ([[0, 1], [10, -1]], None)
    """
    if len(letters) != side * side or not side:
        return None
    return np.array([_LETTERS.find(letter) for letter in letters]).reshape(side, side)


def region_maps(view: View) -> list[RegionMaps]:
    """One set of maps per fingerprint that was drawn; none where nothing was."""
    return [maps for regions in view.results.regions if (maps := _maps(view, regions)) is not None]


def _maps(view: View, regions: Regions) -> RegionMaps | None:
    slices = {name: labels for name, letters in regions.labels.items()
              if (labels := slice_labels(letters, regions.side)) is not None}  # fmt: skip
    source = slices.pop(regions.source, None)
    if source is None:
        return None
    alike = {name: float((labels == source).mean()) for name, labels in slices.items()}
    judged = {name: _seen(view.models.get(name)) for name in slices}
    maps = [LabelledMap(title="Source", map=region_map(source), caption=plain_name(regions.source))]
    for name in sorted(slices, key=lambda name: judged[name]):
        _, group = judged[name]
        caption = f"{group}, {percent(alike[name])} like the source"
        maps.append(
            LabelledMap(title=_title(name, view.models.get(name)), map=region_map(slices[name]), caption=caption)
        )
    derived, independent = ([alike[name] for name in slices if judged[name][0] == side] for side in (False, True))
    return RegionMaps(
        reading=_reading(derived, independent),
        maps=maps,
        classes=class_keys(np.stack([source, *slices.values()]), []),
    )


def _seen(model: JudgedModel | None) -> tuple[bool, str]:
    """Whether a model is independent, and the family of a copy: copies come first, family by family."""
    if model is None or model.role == "independent":
        return True, "independent"
    return False, plain_name(model.family or "copy")


def _title(name: str, model: JudgedModel | None) -> str:
    if model is None:
        return plain_name(name, longest=36)
    return plain_name((model.attack if model.role == "derived" else model.kind) or name, longest=44)


def _reading(derived: Sequence[float], independent: Sequence[float]) -> str:
    sentences = [
        f"{len(some)} {who} agree with the source on {percent(float(np.median(some)))} of the slice in the median "
        f"({percent(min(some))} to {percent(max(some))})"
        for some, who in ((derived, "copies"), (independent, "independent models"))
        if some
    ]
    return ("; ".join(sentences) or "No other model was asked about this slice") + "."
