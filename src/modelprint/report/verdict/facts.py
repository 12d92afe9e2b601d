"""The record: parameters, hashes, versions, what crafting did, calibration models."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from modelprint.core.quantities import Quantity
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.remarks import remarks
from modelprint.report.drawing.figure import Fact
from modelprint.report.drawing.text import NONE, counted, number, percent, plain_name, value_text
from modelprint.report.verdict.cases import Case
from modelprint.report.verdict.quantities import quantity_text

_LIBRARIES = ("modelprint", "torch", "numpy", "scikit-learn")


@dataclass(frozen=True, kw_only=True)
class CalibrationRow:
    """One calibration model."""

    name: str
    kind: str
    accuracy: str
    score: str
    identity: str


@dataclass(frozen=True, kw_only=True)
class CheckedRow:
    """What was asked of one model, and which model it was."""

    index: int
    name: str
    asked: str
    answered: str
    access: str
    identity: str


def fingerprint_facts(fingerprint: Fingerprint) -> list[Fact]:
    """What the fingerprint is, and the hashes that bind it."""
    manifest = fingerprint.manifest
    size, plural = manifest.input.described, fingerprint.modality.plural
    stored = fingerprint.modality.stored_as(manifest.codec)
    return [
        Fact(name="Scheme", value=manifest.scheme),
        Fact(name="Queries", value=f"{len(fingerprint):,}, stored as {stored} of {size}"),
        Fact(name="Classes", value=f"{manifest.input.classes}"),
        Fact(name=f"Made from the {plural}", value=plain_name(manifest.data_name)),
        Fact(name="Accuracy of the source on them", value=percent(manifest.source_accuracy)),
        Fact(name="Seed", value=str(manifest.seed)),
        Fact(name="Calibration models", value=f"{len(manifest.calibration)}"),
        *(Fact(name="Of these", value=plain_name(remark, longest=600)) for remark in remarks(fingerprint)),
        Fact(name="Fingerprint", value=fingerprint.identity, code=True),
        Fact(name="Its tensors", value=manifest.tensors, code=True),
        Fact(name="Source model", value=plain_name(manifest.source), code=True),
        Fact(name=plural.capitalize(), value=plain_name(manifest.data), code=True),
    ]


def parameter_facts(fingerprint: Fingerprint) -> list[Fact]:
    """The scheme's hyper-parameters."""
    return [
        Fact(name=plain_name(key), value=value_text(v)) for key, v in sorted(fingerprint.manifest.parameters.items())
    ]


def crafting_facts(fingerprint: Fingerprint, quantities: Sequence[Quantity]) -> list[Fact]:
    """What crafting did; entries that the scheme has no words for under their own names.

    Args:
        quantities: the scheme's words.
    """
    report = fingerprint.manifest.report
    known = {quantity.key: quantity for quantity in quantities if quantity.key in report}
    words = fingerprint.modality.words.fields
    facts = [Fact(name=known[key].title.format_map(words), value=quantity_text(known[key], report)) for key in known]
    return facts + [Fact(name=plain_name(key), value=value_text(report[key])) for key in report if key not in known]


def checked(cases: Sequence[Case]) -> list[CheckedRow]:
    """For each model checked: what was asked of it, and which model it was."""
    return [
        CheckedRow(
            index=index,
            name=plain_name(case.name),
            asked=f"{case.verdict.queries:,}",
            answered=f"{int(case.answers.answered.sum()):,}",
            access=plain_name(case.verdict.access),
            identity=plain_name(case.verdict.suspect, longest=400),
        )
        for index, case in enumerate(cases, 1)
    ]


def calibration_rows(fingerprint: Fingerprint, scores: np.ndarray) -> list[CalibrationRow]:
    """The independent models, highest score first; scores are given in the manifest's order."""
    models = fingerprint.manifest.calibration
    if len(models) != len(scores):
        return []
    order = sorted(range(len(models)), key=lambda i: -scores[i])
    return [
        CalibrationRow(
            name=plain_name(models[i].name),
            kind=plain_name(models[i].kind or NONE),
            accuracy=_accuracy(models[i].accuracy),
            score=number(float(scores[i]), digits=4),
            identity=plain_name(models[i].identity),
        )
        for i in order
    ]


def _accuracy(value: float | None) -> str:
    return NONE if value is None else percent(value)


def version_facts(fingerprint: Fingerprint) -> list[Fact]:
    """What made the fingerprint, and what made this page."""
    library = plain_name(fingerprint.manifest.library)
    enrolled = [Fact(name="Fingerprint made by", value=f"modelprint {library}" if library[0].isdigit() else library)]
    page = [f"{name} {installed}" for name in _LIBRARIES if (installed := _version(name))]
    return [*enrolled, Fact(name="Report made by", value=", ".join([*page, f"Python {platform.python_version()}"]))]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def heading(fingerprint: Fingerprint, cases: Sequence[Case]) -> list[str]:
    """The few facts under the title."""
    asked = max(case.verdict.queries for case in cases)
    return [
        f"Scheme {fingerprint.manifest.scheme}",
        counted(asked, "query", "queries"),
        counted(len(fingerprint.manifest.calibration), "calibration model"),
        counted(len(cases), "model checked", "models checked"),
    ]
