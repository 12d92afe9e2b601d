"""`modelprint plan`: what it prints, for each way to state an effect, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from modelprint.cli.app import run
from modelprint.core.verdict import KindRate, Verdict
from tests.printed import printed


def planned(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run(["plan", *words, "--format", "json"]) == 0
    return printed("plan", capsys.readouterr().out)


def test_without_an_effect_it_says_what_a_rate_needs(capsys: pytest.CaptureFixture[str]) -> None:
    shown = planned(capsys, "--alpha", ".01", "--power", ".9", "--kinds", "3")
    assert (shown["least_models"], shown["models"], shown["power_limit"], shown["cost"]) == (99, None, None, None)
    assert [one["models"] for one in shown["rows"]] == [99, 199, 299, 499, 999]
    assert all(one["power"] is None and one["false_positive_rate"] == 0.01 for one in shown["rows"])


def test_owners_share_alpha_as_identify_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(capsys, "--owners", "3")["least_models"] == 59


def test_a_separation_or_an_auc_gives_models(capsys: pytest.CaptureFixture[str]) -> None:
    shown = planned(capsys, "--separation", "3")
    assert (shown["models"], shown["total_models"]) == (99, 99)
    assert shown["effect"]["separation"] == 3.0
    same = planned(capsys, "--auc", "0.98305", "--kinds", "2")
    assert same["effect"]["separation"] == pytest.approx(3.0, abs=1e-3)
    assert same["total_models"] == 2 * same["models"]


def test_rates_of_agreement_give_queries_and_cost(capsys: pytest.CaptureFixture[str]) -> None:
    rates = ("--copies-agree", ".8", "--independent-agree", ".45", "--correlation", ".02")
    shown = planned(capsys, *rates, "--price", ".01", "--suspects", "3")
    assert (shown["models"], shown["queries"]) == (19, 50)
    assert shown["cost"] == pytest.approx(1.5)
    fewer = planned(capsys, *rates, "--queries", "30")
    assert (fewer["models"], fewer["queries"]) > (19, 30)


def verdict_file(path: Path, above: int, *, n: int = 20, pooled: bool = False) -> str:
    p_value = (1 + above) / (n + 1)
    verdict = Verdict(
        verdict="derived", scheme="akh", score=0.9, alpha=0.05, threshold=0.3, p_value=p_value, queries=80,
        false_accusations=None, access="labels", fingerprint="sha256:00", suspect="sha256:01", pooled=pooled,
        kinds=(
            KindRate(kind="INDEPENDENT", n=n, p_value=p_value, covered=True),
            KindRate(kind="SHARED", n=2, p_value=1.0, covered=False),
        ),
    )  # fmt: skip
    path.write_text(verdict.to_json(), encoding="utf-8")
    return str(path)


def test_verdicts_on_copies_are_an_effect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [verdict_file(tmp_path / f"{above}.json", above) for above in (0, 0, 0, 1)]
    shown = planned(capsys, *files, "--power", ".75")
    assert (shown["effect"]["how"], shown["effect"]["copies"], shown["queries"]) == ("verdicts", 4, 80)
    assert (shown["models"], shown["kinds"]) == (19, 1)
    assert shown["rows"][0]["power"] == pytest.approx((3 + 1 / 20) / 4)


def test_the_table_says_the_plan_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--alpha", ".01", "--power", ".9", "--separation", "4", "--queries", "100"]) == 0
    text = capsys.readouterr().out
    assert "needs 99 calibration models of each kind or more; 99 of each kind have a power of 0.915" in text
    assert "100 queries" in text
    assert run(["plan", "--separation", "1"]) == 0
    assert "no number of them has a power of 0.9" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--alpha", "1"], "--alpha must lie between 0 and 1"),
        (["--power", "0"], "--power must lie between 0 and 1"),
        (["--alpha", "1e-9"], "more than 100,000"),
        (["--kinds", "0"], "--kinds must be 1 or more"),
        (["--price", "-1"], "--price must be at least 0"),
        (["--auc", "1"], "AUC must lie between 0 and 1"),
        (["--separation", "1", "--auc", ".9"], "name one effect"),
        (["--copies-agree", ".9"], "go together"),
        (["--copies-agree", ".9", "--independent-agree", "2"], "rates must lie between 0 and 1"),
        (["--copies-agree", ".9", "--independent-agree", "2", "--queries", "9"], "rates must lie between 0 and 1"),
        (["nowhere.json"], "is no verdict"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_a_line(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *words]) == 2
    refused = capsys.readouterr().err.replace("\n", " ")
    assert reason in refused


def test_verdicts_that_tell_nothing_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", verdict_file(tmp_path / "a.json", 0, pooled=True)]) == 2
    assert "without --pool-kinds" in capsys.readouterr().err


def test_the_commands_of_the_page_print_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ modelprint (plan .*)\n((?:(?!\$|```).*\n)+)", page, re.MULTILINE)
    assert len(commands) == 2
    for command, lines in commands:
        assert run(command.split()) == 0
        text = capsys.readouterr().out
        assert all(line in text for line in lines.splitlines() if line != "...")
