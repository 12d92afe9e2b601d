"""`--negatives auto:N[+M][,scratch:K]`: calibration models that are trained at enrollment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.core.errors import UsageError
from modelprint.data.labelled import LabelledSet
from modelprint.nn.loading import LoadedModel
from modelprint.nn.refs import ModelRef
from modelprint.ownership.fingerprint import CalibrationModel
from modelprint.ownership.negatives import COPY, Negative, Notice, unheard
from modelprint.schemes.base import Progress, silent
from modelprint.zoo.reference_models.calibration import (
    course_of,
    independent_models,
    independent_tasks,
    third_party_copies,
)
from modelprint.zoo.reference_models.estimate import announce
from modelprint.zoo.reference_models.shelf import Shelf
from modelprint.zoo.reference_models.training import HowTrained

PREFIX = "auto:"
_FORM = re.compile(r"auto:(?P<count>\d+)(?:\+(?P<copied>\d+))?(?:,scratch:(?P<scratch>\d+))?")


@dataclass(frozen=True, kw_only=True)
class AutoNegatives:
    """How many of which models are trained.

    Attributes:
        count: independent models; siblings of the source, where there is a checkpoint.
        copied: of how many of these a copy is made, too.
        scratch: independent models from scratch, beside siblings.
    """

    count: int
    copied: int = 0
    scratch: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.count + self.copied + self.scratch

    @classmethod
    def parse(cls, text: str) -> AutoNegatives:
        """The numbers that a user wrote.

        >>> AutoNegatives.parse("auto:20+5,scratch:19")
        AutoNegatives(count=20, copied=5, scratch=19)

        Raises:
            UsageError: another form, or more copies than models.
        """
        match = _FORM.fullmatch(text)
        numbers = {name: int(value or 0) for name, value in match.groupdict().items()} if match else {}
        if not numbers or numbers["copied"] > numbers["count"]:
            raise UsageError(
                f"--negatives {text}: auto:N trains N independent models, auto:N+M copies M of them, too, and "
                "auto:N,scratch:K trains K from scratch beside N siblings (--init); whole numbers, M at most N"
            )
        return cls(**numbers)


def trained_negatives(
    text: str,
    *,
    source: LoadedModel,
    seeds: LabelledSet,
    train_data: LabelledSet | None,
    how: HowTrained = HowTrained(),  # noqa: B008 - frozen
    seed: int = 0,
    shelf: Shelf | None = None,
    jobs: int = 1,
    notice: Notice = unheard,
    progress: Progress = silent,
) -> list[Negative]:
    """The models that "auto:N..." asks for.

    Raises:
        UsageError: no training data, a source whose architecture is not known, or `scratch` without a checkpoint.
    """
    wanted = AutoNegatives.parse(text)
    if train_data is None:
        raise UsageError(
            f"--negatives {text} trains models: name the source's training data with --train-data; they must "
            "share no input with the data that queries are made of, or the threshold would accuse innocents"
        )
    if source.spec is None:
        raise UsageError(
            f"--negatives {text} trains the source's architecture, which is not known: give --arch, or a folder of "
            "independent models"
        )
    siblings = how.init is not None
    if wanted.scratch and not siblings:
        raise UsageError(f"--negatives {text}: without --init all are from scratch: write auto:{wanted.count}")
    shelf = shelf or Shelf()
    course = course_of(train_data, source.spec, how, holdout=seeds)
    tasks = [
        *independent_tasks(wanted.count, seed=seed, siblings=siblings),
        *independent_tasks(wanted.scratch, seed=seed),
    ]
    announce(
        f"--negatives {text}",
        course,
        tasks,
        shelf=shelf,
        more=wanted.copied,
        jobs=jobs,
        notice=notice,
        cheaper="--negatives FOLDER of public models",
    )

    def train(count: int, done: int, *, siblings: bool) -> Sequence[ModelRef]:
        return independent_models(
            train_data,
            spec,
            count,
            seed=seed,
            siblings=siblings,
            how=how,
            shelf=shelf,
            jobs=jobs,
            holdout=seeds,
            progress=lambda finished, _: progress("calibration models", done + finished, wanted.total),
        )

    spec = source.spec
    independent = train(wanted.count, 0, siblings=siblings)
    copies = third_party_copies(
        train_data,
        spec,
        independent[: wanted.copied],
        seed=seed,
        how=how,
        shelf=shelf,
        jobs=jobs,
        holdout=seeds,
        progress=lambda finished, _: progress("calibration models", wanted.count + finished, wanted.total),
    )
    scratch = train(wanted.scratch, wanted.count + wanted.copied, siblings=False)
    return [
        *(_negative(model, f"auto-{number}") for number, model in enumerate(independent)),
        *(
            _negative(model, f"auto-{number}, copied", kind=COPY, made_from=independent[number].identity)
            for number, model in enumerate(copies)
        ),
        *(_negative(model, f"auto-scratch-{number}") for number, model in enumerate(scratch)),
    ]


def _negative(model: ModelRef, name: str, *, kind: str | None = None, made_from: str | None = None) -> Negative:
    card = model.card
    record = CalibrationModel(
        name=name,
        identity=model.identity,
        accuracy=None if card is None else card.accuracy,
        kind=kind or (None if card is None else card.recipe.get("independent")),
        made_from=made_from,
    )
    return Negative(record=record, model=model)
