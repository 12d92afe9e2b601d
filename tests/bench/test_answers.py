"""Answer tables: who is who, what schemes ask and say, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelprint.bench.answers import ANSWER_SCHEMES, AnswerTable, judge, leaderboard, read_table
from modelprint.bench.answers.contrast import AGAINST, Selection
from modelprint.bench.answers.protocol import split
from modelprint.bench.answers.schemes import Evidence
from modelprint.core.errors import DataError, UsageError
from modelprint.results.records import Results
from modelprint.stats.roc import auc, tpr_at_fpr

IMAGES, CLASSES = 400, 20
Files = tuple[dict[str, np.ndarray], dict[str, str]]


def synthetic(*, families: int = 9, copies: int = 5, strangers: int = 2) -> Files:
    """Founders who err on a third of the images, each in its own way; copies keep nine tenths of the answers."""
    generator = np.random.default_rng(3)
    truth = generator.integers(CLASSES, size=IMAGES)
    arrays, parents = {"ground_truth": truth}, {}
    for number in range(families + strangers):
        founder = f"f{number}"
        wrong = generator.random(IMAGES) < 0.33
        arrays[founder] = np.where(wrong, generator.integers(CLASSES, size=IMAGES), truth)
        parents[founder] = founder
        for copy in range(copies if number < families else 0):
            name, parent = f"f{number}-{copy}", founder if copy < 4 else f"f{number}-0"  # the last: a copy of a copy
            changed = generator.random(IMAGES) < 0.1
            arrays[name] = np.where(changed, generator.integers(CLASSES, size=IMAGES), arrays[founder])
            parents[name] = parent
    return arrays, parents


def written(folder: Path, arrays: dict[str, np.ndarray], parents: object) -> tuple[Path, Path]:
    np.savez(folder / "table.npz", **arrays)
    (folder / "families.json").write_text(json.dumps(parents))
    return folder / "table.npz", folder / "families.json"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> AnswerTable:
    return read_table(*written(tmp_path_factory.mktemp("answers"), *synthetic()))


@pytest.fixture(scope="module")
def results(table: AnswerTable) -> Results:
    return judge(table, ["akh", "fbi"], budget=60, seed=1)


def test_the_table_is_what_was_written(table: AnswerTable) -> None:
    arrays, parents = synthetic()
    assert table.labels.dtype == np.int8
    assert table.images == IMAGES
    for place, name in enumerate(table.ids):
        assert (table.labels[place] == arrays[name]).all()
        assert table.ids[table.parents[place]] == parents[name]
        assert table.ids[table.founders[place]] == name.partition("-")[0]
    assert sorted(table.ids[place] for place in table.sources) == [f"f{number}" for number in range(9)]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_any_integers_are_labels(tmp_path: Path, dtype: type) -> None:
    arrays, parents = synthetic(families=4, copies=1)
    found = read_table(*written(tmp_path, {name: array.astype(dtype) for name, array in arrays.items()}, parents))
    assert (found.truth == arrays["ground_truth"]).all()


def test_no_family_stands_in_two_parts_and_none_is_the_sources(table: AnswerTable) -> None:
    for source in table.sources:
        parts = split(table, source, seed=7)
        groups = [parts.selection, parts.calibration, parts.independent, np.append(parts.copies, parts.source)]
        assert sorted(np.concatenate(groups).tolist()) == list(range(len(table.ids)))
        founders = [set(table.founders[group].tolist()) for group in groups]
        assert [len(group) for group in founders] == [3, 2, 5, 1]  # half of ten, halved
        assert set.union(*founders) == set(table.families)
        assert founders[3] == {source}


def test_the_seed_draws_the_families_whatever_else_is_judged(table: AnswerTable) -> None:
    one, same, other = (split(table, table.sources[0], seed=seed).independent.tolist() for seed in (0, 0, 1))
    assert one == same != other
    alone, both = (judge(table, schemes, budget=20, seed=4) for schemes in (["fbi"], ["akh", "fbi"]))
    assert [row for row in both.rows if row.scheme == "fbi"] == list(alone.rows)


def test_rows_can_be_computed_again_from_the_table(table: AnswerTable, results: Results) -> None:
    place = {name: number for number, name in enumerate(table.ids)}
    assert {row.scheme for row in results.rows} == {"akh", "fbi"}
    for scheme in ("akh", "fbi"):
        rows = {row.source: row for row in results.rows if row.scheme == scheme}
        assert set(rows) == {"all", *results.sources}
        for one in (run for run in results.runs if run.scheme == scheme):
            parts = split(table, place[one.source], seed=1)
            names = [table.ids[number] for number in parts.copies]
            strangers = [f"stranger:{table.ids[number]}" for number in parts.independent]
            assert list(one.scores) == names + strangers
            assert list(one.calibration) == [table.ids[number] for number in parts.calibration]
            copies, innocent = (np.array([one.scores[name] for name in group]) for group in (names, strangers))
            row = rows[one.source]
            assert row.auc == pytest.approx(auc(copies, innocent), abs=1e-5)
            assert row.tpr_at_1 == pytest.approx(tpr_at_fpr(copies, innocent, fpr=0.01), abs=1e-5)
            assert (row.n_derived, row.n_independent, row.attack) == (5, len(innocent), "all")
            assert (row.budget, row.queries, row.access, row.seed) == (60, 60, "labels", 1)
        for figure in ("auc", "tpr_at_1", "tpr_at_10"):
            mean = np.mean([getattr(row, figure) for source, row in rows.items() if source != "all"])
            assert getattr(rows["all"], figure) == pytest.approx(mean, abs=2e-5)
        assert rows["all"].n_derived == 45


def test_copies_stand_out(results: Results) -> None:
    for row in results.rows:
        assert row.auc is not None
        assert row.auc > (0.99 if row.scheme == "akh" else 0.9), row.source
    copies = [model for model in results.suspects if model.role == "derived"]
    assert all(0.8 < model.agreement < 1 for model in copies if model.agreement is not None)


def evidence(budget: int) -> Evidence:
    generator = np.random.default_rng(0)
    truth = generator.integers(5, size=100)
    source = np.where(np.arange(100) < 30, (truth + 1) % 5, truth)
    others = np.where(np.arange(100) % 4 == 1, generator.integers(5, size=(40, 100)), truth)
    return Evidence(source=source, truth=truth, others=others, parents=np.arange(40), budget=budget)


def test_akh_asks_the_sources_mistakes_then_others() -> None:
    few = ANSWER_SCHEMES["akh"](evidence(10), np.random.default_rng(0))
    assert len(set(few.queries.tolist())) == 10
    assert set(few.queries.tolist()) < set(range(30))
    many = ANSWER_SCHEMES["akh"](evidence(50), np.random.default_rng(0))
    assert len(set(many.queries.tolist())) == 50
    assert set(range(30)) < set(many.queries.tolist())
    given = evidence(50).source[many.queries]
    assert many.score(np.stack([given, (given + 1) % 5])).tolist() == [1.0, 0.0]


def test_fbi_asks_where_models_disagree_and_sees_right_and_wrong_alone() -> None:
    told = evidence(15)
    few = ANSWER_SCHEMES["fbi"](told, np.random.default_rng(0))
    assert len(set(few.queries.tolist())) == 15
    assert (few.queries % 4 == 1).all()  # 20 % of 100 images, of the 25 on which the others disagree
    assert len(set(ANSWER_SCHEMES["fbi"](evidence(90), np.random.default_rng(0)).queries.tolist())) == 90
    truth, source = told.truth[few.queries], told.source[few.queries]
    other_mistake = np.where(source == truth, source, (truth + 2) % 5)
    assert few.score(np.stack([source, other_mistake])).tolist() == [1.0, 1.0]
    assert few.score(truth[None]).tolist() == [0.0]  # always right: shows nothing


FRAGILE = np.arange(2000) % 2 == 0


def fragile(families: int = 5, copies: int = 6) -> Evidence:
    """Founders who err on 30 % of the images; copies lose most of the mistakes on every second image."""
    generator = np.random.default_rng(1)
    truth = generator.integers(50, size=2000)
    rows: list[np.ndarray] = []
    parents: list[int] = []
    for _ in range(families + 1):
        founder = np.where(generator.random(2000) < 0.3, generator.integers(50, size=2000), truth)
        place = len(rows)
        for copy in range(copies + 1):
            lost = generator.random(2000) < np.where(FRAGILE, 0.8, 0.05) * (copy > 0)
            rows.append(np.where(lost, truth, founder))
            parents.append(place)
    own = rows[-copies - 1]
    del rows[-copies - 1 :], parents[-copies - 1 :]
    return Evidence(source=own, truth=truth, others=np.stack(rows), parents=np.array(parents), budget=100)


def test_contrast_asks_for_answers_that_last() -> None:
    """Every second image is as rare, but its answers are lost: other families' copies tell which these are."""
    told = fragile()
    asked = ANSWER_SCHEMES["contrast"](told, np.random.default_rng(0)).queries
    assert len(set(asked.tolist())) == 100
    assert FRAGILE[asked].mean() < 0.1
    assert (told.source != told.truth)[asked].all()
    rarest = np.argsort((told.others == told.source).mean(axis=0), kind="stable")[:100]
    assert FRAGILE[rarest].mean() > 0.3


