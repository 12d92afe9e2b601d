"""A verdict from weights alone: enroll with `lineage`, verify a file, no query."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from modelprint.attacks import run_attack
from modelprint.core.errors import FingerprintError, IntegrityError, UsageError
from modelprint.core.identity import digest_file
from modelprint.nn.architectures import mlp
from modelprint.ownership.ask import record_answers
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import WEIGHTS, Fingerprint
from modelprint.ownership.identify import identify
from modelprint.ownership.recalibrate import recalibrated
from modelprint.ownership.verify import examine, verify
from modelprint.report import Case, render_report
from modelprint.zoo.reference_models.training import HowTrained
from tests.conftest import Digits
from tests.schemes.world import strangers

ALPHA = 0.25  # what three calibration models can show


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    return enroll(digits.source, digits.queries, scheme="lineage", negatives=strangers(digits, 3, seed=40))


@pytest.fixture(scope="module")
def scratch(digits: Digits) -> Fingerprint:
    return enroll(digits.source, digits.queries, scheme="lineage", from_scratch=True)


def attacked(digits: Digits, name: str, **settings: str) -> nn.Module:
    return run_attack(name, settings, digits.source, digits.spec, digits.attacker, seed=5).model


def test_copies_are_derived_whatever_the_order_of_their_channels(digits: Digits, fingerprint: Fingerprint) -> None:
    for name, settings in (("ftal", {"epochs": "2"}), ("prune", {"rate": "0.4"}), ("permute", {})):
        verdict = verify(fingerprint, attacked(digits, name, **settings), alpha=ALPHA)
        assert verdict.verdict == "derived", name
        assert verdict.score is not None
        assert verdict.score > 0.6, name
        assert (verdict.queries, verdict.asked, verdict.answered, verdict.access) == (0, 0, 0, "weights")
        assert verdict.p_value == 0.25
        (evidence,) = json.loads(verdict.to_json())["evidence"]
        assert (evidence["access"], evidence["scheme"], evidence["says"]) == ("weights", "lineage", "derived")
        assert (evidence["score"], evidence["queries"]) == (verdict.score, 0)
        assert verdict.relation == "unknown"  # none of the calibration models is a sibling, and none was ruled out


def test_scores_alone_are_the_evidence_of_residual(digits: Digits) -> None:
    calibration = strangers(digits, 3, seed=40)
    scored = enroll(digits.source, digits.queries, scheme="residual", settings={"queries": "30"}, negatives=calibration)
    verdict = verify(scored, attacked(digits, "ftal", epochs="2"), alpha=ALPHA)
    (evidence,) = json.loads(verdict.to_json())["evidence"]
    assert (verdict.verdict, verdict.relation) == ("derived", "unknown")  # fine-tuned or extracted: scores do not tell
    assert (evidence["access"], evidence["scheme"], evidence["says"]) == ("scores", "residual", "derived")
    assert (evidence["score"], evidence["queries"]) == (verdict.score, 30)


def test_an_independent_model_is_not(digits: Digits, fingerprint: Fingerprint) -> None:
    shown = [verify(fingerprint, model, alpha=ALPHA) for model in strangers(digits, 3, seed=21)]
    assert sum(verdict.verdict == "derived" for verdict in shown) <= 1
    assert all(verdict.score is not None and verdict.score < 0.5 for verdict in shown)


def test_every_weight_has_its_figure(digits: Digits, fingerprint: Fingerprint) -> None:
    suspect = attacked(digits, "ftll", epochs="2")
    seen = examine(fingerprint, suspect, alpha=ALPHA)
    details = seen.verdict.details
    assert details["source_share"] == seen.verdict.score
    shares = {weight["name"]: weight["own"] for weight in details["weights"]}
    assert len(shares) >= 3
    *trunk, last = shares.values()
    assert min(trunk) == pytest.approx(1, abs=1e-3)  # all but the last layer is as it was
    assert last < 1
    json.loads(seen.verdict.to_json())
    case = Case(name="a", role="suspect", verdict=seen.verdict, answers=seen.answers, plane_labels=None, cap=seen.cap)
    html = render_report(seen.fingerprint, [case], calibration_scores=seen.calibration_scores)
    assert "The source in every weight" in html
    assert all(name in html for name in shares)


def test_another_architecture_is_inconclusive(fingerprint: Fingerprint) -> None:
    verdict = verify(fingerprint, mlp(channels=1, size=8, classes=10), alpha=ALPHA)
    assert verdict.verdict == "inconclusive"
    assert verdict.score is None
    assert "cannot be compared" in verdict.message
    assert "asks queries" in verdict.message


def test_calibration_models_of_another_architecture_are_not_ranked(digits: Digits) -> None:
    others = [mlp(channels=1, size=8, classes=10)]
    print_ = enroll(digits.source, digits.queries, scheme="lineage", negatives=strangers(digits, 2, seed=40))
    judged = recalibrated(print_, [*strangers(digits, 2, seed=40), *others])
    assert [model.weights is None for model in judged.manifest.calibration] == [False, False, True]
    verdict = verify(print_, digits.source, alpha=ALPHA, negatives=[*strangers(digits, 2, seed=40), *others])
    assert verdict.verdict == "inconclusive"  # two models rank it, three are needed
    assert verdict.p_value is None


def test_without_calibration_models_the_word_of_the_owner_counts(digits: Digits, scratch: Fingerprint) -> None:
    silent = enroll(digits.source, digits.queries, scheme="lineage")
    verdict = verify(silent, digits.source)
    assert verdict.verdict == "inconclusive"
    assert "--from-scratch" in verdict.message
    derived = verify(scratch, attacked(digits, "ftal", epochs="2"))
    assert derived.verdict == "derived"
    assert derived.p_value == 0.001
    assert "declared" in derived.message
    others = [verify(scratch, other).verdict for other in strangers(digits, 4, seed=21)]
    assert set(others) <= {"inconclusive", "derived"}
    assert others.count("derived") <= 1  # one in twenty, as alpha says
    assert verify(scratch, attacked(digits, "permute")).verdict == "inconclusive"  # the exact test has no power here
    tuned = HowTrained(init=Path("x.safetensors"))
    with pytest.raises(UsageError, match="give one of them"):
        enroll(digits.source, digits.queries, scheme="lineage", from_scratch=True, how=tuned)


def test_files_of_any_form_are_read_without_an_architecture(
    digits: Digits, fingerprint: Fingerprint, tmp_path: Path
) -> None:

    fingerprint.save(tmp_path / "fp")
    state = {f"net.{name}": value for name, value in attacked(digits, "ftal", epochs="2").state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "suspect.pt")
    verdict = verify(tmp_path / "fp", tmp_path / "suspect.pt", alpha=ALPHA)
    assert verdict.verdict == "derived"
    assert verdict.suspect.startswith("sha256:")
    with (tmp_path / "fp" / WEIGHTS).open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    with pytest.raises(IntegrityError, match="was changed after enrollment"):
        Fingerprint.load(tmp_path / "fp")
    (tmp_path / "fp" / WEIGHTS).unlink()
    with pytest.raises(IntegrityError, match="incomplete"):
        Fingerprint.load(tmp_path / "fp")


def test_what_shows_no_weights_is_refused(fingerprint: Fingerprint, tmp_path: Path) -> None:
    for suspect in ("http://127.0.0.1:9", str(tmp_path / "answers.jsonl"), lambda inputs: inputs):
        with pytest.raises(UsageError, match="shows no weights"):
            verify(fingerprint, suspect)
    with pytest.raises(UsageError, match="needs weights of the suspect"):
        verify(fingerprint, "x.safetensors", access="labels")
    with pytest.raises(UsageError, match="asks no queries"):
        record_answers(fingerprint, lambda inputs: inputs, out=tmp_path / "a.jsonl")


def test_an_owner_is_identified_by_weights_alone(digits: Digits, fingerprint: Fingerprint, tmp_path: Path) -> None:
    (candidate,) = identify(attacked(digits, "permute"), fingerprint, alpha=ALPHA).candidates
    assert (candidate.verdict, candidate.queries, candidate.adjusted_p_value) == ("derived", 0, 0.25)
    assert candidate.message.startswith("its weights are like a model made from this source")
    state = {f"net.{name}": value for name, value in digits.source.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "suspect.pt")  # nobody says its architecture
    named = identify(tmp_path / "suspect.pt", fingerprint, alpha=ALPHA)
    assert named.verdict == "derived"
    assert named.suspect == digest_file(tmp_path / "suspect.pt")
    (candidate,) = identify(strangers(digits, 1, seed=80)[0], fingerprint, alpha=ALPHA).candidates
    assert candidate.verdict == "not-shown"
    for suspect, access in ((lambda inputs: inputs, None), (digits.source, "labels")):
        (candidate,) = identify(suspect, fingerprint, access=access).candidates
        assert candidate.verdict == "not-comparable"
        assert "compares weights, and none were read: name the suspect's model file" in candidate.message
    (candidate,) = identify(mlp(channels=1, size=8, classes=10), fingerprint).candidates
    assert candidate.verdict == "not-comparable"
    assert "the weights cannot be compared" in candidate.message


def test_what_needs_queries_says_so(digits: Digits, fingerprint: Fingerprint) -> None:
    manifest, tensors = fingerprint.to_bytes().values()
    bundled = Fingerprint.from_bytes(manifest, tensors, who=Path("bundle"))
    with pytest.raises(FingerprintError, match="holds no weights"):
        verify(bundled, digits.source)
