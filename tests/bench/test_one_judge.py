"""The bench says of a suspect what `verify` says: one judge, for every scheme, access level and evasion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modelprint import zoo
from modelprint.bench.cells import Entrant, Field
from modelprint.bench.judging import POOL_KINDS
from modelprint.bench.plan import Bench, Contender
from modelprint.bench.running import run
from modelprint.bench.store import Judgement, Store
from modelprint.core.access import Access
from modelprint.core.suspect import Suspect
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.verify import verify
from modelprint.results.records import Results
from modelprint.schemes import SCHEMES
from modelprint.suspects.evasion import evasions
from modelprint.suspects.local import TorchSuspect
from tests.bench.conftest import PLAN

SETTINGS = {
    "adv-tra": {"trajectories": "5", "m": "3"},
    "uap": {"points": "15", "views": "3", "images": "200", "epsilon": "0.3", "least_fooling": "0", "steps": "10"},
    "contrast": {"candidates": "1000"},
    "ipguard": {"k": "1.0", "rate": "0.05"},
    "residual": {"candidates": "100"},
    "fit-print": {"epsilon": "0.25"},
    "fit-lime": {"epsilon": "0.4", "steps": "30", "cells": "4", "samples": "10"},
    "irisfp": {"steps": "10"},
    "anafp": {"grid": "4", "tries": "1"},
    "metafinger": {"steps": "10", "rate": "0.05", "tries": "1"},
    "ganfinger": {"epsilon": "0.5", "steps": "40", "hidden": "32", "samples": "1", "rate": "0.02"},
    "auto": {"labels_settings": '{"candidates": "1000"}', "scores_settings": '{"candidates": "100"}'},
}
BUDGETS = {"adv-tra": 100, "uap": 100, "ipguard": 40, "cae": 40, "cort": 40, "metafinger": 40}
RENAMED, SILENT, SILENCED = "permutation", "detector:least=10,delta=1", "detector:least=20,delta=0.97"
ASKING = [name for name in SCHEMES if SCHEMES[name]().needs.asks]
BENCH = Bench(
    name="judged",
    zoo="tiny",
    contenders=tuple(
        Contender(
            label=name,
            scheme=name,
            settings=SETTINGS.get(name, {}),
            budgets=(BUDGETS.get(name, 60),),
            evasions=(RENAMED, SILENT, SILENCED),
        )
        for name in ASKING
    ),
    budgets=(60,),
    seeds=(0,),
    first_source_only=True,
)
SUSPECTS = ("test-source-1-ftal", "test-source-1-knockoff", "test-sast-01", "test-sast-02", "test-shared-01")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judged")


@pytest.fixture(scope="module")
def judged(models: Path, place: Path) -> Results:
    return run(BENCH, folder=place, zoo=PLAN, zoo_folder=models)


@pytest.fixture(scope="module")
def field(models: Path) -> Field:
    return Field(bench=BENCH, plan=PLAN, models=zoo.load(PLAN, folder=models))


def test_every_scheme_is_enrolled(judged: Results) -> None:
    assert not judged.provenance["fingerprints_broken"]
    assert {one.scheme for one in judged.runs} == set(ASKING)


@pytest.mark.parametrize("scheme", ASKING)
def test_a_cell_holds_what_verify_says(
    scheme: str, judged: Results, field: Field, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Suspect, "repeats", property(lambda suspect: False))
    store = Store(place)
    cells = store.cells()
    models = {model.id: model for model in field.models}
    outcomes = set()
    for entrant in (one for one in field.entrants() if one.contender.label == scheme):
        # the bench asks no plain inputs, and nothing twice: a suspect that counts its questions answers otherwise then
        fingerprint = replace(Fingerprint.load(store.calibrated(entrant.enrolment.identity)), plain=None)
        for name in SUSPECTS:
            cell = cells[field.cell(entrant, models[name])]
            for access in ("labels", "scores"):
                if Access.parse(access) < SCHEMES[scheme]().needs.suspect:
                    assert access not in cell.judged
                    continue
                suspect = TorchSuspect(models[name].load().module, identity=name)
                for evasion in evasions(entrant.evasion) if entrant.evasion != "none" else ():
                    suspect = evasion.wrap(suspect)  # type: ignore[assignment]
                verdict = verify(fingerprint, suspect, access=access, pool_kinds=POOL_KINDS)
                judgement = cell.judged[access]
                early = verdict.queries < len(fingerprint)
                if early and entrant.evasion in (SILENT, SILENCED):
                    continue  # a verdict may be settled before the detector refuses; the bench asks all
                assert judgement.verdict == verdict.verdict
                assert (judgement.classes is None) == (verdict.class_matching is None)
                outcomes.add((entrant.evasion, judgement.verdict, judgement.classes is not None))
                row = next(one for one in judged.runs if _is(one, entrant, access))
                assert row.derived(name) is (verdict.verdict == "derived")
                if early:
                    continue  # the same verdict from a score on fewer queries
                if judgement.verdict == "inconclusive":
                    assert judgement.score == verdict.score
                    assert "; ".join([str(judgement.reason), *(verdict.remarks or ())]) == verdict.message
                else:
                    assert _figures(judgement) == (verdict.score, verdict.threshold, verdict.p_value)
                    assert row.scores[name] == pytest.approx(verdict.score, abs=1e-6)
        queries = len(fingerprint)
    if queries > 20 and not SCHEMES[scheme]().sequential:  # it refuses from the tenth on
        assert (SILENT, "inconclusive", False) in outcomes
    assert ("none", "inconclusive", False) not in outcomes


def test_classes_are_matched_and_refusals_change_no_threshold(judged: Results) -> None:
    matched = {(one.scheme, name) for one in judged.runs for name, v in one.verdicts.items() if v.matched}
    assert {scheme for scheme, _ in matched} > {"akh", "agreement"}
    assert RENAMED in {one.evasion for one in judged.runs if any(v.matched for v in one.verdicts.values())}
    some = [v for one in judged.runs if one.evasion == SILENCED for v in one.verdicts.values()]
    assert some
    for one in judged.runs:
        if SCHEMES[one.scheme]().transductive:
            continue  # each suspect has a threshold of its own
        for name, verdict in one.verdicts.items():
            if not verdict.matched and verdict.threshold is not None:
                assert verdict.threshold == one.threshold
            if one.evasion == "none" and not verdict.matched and one.scores[name] is not None:
                assert verdict.threshold == one.threshold  # rounding alone sets it apart


def _is(one: object, entrant: Entrant, access: str) -> bool:
    return (one.scheme, one.evasion, one.access) == (entrant.contender.label, entrant.evasion, access)  # type: ignore[attr-defined]


def _figures(judgement: Judgement) -> tuple[float | None, float | None, float | None]:
    return judgement.score, judgement.threshold, judgement.p_value
