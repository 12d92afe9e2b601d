"""What a fingerprint says of itself, its calibration models and its shadow models: the records of its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from modelprint.core.convention import Convention
from modelprint.core.records import Record
from modelprint.modalities.base import InputSpec, modality_of, read_spec
from modelprint.ownership.kinds import Group, group_of
from modelprint.ownership.options import EnrollmentOptions


def _spec(value: Any) -> Any:
    return read_spec(value) if isinstance(value, Mapping) else value


_SPEC_SCHEMA = {  # modalities are open to other packages, and each has fields of its own
    "type": "object",
    "description": "What models of the task take; without a modality, images.",
    "properties": {
        "modality": {"type": "string"},
        "class_names": {"type": "array", "items": {"type": "string"}, "minItems": 2},
    },
    "required": ["class_names"],
}
AnyInputSpec = Annotated[SerializeAsAny[InputSpec], BeforeValidator(_spec), WithJsonSchema(_SPEC_SCHEMA)]


LikenessBy = Literal["weights", "scores", "labels"]


class Likeness(Record):
    """What two models have in common that independent ones do not.

    Attributes:
        to: the name of the other model.
        by: what was compared.
        distance: of the weights or log-odds, relative to their size; 0 where labels are the same.
        family: that the model belongs to for that reason; not written of a likeness to the source.
    """

    to: str
    by: LikenessBy
    distance: float
    family: str | None = None

    OMITTED: ClassVar[tuple[str, ...]] = ("family",)

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value is not None}


class CalibrationModel(Record):
    """An independent model whose answers calibrate the threshold.

    Attributes:
        name: its file name.
        identity: SHA-256 of its file.
        accuracy: on the enrollment's seeds.
        kind: SAST, SADT, DAST, DADT, SHARED (from the source's base) or OTHER (from another public checkpoint), where
            known; COPY, if it was made from another model than the source.
        made_from: SHA-256 of that other model; not written where there is none.
        behind: the transform through which it was asked, where that is expected; not written where there is none.
        joined: what makes it one family with an earlier model; not written where it is its own.
        near_source: what it has in common with the source; not written where that is no more than others have.
        weights: the score of its weights against the source's; not written where they were not compared, or cannot be.
    """

    name: str
    identity: str
    accuracy: float | None = None
    kind: str | None = None
    made_from: str | None = None
    behind: str | None = None
    joined: Likeness | None = None
    near_source: Likeness | None = None
    weights: float | None = None

    OMITTED: ClassVar[tuple[str, ...]] = ("made_from", "behind", "joined", "near_source", "weights")

    @property
    def family(self) -> str:
        """What its scores depend on: itself, or the model that it copies or nearly equals.

        Siblings are drawn each for itself.
        """
        if self.joined is not None and self.joined.family is not None:
            return self.joined.family
        return self.made_from or self.identity

    @property
    def group(self) -> Group:
        """Within which it is ranked."""
        return group_of(self.kind, self.behind)

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value is not None or name not in self.OMITTED}


class ShadowRecord(Record):
    """A shadow model that the scheme learned from.

    Attributes:
        name: its file name, or what made it.
        identity: SHA-256 of its file or weights.
        side: made from the source, or independent of it.
    """

    name: str
    identity: str
    side: Literal["copy", "stranger"]


class Manifest(Record):
    """Everything about a fingerprint but its tensors.

    Attributes:
        parameters: the scheme's hyper-parameters.
        input: what models of the task take, by modality; `codec`: in which of its types the queries are stored.
        source: SHA-256 of the source's file or weights.
        source_values: SHA-256 over the values of its weights, whatever the form of their file (`nn.likeness`); not
            written by versions that did not keep it, nor for models without weights.
        bases: SHA-256 of the checkpoints that the source was made from, which its siblings share; not written where
            none is known.
        source_accuracy: on the seeds; `seeds`: how many these are.
        source_form: how the source wants its inputs prepared, which copies may want, too; not written where they are
            taken as they are. Versions of before wrote neither.
        data: SHA-256 and name of the seeds.
        report: what crafting did.
        calibration: the independent models, in the order of their answers.
        shadows: the models that the scheme learned from, if any; not written where there are none.
        budget: the cap that the queries were made under, and `train_data`: SHA-256 of the source's training
            inputs that were named; whoever makes the queries again needs both. Not written where there are none.
        enrollment: what else the owner said; not written by versions that did not keep it, nor where nothing was said.
        tensors: SHA-256 of the tensors file.
        weights: SHA-256 of the file that holds the source's weights, for schemes that compare them; not written
            without one.
    """

    schema_version: Literal[1] = 1
    scheme: str
    parameters: dict[str, Any]
    seed: int
    input: AnyInputSpec
    codec: str
    source: str
    source_values: str | None = None
    bases: tuple[str, ...] = ()
    source_accuracy: float
    source_form: Convention | None = None
    seeds: int | None = None
    data: str
    data_name: str
    report: dict[str, Any]
    calibration: tuple[CalibrationModel, ...]
    shadows: tuple[ShadowRecord, ...] = ()
    budget: int | None = None
    train_data: str | None = None
    enrollment: EnrollmentOptions | None = None
    library: str
    tensors: str
    weights: str | None = None

    OMITTED: ClassVar[tuple[str, ...]] = (
        "source_values",
        "source_form",
        "seeds",
        "bases",
        "shadows",
        "budget",
        "train_data",
        "enrollment",
        "weights",
    )

    @model_validator(mode="after")
    def _stores_what_the_modality_stores(self) -> Self:
        codecs = modality_of(self.input).codecs
        if self.codec not in codecs:
            raise ValueError(f"queries are stored as {self.codec!r}: this version knows {', '.join(codecs)}")
        return self

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        for name in self.OMITTED:
            if not getattr(self, name):
                fields.pop(name, None)
        return fields
