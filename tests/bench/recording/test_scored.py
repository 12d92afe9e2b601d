"""Schemes that read scores, on recorded tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprint.bench.answers import AnswerTable, judge, read_tables
from modelprint.bench.answers.schemes import Evidence
from modelprint.bench.answers.scored import SCORED_SCHEMES, ScoredEvidence, telling
from modelprint.core.errors import DataError, UsageError
from modelprint.core.suspect import Answers
from modelprint.results.records import Results
from modelprint.schemes.reading import Reading
from modelprint.schemes.residual import Residual, partial_correlations
from modelprint.stats.calibration import rank_p_value
from tests.bench.recording.synthetic import CLASSES, INPUTS, TRUTH, copy_of, founder, others, table_of, zoo


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> AnswerTable:
    place = tmp_path_factory.mktemp("tables")
    return read_tables([zoo(place / "own", families=3, copies=2), others(place / "theirs", count=85)])


@pytest.fixture(scope="module")
def results(table: AnswerTable) -> Results:
    return judge(table, ["akh", "residual", "auto"], budget=60)


def test_copies_are_found_and_independents_are_not(results: Results) -> None:
    whole = {row.scheme: row for row in results.rows if row.source == "all"}
    assert {scheme: row.access for scheme, row in whole.items()} == {
        "akh": "labels", "residual": "scores", "auto": "scores",
    }  # fmt: skip
    for scheme in ("residual", "auto"):
        assert whole[scheme].queries == 60
        assert whole[scheme].auc == 1.0
        assert whole[scheme].tpr_verdict == 1.0
        assert (whole[scheme].fpr_verdict or 0) <= 0.1


def test_labels_are_judged_as_without_scores(table: AnswerTable, results: Results) -> None:
    (alone,) = [run for run in judge(table, ["akh"], budget=60).runs if run.source == "own-0"]
    (beside,) = [run for run in results.runs if run.source == "own-0" and run.scheme == "akh"]
    assert alone.scores == beside.scores
    assert alone.threshold == beside.threshold


def answers_of(logits: np.ndarray) -> Answers:
    return Answers(labels=logits.argmax(1).astype(np.int64), scores=logits.astype(np.float32))


def test_residual_is_the_scheme_of_verify() -> None:
    """Against the partial correlation of all tables, computed from the logits themselves."""
    source, suspect = founder(0), copy_of(founder(0), 1)
    references = [founder(10 + number) for number in range(6)]
    calibration = [founder(30 + number) for number in range(20)]
    evidence = ScoredEvidence(
        labels=Evidence(
            source=source.argmax(1), truth=TRUTH, others=np.zeros((0, INPUTS), int), parents=np.zeros(0, int), budget=50
        ),
        source=answers_of(source),
        references=tuple((answers_of(one),) for one in references),
        calibration=tuple(map(answers_of, calibration)),
        alpha=0.05,
    )
    decision = SCORED_SCHEMES["residual"](evidence, np.random.default_rng(5)).decide(answers_of(suspect))
    scheme, read = Residual(), Reading().table
    order = np.random.default_rng(5).permutation(INPUTS)
    spread = np.stack([read(one.astype(np.float32)) for one in references]).var(axis=0).sum(axis=1)
    asked = order[np.argsort(-np.round(spread, 9)[order], kind="stable")][:50]
    logits = [logits.astype(np.float32)[asked] for logits in (*references, suspect, *calibration)]
    expected = partial_correlations(
        np.stack([read(one) for one in logits]), read(source.astype(np.float32)[asked]),
        ridge=scheme.ridge, floor=scheme.floor,
    )[6:]  # fmt: skip
    assert decision.score == pytest.approx(expected[0], abs=1e-6)
    np.testing.assert_allclose(decision.calibration_scores, expected[1:], atol=1e-6)
    assert decision.p_value == rank_p_value(expected[0], expected[1:])
    assert decision.outcome == "derived"


def test_models_with_labels_alone_have_no_score_and_a_reason(tmp_path: Path) -> None:
    logits = {"s": founder(0), "s-copy": copy_of(founder(0), 0), "s-labels": copy_of(founder(0), 1)}
    logits |= {f"o{number}": founder(1 + number) for number in range(12)}
    place = table_of(tmp_path / "t", logits, {"s-copy": "s", "s-labels": "s"}, labels_only=("s-labels", "o1", "o2"))
    (run,) = judge(read_tables([place]), ["residual"], budget=40).runs
    assert run.scores["s-labels"] is None
    assert run.failures["s-labels"] == "the table has its labels alone"
    assert run.scores["s-copy"] is not None
    assert {name for name, score in run.scores.items() if score is None} == set(run.failures)


def test_too_few_calibration_models_leave_scores_and_no_verdict(tmp_path: Path) -> None:
    logits = {"s": founder(0), "s-copy": copy_of(founder(0), 0)} | {f"o{n}": founder(1 + n) for n in range(10)}
    place = table_of(tmp_path / "t", logits, {"s-copy": "s"})
    for scheme in ("residual", "auto"):
        results = judge(read_tables([place]), [scheme], budget=40)
        row = next(row for row in results.rows if row.source == "all")
        assert row.auc == 1.0
        assert row.fpr_verdict is None
        assert results.runs[0].verdicts["s-copy"].verdict == "inconclusive"


def test_one_model_of_a_family_calibrates(tmp_path: Path) -> None:
    table = read_tables([zoo(tmp_path / "own", families=3, copies=3)])
    families = table.scored_families(np.arange(len(table.ids)))
    assert [len(family) for family in families] == [4, 4, 4]
    first = table.answers(int(table.families[0][0]))
    np.testing.assert_array_equal(table.scored_families(np.array([3, 0, 1]))[0][0].labels, first.labels)
    assert first.scores is not None
    assert first.scores.shape == (INPUTS, CLASSES)


def test_the_least_faithful_copies_of_a_family_stand_first(tmp_path: Path) -> None:
    whole = founder(0)
    kept = {"a-few": 5, "b-most": 55, "c-half": 30}  # answers as the founder's, of 60 or more
    logits = {"s": whole}
    for name, count in kept.items():
        logits[name] = np.concatenate([whole[:count], np.roll(whole[count:], 1, axis=1)])
    (family,) = read_tables([table_of(tmp_path / "t", logits, dict.fromkeys(kept, "s"))]).scored_families(np.arange(4))
    agreeing = [int((one.labels == whole.argmax(1)).sum()) for one in family]
    assert agreeing[0] == INPUTS
    assert agreeing[1:] == sorted(agreeing[1:])
    assert agreeing[1] < agreeing[3] < INPUTS


def test_queries_tell_families_apart_and_not_a_model_from_its_copies() -> None:
    rows = np.tile([3.0, 1.0, -1.0, -3.0], (4, 1))
    one, other, copy = rows.copy(), rows.copy(), rows.copy()
    other[[1, 3]] = other[[1, 3], ::-1]  # two families differ on the second and fourth input
    copy[[2, 3]] = copy[[2, 3], ::-1]  # and a copy left its source on the third and fourth
    worth = telling([[answers_of(one), answers_of(copy)], [answers_of(other)]])
    # variance of +-v: |v|^2 = 1; distance of v and -v, squared: 4
    np.testing.assert_allclose(worth, [0, 1, -4, -3], atol=1e-9)


def test_what_a_crop_does_to_every_model_is_no_likeness() -> None:
    """Models of one task that see their inputs changed; without their kind among the references copies are lost."""
    generator = np.random.default_rng(3)
    change = 4 * generator.normal(size=(INPUTS, CLASSES))
    families = [(founder(10 + n), founder(10 + n) + change) for n in range(6)]
    source = founder(0)
    score = {}
    for name, references in (("firsts", [family[:1] for family in families]), ("copies, too", families)):
        evidence = ScoredEvidence(
            labels=Evidence(
                source=source.argmax(1), truth=TRUTH, others=np.zeros((0, INPUTS), int), parents=np.zeros(0, int),
                budget=INPUTS,
            ),
            source=answers_of(source),
            references=tuple(tuple(map(answers_of, family)) for family in references),
            calibration=tuple(answers_of(founder(30 + number)) for number in range(20)),
            alpha=0.05,
        )  # fmt: skip
        interview = SCORED_SCHEMES["residual"](evidence, np.random.default_rng(5))
        score[name] = interview.decide(answers_of(source + change)).score
    assert score["firsts"] is not None
    assert score["copies, too"] is not None
    assert score["copies, too"] > score["firsts"] + 0.1


def test_what_cannot_be_judged_is_said(tmp_path: Path, table: AnswerTable) -> None:
    names = tuple(f"own-{number}" for number in range(4))
    place = table_of(
        tmp_path / "t",
        {name: founder(number) for number, name in enumerate(names)} | {"copy": copy_of(founder(0), 0)},
        {"copy": "own-0"},
        labels_only=(*names, "copy"),
    )
    with pytest.raises(DataError, match="residual reads scores, and the table has none of a model that others"):
        judge(read_tables([place]), ["akh", "residual"], budget=40)
    with pytest.raises(UsageError, match="unknown scheme for answer tables 'magic': use one of akh, sac, fbi"):
        judge(table, ["magic"], budget=40)
