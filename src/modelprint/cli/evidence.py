"""Commands on evidence: key, seal, bundle, check."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from modelprint.cli.challenge import ChallengeFlags, challenged, check_flags
from modelprint.cli.console import out, print_record, progress, say
from modelprint.cli.data_options import DataFlags
from modelprint.cli.examination import print_examination, report
from modelprint.cli.options import ApiOptions, ComputeOptions, Format, ModelFlags, PoolKinds, settings, suspect_options
from modelprint.cli.ownership import EXIT_CODES
from modelprint.cli.verdicts import print_verdict
from modelprint.core.errors import IntegrityError, ModelprintError

if TYPE_CHECKING:
    from modelprint.ownership.check import Checked
    from modelprint.ownership.fingerprint import Fingerprint
    from modelprint.ownership.rederive import Rederived
    from modelprint.ownership.verification import Verification
    from modelprint.zoo.reference_models.training import HowTrained


@contextmanager
def _extra() -> Iterator[None]:
    """Say what to install where the libraries of the extra are missing."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("cryptography", "rfc8785", "rfc3161_client"):
            raise
        raise ModelprintError(f"{error.name} is missing: pip install 'modelprint[evidence]'") from error


def key(*, out_: Annotated[Path, Parameter(name="--out")]) -> None:
    """Make a key pair (Ed25519) to seal with.

    Parameters
    ----------
    out_
        The private key, which only you can read; the public one, for judges, stands beside it as .pub.
    """
    with _extra():
        from modelprint.sealing.keys import make_key

        identity = make_key(out_)
    out.print(f"{out_}: {identity}", markup=False)
    say(f"keep {out_} to yourself; give {out_}.pub to whoever is to know your signature")


def seal(
    fingerprint: Path,
    *,
    key: Path,  # the option --key
    out_: Annotated[Path, Parameter(name="--out")],
    alpha: float = 0.05,
    timestamp: str | None = None,
) -> None:
    """Commit to a fingerprint before any dispute: sign and date hashes of all that it was made from.

    Parameters
    ----------
    key
        Your private key, which `modelprint key` makes.
    out_
        The commitment: publish it, or have it kept by somebody else. It shows no query.
    alpha
        The false positive rate that verdicts will accept; a bundle with another one is refused.
    timestamp
        The URL of an RFC 3161 time-stamping server; it gets a hash and nothing else.
    """
    with _extra():
        from modelprint.ownership.fingerprint import Fingerprint
        from modelprint.ownership.seal import read_commitment
        from modelprint.ownership.seal import seal as make
        from modelprint.sealing.keys import decoded, key_id

        data = make(Fingerprint.load(fingerprint), key, alpha=alpha, out=out_, timestamp_url=timestamp)
        stated, _ = read_commitment(data, who=str(out_))
        signer = key_id(decoded(stated.key, who="the key"))
    out.print(f"{out_}: {stated.fingerprint} sealed by {signer} at {stated.stated}", markup=False)
    if timestamp is None:
        say("no time stamp: whoever doubts the date has only your word for it (--timestamp URL)")