@pytest.mark.parametrize(("families", "copies"), [(2, 6), (5, 0), (1, 1)])
def test_contrast_asks_the_rarest_where_nothing_can_be_learned(families: int, copies: int) -> None:
    told = fragile(families, copies)
    found = ANSWER_SCHEMES["contrast"](told, np.random.default_rng(0))
    given = (told.others == told.source).mean(axis=0)
    assert given[found.queries].max() <= np.sort(given)[99]
    own = told.source[found.queries]
    nobody = np.full(100, 99)
    half = np.where(np.arange(100) < 50, own, nobody)
    weights = (1 - Selection(told).given(told.source).mean(axis=0)[found.queries]).clip(0.01)
    expected = [1.0, 0.0, weights[:50].sum() / weights.sum()]
    assert found.score(np.stack([own, nobody, half])).tolist() == pytest.approx(expected, abs=1e-6)
    usual = Selection(told).usual(own, found.queries)
    against = weights[usual >= 0].sum() / weights.sum()
    assert found.score(usual[None])[0] == pytest.approx(-AGAINST * against, abs=1e-6)


def test_contrast_leaves_out_what_a_relative_shares() -> None:
    """One family answers as the source does on some of its mistakes, no rarer than the others."""
    told = fragile(copies=0)
    generator = np.random.default_rng(2)
    mistakes = np.flatnonzero(told.source != told.truth)
    shared = generator.permutation(mistakes)[: len(mistakes) // 2]
    others = told.others.copy()
    others[0, shared] = told.source[shared]
    for place in np.setdiff1d(mistakes, shared):  # another one alone gives each other answer, a different one each time
        others[1 + place % 4, place] = told.source[place]
    told = replace(told, others=others)
    selection = Selection(told)
    even = np.full(len(mistakes), 0.5)
    asked = mistakes[selection.boosted(told.source, mistakes, even, even / 2, wanted=100)]
    assert np.isin(asked, shared).mean() < 0.3  # a fifth: as much as of any other family
    assert np.isin(mistakes, shared).mean() == pytest.approx(0.5, abs=0.01)


def test_what_is_usual_is_not_the_sources_answer() -> None:
    labels = np.array([[1, 1, 3], [2, 1, 3], [2, 1, 2]])
    told = Evidence(source=np.array([1, 1, 3]), truth=np.zeros(3, int), others=labels, parents=np.arange(3), budget=3)
    assert Selection(told).usual(told.source, np.arange(3)).tolist() == [2, -1, 2]
    families = replace(told, others=np.array([[1, 2, 4], [4, 4, 4], [4, 4, 4]]), parents=np.array([0, 1, 1]))
    assert Selection(families).usual(np.array([9, 4, 9]), np.arange(3)).tolist() == [1, 2, 4]  # ties: the lowest class


def test_contrast_finds_copies_of_frail_answers(table: AnswerTable) -> None:
    rows = [row for row in judge(table, ["contrast"], budget=40).rows if row.source == "all"]
    assert rows[0].auc == pytest.approx(1.0, abs=0.001)
    assert rows[0].n_derived == 45


def test_sac_sees_which_mistakes_are_answered_alike() -> None:
    found = ANSWER_SCHEMES["sac"](evidence(20), np.random.default_rng(0))
    assert set(found.queries.tolist()) < set(range(30))
    own = evidence(20).source[found.queries]
    renamed = (own + 2) % 5
    scores = found.score(np.stack([own, renamed, np.zeros_like(own)]))
    assert scores[0] == scores[1] == 1.0 > scores[2]
    with pytest.raises(DataError, match="raise the budget to 2"):
        ANSWER_SCHEMES["sac"](evidence(1), np.random.default_rng(0))


def test_one_source_has_its_row_for_all_too(tmp_path: Path) -> None:
    found = judge(read_table(*written(tmp_path, *synthetic(families=1, strangers=6))), ["akh"], budget=10)
    assert [row.source for row in found.rows] == ["f0", "all"]
    assert leaderboard(found).rows[0][0] == "akh"


def test_selection_sees_its_own_parents(table: AnswerTable, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Evidence] = []

    def spy(told: Evidence, generator: np.random.Generator) -> object:
        seen.append(told)
        return ANSWER_SCHEMES["akh"](told, generator)

    monkeypatch.setitem(ANSWER_SCHEMES._items, "spy", spy)
    judge(table, ["spy"], budget=10)
    for told, source in zip(seen, table.sources, strict=True):
        parts = split(table, source, seed=0)
        assert (told.others == table.labels[parts.selection]).all()
        assert (parts.selection[told.parents] == table.parents[parts.selection]).all()


def longer(arrays: dict[str, np.ndarray], parents: dict[str, str]) -> None:
    arrays["f1"] = arrays["f1"][:-1]


def floats(arrays: dict[str, np.ndarray], parents: dict[str, str]) -> None:
    arrays["f1"] = arrays["f1"].astype(np.float32)


def scores(arrays: dict[str, np.ndarray], parents: dict[str, str]) -> None:
    arrays["f1"] = np.zeros((IMAGES, CLASSES), np.int64)


def negative(arrays: dict[str, np.ndarray], parents: dict[str, str]) -> None:
    arrays["f1"] = arrays["f1"] - 1


def untrue(arrays: dict[str, np.ndarray], parents: dict[str, str]) -> None:
    del arrays["ground_truth"]


def unplaced(arrays: dict[str, np.ndarray], parents: dict[str, str]) -> None:
    del parents["f2-1"]


def unrecorded(arrays: dict[str, np.ndarray], parents: dict[str, str]) -> None:
    del arrays["f2-1"]


def parentless(arrays: dict[str, np.ndarray], parents: dict[str, str]) -> None:
    parents["f2-1"] = "elsewhere"


def circle(arrays: dict[str, np.ndarray], parents: dict[str, str]) -> None:
    parents["f2"] = "f2-1"


def nothing(arrays: dict[str, np.ndarray], parents: dict[str, str]) -> None:
    parents["f2"] = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (longer, "f1: 399 labels, but ground_truth has 400"),
        (floats, "f1 is of type float32: expected class numbers"),
        (scores, r"f1 has shape \(400, 20\)"),
        (negative, "f1 holds class -1"),
        (untrue, "holds no ground_truth"),
        (unplaced, "does not say where 'f2-1'"),
        (unrecorded, "has no answers of 'f2-1'"),
        (parentless, "has no answers of 'elsewhere'"),
        (circle, "'f2', 'f2-1' came from each other"),
        (nothing, "'f2' came from None"),
    ],
)
def test_tables_that_make_no_sense_are_refused(
    tmp_path: Path, spoil: Callable[[dict[str, np.ndarray], dict[str, str]], None], message: str
) -> None:
    arrays, parents = synthetic()
    spoil(arrays, parents)
    with pytest.raises(DataError, match=message):
        read_table(*written(tmp_path, arrays, parents))


