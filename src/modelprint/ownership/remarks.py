"""What a verdict says of the calibration models that it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from modelprint.ownership.fingerprint import CalibrationModel, Fingerprint, Likeness
from modelprint.ownership.forms import falls_short

MUCH_WEAKER = 0.1  # in accuracy, than the source
AS_GOOD_AS_ZERO = 0.005  # a distance that is not worth a number


def named(names: Sequence[str], *, most: int = 3) -> str:
    """Names, at most so many of them.

    >>> named(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def remarks(fingerprint: Fingerprint) -> tuple[str, ...]:
    """What a reader of a verdict should know of the calibration models, each in a sentence without its full stop."""
    models = [model for model in fingerprint.manifest.calibration if model.behind is None]
    return (
        *_joined(models),
        *_near_source(models),
        *_weak(models, fingerprint.manifest.source_accuracy),
        *_in_the_wrong_form(fingerprint),
    )


def _joined(models: Sequence[CalibrationModel]) -> list[str]:
    families: dict[str, list[CalibrationModel]] = {}
    for model in models:
        if model.joined is not None:
            families.setdefault(model.family, []).append(model)
    said = []
    for family, members in families.items():
        first = next((model.name for model in models if model.family == family and model.joined is None), "another")
        likenesses = [model.joined for model in members if model.joined is not None]
        farthest = max(likenesses, key=lambda one: one.distance)
        said.append(
            f"{named([model.name for model in members])} {'counts' if len(members) == 1 else 'count'} as one family "
            f"with {first}, whose highest score stands: {_why(farthest)}"
        )
    return said


def _why(likeness: Likeness) -> str:
    if likeness.by == "labels":
        return "they give the same label to every query, and other models do not"
    if likeness.by == "scores":
        return (
            f"their scores are alike (log-odds differ by {likeness.distance:.2g} of their size, those of independent "
            "models by more than .1)"
        )
    if likeness.distance <= AS_GOOD_AS_ZERO:
        return "their weights are the same"
    return (
        f"their weights differ by {likeness.distance:.2g} of their size, those of models trained apart by more than 1 "
        '(if each was tuned by itself from one public checkpoint, say kind = "SHARED" or "OTHER" in models.toml)'
    )


def _near_source(models: Sequence[CalibrationModel]) -> list[str]:
    said = []
    for model in models:
        if (near := model.near_source) is None:
            continue
        alike = {
            "labels": "gives the source's label to every query",
            "scores": f"answers nearly as the source (log-odds differ by {near.distance:.2g} of their size)",
            "weights": "started from the source, or from its checkpoint "
            f"(weights differ by {near.distance:.2g} of their size)",
        }[near.by]
        said.append(
            f"{model.name} {alike}: if it is a copy of the source, leave it out, since with it copies are missed"
        )
    return said


def _weak(models: Sequence[CalibrationModel], source_accuracy: float) -> list[str]:
    said = []
    weaker = [
        f"{model.name} classifies {model.accuracy:.1%} rightly"
        for model in models
        if model.accuracy is not None and model.accuracy < source_accuracy - MUCH_WEAKER
    ]
    if weaker:
        said.append(
            f"{named(weaker)}, the source {source_accuracy:.1%}: so weak a model agrees less with the source for that "
            "reason alone, and may make the threshold too low"
        )
    unknown = [model.name for model in models if model.accuracy is None]
    if unknown:
        which = "the calibration models" if len(unknown) == len(models) else named(unknown)
        said.append(f"the accuracy of {which} is not known")
    return said


def _in_the_wrong_form(fingerprint: Fingerprint) -> list[str]:
    """Calibration models of unknown accuracy that hardly know the unperturbed inputs among the queries."""
    if fingerprint.plain is None:
        return []
    among, said = fingerprint.plain.among, []
    for model, answers in zip(fingerprint.manifest.calibration, fingerprint.calibration, strict=True):
        right = int((answers.labels[among] == fingerprint.true_labels[among]).sum())
        if model.behind is None and model.accuracy is None and falls_short(right, len(among)):
            said.append(
                f"{model.name} classifies {right} of {len(among)} unperturbed {fingerprint.modality.plural} rightly, "
                "the source all of them: asked in the wrong form, it makes the threshold too low"
            )
    return said