def bundle(
    fingerprint: Path,
    suspect: str,
    *,
    commitment: Path,
    key: Path,
    out_: Annotated[Path, Parameter(name="--out")],
    access: Literal["labels", "scores"] = "labels",
    budget: int | None = None,
    alpha: float = 0.05,
    pool_kinds: PoolKinds = False,
    accuracy: float | None = None,
    report: bool = True,
    exit_code: Annotated[bool, Parameter(negative="")] = False,
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    api: ApiOptions = ApiOptions(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> int:
    """Verify a suspect, and keep commitment, fingerprint, every answer, verdict and report in one signed file.

    Parameters
    ----------
    suspect
        A model file, an http(s) address, or answers, recorded (.jsonl, .npz) or by hand (.csv).
    commitment
        What `modelprint seal` wrote before the dispute.
    key
        The private key that sealed it.
    out_
        The bundle, a tar file; `modelprint check` checks it anywhere.
    access
        labels: only top-1 is used.
    budget
        The most queries to ask; 200 of an address, else all, unless given.
    alpha
        The accepted rate of false accusations.
    accuracy
        The suspect's, where it is known to be much less accurate than the source; as of verify.
    report
        Whether the HTML report goes in, too. It is made of the bundle's records alone, so that `check` can make it
        again and compare.
    exit_code
        Exit with 10 when derived, 11 when inconclusive.
    """
    from modelprint.core.redaction import shown_reference

    with _extra():
        from modelprint.ownership.bundle import bundle as make
        from modelprint.ownership.fingerprint import Fingerprint
        from modelprint.ownership.seal import check_alpha, check_committed, read_commitment, read_file
        from modelprint.ownership.verify import examine

        loaded, sealed = Fingerprint.load(fingerprint), read_file(commitment)
        stated, _ = read_commitment(sealed, who=str(commitment))
        check_committed(stated, loaded)  # before anybody is asked
        check_alpha(stated, alpha)
        with progress() as bars, compute.computing():
            verification = examine(
                loaded,
                suspect,
                access=access,
                alpha=alpha,
                budget=budget,
                pool_kinds=pool_kinds,
                accuracy=accuracy,
                options=suspect_options(how, api, device=compute.device),
                notice=say,
                progress=bars,
                slice_plane=False,
            )
        page = _page(verification) if report else None
        data = make(
            loaded,
            verification,
            commitment=sealed,
            key=key,
            budget=verification.budget,
            pool_kinds=pool_kinds,
            report=page,
            out=out_,
        )
    print_verdict(verification.verdict, shown_reference(suspect))
    out.print(f"{out_}: {len(data) / 1e6:.1f} MB", markup=False)
    return EXIT_CODES[verification.verdict.verdict] if exit_code else 0


def check(
    bundle: Path,
    *,
    key: Path | None = None,
    tsa_root: Path | None = None,
    negatives: str | None = None,
    rederive: Annotated[bool, Parameter(negative="")] = False,
    source: str | None = None,
    data: str | None = None,
    train_data: str | None = None,
    shadow: str | None = None,
    recipe: str | None = None,
    recipe_set: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    init: Path | None = None,
    jobs: int = 1,
    format_: Annotated[Format, Parameter(name="--format")] = "table",
    fresh: ChallengeFlags = ChallengeFlags(),  # noqa: B008 - frozen
    reading: DataFlags = DataFlags(),  # noqa: B008 - frozen
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    api: ApiOptions = ApiOptions(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> None:
    """Check a bundle offline: every hash and signature, and that the verdict follows from the answers.

    Exits with 3, and says what, as soon as something does not fit. Two options ask more: --rederive makes the queries
    again of what the owner committed; --suspect asks the suspect itself, about images of your own (a fresh challenge),
    and exits with 3 where the answer contradicts the bundle.

    Parameters
    ----------
    key
        The owner's public key (.pub), as you got it from him; without it any signer will do.
    tsa_root
        PEM certificates that vouch for the time-stamping server, its root last or alone.
    negatives
        A folder of independent models of your own choice: a second verdict is calibrated on these, and that of a
        fresh challenge. There it may also be auto:N, as of enroll.
    rederive
        Make the queries again from --source and the committed seed, and compare.
    source
        The source's model file, for --rederive and for a fresh challenge.
    data
        For --rederive the images that queries were made of, by default the published set that the fingerprint names; a
        file or folder of its owner is not opened. For a fresh challenge labelled images of your own, or of a public
        set, that the source was not trained on.
    train_data
        The source's training images, where enrollment had them.
    shadow
        For --rederive the N or the folder of shadow models that enrollment had; for a fresh challenge either, as of
        enroll.
    recipe
        The recipe that enrollment had: sgd, adamw, or FILE.py:fit; what the fingerprint names unless given. Code that
        it names runs with --trust-code only.
    recipe_set
        Hyper-parameters of --recipe sgd or adamw, key=value, as enrollment had them.
    init
        The public checkpoint that enrollment had; one that the fingerprint names is opened with --trust-code only.
    jobs
        Processes that train shadow models.
    """
    asks = check_flags(fresh, rederive=rederive, source=source, data=data, negatives=negatives)
    with _extra():
        from modelprint.data.references import read_alike
        from modelprint.ownership.check import check as examine
        from modelprint.ownership.guarantees import Examination
        from modelprint.ownership.shadows import is_number
        from modelprint.sealing.keys import read_public

        with progress() as bars:
            checked = examine(
                bundle,
                key=None if key is None else read_public(key),
                stamp_root=tsa_root,
                negatives=() if negatives is None or negatives.startswith("auto:") else negatives,
                options=how.options(),
                progress=bars,
            )
    enrolled = checked.fingerprint.manifest.data_name
    data, train_data, owner_data = (
        None if named is None else reading.of(read_alike(named, enrolled))
        for named in (data, train_data, fresh.owner_data)
    )
    fresh = replace(fresh, owner_data=owner_data)
    trained = _trained(checked.fingerprint, how, recipe=recipe, recipe_set=settings(recipe_set), init=init)
    remade = challenge = None
    if rederive and source is not None:
        remade = _rederived(
            checked,
            how,
            compute,
            source=source,
            data=data,
            train_data=train_data,
            shadow=shadow,
            trained=trained,
            jobs=jobs,
        )
    if asks and source is not None and data is not None:
        challenge = challenged(
            checked,
            fresh,
            source=source,
            data=data,
            negatives=negatives,
            train_data=train_data,
            shadow=shadow,
            trained=trained,
            jobs=jobs,
            how=how,
            api=api,
            compute=compute,
        )
    done = Examination(
        checked=checked,
        page=_page_fits(checked),
        rederived=remade,
        retrained=remade is not None and is_number(shadow),
        fresh=challenge,
    )
    if format_ == "json":
        print_record(report(done, fresh))
    else:
        print_examination(done, fresh, str(bundle))
    if done.contradiction is not None:
        raise IntegrityError(done.contradiction)


def _trained(
    fingerprint: Fingerprint, how: ModelFlags, *, recipe: str | None, recipe_set: dict[str, str], init: Path | None
) -> HowTrained | None:
    """How shadow models are trained, where the options say so; what they leave out is as the fingerprint says."""
    from modelprint.ownership.rederive import init_enrolled
    from modelprint.zoo.reference_models.training import HowTrained

    if recipe is None and not recipe_set and init is None:
        return None
    said = fingerprint.manifest.enrollment
    return HowTrained(
        recipe=recipe or (None if said is None else said.recipe),
        settings=recipe_set or ({} if said is None or recipe is not None else said.recipe_settings),
        init=init or init_enrolled(fingerprint, how.options()),
    )


def _rederived(
    checked: Checked,
    how: ModelFlags,
    compute: ComputeOptions,
    *,
    source: str,
    data: str | None,
    train_data: str | None,
    shadow: str | None,
    trained: HowTrained | None,
    jobs: int,
) -> Rederived:
    from modelprint.data.splits import load_data
    from modelprint.ownership.rederive import data_enrolled, rederive

    seeds = load_data(data or data_enrolled(checked.fingerprint))
    trained_on = None if train_data is None else load_data(train_data)
    with progress() as bars, compute.computing(seeds.shape) as device:
        model, seeds = how.load_source_for(source, seeds, device=device)
        return rederive(
            checked.fingerprint,
            model,
            seeds,
            train_data=trained_on,
            shadows=shadow,
            how=trained,
            options=how.options(),
            jobs=jobs,
            progress=bars,
        )


def _page(verification: Verification) -> str:
    """The report of a verdict, of nothing but what a bundle holds: the same records give the same page."""
    from modelprint.report import Case, render_report

    case = Case(
        name=verification.verdict.suspect,
        role="suspect",
        verdict=verification.verdict,
        answers=verification.answers,
        cap=verification.cap,
    )
    return render_report(verification.fingerprint, [case], calibration_scores=verification.calibration_scores)


def _page_fits(checked: Checked) -> bool | None:
    """Whether the bundle's page is what its records give; None where it has none."""
    return None if checked.page is None else checked.page == _page(checked.replayed).encode()
