"""One claim: a figure of one scheme on one population, and what came of checking it.

A claim is one JSON file. It holds what somebody says that a scheme reaches (`claimed`), what that rests on (the plan's
entry, the population, the scores, as hashes), and beside it every check (`checks`). Whoever reads it computes the
figure again; the file's own hash shows damage and careless edits, not fraud.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from modelprint.core.errors import IntegrityError, ModelprintError, first_line
from modelprint.core.files import write_text
from modelprint.core.identity import digest_json
from modelprint.core.records import Record
from modelprint.core.untrusted import read_regular
from modelprint.results.records import Ends, Figure, ReadAs

VERSION = 1
MARGIN = 0.01  # how far below the claim a figure from other runs may lie: processors round differently
ROUNDING = 1e-5  # of figures in result files: from the same scores none may lie lower
Outcome = Literal["agreed", "lower", "cannot-be-checked"]
How = Literal["scores", "again"]


class Entry(Record):
    """How the scheme entered.

    Attributes:
        label: what tables call it; `scheme`: the registered name.
        parameters: every hyper-parameter.
        rehearsed, unseen, shadows: which shadow models it learned from (docs/bench.md).
        plan: SHA-256 of all this, with the seeds and alpha.
    """

    label: str
    scheme: str
    parameters: dict[str, Any]
    seeds: tuple[int, ...]
    alpha: float = Field(gt=0, lt=1)
    rehearsed: bool
    unseen: str | None
    shadows: int | None
    plan: str


class Judged(Record):
    """The population.

    Attributes:
        bench: the benchmark's name; `data`: its data set.
        zoo: SHA-256 of the plan of its models.
        suspects: SHA-256 over who was judged, and as what.
        sources: how many models were enrolled.
    """

    bench: str
    data: str
    zoo: str | None
    suspects: str
    sources: int = Field(ge=1)


class Measurement(Record):
    """A figure: the mean over seeds and sources.

    Attributes:
        interval: 95 %, the widest of any seed; None where there is none.
        n_derived, n_independent: models that it was measured on.
        runs: SHA-256 over all scores and verdicts that it was computed from.
    """

    value: float = Field(ge=0, le=1)
    interval: Ends | None
    n_derived: int = Field(ge=0)
    n_independent: int = Field(ge=0)
    runs: str


class Origin(Record):
    """When a figure was measured, and by what: the revision of the code is empty outside a checkout."""

    date: str
    revision: str
    versions: dict[str, str]


class Check(Record):
    """What came of checking a claim.

    Attributes:
        how: "scores": computed again from recorded scores; "again": the benchmark was run again.
        measured: what the check found; None where it found nothing.
        reason: why the claim cannot be checked, or what to know of the check.
    """

    outcome: Outcome
    how: How
    measured: Measurement | None
    reason: str | None
    origin: Origin


class Claim(Record):
    """A claim, as its file holds it.

    Attributes:
        access, budget, evasion, attack, figure: of which row of the benchmark, and which figure in it.
        claimed: the figure.
        command: what measures it again.
        checks: in the order in which they were made.
        digest: SHA-256 of all the rest.
    """

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    entry: Entry
    population: Judged
    access: ReadAs
    budget: int = Field(ge=1)
    evasion: str
    attack: str
    figure: Figure
    claimed: Measurement
    command: str
    origin: Origin
    checks: tuple[Check, ...] = ()
    digest: str = ""

    @property
    def standing(self) -> Measurement:
        """The figure that counts: the lowest of the claimed one and of all that checks measured."""
        return min(self._measurements(), key=lambda one: one.value)

    @property
    def outcome(self) -> Outcome | None:
        """Of all checks: "lower" where one found less; None where nobody checked."""
        outcomes = [check.outcome for check in self.checks]
        return next((one for one in ("lower", "agreed", "cannot-be-checked") if one in outcomes), None)

    def sealed(self) -> Claim:
        """The claim with its hash."""
        return self.model_copy(update={"digest": self._digest()})

    def with_check(self, check: Check) -> Claim:
        """The claim with one more check, and its hash."""
        return self.model_copy(update={"checks": (*self.checks, check)}).sealed()

    @property
    def whole(self) -> bool:
        """Whether the hash is that of the rest."""
        return self.digest == self._digest()

    def _digest(self) -> str:
        return digest_json(self.model_dump(mode="json", by_alias=True, exclude={"digest"}))

    def _measurements(self) -> Iterable[Measurement]:
        yield self.claimed
        yield from (check.measured for check in self.checks if check.measured is not None)


class CheckedClaim(Record):
    """What `bench check` prints: the claim in short, and the check."""

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    claim: str
    label: str
    bench: str
    access: ReadAs
    budget: int
    evasion: str
    attack: str
    figure: Figure
    claimed: Measurement
    check: Check

    @classmethod
    def of(cls, claim: Claim, check: Check) -> CheckedClaim:
        """The claim is named by its hash from before the check."""
        return cls(
            claim=claim.digest,
            label=claim.entry.label,
            bench=claim.population.bench,
            access=claim.access,
            budget=claim.budget,
            evasion=claim.evasion,
            attack=claim.attack,
            figure=claim.figure,
            claimed=claim.claimed,
            check=check,
        )


def write_claim(claim: Claim, path: Path) -> None:
    """Write a claim, whole or not at all."""
    content = claim.sealed().model_dump(mode="json", by_alias=True)
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_claim(path: Path) -> Claim:
    """The claim in a file.

    Raises:
        ModelprintError: there is none, or it is of a newer version.
        IntegrityError: it was changed after it was written.
    """
    if not path.is_file():
        raise ModelprintError(f"{path} is not there: `modelprint bench submit` writes claims")
    try:
        content = json.loads(read_regular(path))
        version = content.get("schema")
    except (ValueError, AttributeError, RecursionError) as error:
        raise ModelprintError(f"{path} is no claim: {first_line(error)}") from error
    if isinstance(version, int) and version > VERSION:
        raise ModelprintError(f"{path} is a claim of version {version}, and this modelprint reads {VERSION}: update it")
    try:
        claim = Claim.model_validate(content)
        whole = claim.whole
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ModelprintError(f"{path} is no claim: {place}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise ModelprintError(f"{path} is no claim: {first_line(error)}") from error
    if not whole:
        raise IntegrityError(f"{path} was changed after it was written: its hash is not that of what it holds")
    return claim
