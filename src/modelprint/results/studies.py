"""Studies beside a benchmark's results: UAP's claim, the subspaces of perturbations, contrast's error rate.

Each is one JSON file, written by a script of `benchmarks/`; the report draws it when it lies beside the results.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from modelprint.core.records import Record
from modelprint.results.records import Ends

_OLD_THIRD_PARTY = "stranger: "


class Share(Ends):
    """A share of models, with its exact interval of 95 %."""

    share: float = Field(ge=0, le=1)


class Area(Ends):
    """An AUC, with its interval of 95 % by bootstrap over models."""

    auc: float = Field(ge=0, le=1)


class Group(Record):
    """Models of one side, family or kind.

    Attributes:
        verdict_derived: of whom the calibrated verdict says "derived", at alpha = .05.
        claimed_95, claimed_9999: of whom Welch's test over views says so with more than that confidence.
        auc: against the independent models; of these, and of copies of other sources, null where that says nothing.
        auc_against_copies_of_others: of the derived models.
    """

    n: int = Field(ge=1)
    mean_score: float
    verdict_derived: Share
    claimed_95: Share = Field(alias="claimed_above_0.95")
    claimed_9999: Share = Field(alias="claimed_above_0.9999")
    auc: Area | None = None
    auc_against_copies_of_others: Area | None = None


Groups = dict[str, Group]


class SourceClaims(Record):
    """One source's fingerprint, its answers read in several ways; each way judges every group of models."""

    crafting: dict[str, Any]
    shadows: dict[str, Any]
    scores: Groups
    labels_only: Groups = Field(alias="labels only")
    no_encoder: Groups = Field(alias="no encoder")
    no_encoder_labels_only: Groups = Field(alias="no encoder, labels only")
    shuffled_encoder: Groups = Field(alias="shuffled encoder")
    one_architecture: Groups = Field(alias="shadows of the source's architecture")
    third_party_shadows: Groups = Field(alias="stolen strangers among the shadows")


class Control(Record):
    """Another perturbation in the place of v, with an encoder of its own and with none."""

    crafting: dict[str, Any]
    scores: Groups
    no_encoder: Groups = Field(alias="no encoder")


class ClaimPoint(Record):
    """Claimed confidence with so many fingerprints (views): medians, and shares of models above two levels."""

    fingerprints: int = Field(ge=1)
    derived_median: float
    independent_median: float
    others_median: float
    derived_95: float = Field(alias="derived_above_0.95")
    independent_95: float = Field(alias="independent_above_0.95")
    others_95: float = Field(alias="others_above_0.95")
    derived_9999: float = Field(alias="derived_above_0.9999")
    independent_9999: float = Field(alias="independent_above_0.9999")
    others_9999: float = Field(alias="others_above_0.9999")


class ClaimStudy(Record):
    """What the paper's claim is worth on a zoo.

    Attributes:
        models: how many there are, and the thinning of the independent ones: every so-manieth was judged.
        confidence_by_fingerprints: of the first source, with few points and many views.
        points_per_fingerprint: in that curve.
        controls: of the first source.
    """

    models: dict[str, int]
    nominal: str
    sources: dict[str, SourceClaims] = Field(min_length=1)
    controls: dict[str, Control]
    confidence_by_fingerprints: tuple[ClaimPoint, ...] = Field(min_length=1)
    points_per_fingerprint: int | None = None
    provenance: dict[str, Any]

    @property
    def first(self) -> SourceClaims:
        """Of the first source, which the controls and the curve are about."""
        return next(iter(self.sources.values()))


class Spectrum(Record):
    """Singular values, falling, their squares adding up to 1 over all; directions that carry half, nine tenths."""

    singular_values: tuple[float, ...] = Field(min_length=1)
    directions_50: int
    directions_90: int


class AgainstChance(Record):
    """The spectrum of a model's perturbations beside that of as many random directions."""

    vectors: int
    dimensions: int
    model: Spectrum
    random: Spectrum


class AnglesTo(Record):
    """Principal angles, in degrees, between the source's subspace and those of a group of models.

    Attributes:
        mean, smallest: means over models, of all angles and of the first.
        median_curve: of each angle in turn.
    """

    n: int = Field(ge=1)
    mean: float
    smallest: float
    mean_by_family: dict[str, float]
    median_curve: tuple[float, ...] = Field(min_length=1)


class SubspaceStudy(Record):
    """In how few directions perturbations lie, and how near a copy's are to its source's.

    Attributes:
        images: whose boundary normals were taken; `size`: dimensions of the subspaces that are compared.
        angles: under "derived", "copies of other sources", "independent".
        auc_of_minus_mean_angle: of derived models against each other group.
    """

    source: str
    images: int
    size: int
    boundary_normals: AgainstChance
    universal: AgainstChance
    angles_to_random: tuple[float, ...] = Field(min_length=1)
    angles: dict[str, AnglesTo] = Field(min_length=1)
    auc_of_minus_mean_angle: dict[str, Area]
    provenance: dict[str, Any]


class Asked(Record):
    """Models of a family or kind: how many queries they were asked, and of how many the verdict is "derived".

    Attributes:
        name: a family of attacks, a kind of independent models, or "worthless" or "transfer" (JudgedModel.counts_as).
        third_party: whether they are the other sources and their copies.
    """

    name: str
    third_party: bool = False
    models: int = Field(ge=1)
    derived: int = Field(ge=0)
    queries_mean: float
    queries_median: float


class EarlyVerdicts(Record):
    """One source's suspects, asked until the verdict at alpha is settled.

    Attributes:
        verdicts_changed_by_stopping: against those of all queries.
        groups: by family of attacks, or kind.
    """

    source: str
    alpha: float = Field(gt=0, lt=1)
    verdicts_changed_by_stopping: int = Field(ge=0)
    groups: tuple[Asked, ...]

    @field_validator("groups", mode="before")
    @classmethod
    def _as_before(cls, groups: Any) -> Any:
        """Studies of before groups had names were mappings, in which a prefix marked copies of other sources."""
        if not isinstance(groups, dict):
            return groups
        return [
            {"name": name.removeprefix(_OLD_THIRD_PARTY), "third_party": name.startswith(_OLD_THIRD_PARTY), **group}
            for name, group in groups.items()
        ]


class HeldOut(Record):
    """Rank p-values of independent models that took no part in calibration.

    Attributes:
        models: calibrating and held out; `splits`: how often they were parted at random.
        at_most: the share of p-values up to each alpha.
    """

    source: str
    models: int = Field(ge=1)
    splits: int = Field(ge=1)
    at_most: dict[float, Share] = Field(min_length=1)


class EarlyStudy(Record):
    """How many queries a sequential scheme asks, and whether its error rate holds."""

    early: tuple[EarlyVerdicts, ...] = Field(min_length=1)
    p_values: tuple[HeldOut, ...] = Field(min_length=1)
    provenance: dict[str, Any]


class Studies(Record):
    """The studies that there are; None: not made."""

    claim: ClaimStudy | None = None
    subspace: SubspaceStudy | None = None
    early: EarlyStudy | None = None
