"""Decision regions of the source beside those of the models that were free to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelprint.modalities.space import Box
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.report.drawing.figure import ClassKey, LabelledMap, class_keys
from modelprint.report.drawing.pictures import region_map
from modelprint.report.drawing.text import counted, percent, plain_name
from modelprint.report.verdict.cases import Case


@dataclass(frozen=True, kw_only=True)
class RegionSection:
    """The maps, and in words what there is none of, and why."""

    maps: Sequence[LabelledMap]
    classes: Sequence[ClassKey]
    missing: str


def region_section(fingerprint: Fingerprint, cases: Sequence[Case]) -> RegionSection:
    """Maps of the fingerprint's planar slice: the source's first."""
    plane = fingerprint.plane or {}
    if "labels" not in plane:
        flat = isinstance(fingerprint.modality.space, Box)
        why = "no model was asked" if flat else f"no plane can be laid through {fingerprint.modality.plural}"
        return RegionSection(maps=[], classes=[], missing=f"The fingerprint holds no planar slice: {why}.")
    source = np.asarray(plane["labels"])
    shown = [(number, case) for number, case in enumerate(cases, 1) if _asked(case, source)]
    maps = [LabelledMap(title="Source", map=region_map(source), caption="the model of the owner")]
    maps += [_case_map(number, case, source, single=len(cases) == 1) for number, case in shown]
    slices = [source, *(case.plane_labels for _, case in shown if case.plane_labels is not None)]
    return RegionSection(
        maps=maps,
        classes=class_keys(np.stack(slices), fingerprint.manifest.input.class_names),
        missing=_missing(len(cases) - len(shown), source.size),
    )


def _asked(case: Case, source: np.ndarray) -> bool:
    return case.plane_labels is not None and case.plane_labels.shape == source.shape


def _case_map(number: int, case: Case, source: np.ndarray, *, single: bool) -> LabelledMap:
    labels = np.asarray(case.plane_labels)
    name = plain_name(case.kind or case.name, longest=24)
    return LabelledMap(
        title=name if single else f"{number} · {name}",
        map=region_map(labels),
        caption=f"{percent(float((labels == source).mean()))} like the source",
    )


def _missing(count: int, queries: int) -> str:
    if not count:
        return ""
    models = counted(count, "model was", "models were")
    return (
        f"{models} not asked about this cut: it takes {queries:,} more queries, which are put only where they are free."
    )
