"""The main job on bundled data: train, copy, enroll, check, report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from modelprint.cli.console import out, print_table, progress, say
from modelprint.cli.demo_plans import DemoPlan, demo_plan

if TYPE_CHECKING:
    from torch import nn

    from modelprint.core.verdict import Verdict
    from modelprint.data.labelled import LabelledSet
    from modelprint.nn.architectures import Normalized
    from modelprint.nn.spec import ModelSpec
    from modelprint.report import Case

ALPHA = 0.05
CALIBRATION = 20
SHADOWS = 4  # copies of the source, and as many independent models, that queries are chosen by


@dataclass(frozen=True, kw_only=True)
class _Suspect:
    """A model to check, and what it truly is."""

    name: str
    role: Literal["derived", "independent"]
    kind: str
    model: nn.Module
    accuracy: float | None


def demo(
    *,
    out_: Annotated[Path, Parameter(name="--out")] = Path("demo"),
    modality: str = "image",
    seed: int = 0,
    jobs: int = 2,
) -> None:
    """Train a source, copies and independent models on a small set; enroll; check each; write report.html.

    Parameters
    ----------
    out_
        A folder for the source, its fingerprint and the report.
    modality
        What the models take: image (digits), vector (digits as rows of a table) ...
    jobs
        Processes that train the independent models.
    """
    import torch

    from modelprint.data.splits import load_data
    from modelprint.nn.files import save_model
    from modelprint.nn.loading import load_model
    from modelprint.ownership.enroll import enroll
    from modelprint.ownership.verify import examine
    from modelprint.report import Case, write_report
    from modelprint.training.train import default_recipe, spec_for, train_model

    started = time.perf_counter()
    plan = demo_plan(modality)
    torch.set_num_threads(1)  # the networks are small: threads would wait for each other
    owner, holdout = load_data(f"{plan.data}:owner"), load_data(f"{plan.data}:holdout")
    spec = spec_for(owner, plan.arch)
    say(f"training the source on {plan.data}:owner ...")
    trained = train_model(owner, spec, default_recipe(owner), seed=seed, holdout=holdout)
    save_model(out_ / "source.safetensors", trained.model, trained.card)
    source = load_model(out_ / "source.safetensors")

    say(
        f"enrolling it, and training {SHADOWS} + {SHADOWS} shadow models and {CALIBRATION} independent models that "
        "calibrate the threshold ..."
    )
    with progress() as report:
        fingerprint = enroll(
            source,
            f"{plan.data}:queries",
            shadows=str(SHADOWS),
            negatives=f"auto:{CALIBRATION}",
            train_data=owner,
            from_scratch=True,
            seed=seed,
            jobs=jobs,
            out=out_ / "source.fingerprint",
            progress=report,
        )
    say("making copies and more independent models, and checking each ...")
    cases: list[Case] = []
    with progress() as report:
        suspects = [*_derived(plan, trained.model, source.identity, spec, holdout), *_independent(plan, holdout)]
        for number, suspect in enumerate(suspects):
            report("suspects", number, len(suspects))
            examined = examine(fingerprint, suspect.model, alpha=ALPHA)
            cases.append(
                Case(
                    name=suspect.name,
                    role=suspect.role,
                    kind=suspect.kind,
                    verdict=examined.verdict,
                    answers=examined.answers,
                    plane_labels=examined.plane_labels,
                    accuracy=suspect.accuracy,
                )
            )
    write_report(
        out_ / "report.html",
        fingerprint,
        cases,
        calibration_scores=examined.calibration_scores,
        title=f"modelprint demo: {plan.data}",
    )
    _print(plan, cases, trained.card.accuracy)
    seconds = time.perf_counter() - started
    out.print(
        f"{len(fingerprint)} queries, and the weights of suspects of the source's architecture; {seconds:.0f} s; "
        f"report: {out_ / 'report.html'}"
    )


def _derived(
    plan: DemoPlan, source: Normalized, identity: str, spec: ModelSpec, holdout: LabelledSet
) -> list[_Suspect]:
    from modelprint.attacks import run_attack
    from modelprint.data.splits import load_data

    attacker = load_data(f"{plan.data}:attacker")
    suspects = []
    for number, copy in enumerate(plan.copies):
        attacked = run_attack(
            copy.attack,
            copy.settings,
            source,
            spec,
            attacker,
            seed=100 + number,
            holdout=holdout,
            source_identity=identity,
        )
        suspects.append(
            _Suspect(
                name=copy.words,
                role="derived",
                kind=copy.attack,
                model=attacked.model,
                accuracy=attacked.card.accuracy,
            )
        )
    return suspects


def _independent(plan: DemoPlan, holdout: LabelledSet) -> list[_Suspect]:
    from modelprint.data.splits import load_data
    from modelprint.training.train import default_recipe, spec_for, train_model

    suspects = []
    for one in plan.independent:
        data = load_data(f"{plan.data}:{one.split}")
        spec = spec_for(data, one.arch, one.arch_args)
        trained = train_model(data, spec, default_recipe(data), seed=one.seed, holdout=holdout)
        suspects.append(
            _Suspect(
                name=f"{one.arch}, trained on {one.split} data, seed {one.seed}",
                role="independent",
                kind=one.kind,
                model=trained.model,
                accuracy=trained.card.accuracy,
            )
        )
    return suspects


def _score(verdict: Verdict, access: str) -> str:
    """The score at one level of access; a star where this level alone would call it derived."""
    for one in verdict.evidence or ():
        if one.access == access and one.score is not None:
            return f"{one.score:.2f}{' *' if one.says == 'derived' else ''}"
    return "-"


def _print(plan: DemoPlan, cases: list[Case], accuracy: float | None) -> None:
    table = Table(title=f"Was this model made from mine? (source accuracy {accuracy:.3f})")
    for column in ("suspect", "truth", "accuracy", "weights", "scores", "labels", "p", "verdict", "relation"):
        table.add_column(column)
    for case in cases:
        verdict = case.verdict
        table.add_row(
            case.name,
            case.role,
            "-" if case.accuracy is None else f"{case.accuracy:.3f}",
            *(_score(verdict, access) for access in ("weights", "scores", "labels")),
            "-" if verdict.p_value is None else f"{verdict.p_value:.3f}",
            verdict.verdict,
            verdict.relation or "-",
        )
    print_table(table)
    missed = [case for case in cases if case.role == "derived" and case.verdict.verdict != "derived"]
    if missed:
        names = ", ".join(case.name for case in missed)
        out.print(
            f"{len(missed)} of {len(plan.copies)} copies not shown ({names}): what is extracted from answers has "
            f"weights of its own, and {SHADOWS} + {SHADOWS} shadow models show few of these",
            markup=False,
        )
    errors = cases[0].verdict.false_accusations
    if errors is not None:
        out.print(
            f"accepted error rate {ALPHA}: {errors.count} of {errors.n} calibration models above the threshold, "
            f"true rate at most {errors.upper_95:.3f} (95 %)"
        )
