"""The command `ancestors`: a set of models that a suspect may have been made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from modelprint.cli.console import out, print_table, progress, say
from modelprint.cli.options import ApiOptions, ComputeOptions, Format, ModelFlags, suspect_options
from modelprint.core.errors import UsageError

if TYPE_CHECKING:
    from modelprint.core.ancestry import ProvenanceSet


def ancestors(
    suspect: str,
    fingerprint: Annotated[list[Path], Parameter(name="FINGERPRINT", negative="", consume_multiple=True)],
    /,
    *,
    copies: Annotated[list[Path], Parameter(negative="")],
    coverage: float = 0.95,
    access: Literal["labels", "scores", "weights"] | None = None,
    budget: int | None = None,
    format_: Annotated[Format, Parameter(name="--format")] = "table",
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    api: ApiOptions = ApiOptions(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> int:
    """Say which of several models a suspect may be made from: a set with a stated coverage.

    Parameters
    ----------
    suspect
        A model file, an http(s) address, or answers, recorded (.jsonl, .npz) or by hand (.csv).
    fingerprint
        One of each model.
    copies
        A folder of models that are known to be made from the model of a fingerprint; once for each fingerprint, in
        their order. k fingerprints need k / (1 - coverage) - 1 copies each, or none can be left out.
    coverage
        The least chance that no model is left out which the suspect was made from, if the suspect is to it what its
        copies are.
    access
        What is read of the suspect and of all copies: labels, scores or weights; what the first fingerprint's scheme
        reads unless given.
    budget
        The most queries to ask for each fingerprint; all unless given.
    """
    from modelprint.core.redaction import shown_reference
    from modelprint.nn.folders import folder_models
    from modelprint.ownership.ancestry import Enrolled, provenance_set

    if len(copies) != len(fingerprint):
        raise UsageError(
            f"{len(fingerprint)} fingerprints and {len(copies)} folders of copies: give --copies once for each "
            "fingerprint, in their order"
        )
    options = suspect_options(how, api, device=compute.device)
    models = [
        Enrolled(fingerprint=one, copies=[model.reference for model in folder_models(folder, options.model)])
        for one, folder in zip(fingerprint, copies, strict=True)
    ]
    with progress() as bars, compute.computing():
        possible = provenance_set(
            suspect, models, coverage=coverage, access=access, budget=budget, options=options, progress=bars
        )
    if format_ == "json":
        out.print(possible.to_json(), markup=False)
        say(possible.message)
    else:
        _print(possible, shown_reference(suspect))
    return 0


def _print(possible: ProvenanceSet, name: str) -> None:
    out.print(f"{name}: {possible.message}", markup=False)
    table = Table(box=None)
    for column in ("fingerprint", "scheme", "score", "copies", "p-value", "adjusted", "in the set", "verify says"):
        table.add_column(column)
    for one in possible.models:
        figures = ("-" if value is None else f"{value:.4g}" for value in (one.p_value, one.adjusted_p_value))
        score = "-" if one.score is None else f"{one.score:.4g}"
        table.add_row(
            one.name, one.scheme, score, str(one.copies), *figures, "yes" if one.included else "no", one.verdict
        )
    print_table(table)
    for one in possible.models:
        out.print(f"{one.name}: {one.message}", markup=False)
