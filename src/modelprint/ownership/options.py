"""What the owner said at enrollment beside scheme, data, seed and budget: enough to say it again."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from modelprint.core.records import Record
from modelprint.nn.options import ModelOptions

if TYPE_CHECKING:
    from modelprint.zoo.reference_models.training import HowTrained


class EnrollmentOptions(Record):
    """The options of one enrollment; nothing is written of what was not given.

    Attributes:
        train_data, shadows, negatives: as they were named; None too where models or images in memory were given.
        model: the fields of `ModelOptions` that were given, which say how the source's file was read.
        device: where models computed; None: on the CPU.
        recipe, recipe_settings, init: how surrogates, reference and calibration models were trained.
        from_scratch: whether the owner declared that the source was trained from no checkpoint.
        accuracy: that the owner said the source has.
    """

    train_data: str | None = None
    shadows: str | None = None
    negatives: str | None = None
    model: dict[str, Any] = Field(default_factory=dict)
    device: str | None = None
    recipe: str | None = None
    recipe_settings: dict[str, str] = Field(default_factory=dict)
    init: str | None = None
    from_scratch: bool = False
    accuracy: float | None = None

    OMITTED: ClassVar[tuple[str, ...]] = (
        "train_data",
        "shadows",
        "negatives",
        "model",
        "device",
        "recipe",
        "recipe_settings",
        "init",
        "from_scratch",
        "accuracy",
    )

    @classmethod
    def of(
        cls,
        *,
        train_data: object,
        shadows: object,
        negatives: object,
        model: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
        how: HowTrained | None = None,
        device: str = "cpu",
        from_scratch: bool = False,
        accuracy: float | None = None,
    ) -> Self | None:
        """The record of what was given, or None where nothing was.

        >>> EnrollmentOptions.of(train_data=None, shadows=4, negatives=()).model_dump()
        {'shadows': '4'}
        >>> EnrollmentOptions.of(train_data=None, shadows=None, negatives=()) is None
        True
        """
        plain = ModelOptions()
        options = cls(
            train_data=_named(train_data),
            shadows=_named(shadows),
            negatives=_named(negatives),
            model={
                field.name: _json(getattr(model, field.name))
                for field in fields(model)
                if getattr(model, field.name) != getattr(plain, field.name)
            },
            device=None if device == "cpu" else device,
            recipe=None if how is None else _named(how.recipe),
            recipe_settings={} if how is None else dict(how.settings),
            init=None if how is None else _named(how.init),
            from_scratch=from_scratch,
            accuracy=accuracy,
        )
        return options if options != cls() else None

    @field_validator("model")
    @classmethod
    def _known(cls, model: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(model) - {field.name for field in fields(ModelOptions)}:
            raise ValueError(f"options of model files that this version does not know: {', '.join(sorted(unknown))}")
        return model

    @model_serializer(mode="wrap")
    def _only_what_was_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value}


def _named(reference: object) -> str | None:
    return str(reference) if isinstance(reference, str | Path | int) and str(reference) else None


def _json(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
