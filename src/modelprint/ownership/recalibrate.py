"""A fingerprint with the threshold of a judge's own choice of independent models."""

from __future__ import annotations

import torch

from modelprint.nn.options import ModelOptions
from modelprint.ownership import weights
from modelprint.ownership.expect import expected_by
from modelprint.ownership.families import calibration_records
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.negatives import (
    Inputs,
    Negatives,
    Notice,
    ask_negatives,
    behind,
    negative_models,
    unheard,
)
from modelprint.ownership.opening import scheme_of
from modelprint.ownership.origin import Origin
from modelprint.schemes.base import Progress, silent


def recalibrated(
    fingerprint: Fingerprint,
    negatives: Negatives,
    *,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    device: torch.device | None = None,
    notice: Notice = unheard,
    progress: Progress = silent,
) -> Fingerprint:
    """The fingerprint with the threshold set by a judge's own choice of independent models."""
    manifest = fingerprint.manifest
    inputs = Inputs(shape=manifest.input.shape, class_names=manifest.input.class_names, modality=fingerprint.modality)
    calibrating = negative_models(
        negatives,
        inputs=inputs,
        source=Origin(
            identities=frozenset({manifest.source}), bases=frozenset(manifest.bases), values=manifest.source_values
        ),
        options=options,
        notice=notice,
    )
    calibrating = [
        *calibrating,
        *(
            seen
            for name in expected_by(scheme_of(fingerprint))
            for seen in behind(calibrating, name, inputs.modality, notice=notice)
        ),
    ]
    answers = ask_negatives(calibrating, fingerprint.queries, inputs, device=device, progress=progress)
    records = calibration_records(
        [one.record for one in calibrating],
        answers,
        [one.sketch for one in calibrating],
        source=fingerprint.source,
        source_sketch=None,
        classes=inputs.classes,
        moved=scheme_of(fingerprint).needs.space == "continuous",
    )
    if fingerprint.weights is not None:
        records = weights.with_scores(records, fingerprint.weights, calibrating, progress=progress)
    return fingerprint.recalibrated(records, answers)
