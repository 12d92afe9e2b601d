"""Commands on models and data: train, attack, serve-model, data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from modelprint.cli.console import out, progress, say
from modelprint.cli.data_options import DataFlags
from modelprint.cli.options import ComputeOptions, ModelFlags, Settings, settings

if TYPE_CHECKING:
    import torch

    from modelprint.core.suspect import Suspect
    from modelprint.data.labelled import LabelledSet
    from modelprint.modalities.base import InputSpec, Modality

Shape = tuple[int, int, int]


def train(
    data: str,
    *,
    out_: Annotated[Path, Parameter(name="--out")],
    recipe: str | None = None,
    init: Path | None = None,
    epochs: int | None = None,
    seed: int = 0,
    holdout: str | None = None,
    set_: Settings = None,
    reading: DataFlags = DataFlags(),  # noqa: B008 - frozen
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> None:
    """Train a classifier, from scratch or from a checkpoint.

    Parameters
    ----------
    data
        digits, fashion-mnist, cifar10, a folder or zip of class folders, a list of pictures (.csv), or an npz; a part
        as NAME:SPLIT[a:b].
    out_
        The safetensors file to write; it says what it is.
    recipe
        sgd (one-cycle, augmentation on the fly), adamw (warm-up and cosine), or FILE.py:fit, your own code:
        fit(model, data, *, seed, device, progress) trains in place. sgd unless given, adamw with --init.
    init
        A weights file to start from, such as a public checkpoint; where its classes differ, the last layer starts anew.
    epochs
        Passes over the data; a good number for the set unless given.
    holdout
        Images to measure accuracy on; the set's holdout or test part unless given.
    set_
        Any other part of sgd or adamw: lr, batch_size, weight_decay, augment, shift, label_smoothing ...
    """
    from modelprint.data.splits import load_data
    from modelprint.nn.files import save_model
    from modelprint.training.choice import recipe_named
    from modelprint.training.init import completed_by
    from modelprint.training.train import spec_for, train_model, usual_arch

    data = reading.of(data, how.size)
    images = load_data(data)
    options = completed_by(how.options(), init)
    spec = spec_for(images, options.arch or usual_arch(images), options.arch_args, options)
    chosen = recipe_named(recipe, images, settings=settings(set_), epochs=epochs, pretrained=init is not None)
    with progress() as report, compute.computing(images.shape) as device:
        trained = train_model(
            images,
            spec,
            chosen,
            seed=seed,
            init=init,
            holdout=_holdout(data, None if holdout is None else reading.of(holdout, how.size)),
            device=device,
            on_epoch=lambda epoch: report("epochs", epoch.number, epoch.total),
        )
    save_model(out_, trained.model, trained.card)
    measured = "not measured" if trained.card.accuracy is None else f"{trained.card.accuracy:.4f}"
    speed = f"{trained.report.images_per_second:.0f} {images.modality.plural}/s, {trained.report.seconds:.1f} s"
    out.print(f"{out_}: {spec.arch}, accuracy {measured}, {speed}", markup=False)


def attack(
    model: str,
    data: str,
    *,
    kind: str,
    out_: Annotated[Path, Parameter(name="--out")],
    recipe: str | None = None,
    seed: int = 0,
    holdout: str | None = None,
    set_: Settings = None,
    reading: DataFlags = DataFlags(),  # noqa: B008 - frozen
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> None:
    """Make a copy as a thief would, and measure what it is worth.

    Parameters
    ----------
    model
        The source: a model file.
    data
        The attacker's images, which the source was not trained on ("cifar10:attacker").
    kind
        ftll, ftal, rtll, rtal, prune, extract-labels, extract-soft ...
    out_
        The safetensors file to write.
    recipe
        How the student or the copy is trained: sgd, adamw, or FILE.py:fit; as published unless given.
    set_
        Hyper-parameters of the attack as key=value; with --recipe sgd or adamw also those of the recipe.
    """
    from modelprint.attacks import run_attack
    from modelprint.core.errors import ModelError
    from modelprint.data.splits import load_data
    from modelprint.nn.architectures import Normalized
    from modelprint.nn.files import save_model
    from modelprint.training.classes import matched

    data = reading.of(data, how.size)
    images = load_data(data)
    measured_on = _holdout(data, None if holdout is None else reading.of(holdout, how.size))
    with progress() as report, compute.computing(images.shape) as device:
        source, images = how.load_for(model, images, device=device)
        if source.spec is None or not isinstance(source.module, Normalized):
            raise ModelError(
                f"{model} cannot be rebuilt, as attacks do: name its weights and its architecture with --arch"
            )
        copied = run_attack(
            kind,
            settings(set_),
            source.module,
            source.spec,
            images,
            recipe=recipe,
            seed=seed,
            holdout=None if measured_on is None else matched(measured_on, source, classes=images.classes).data,
            source_identity=source.identity,
            on_epoch=lambda epoch: report(kind, epoch.number, epoch.total),
        )
    save_model(out_, copied.model, copied.card)
    accuracy = "not measured" if copied.card.accuracy is None else f"{copied.card.accuracy:.4f}"
    if "note" in copied.report:
        say(str(copied.report["note"]))
    agreement = "not measured" if copied.agreement is None else f"{copied.agreement:.4f}"
    out.print(f"{out_}: {kind}, accuracy {accuracy}, agreement with the source {agreement}", markup=False)


def serve_model(
    model: str,
    *,
    port: int,
    access: Literal["labels", "scores"] = "labels",
    name: str = "model",
    host: str = "127.0.0.1",
    shape: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    classes: int | None = None,
    like: str | None = None,
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> None:
    """Serve a model over the Open Inference Protocol until Ctrl-C.

    Parameters
    ----------
    port
        0 takes a free one; the address is printed.
    access
        labels: nothing but top-1 leaves the server.
    shape
        Channels, height and width of images, for a file that does not say.
    like
        DATA or a FINGERPRINT whose inputs it takes, for a file of other inputs that does not say.
    """
    from modelprint.core.access import Access
    from modelprint.core.errors import UsageError
    from modelprint.suspects.serving import create_app, serve

    given = (shape[0], shape[1], shape[2]) if shape and len(shape) == 3 else None
    with compute.computing() as device:
        served = _served(model, given, classes, None if like is None else _inputs_like(like), how=how, device=device)
        if served.shape is None:
            raise UsageError(f"{model} does not say what it takes: give --shape CHANNELS HEIGHT WIDTH, or --like DATA")
        application = create_app(
            served.suspect,
            name=name,
            input_shape=served.shape,
            classes=served.classes,
            access=Access.parse(access),
            modality=served.modality,
        )
        serve(
            application,
            port=port,
            host=host,
            on_start=lambda url: say(f"serving {model} ({access}) as {name!r} at {url}; stop with Ctrl-C"),
        )


@dataclass(frozen=True, kw_only=True)
class _Served:
    """A suspect, and what a server says of it."""

    suspect: Suspect
    shape: tuple[int, ...] | None
    classes: int | None
    modality: Modality


def _inputs_like(like: str) -> InputSpec:
    """What inputs of a data set or a fingerprint are."""
    from modelprint.data.splits import load_data
    from modelprint.ownership.fingerprint import Fingerprint

    path = Path(like)
    if path.suffix == ".fingerprint" or (path / "manifest.json").is_file():
        return Fingerprint.load(path).manifest.input
    return load_data(like).spec


def _served(
    model: str,
    shape: Shape | None,
    classes: int | None,
    like: InputSpec | None,
    *,
    how: ModelFlags,
    device: torch.device,
) -> _Served:
    from modelprint.modalities.base import modality_of
    from modelprint.modalities.image import IMAGE
    from modelprint.nn.kinds import is_asked, kind_of

    modality: Modality = IMAGE if like is None else modality_of(like)
    known = shape if like is None else like.shape
    classes = classes if like is None else like.classes
    if is_asked(model):
        from modelprint.suspects.engines import ENGINES
        from modelprint.suspects.onnx import OnnxSuspect

        engine = ENGINES[kind_of(Path(model))]
        graph = OnnxSuspect(model, engine=engine, model=how.options(), classes=classes, modality=modality)
        return _Served(suspect=graph, shape=known or graph.input_shape, classes=classes, modality=modality)
    from modelprint.suspects.local import TorchSuspect

    loaded = how.load(model, shape=known, classes=classes, inputs=like, device=device)
    if loaded.spec is not None:
        known, classes, modality = loaded.spec.shape, loaded.spec.classes, loaded.spec.modality
    suspect = TorchSuspect(loaded.module, loaded.identity, classes=classes, modality=modality)
    return _Served(suspect=suspect, shape=known, classes=classes, modality=modality)


def data(
    reference: str,
    *,
    size: Annotated[list[int] | None, Parameter(consume_multiple=True, negative_iterable="")] = None,
    reading: DataFlags = DataFlags(),  # noqa: B008 - frozen
) -> None:
    """Show a data set: its size, classes, splits and hash.

    Parameters
    ----------
    size
        The side, or height and width, to which pictures in files are brought.
    """
    from modelprint.data.splits import load_data, part_sizes

    reference = reading.of(reference, size)
    images = load_data(reference)
    shape = " x ".join(map(str, images.shape))
    out.print(f"{images.name}: {len(images)} {images.modality.plural} of {shape}, {images.classes} classes")
    out.print(f"classes: {', '.join(images.class_names)}", markup=False)
    out.print(f"hash: {images.identity}")
    sizes = ", ".join(f"{split} {count}" for split, count in part_sizes(reference).items())
    out.print(f"splits: {sizes}")


def _holdout(reference: str, chosen: str | None) -> LabelledSet | None:
    from modelprint.data.references import read_reference
    from modelprint.data.splits import SPLITS, load_data

    if chosen is not None:
        return load_data(chosen)
    asked = read_reference(reference)
    part = load_data(asked.part("holdout" if asked.split in SPLITS else "test"))
    return part if len(part) else None
