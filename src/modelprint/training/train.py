"""Train an architecture on a data set, from scratch or from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from modelprint.core.devices import resolve_device
from modelprint.core.errors import UsageError
from modelprint.data.labelled import LabelledSet
from modelprint.data.on_disk import block_rows, is_large
from modelprint.modalities.image.spec import ImageSpec
from modelprint.nn.arch_names import FORMS, kind_of, located, runs_code
from modelprint.nn.architectures import ARCHITECTURES, Normalized, architectures_for, is_normalised
from modelprint.nn.assembly import complete_spec
from modelprint.nn.description import ArchName, Description, Normalisation, normalisation
from modelprint.nn.files import ModelCard
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec, build
from modelprint.nn.trial import try_out, two_of
from modelprint.training.init import start_from
from modelprint.training.loop import OnEpoch, TrainReport, accuracy
from modelprint.training.outcome import check_trained
from modelprint.training.recipes import Recipe, TrainRecipe
from modelprint.training.run import train


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A model in evaluation mode, its card, and what training did."""

    model: Normalized
    card: ModelCard
    report: TrainReport


def default_recipe(data: LabelledSet, *, epochs: int | None = None) -> TrainRecipe:
    """A short recipe that suits a data set: one-cycle, shifts, mirrored only where that keeps the class (colour)."""
    if not isinstance(data.spec, ImageSpec):
        shift = data.modality.usual_shift(data.shape)
        return TrainRecipe(
            epochs=epochs or 20,
            lr=data.modality.learning_rate,
            batch_size=64,
            augment="shift" if shift else "none",
            shift=shift,
        )
    if data.spec.width < 16:
        return TrainRecipe(epochs=epochs or 20, lr=0.1, batch_size=64, augment="shift", shift=1)
    if data.spec.channels == 1:
        return TrainRecipe(epochs=epochs or 10, lr=0.1, augment="shift-flip", shift=2)
    return TrainRecipe(epochs=epochs or 24, lr=0.1, augment="shift-flip", shift=4)


def spec_for(
    data: LabelledSet,
    arch: str,
    arch_args: Mapping[str, Any] | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
) -> ModelSpec:
    """A spec of any architecture that fits a data set.

    Without a normalisation of the options, inputs are normalised by the mean and spread of the data's own channels;
    code of one's own takes them in [0, 1] and normalises for itself.

    Args:
        options: mean, std, size, channel order, range and head of the network.

    Raises:
        UsageError: no such architecture.
        ModelError: half a normalisation, numbers that cannot be, or data that are no images.
    """
    name = located(arch, Path())
    if kind_of(name) == "registered" and name not in ARCHITECTURES:
        raise UsageError(f"unknown architecture {arch!r}: use one of {', '.join(ARCHITECTURES)}, or {FORMS}")
    scale = normalisation(options.mean, options.std, who="the options")
    if scale is None and not runs_code(arch) and is_normalised(arch):
        scale = _scale_of(data)
    if scale is None:
        scale = Normalisation(mean=(0.0,), std=(1.0,))
    images = data.spec
    if not isinstance(images, ImageSpec):
        _refuse_options_of_images(options, data)
        described = Description(
            who=f"a model for {data.name}",
            arch_args=arch_args or {},
            normalisation=scale,
            inputs=images,
            classes=data.classes,
            head=options.head,
        )
        return complete_spec(described, ArchName(name=name, trusted=True), who=described.who)
    description = Description(
        who=f"a model for {data.name}",
        arch_args=arch_args or {},
        normalisation=scale,
        channels=images.channels,
        height=images.height,
        size=images.width,
        classes=data.classes,
        bgr=options.bgr,
        value_range=options.value_range,
        resize_to=None if options.size in (None, (images.height, images.width)) else options.size,
        head=options.head,
    )
    return complete_spec(description, ArchName(name=name, trusted=True), who=description.who)


def usual_arch(data: LabelledSet) -> str:
    """The architecture that suits a data set, where none is named.

    Raises:
        UsageError: none is registered for such inputs.
    """
    if data.modality.name == "image":
        return "cnn"
    fitting = architectures_for(data.modality.name)
    if not fitting:
        raise UsageError(f"no architecture is registered for {data.modality.plural}: name yours, --arch FILE.py:net")
    return fitting[0]


def _refuse_options_of_images(options: ModelOptions, data: LabelledSet) -> None:
    given = {"--size": options.size, "--bgr": options.bgr, "--range": options.value_range}
    useless = [name for name, value in given.items() if value]
    if useless:
        raise UsageError(f"{' and '.join(useless)}: of images, {data.name} holds {data.modality.plural}: leave it out")


def _scale_of(data: LabelledSet) -> Normalisation | None:
    block = block_rows(data.shape, data.stored.dtype) if is_large(data.stored.shape, data.stored.dtype) else None
    scale = data.modality.scale(data.stored, block=block)
    return None if scale is None else Normalisation(mean=scale.mean, std=scale.std)


def train_model(
    data: LabelledSet,
    spec: ModelSpec,
    recipe: Recipe,
    *,
    seed: int,
    init: str | Path | None = None,
    holdout: LabelledSet | None = None,
    device: torch.device | str = "cpu",
    on_epoch: OnEpoch | None = None,
) -> TrainedModel:
    """Train a model; the same data, spec, recipe, seed, machine and thread count give the same weights.

    Args:
        init: weights to start from; the last layer starts anew where their classes differ.
        device: auto, cpu, cuda, cuda:N or mps. Random numbers are drawn on the CPU in any case.

    Raises:
        ModelError: training diverged or did nothing, the recipe's code failed, or `init` does not fit.
        DeviceError: there is no such device, or it has too little memory.
    """
    place = resolve_device(device)
    model = build(spec, seed=seed)
    if spec.arch not in ARCHITECTURES:  # somebody's code, which may not fit these data
        given = None if spec.input is None else two_of(spec.inputs)
        try_out(model.eval(), data.shape, spec.classes, who=spec.arch, inputs=given)
    start = None if init is None else start_from(model, init, spec)
    model.to(place)
    stored, labels = torch.from_numpy(data.stored), torch.from_numpy(data.labels)
    report = train(
        model,
        stored,
        labels,
        recipe,
        classes=spec.classes,
        seed=seed,
        generator=torch.Generator().manual_seed(seed),
        on_epoch=on_epoch,
        modality=data.modality,
    )
    check_trained(model, stored, labels, classes=spec.classes, modality=data.modality)
    measured = (
        accuracy(model, torch.from_numpy(holdout.stored), torch.from_numpy(holdout.labels), modality=holdout.modality)
        if holdout is not None
        else None
    )
    origin: dict[str, Any] = {"kind": "train", "data": data.name, "data_sha256": data.identity, "seed": seed}
    if start is not None:
        origin["init"] = asdict(start)
    card = ModelCard(spec=spec, recipe={**origin, **recipe.card()}, accuracy=measured)
    return TrainedModel(model=model, card=card, report=report)
