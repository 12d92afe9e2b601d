"""The shadow models that a user named: loaded, trained, or as they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from modelprint.core.errors import DataError, FingerprintError, UsageError
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import save_model
from modelprint.nn.loading import LoadedModel
from modelprint.nn.options import ModelOptions
from modelprint.nn.refs import ModelRef
from modelprint.ownership.fingerprint import ShadowRecord
from modelprint.ownership.negatives import Notice, unheard
from modelprint.schemes.base import Progress, silent
from modelprint.zoo.reference_models.estimate import announce
from modelprint.zoo.reference_models.shadows import (
    LEAST_AGREEMENT,
    Shadows,
    auto_shadows,
    shadow_course,
    shadow_folder,
)
from modelprint.zoo.reference_models.shelf import Shelf
from modelprint.zoo.reference_models.training import HowTrained

AnyShadows = int | str | Path | Shadows | None
NONE = Shadows(surrogates=(), references=())


def shadow_models(
    shadows: AnyShadows,
    *,
    source: LoadedModel,
    seeds: LabelledSet,
    train_data: LabelledSet | None,
    seed: int,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    how: HowTrained = HowTrained(),  # noqa: B008 - frozen
    shelf: Shelf | None = None,
    jobs: int = 1,
    notice: Notice = unheard,
    progress: Progress = silent,
) -> Shadows:
    """Surrogates, made from the source, and references, independent of it.

    Args:
        shadows: N or "N" (as many of each are trained), a folder, models, or none.
        options: what holds for every file of a folder that does not say it itself.
        how: recipe and checkpoint of models that are trained.
        shelf: where these are put until they are needed no more.
        notice: called with what the user should know.

    Raises:
        UsageError: N without training data, or too small.
        ModelError: a folder without models, or with models that do not tell how they were made.
        DataError: a model of other classes than the source's.
        FingerprintError: a model was trained on the inputs that queries are made of.
    """
    if shadows is None:
        return NONE
    if isinstance(shadows, Shadows):
        models = shadows
    elif isinstance(shadows, int) or is_number(shadows):
        models = _trained(
            int(str(shadows)),
            source=source,
            seeds=seeds,
            data=train_data,
            seed=seed,
            how=how,
            shelf=shelf or Shelf(),
            jobs=jobs,
            notice=notice,
            progress=progress,
        )
    else:
        models = shadow_folder(shadows, source, options, shape=seeds.shape, classes=seeds.classes, inputs=seeds.spec)
    for model in (*models.surrogates, *models.references, *models.reference_copies):
        _check(model, seeds)
    return models


def is_number(shadows: AnyShadows) -> bool:
    """Whether shadow models are to be trained, as many as are named; else they lie somewhere, or there are none.

    >>> is_number(4), is_number("4"), is_number("shadows/")
    (True, True, False)
    """
    return isinstance(shadows, int) or (isinstance(shadows, str) and shadows.isdecimal())


def check_place(folder: Path, shadows: AnyShadows) -> None:
    """Refuse, before hours of training, to keep shadow models that are not trained here, or where others lie.

    Raises:
        UsageError: shadow models lie in files already, or there are none; or the folder is not empty.
    """
    if not is_number(shadows):
        raise UsageError("--keep-shadows keeps what --shadow N trains: here nothing is trained")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty: name another folder for the shadow models")


def keep(shadows: Shadows, folder: Path) -> None:
    """Write shadow models that were trained here, for a judge whose processor would train others."""
    folder.mkdir(parents=True, exist_ok=True)
    for side, models in (("copy", shadows.surrogates), ("stranger", shadows.references)):
        for number, model in enumerate(models, 1):
            assert model.card is not None
            with model.opened() as module:
                assert isinstance(module, Normalized)
                save_model(folder / f"{side}-{number:03}.safetensors", module, model.card)


def records(shadows: Shadows) -> list[ShadowRecord]:
    """What a manifest says of them."""

    def listed(models: Iterable[ModelRef], side: str) -> list[ShadowRecord]:
        return [
            ShadowRecord.model_validate({"name": _name(model), "identity": model.identity, "side": side})
            for model in models
        ]

    return listed(shadows.surrogates, "copy") + listed((*shadows.references, *shadows.reference_copies), "stranger")


def _trained(
    count: int,
    *,
    source: LoadedModel,
    seeds: LabelledSet,
    data: LabelledSet | None,
    seed: int,
    how: HowTrained,
    shelf: Shelf,
    jobs: int,
    notice: Notice,
    progress: Progress,
) -> Shadows:
    if data is None:
        raise UsageError(
            f"--shadow {count} trains models: name the source's training data with --train-data; they must share no "
            "input with the data that queries are made of"
        )
    course, tasks = shadow_course(data, source, count, seed=seed, how=how, holdout=seeds)
    announce(f"--shadow {count}", course, tasks, shelf=shelf, jobs=jobs, notice=notice, cheaper="--quick, 2 + 2 models")
    shadows = auto_shadows(
        data,
        source,
        count,
        seed=seed,
        how=how,
        shelf=shelf,
        jobs=jobs,
        holdout=seeds,
        progress=lambda done, total: progress("shadow models", done, total),
    )
    lost = count - len(shadows.surrogates)
    if lost:
        notice(
            f"--shadow {count}: {lost} of {count} surrogates are left out, as they agree with the source on less than "
            f"{LEAST_AGREEMENT:.0%} of {seeds.name}: extraction learned too little from so few inputs or epochs"
        )
    return shadows


def _check(model: ModelRef, seeds: LabelledSet) -> None:
    if model.spec is not None and model.spec.classes != seeds.classes:
        raise DataError(
            f"shadow model {_name(model)} tells {model.spec.classes} classes apart, the source {seeds.classes}: "
            "leave it out"
        )
    if model.card is not None and model.card.recipe.get("data_sha256") == seeds.identity:
        raise FingerprintError(
            f"shadow model {_name(model)} was trained on {seeds.name}, the inputs that queries are made of: leave it "
            "out, or enroll with others"
        )


def _name(model: ModelRef) -> str:
    if model.path is not None:
        return model.path.name
    return str(model.card.recipe.get("kind", "model")) if model.card is not None else "model"
