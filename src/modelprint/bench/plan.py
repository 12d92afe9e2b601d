"""What a benchmark compares: schemes and their settings, on a zoo; and its cells.

A cell is one fingerprint and one suspect. Its identity is the SHA-256 of all that its result depends on: the files of
both models, the scheme with every parameter, the images that queries are made of, seed and budget. What cannot change a
score (processes, executor, folders) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import Field

from modelprint.core.identity import digest_json
from modelprint.core.records import Record
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme

VERSION = 2  # raised when the same cell would get another score


class Knob(Record):
    """A parameter of a scheme that is turned for a figure: its name, the value, and which line the point is on."""

    name: str
    value: float
    line: str = ""


class Contender(Record):
    """A scheme as it enters.

    Attributes:
        label: what tables call it.
        settings: hyper-parameters as text; defaults otherwise.
        budgets: caps on the queries, one fingerprint for each; the bench's own when None.
        seeds: of fingerprints; the bench's own when None.
        rehearsed: whether the zoo's rehearsal models join its shadow models.
        unseen: what no shadow model shows: a family of attacks (chains that begin with it included), or
            "architectures" other than the source's.
        shadows: how many surrogates, and as many reference models, an owner makes; all unless given.
        knob: of a variant that stands in a figure only. It enrols the first source, with the first seed, and meets that
            source's copies and every `thinning`-th independent test model.
        evasions: behind which suspects answer, too, besides answering plainly ("jpeg", "noise+label-noise").
    """

    label: str
    scheme: str
    settings: dict[str, str] = Field(default_factory=dict)
    budgets: tuple[int, ...] | None = None
    seeds: tuple[int, ...] | None = None
    rehearsed: bool = False
    unseen: str | None = None
    shadows: int | None = None
    knob: Knob | None = None
    thinning: int = 1
    evasions: tuple[str, ...] = ()

    def configured(self) -> Scheme:
        """The scheme, with its parameters.

        Raises:
            UsageError: no such scheme or parameter.
        """
        return SCHEMES[self.scheme]().with_settings(self.settings)


class Bench(Record):
    """A benchmark.

    Attributes:
        zoo: whose models are enrolled, suspected, and calibrated on.
        contenders: schemes and variants of them; the controls are added where they are missing.
        budgets, seeds: of every contender that has none of its own.
        alpha: the accepted rate of false accusations, for the verdict's columns.
        first_source_only: whether the other sources are only met, as third parties, and not enrolled.
        regions: the contender whose first fingerprint's planar slice is put to the copies.
    """

    name: str
    zoo: str
    contenders: tuple[Contender, ...]
    budgets: tuple[int, ...]
    seeds: tuple[int, ...]
    alpha: float = 0.05
    regions: str | None = None
    first_source_only: bool = False

    @property
    def identity(self) -> str:
        """SHA-256 of the whole plan."""
        plan = self.model_dump(mode="json")
        for contender in plan["contenders"]:
            if not contender["evasions"]:  # plans without any are what they were before there were evasions
                del contender["evasions"]
        if not self.first_source_only:
            del plan["first_source_only"]
        return digest_json(plan)


class Enrolment(Record):
    """A fingerprint to be made.

    Attributes:
        contender: its label; not part of the identity, so that a renamed one keeps its results.
        source: the id, and `source_sha256` the file, of the model.
        parameters: every hyper-parameter.
        data: what queries are made of; `train_data`: what the source learned from.
        shadows: the files of the shadow models that the scheme learns from; none where it needs none.
        checkpoint: the file that the source started from, for schemes that compare weights; `siblings`: of the
            references, those that started there, too.
    """

    contender: str
    source: str
    source_sha256: str
    scheme: str
    parameters: dict[str, Any]
    data: str
    train_data: str
    seed: int
    budget: int
    surrogates: dict[str, str] = Field(default_factory=dict)
    references: dict[str, str] = Field(default_factory=dict)
    reference_copies: dict[str, str] = Field(default_factory=dict)
    checkpoint: dict[str, str] = Field(default_factory=dict)
    siblings: dict[str, str] = Field(default_factory=dict)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the recipe."""
        shadows = [sorted(side.values()) for side in (self.surrogates, self.references)]
        if self.reference_copies:
            shadows.append(sorted(self.reference_copies.values()))
        if self.checkpoint:
            shadows.append([*self.checkpoint.values(), *sorted(self.siblings.values())])
        left_out = {"contender", "source", "surrogates", "references", "reference_copies"}
        left_out |= {"checkpoint", "siblings"}
        return digest_json({"version": VERSION, "shadows": shadows, **self.model_dump(mode="json", exclude=left_out)})

    def cell(self, suspect_sha256: str, *, evasion: str = "none", regions: bool = False) -> str:
        """The identity of the cell of this fingerprint and a suspect."""
        parts: Mapping[str, Any] = {"enrolment": self.identity, "suspect": suspect_sha256, "evasion": evasion}
        return digest_json({**parts, "regions": True} if regions else parts)
