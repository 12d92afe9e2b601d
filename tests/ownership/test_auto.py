"""Scheme auto: what a suspect shows decides what is compared, and one verdict comes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.attacks import run_attack
from modelprint.cli.app import main
from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, UsageError
from modelprint.core.suspect import UNANSWERED, Answers, Suspect
from modelprint.core.verdict import Verdict
from modelprint.ownership.ask import interrogate, record_answers
from modelprint.ownership.concluding import concluded
from modelprint.ownership.enroll import enroll
from modelprint.ownership.export import export_queries, queries_read
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.identify import identify
from modelprint.ownership.opening import opened, scheme_of
from modelprint.ownership.parts import part_of
from modelprint.ownership.verify import examine, verify
from modelprint.report import Case, render_report
from modelprint.schemes.auto import Auto
from modelprint.suspects.local import CallableSuspect
from modelprint.training.train import default_recipe, spec_for, train_model
from modelprint.zoo.reference_models.shadows import Shadows
from tests.conftest import Digits
from tests.schemes.world import copies, enrolled, strangers

ALPHA = 0.2
MODELS = 6


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    shown = enrolled(digits)
    return enroll(
        digits.source,
        digits.queries,
        scheme=Auto(labels_settings={"candidates": "500"}, queries=80),
        shadows=Shadows(surrogates=shown.surrogates, references=shown.references),
        negatives=strangers(digits, MODELS, seed=60),
        from_scratch=True,
    )


@pytest.fixture(scope="module")
def poor(digits: Digits) -> Fingerprint:
    """Of an owner without shadow models."""
    return enroll(digits.source, digits.queries, negatives=strangers(digits, MODELS, seed=60), budget=80)


def attacked(digits: Digits, name: str, **settings: str) -> nn.Module:
    return run_attack(name, settings, digits.source, digits.spec, digits.attacker, seed=5).model


def says(verdict: Verdict) -> dict[str, str]:
    return {one.access: one.says for one in verdict.evidence or ()}


def test_a_copy_is_derived_by_all_three(digits: Digits, fingerprint: Fingerprint) -> None:
    verdict = verify(fingerprint, attacked(digits, "ftal", epochs="2"), alpha=ALPHA)
    assert verdict.verdict == "derived"
    assert verdict.relation == "from-weights"
    assert verdict.access == "weights"
    assert says(verdict) == {"weights": "derived", "scores": "derived", "labels": "derived"}
    assert verdict.asked == verdict.answered == 80
    assert "weights, scores and labels together" in verdict.message
    printed = json.loads(verdict.to_json())
    assert [one["scheme"] for one in printed["evidence"]] == ["lineage", "residual", "contrast"]
    assert printed["evidence"][1]["queries"] == 40
    assert printed["relation"] == "from-weights"
    assert Verdict.model_validate(printed).evidence == verdict.evidence


def test_independent_models_are_mostly_not_shown(digits: Digits, fingerprint: Fingerprint) -> None:
    verdicts = [verify(fingerprint, model, alpha=ALPHA) for model in strangers(digits, 6, seed=21)]
    assert sum(verdict.verdict == "derived" for verdict in verdicts) <= 3
    assert any(verdict.relation == "none" for verdict in verdicts)


def test_access_is_capped(digits: Digits, fingerprint: Fingerprint) -> None:
    copy = attacked(digits, "ftal", epochs="2")
    scores = verify(fingerprint, copy, alpha=ALPHA, access="scores")
    assert (scores.access, list(says(scores))) == ("scores", ["scores", "labels"])
    labels = verify(fingerprint, copy, alpha=ALPHA, access="labels")
    assert (labels.access, list(says(labels))) == ("labels", ["labels"])
    assert labels.asked is not None
    assert labels.asked <= 40
    assert {labels.verdict, scores.verdict} == {"derived"}
    assert scores.relation == "unknown"


def test_labels_alone_are_judged_as_their_scheme_judges(digits: Digits, fingerprint: Fingerprint) -> None:
    scheme = scheme_of(fingerprint)
    assert isinstance(scheme, Auto)
    part = part_of(fingerprint, scheme, Access.LABELS)
    for model in (*copies(digits)[:2], *strangers(digits, 2, seed=21)):
        suspect = opened(model, fingerprint)
        contrast = scheme.parts[Access.LABELS]
        alone = concluded(
            contrast, part, interrogate(part, contrast, suspect, access=Access.LABELS, alpha=ALPHA), alpha=ALPHA
        )
        verdict = verify(fingerprint, model, alpha=ALPHA, access="labels")
        assert (verdict.verdict, verdict.score, verdict.p_value) == (alone.outcome, alone.score, alone.p_value)


class Labels(CallableSuspect):
    """An address that gives labels only."""

    access = Access.LABELS


def test_a_suspect_that_gives_labels_only_is_asked_for_labels(digits: Digits, fingerprint: Fingerprint) -> None:
    model = opened(copies(digits)[0], fingerprint)

    def answer(inputs: np.ndarray) -> np.ndarray:
        return model.ask(inputs).labels

    suspect: Suspect = Labels(answer, classes=10, class_names=(), modality=fingerprint.modality)
    verdict = verify(fingerprint, suspect, alpha=ALPHA)
    assert (verdict.access, verdict.verdict) == ("labels", "derived")
    verdict = verify(fingerprint, answer, alpha=ALPHA)
    assert (verdict.access, verdict.verdict) == ("labels", "derived")


def test_another_architecture_is_judged_by_its_answers(digits: Digits, fingerprint: Fingerprint) -> None:
    other = train_model(digits.owner, spec_for(digits.owner, "mlp"), default_recipe(digits.owner), seed=3).model
    verdict = verify(fingerprint, other, alpha=ALPHA)
    assert says(verdict)["weights"] == "not-comparable"
    assert verdict.evidence is not None
    assert "cannot be compared" in str(verdict.evidence[0].details["why"])
    assert verdict.access == "scores"


def test_extraction_is_told_from_fine_tuning(digits: Digits, fingerprint: Fingerprint) -> None:
    verdict = verify(fingerprint, attacked(digits, "extract-soft", epochs="30"), alpha=ALPHA)
    assert verdict.verdict == "derived"
    assert verdict.relation == "extracted"


def test_a_file_that_cannot_be_asked_is_judged_by_its_weights(
    digits: Digits, fingerprint: Fingerprint, tmp_path: Path
) -> None:
    import torch

    bare = tmp_path / "bare.pt"
    torch.save(dict(attacked(digits, "ftll", epochs="1").state_dict()), bare)
    seen = examine(fingerprint, bare, alpha=ALPHA)
    assert (seen.verdict.verdict, seen.verdict.queries) == ("derived", 0)
    assert says(seen.verdict) == {"weights": "derived"}
    assert "it was not asked: " in seen.verdict.message
    assert "--arch" in seen.verdict.message


def test_silence_does_not_help(digits: Digits, fingerprint: Fingerprint) -> None:
    """A copy that leaves out labels counts them against derivation; one missing score needs another asking."""
    model = opened(copies(digits)[0], fingerprint)
    scheme = scheme_of(fingerprint)
    interview = interrogate(fingerprint, scheme, model, access=Access.SCORES)
    whole = concluded(scheme, fingerprint, interview, alpha=ALPHA)

    def without(places: np.ndarray) -> Answers:
        labels = interview.answers.labels.copy()
        labels[places] = UNANSWERED
        assert interview.answers.scores is not None
        scores = interview.answers.scores.copy()
        scores[places] = np.nan
        return Answers(labels=labels, scores=scores)

    labels = concluded(scheme, fingerprint, replace(interview, answers=without(np.arange(8))), alpha=ALPHA)
    assert labels.p_value is not None
    assert whole.p_value is not None
    assert labels.p_value >= whole.p_value
    assert labels.score is not None
    assert whole.score is not None
    assert labels.score < whole.score
    one = concluded(scheme, fingerprint, replace(interview, answers=without(np.array([60]))), alpha=ALPHA)
    assert (one.p_value or 1.0) >= whole.p_value
    assert "which counts against derivation" in one.message or "may make the difference" in one.message
    assert one.outcome != "not-shown"
    many = concluded(scheme, fingerprint, replace(interview, answers=without(np.arange(60, 75))), alpha=ALPHA)
    assert many.outcome == "inconclusive"
    assert "--access labels" in many.message


def test_an_owner_without_shadow_models_gets_what_needs_none(digits: Digits, poor: Fingerprint) -> None:
    assert poor.manifest.parameters["labels"] == "adv-tra"
    verdict = verify(poor, attacked(digits, "ftal", epochs="2"), alpha=ALPHA)
    assert verdict.verdict == "derived"
    assert says(verdict)["scores"] == "derived"
    assert "labels" in says(verdict)
    assert "labels are not counted" in verdict.message
    assert verdict.relation == "unknown"  # a common parent was not ruled out
    verdicts = [verify(poor, model, alpha=ALPHA) for model in strangers(digits, 6, seed=21)]
    assert sum(one.verdict == "derived" for one in verdicts) <= 3


def test_without_calibration_models_weights_alone_speak_and_only_if_declared(digits: Digits) -> None:
    copy = attacked(digits, "ftal", epochs="2")
    undeclared = enroll(digits.source, digits.queries, budget=80)
    assert verify(undeclared, copy).verdict == "inconclusive"
    declared = enroll(digits.source, digits.queries, budget=80, from_scratch=True)
    verdict = verify(declared, copy)
    assert (verdict.verdict, verdict.relation) == ("derived", "from-weights")
    assert verdict.p_value is not None
    assert verdict.p_value <= 0.01
    assert verify(declared, strangers(digits, 1, seed=21)[0]).verdict != "derived"


def test_recordings_and_files_round_trip(digits: Digits, fingerprint: Fingerprint, tmp_path: Path) -> None:
    fingerprint.save(tmp_path / "fp")
    loaded = Fingerprint.load(tmp_path / "fp")
    assert loaded.identity == fingerprint.identity
    copy = attacked(digits, "ftal", epochs="2")
    assert record_answers(loaded, copy, out=tmp_path / "answers.npz", access="scores") == 80
    recorded = verify(loaded, tmp_path / "answers.npz", alpha=ALPHA)
    asked = verify(loaded, copy, alpha=ALPHA, access="scores")
    assert (recorded.verdict, recorded.p_value) == (asked.verdict, asked.p_value)
    assert record_answers(loaded, copy, out=tmp_path / "labels.jsonl", access="labels") == 40
    assert verify(loaded, tmp_path / "labels.jsonl", alpha=ALPHA).access == "labels"


def test_a_budget_is_shared_by_the_parts(digits: Digits, fingerprint: Fingerprint) -> None:
    verdict = verify(fingerprint, copies(digits)[0], alpha=ALPHA, budget=41)
    assert {one.access: one.queries for one in verdict.evidence or ()} == {"weights": 0, "scores": 20, "labels": 21}
    assert verdict.asked == 41


def test_owners_are_identified_by_answers(digits: Digits, fingerprint: Fingerprint, poor: Fingerprint) -> None:
    named = identify(copies(digits)[0], [fingerprint, poor], access="scores", alpha=0.5)
    assert {one.verdict for one in named.candidates} <= {"derived", "not-shown"}
    assert sorted(one.queries for one in named.candidates) == sorted([80, len(poor)])


def test_owners_are_identified_by_weights_too(
    digits: Digits, fingerprint: Fingerprint, poor: Fingerprint, tmp_path: Path
) -> None:
    copy = attacked(digits, "ftal", epochs="2")
    named = identify(copy, [fingerprint, poor], alpha=0.5)
    assert named.verdict == "derived"
    by_print = {one.sha256: one for one in named.candidates}
    for held, relation in (
        (fingerprint, "from-weights"),
        (poor, "unknown"),
    ):  # poor: not from scratch, as far as said
        candidate, alone = by_print[held.identity], verify(held, copy, alpha=0.25)
        assert {one.access: one.says for one in candidate.evidence or ()} == says(alone)
        assert (candidate.p_value, candidate.relation) == (alone.p_value, relation)
        assert candidate.message.startswith("its weights and answers are like a model made from this source")
    printed = json.loads(named.to_json())["candidates"][0]
    assert [one["access"] for one in printed["evidence"]] == ["weights", "scores", "labels"]
    by_labels = identify(copy, [fingerprint, poor], access="labels", alpha=0.5)
    assert all("weights" not in {level.access for level in one.evidence or ()} for one in by_labels.candidates)
    other = tmp_path / "other.pt"  # no architecture is named: it cannot be asked, and its weights are read
    torch.save(copy.body.state_dict(), other)
    unasked = identify(other, fingerprint, alpha=0.5)
    assert unasked.verdict == "derived"
    assert unasked.candidates[0].queries == 0
    assert "it was not asked" in unasked.candidates[0].message
    labels_only = CallableSuspect(lambda inputs: copy(torch.from_numpy(inputs).float() / 255).argmax(1).numpy())
    assert identify(labels_only, fingerprint, alpha=0.5).candidates[0].queries > 0


def test_queries_for_answers_by_hand_are_those_that_labels_are_read_of(
    digits: Digits, fingerprint: Fingerprint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fingerprint.save(tmp_path / "fp")
    for words, count in (([], 80), (["--access", "labels"], 40)):
        folder = tmp_path / f"of-{count}"
        with pytest.raises(SystemExit, match="0"):
            main(["inspect", str(tmp_path / "fp"), "--export-queries", str(folder), *words])
        said = capsys.readouterr().err
        assert f"{count} PNGs" in said
        assert ("40 of 80 queries are read for their scores alone" in said) is (count == 80)
        assert len(list(folder.glob("*.png"))) == count
        assert len(json.loads((folder / "export.json").read_text())["queries"]) == count
    copy = attacked(digits, "ftal", epochs="2")
    few = tmp_path / "of-40"
    header, *lines = (few / "answers.csv").read_text().splitlines()
    inputs = dict(zip(fingerprint.hashes, [*fingerprint.queries, *fingerprint.plain.stored], strict=True))  # type: ignore[union-attr]
    filled = []
    for line in lines:
        stored = torch.from_numpy(inputs[line.split(",")[2]])[None].float() / 255
        filled.append(f"{line}{int(copy(stored).argmax())}")
    (few / "answers.csv").write_text("\n".join([header, *filled]))
    verdict, asked = (
        verify(fingerprint, few / "answers.csv", alpha=ALPHA),
        verify(fingerprint, copy, access="labels", alpha=ALPHA),
    )
    assert verdict.access == "labels"
    assert (verdict.verdict, verdict.score, verdict.answered) == (asked.verdict, asked.score, asked.answered)
    with pytest.raises(FingerprintError, match="holds other queries, or those of another fingerprint, and answers"):
        export_queries(fingerprint, few)
    scored = replace(fingerprint, manifest=fingerprint.manifest.model_copy(update={"scheme": "residual"}))
    with pytest.raises(UsageError, match="scores"):
        queries_read(replace(scored, manifest=scored.manifest.model_copy(update={"parameters": {}})), Access.LABELS)


def test_the_report_shows_every_level(digits: Digits, fingerprint: Fingerprint) -> None:
    seen = examine(fingerprint, attacked(digits, "ftal", epochs="2"), alpha=ALPHA)
    case = Case(name="a", role="suspect", verdict=seen.verdict, answers=seen.answers, plane_labels=None, cap=seen.cap)
    html = render_report(seen.fingerprint, [case], calibration_scores=seen.calibration_scores)
    assert "Evidence, level by level" in html
    assert "made from the source&#39;s weights" in html or "made from the source's weights" in html
    assert "The source in every weight" in html
    assert "Query by query" in html


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": "residual"}, "does not judge by labels"),
        ({"labels": "auto"}, "no other scheme"),
        ({"scores": "lineage"}, "does not judge by scores"),
        ({"labels": "nothing"}, "no other scheme"),
        ({"queries": "3"}, "at least 4"),
    ],
)
def test_parts_that_cannot_be_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Auto().with_settings(settings)


def test_labels_may_stand_alone(digits: Digits) -> None:
    alone = enroll(
        digits.source,
        digits.queries,
        scheme=Auto(labels="akh", scores="none", queries=30),
        negatives=strangers(digits, MODELS, seed=60),
    )
    verdict = verify(alone, attacked(digits, "ftal", epochs="2"), alpha=ALPHA)
    assert list(says(verdict)) == ["weights", "labels"]
