"""The verdict: the record that `verify` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from modelprint.core.records import Record

Outcome = Literal["derived", "not-shown", "inconclusive"]
Kind = Literal["INDEPENDENT", "COPY", "SHARED", "OTHER"]
Relation = Literal["from-weights", "extracted", "homologous", "none", "unknown"]
BESIDE = ("matched", "trajectories", "mean_mutation_rate")  # of schema 1: printed beside the details, too
FORM = "form"  # of asking; printed among the details where it was doubted


class FalseAccusations(Record):
    """What the threshold does to the calibration models.

    Attributes:
        count: calibration models above the threshold.
        n: calibration models.
        upper_95: one-sided 95 % Clopper-Pearson bound of the rate of false accusations.
    """

    count: int = Field(ge=0)
    n: int = Field(ge=1)
    upper_95: float = Field(ge=0, le=1)


class KindRate(Record):
    """What the calibration models of one kind say of a suspect.

    Attributes:
        kind: INDEPENDENT (trained from scratch), SHARED (siblings: made from the base that the source was made from),
            COPY (made from another model), OTHER (made from another public checkpoint).
        behind: the transform through which they were asked, where one is expected; not written where there is none.
        n: families of this kind.
        p_value: the rank of the suspect among them; null where it was not scored.
        covered: whether there are enough of them for the accepted rate; the verdict rests on the covered kinds.
    """

    kind: Kind
    behind: str | None = None
    n: int = Field(ge=0)
    p_value: float | None = Field(gt=0, le=1)
    covered: bool

    OMITTED: ClassVar[tuple[str, ...]] = ("behind",)

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if self.behind is None:
            fields.pop("behind", None)
        return fields


class FormCheck(Record):
    """What a suspect said to unperturbed inputs that the source classifies rightly.

    Attributes:
        answered: how many of them it answered; `right`: how many rightly, its classes matched where the verdict matched
            them.
        beside: how many were put to it beside the scheme's own queries; no score counts these.
        expected: the accuracy that a user said it has; null where it should know as many as the source.
        doubted: whether it was right so seldom that it may have been asked in the wrong form.
        proposal: the options under which it is right far more often; null where none were tried, or none do.
    """

    answered: int = Field(ge=0)
    right: int = Field(ge=0)
    beside: int = Field(ge=0)
    expected: float | None = Field(default=None, gt=0, le=1)
    doubted: bool = False
    proposal: str | None = None


class Evidence(Record):
    """What one level of access says of a suspect, by itself.

    Attributes:
        access: the level.
        scheme: that reads it.
        score, threshold, p_value: by this level alone; null where there is none.
        kind: of the independent models that decide, those that the suspect ranks lowest among; null without any.
        queries: that were asked for it.
        says: what the verdict would be by this level alone; not-comparable where the suspect shows nothing of it, or
            nothing that can be compared.
        details: the scheme's own figures, or why nothing was compared.
    """

    access: Literal["weights", "scores", "labels"]
    scheme: str
    score: float | None
    threshold: float | None
    p_value: float | None = Field(gt=0, le=1)
    kind: Kind | None
    queries: int = Field(ge=0)
    says: Literal["derived", "not-shown", "inconclusive", "not-comparable"]
    details: Mapping[str, JsonValue] = Field(default_factory=dict)


class Verdict(Record):
    """Whether a suspect was made from the source, and how sure that is.

    Attributes:
        score: higher = more likely derived; null when nothing could be scored.
        alpha: the accepted rate of false accusations.
        threshold: the score that must be exceeded; null without enough calibration models.
        p_value: rank of the score among the calibration models; never 0; null without any.
        queries: how many were asked; `asked`: the same, `answered`: how many of them were answered. The others count
            against derivation. Null in verdicts from before these were told apart.
        details: the scheme's own figures; its `quantities` say what they are.
        class_matching: the source's class of each of the suspect's, where these have other numbers and were matched by
            the answers; the calibration models were matched in the same way.
        kinds: what each kind of calibration model says; null in verdicts from before kinds were listed.
        pooled: whether kinds of too few models were ranked with the most frequent kind; written where it is so.
        remarks: what is to be known of the calibration models: joined families, weak models, copies of the source; null
            in verdicts from before they were made.
        form: what it said to unperturbed inputs, which tells whether it was asked in the right form; None where it was
            asked none. Among the printed details where that is doubted, or an accuracy was said.
        evidence: what each level of access says by itself, of schemes that read scores or weights; else None.
        relation: the story that fits the levels, likewise: made from the source's weights, extracted from its answers,
            from a parent in common (homologous), none, or unknown.
        message: the verdict in plain words, with what is missing; not part of the printed object.
    """

    schema_version: int = Field(default=1, serialization_alias="schema", validation_alias="schema")
    verdict: Outcome
    scheme: str
    score: float | None
    alpha: float = Field(gt=0, lt=1)
    threshold: float | None
    p_value: float | None = Field(gt=0, le=1)
    false_accusations: FalseAccusations | None
    queries: int = Field(ge=0)
    asked: int | None = Field(default=None, ge=0)
    answered: int | None = Field(default=None, ge=0)
    access: str
    fingerprint: str
    suspect: str
    details: Mapping[str, JsonValue] = Field(default_factory=dict)
    class_matching: tuple[int, ...] | None = None
    kinds: tuple[KindRate, ...] | None = None
    pooled: bool = False
    remarks: tuple[str, ...] | None = None
    form: FormCheck | None = None
    evidence: tuple[Evidence, ...] | None = None
    relation: Relation | None = None
    message: str = Field(default="", exclude=True)

    OMITTED: ClassVar[tuple[str, ...]] = (
        "class_matching",
        "kinds",
        "asked",
        "answered",
        "evidence",
        "relation",
        "pooled",
        "remarks",
    )

    @model_validator(mode="before")
    @classmethod
    def _gather_details(cls, fields: Any) -> Any:
        """Details that stand beside the others belong to them; verdicts of before have no others."""
        if not isinstance(fields, Mapping):
            return fields
        details = fields.get("details")
        if isinstance(details, Mapping) and FORM in details:
            kept = {name: value for name, value in details.items() if name != FORM}
            fields = {**fields, "details": kept, FORM: details[FORM]}
        if not any(name in fields for name in BESIDE):
            return fields
        beside = {name: fields[name] for name in BESIDE if name in fields}
        details = fields.get("details", beside)
        if not isinstance(details, Mapping) or any(details.get(name) != value for name, value in beside.items()):
            raise ValueError(f"{', '.join(beside)} are not those of the details")
        return {**{name: value for name, value in fields.items() if name not in BESIDE}, "details": details}

    @field_validator("details")
    @classmethod
    def _finite(cls, details: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        json.dumps(dict(details), allow_nan=False)  # raises ValueError
        return details

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        details = fields.pop("details")
        form = fields.pop(FORM, None)
        if self.form is not None and (self.form.doubted or self.form.expected is not None):
            details = {**details, FORM: form}
        for name in self.OMITTED:
            value = getattr(self, name)
            if value is None or value is False or (name == "remarks" and not value):
                fields.pop(name, None)
        return {**fields, **{name: details[name] for name in BESIDE if name in details}, "details": details}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        """The schema of what is printed: some details stand beside the others, and the form among them."""
        described = handler.resolve_ref_schema(handler(core_schema))
        fields = described["properties"]
        form = fields.pop(FORM)
        described["required"] = [name for name in described.get("required", ()) if name != FORM]
        fields["details"] = {**fields["details"], "properties": {FORM: form}}
        fields.update({name: {"title": name.replace("_", " "), "type": "number"} for name in BESIDE})
        return described

    def to_json(self) -> str:
        """The printed object (contract: `verify --format json`)."""
        return self.model_dump_json(by_alias=True)
