"""Claims: what they rest on, and every outcome of a check; on recorded results, and on a run of a tiny zoo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelprint.bench import bench_of, find_results, write_results
from modelprint.bench.bench_file import Planned
from modelprint.bench.claiming import Place, check_again, check_scores, claim_of
from modelprint.bench.running import run
from modelprint.cli.app import run as command
from modelprint.core.errors import IntegrityError, ModelprintError, UsageError
from modelprint.results.claims import Claim, read_claim, write_claim
from modelprint.results.records import Results
from modelprint.results.view import Setting, View
from research.claims import CLAIMS, RESULTS
from tests.bench.conftest import BENCH, PLAN
from tests.printed import printed

AKH = Place(label="akh", access="labels", budget=200)


@pytest.fixture(scope="module")
def recorded() -> Results:
    return find_results("digits")


@pytest.fixture(scope="module")
def claim(recorded: Results) -> Claim:
    return claim_of(bench_of("digits"), recorded, AKH)


@pytest.fixture
def written(claim: Claim, tmp_path: Path) -> Path:
    write_claim(claim, tmp_path / "akh.json")
    return tmp_path / "akh.json"


def with_scores(results: Results, label: str, scores: float) -> Results:
    """The results, where a contender gives every derived model this score."""
    derived = {model.id for model in results.suspects if model.role == "derived"}
    runs = tuple(
        one
        if one.scheme != label
        else one.model_copy(
            update={"scores": {name: scores if name in derived else score for name, score in one.scores.items()}}
        )
        for one in results.runs
    )
    return results.model_copy(update={"runs": runs})


def test_a_claim_says_what_the_tables_say(claim: Claim, recorded: Results) -> None:
    shown = View(results=recorded).measured(Setting(scheme="akh", access="labels", budget=200), "tpr_at_1")
    assert shown is not None
    assert claim.claimed.value == pytest.approx(shown.mean, abs=1e-5)
    assert claim.claimed.interval is not None
    assert (claim.claimed.interval.low, claim.claimed.interval.high) == (shown.low, shown.high)
    assert claim.claimed.n_derived == sum(model.counts_as == "all" for model in recorded.suspects)
    assert claim.entry.parameters == {"queries": 100}
    assert claim.population.zoo == recorded.provenance["zoo"]
    assert claim.command == "modelprint bench run digits --scheme akh --budget 200"
    assert claim.outcome is None


def test_recorded_scores_agree(claim: Claim, recorded: Results) -> None:
    found = check_scores(claim, recorded)
    assert (found.outcome, found.how, found.reason) == ("agreed", "scores", None)
    assert found.measured == claim.claimed


def test_a_claim_above_the_scores_that_it_names_is_lower(claim: Claim, recorded: Results) -> None:
    above = claim.model_copy(update={"claimed": claim.claimed.model_copy(update={"value": claim.claimed.value + 1e-4})})
    found = check_scores(above, recorded)
    assert found.outcome == "lower"
    again = above.sealed().with_check(found)
    assert again.outcome == "lower"
    assert again.standing.value == claim.claimed.value


@pytest.mark.parametrize(("score", "outcome"), [(2.0, "agreed"), (-2.0, "lower")])
def test_other_scores_agree_within_a_margin(claim: Claim, recorded: Results, score: float, outcome: str) -> None:
    found = check_scores(claim, with_scores(recorded, "akh", score))
    assert found.outcome == outcome
    assert found.reason is not None
    assert "scores are others" in found.reason


def test_another_population_cannot_be_checked(claim: Claim, recorded: Results) -> None:
    for other in (
        recorded.model_copy(update={"suspects": recorded.suspects[1:]}),
        recorded.model_copy(update={"provenance": {**recorded.provenance, "zoo": "sha256:00"}}),
    ):
        found = check_scores(claim, other)
        assert (found.outcome, found.measured) == ("cannot-be-checked", None)
        assert "another population" in str(found.reason)
    found = check_scores(claim, recorded.model_copy(update={"runs": ()}))
    assert found.outcome == "cannot-be-checked"
    assert "do not hold tpr_at_1 of akh" in str(found.reason)


def test_a_benchmark_that_is_run_again_agrees(
    results: Results, folder: Path, models: Path, claim: Claim, recorded: Results
) -> None:
    planned = Planned(bench=BENCH, plan=PLAN)
    tiny = claim_of(planned, results, Place(label="adv-tra", access="labels", budget=100, figure="auc"))
    again = run(BENCH, folder=folder, zoo=PLAN, zoo_folder=models, only=["adv-tra"], budgets=[100])
    found = check_again(tiny, planned, again)
    assert (found.outcome, found.how, found.reason) == ("agreed", "again", None)
    assert found.measured is not None
    assert found.measured.runs == tiny.claimed.runs
    found = check_again(claim, planned, recorded)
    assert found.outcome == "cannot-be-checked"
    assert "no contender 'akh'" in str(found.reason)
    other = tiny.model_copy(update={"entry": tiny.entry.model_copy(update={"plan": "sha256:00"})})
    assert "another 'adv-tra'" in str(check_again(other, planned, again).reason)
    elsewhere = tiny.model_copy(update={"population": tiny.population.model_copy(update={"zoo": "sha256:00"})})
    assert "planned otherwise" in str(check_again(elsewhere, planned, again).reason)


def test_the_command_runs_a_benchmark_again(
    results: Results, folder: Path, models: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    planned = Planned(bench=BENCH, plan=PLAN)
    monkeypatch.setattr("modelprint.bench.bench_of", lambda name: planned)
    path = tmp_path / "tiny.json"
    write_claim(claim_of(planned, results, Place(label="adv-tra", access="labels", budget=100, figure="auc")), path)
    words = ["bench", "check", str(path), "--again", "--zoo", str(models), "--folder", str(folder)]
    assert command([*words, "--write", "--exit-code", "--format", "json"]) == 0
    shown = printed("bench-check", capsys.readouterr().out)
    assert (shown["check"]["outcome"], shown["check"]["how"]) == ("agreed", "again")
    assert [one.how for one in read_claim(path).checks] == ["again"]


def test_what_is_not_there_cannot_be_claimed(recorded: Results) -> None:
    planned = bench_of("digits")
    with pytest.raises(UsageError, match="no contender 'nobody': use one of"):
        claim_of(planned, recorded, Place(label="nobody", access="labels", budget=100))
    with pytest.raises(UsageError, match="of akh it holds labels at"):
        claim_of(planned, recorded, Place(label="akh", access="labels", budget=7))
    with pytest.raises(ModelprintError, match="are of digits, not of fashion"):
        claim_of(bench_of("fashion"), recorded, AKH)


def test_a_file_that_was_changed_is_refused(written: Path, claim: Claim) -> None:
    assert read_claim(written) == claim
    text = written.read_text()
    content: dict[str, Any] = json.loads(text)
    content["claimed"]["value"] = 1.0
    written.write_text(json.dumps(content))
    with pytest.raises(IntegrityError, match="changed after it was written"):
        read_claim(written)
    written.write_text(json.dumps({**json.loads(text), "schema": 2, "more": 1}))
    with pytest.raises(ModelprintError, match=r"of version 2, and this modelprint reads 1: update"):
        read_claim(written)
    for wrong, match in (
        ("[]", "is no claim"),
        ("{", "is no claim"),
        ("{}", "entry: Field required"),
        ('{"schema": "1"}', "schema"),
    ):
        written.write_text(wrong)
        with pytest.raises(ModelprintError, match=match):
            read_claim(written)


def test_committed_claims_are_whole_and_stand_in_the_table() -> None:
    page = (RESULTS.parents[1] / "docs" / "leaderboard.md").read_text()
    paths = sorted(CLAIMS.glob("*.json"))
    claims = [read_claim(path) for path in paths]
    assert len(claims) > 20
    for claim in claims:
        printed("bench-submit", claim.model_dump_json(by_alias=True))
        line = f"| {claim.entry.label} | {claim.access} |"
        assert line in page, "run `python -m research.tables`"
    assert not [path for path, claim in zip(paths, claims, strict=True) if claim.outcome == "lower"]


@pytest.mark.slow
def test_committed_claims_agree_with_committed_scores() -> None:
    results = find_results("fashion")
    claims = [read_claim(path) for path in sorted(CLAIMS.glob("fashion-*.json"))]
    assert {check_scores(claim, results).outcome for claim in claims} == {"agreed"}


def test_the_commands(written: Path, recorded: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    submit = ["bench", "submit", "digits", "--scheme", "akh", "--budget", "200", "--out"]
    assert command([*submit, str(tmp_path / "again.json"), "--format", "json"]) == 0
    assert printed("bench-submit", capsys.readouterr().out) == json.loads((tmp_path / "again.json").read_text())
    assert (tmp_path / "again.json").read_bytes() == written.read_bytes()
    assert command(["bench", "check", str(written), "--exit-code", "--format", "json", "--write"]) == 0
    shown = printed("bench-check", capsys.readouterr().out)
    assert shown["check"]["outcome"] == "agreed"
    assert [one.outcome for one in read_claim(written).checks] == ["agreed"]
    worse = tmp_path / "worse.json"
    write_results(with_scores(recorded, "akh", -2.0), worse)
    assert command(["bench", "check", str(written), "--results", str(worse)]) == 0
    assert command(["bench", "check", str(written), "--results", str(worse), "--exit-code"]) == 10
    out = capsys.readouterr().out
    assert "claimed" in out
    assert "lower" in out


def test_the_commands_on_bad_input(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = str(tmp_path / "nothing")
    assert command(["bench", "check", str(written), "--again", "--zoo", empty]) == 1
    assert "digits" in capsys.readouterr().err
    assert command(["bench", "check", str(written), "--again", "--bench", "research/benches/fashion.toml"]) == 0
    assert "cannot be checked" in capsys.readouterr().out
    assert command(["bench", "check", empty]) == 1
    content = json.loads(written.read_text())
    elsewhere = {**content, "population": {**content["population"], "bench": "no-such"}}
    write_claim(Claim.model_validate(elsewhere), written)
    assert command(["bench", "check", str(written), "--exit-code"]) == 11
    assert "neither a benchmark" in capsys.readouterr().out
    written.write_text(written.read_text().replace('"budget": 200', '"budget": 201'))
    assert command(["bench", "check", str(written)]) == 3
    assert command(["bench", "submit", "digits", "--scheme", "akh", "--budget", "7", "--out", empty]) == 2
