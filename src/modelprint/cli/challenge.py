"""The fresh challenge of `check`: its options, and what is printed of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter
from rich.table import Table

from modelprint.cli.console import out, print_table, progress, say
from modelprint.cli.options import ApiOptions, ComputeOptions, ModelFlags, suspect_options
from modelprint.cli.verdicts import print_verdict
from modelprint.core.errors import UsageError

if TYPE_CHECKING:
    from modelprint.cli.check_report import FreshChallenge, WhoseAlpha
    from modelprint.ownership.challenge import Challenge, Whose
    from modelprint.ownership.check import Checked
    from modelprint.zoo.reference_models.training import HowTrained

_FRESH = Group("Fresh challenge", help="With --source and --data: inputs of your own, or of a public set.")
_SEEDS = 2**31


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ChallengeFlags:
    """Whom a fresh challenge asks, and how."""

    suspect: Annotated[str | None, Parameter(group=_FRESH)] = None
    "The suspect itself, a model file or an http(s) address: it is asked queries that are made here, of your data."
    seed: Annotated[int | None, Parameter(group=_FRESH)] = None
    "Of the fresh queries; drawn and printed unless given."
    alpha: Annotated[float | None, Parameter(group=_FRESH)] = None
    "The false positive rate that the fresh verdict accepts; the bundle's unless given."
    owner_data: Annotated[str | None, Parameter(group=_FRESH)] = None
    "The owner's data: none of your inputs may stand among them."


def check_flags(
    flags: ChallengeFlags, *, rederive: bool, source: str | None, data: str | None, negatives: str | None
) -> bool:
    """Whether a fresh challenge is asked for.

    Raises:
        UsageError: options that do not go together; the message says which are missing.
    """
    fresh = flags.suspect is not None
    if fresh and rederive:
        raise UsageError("--rederive takes the owner's data, a fresh challenge (--suspect) yours: run check twice")
    if not fresh and not rederive and source is not None and data is not None:
        raise UsageError("--source and --data without --rederive are a fresh challenge: name the --suspect, too")
    if not fresh and (flags.seed is not None or flags.alpha is not None or flags.owner_data is not None):
        raise UsageError(
            "--seed, --alpha and --owner-data are for a fresh challenge: name --suspect, --source and --data"
        )
    if fresh and (source is None or data is None):
        raise UsageError("a fresh challenge needs --source MODEL, --data DATA and --suspect SUSPECT")
    if not fresh and rederive != (source is not None):
        raise UsageError(
            "--rederive needs --source MODEL, and --source is for --rederive, or for a fresh challenge with --data and "
            "--suspect"
        )
    if not fresh and negatives is not None and negatives.startswith("auto:"):
        raise UsageError(f"--negatives {negatives} trains models for a fresh challenge: name a folder here")
    return fresh


def challenged(
    checked: Checked,
    flags: ChallengeFlags,
    *,
    source: str,
    data: str,
    negatives: str | None,
    train_data: str | None,
    shadow: str | None,
    trained: HowTrained | None,
    jobs: int,
    how: ModelFlags,
    api: ApiOptions,
    compute: ComputeOptions,
) -> Challenge:
    """The fresh challenge that the options name; `trained`: how shadow and calibration models are trained."""
    from modelprint.data.splits import load_data
    from modelprint.ownership.challenge import challenge

    assert flags.suspect is not None
    seed = secrets.randbelow(_SEEDS) if flags.seed is None else flags.seed
    say(f"fresh challenge with seed {seed}")
    images = load_data(data)
    with progress() as bars, compute.computing(images.shape) as device:
        model, images = how.load_for(source, images, device=device)
        return challenge(
            checked.fingerprint,
            model,
            images,
            flags.suspect,
            seed=seed,
            alpha=checked.evidence.alpha if flags.alpha is None else flags.alpha,
            access=checked.evidence.access,
            stated_suspect=checked.verdict.suspect,
            budget=checked.evidence.budget,
            negatives=negatives or (),
            pool_kinds=checked.evidence.pool_kinds,
            owners_data=None if flags.owner_data is None else load_data(flags.owner_data),
            train_data=None if train_data is None else load_data(train_data),
            shadows=shadow,
            how=trained,
            options=how.options(),
            suspect_options=suspect_options(how, api, device=compute.device),
            jobs=jobs,
            notice=say,
            progress=bars,
        )


def report(fresh: Challenge, checked: Checked, flags: ChallengeFlags) -> FreshChallenge:
    """What `check --format json` says of it."""
    from modelprint.cli.check_report import CountedModels, FreshChallenge, JudgesImages, StatedAlpha

    return FreshChallenge(
        verdict=fresh.verdict,
        message=fresh.verdict.message,
        seed=fresh.seed,
        images=JudgesImages(name=fresh.data, count=fresh.images, left_out=fresh.left_out),
        models=CountedModels(count=fresh.calibration, whose=fresh.models),
        shadows=CountedModels(count=len(fresh.fingerprint.manifest.shadows), whose=fresh.shadows),
        alpha=StatedAlpha(value=fresh.verdict.alpha, whose=_whose_alpha(checked, flags)),
        same_suspect=fresh.same_suspect,
        contradicts=fresh.contradiction(checked.verdict),
    )


def print_challenge(fresh: Challenge, checked: Checked, flags: ChallengeFlags) -> None:
    """Both verdicts, and whose images, seed, models and alpha each rests on."""
    out.print("fresh challenge: the same scheme on your data, the suspect asked by you:", markup=False)
    table = Table(box=None)
    for heading in ("", "bundle", "fresh challenge"):
        table.add_column(heading, overflow="fold")
    stated, manifest = checked.verdict, checked.fingerprint.manifest
    committed = "committed" if checked.commitment.alpha is not None else "the owner's"
    rows = {
        "verdict": (stated.verdict, fresh.verdict.verdict),
        "p-value": (_number(stated.p_value), _number(fresh.verdict.p_value)),
        "data": (f"{manifest.data_name}: the owner's", f"{fresh.data}: yours, {fresh.images}{_left_out(fresh)}"),
        "seed": (f"{manifest.seed}: the owner's", f"{fresh.seed}: yours"),
        "calibration models": (
            f"{len(manifest.calibration)}: the owner's",
            f"{fresh.calibration}: {_WORDS[fresh.models]}",
        ),
        "alpha": (f"{stated.alpha:g}: {committed}", f"{fresh.verdict.alpha:g}: {_ALPHA[_whose_alpha(checked, flags)]}"),
        "suspect": (stated.suspect, "the same" if fresh.same_suspect else fresh.verdict.suspect),
    }
    if manifest.shadows:
        rows["shadow models"] = (
            f"{len(manifest.shadows)}: the owner's",
            f"{len(fresh.fingerprint.manifest.shadows)}: {_WORDS[fresh.shadows]}",
        )
    for label, (of_bundle, of_challenge) in rows.items():
        table.add_row(label, of_bundle, of_challenge)
    print_table(table)
    print_verdict(fresh.verdict, fresh.verdict.suspect)


_WORDS: dict[Whose, str] = {
    "judge": "yours",
    "owner": "the owner's",
    "both": "some yours, some the owner's",
    "nobody": "none",
}
_ALPHA: dict[WhoseAlpha, str] = {"judge": "yours", "commitment": "committed", "owner": "the owner's"}


def _whose_alpha(checked: Checked, flags: ChallengeFlags) -> WhoseAlpha:
    if flags.alpha is not None:
        return "judge"
    return "owner" if checked.commitment.alpha is None else "commitment"


def _left_out(fresh: Challenge) -> str:
    return f" ({fresh.left_out} left out: the owner's, or training data)" if fresh.left_out else ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