def test_files_that_are_no_table_are_refused(tmp_path: Path) -> None:
    table, families = written(tmp_path, *synthetic())
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "missing.npz", families)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(table, tmp_path / "missing.json")
    for text, message in (("{", "is not JSON"), ("[]", "no JSON object"), ("{}", "no JSON object")):
        families.write_text(text)
        with pytest.raises(DataError, match=message):
            read_table(table, families)


def test_too_little_to_judge_is_refused(tmp_path: Path, table: AnswerTable) -> None:
    with pytest.raises(DataError, match="3 families, but 4 are needed"):
        judge(read_table(*written(tmp_path, *synthetic(families=1))), ["akh"], budget=10)
    with pytest.raises(DataError, match="none of the 6 models of 6 families was made from another"):
        judge(read_table(*written(tmp_path, *synthetic(families=0, strangers=6))), ["akh"], budget=10)
    for budget in (0, IMAGES + 1):
        with pytest.raises(DataError, match=f"a budget of {budget} queries, but the table has 400 images"):
            judge(table, ["akh"], budget=budget)
    known = "akh, sac, fbi, contrast"
    with pytest.raises(UsageError, match=f"unknown scheme for answer tables 'magic': use one of {known}"):
        judge(table, ["akh", "magic"], budget=10)
    with pytest.raises(UsageError, match="no scheme was named"):
        judge(table, [], budget=10)
    with pytest.raises(UsageError, match="alpha"):
        judge(table, ["akh"], budget=10, alpha=1)
