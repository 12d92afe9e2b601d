"""A scheme is one file: that of docs/extending.md, installed as another package, works in every command."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelprint import zoo
from modelprint.bench.plan import Bench, Contender
from modelprint.bench.running import run as run_bench
from modelprint.bench.tables import tables_of
from modelprint.core.access import Access
from modelprint.ownership.craft import craft
from modelprint.schemes import SCHEMES
from tests.bench.conftest import PLAN
from tests.conftest import Digits
from tests.contract import test_schemes as contract
from tests.contract.test_commands import run
from tests.plugins import install
from tests.report.html import Page
from tests.schemes.world import enrolled, strangers

DOCS = Path(__file__).parents[2] / "docs" / "extending.md"


@pytest.fixture(scope="module", autouse=True)
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The scheme, as pip would install it: a module, and metadata with an entry point."""
    code = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)[0]
    (entry,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert entry.startswith('[project.entry-points."modelprint.schemes"]\ntwin = "twin_scheme"')
    place = tmp_path_factory.mktemp("site-packages")
    install(place, module="twin_scheme", code=code, group="modelprint.schemes", name="twin")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        SCHEMES.discover()
        yield
    del SCHEMES._items["twin"], sys.modules["twin_scheme"]  # other tests look at every scheme


@pytest.fixture(scope="module")
def place(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source, a copy, an independent model and calibration models of the tiny zoo."""
    folder = tmp_path_factory.mktemp("twin")
    there = {model.id: model for model in zoo.load(PLAN, folder=models)}
    for name, model in {"source": "source-1", "copy": "test-source-1-ftal", "other": "test-sast-03"}.items():
        shutil.copy(there[model].path, folder / f"{name}.safetensors")
    (folder / "negatives").mkdir()
    for model in there.values():
        if model.part == "calibration" and model.role == "independent":
            shutil.copy(model.path, folder / "negatives" / f"{model.id}.safetensors")
    run("enroll", "source.safetensors", f"{PLAN.data}:queries", "--out", "fp", "--scheme", "twin", "--seed", "3",
        "--budget", "60", "--set", "noise=60", "--negatives", "negatives", cwd=folder)  # fmt: skip
    return folder


def test_it_is_registered_after_the_others() -> None:
    assert list(SCHEMES)[-1] == "twin"


def test_verify_says_its_figures_in_json(place: Path) -> None:
    printed = json.loads(run("verify", "fp", "copy.safetensors", "--format", "json", cwd=place).stdout)
    assert printed["scheme"] == "twin"
    assert printed["verdict"] in ("derived", "not-shown")
    assert printed["threshold"] is not None
    assert printed["queries"] == printed["details"]["answered"] == 60
    assert printed["score"] == pytest.approx(printed["details"]["same"] / 60)
    assert "matched" not in printed


def test_verify_says_its_figures_in_the_table_and_the_report(place: Path) -> None:
    done = run("verify", "fp", "copy.safetensors", "--report", "report.html", cwd=place)
    assert re.search(r"same class +\d+ of 60 queries", done.stdout)
    words = Page((place / "report.html").read_text()).words
    for text in (
        "Twin: noisy inputs",
        "changed by up to 60 levels of 255",
        "Good models of one task answer most noisy inputs alike",
        "Twins among independent models",
        "calibration model 1 ",
        "It gives the source\u2019s class to",
        "Answers that are the same",
    ):
        assert text in words


def test_the_fingerprint_comes_out_again(place: Path) -> None:
    run("enroll", "source.safetensors", f"{PLAN.data}:queries", "--out", "again", "--scheme", "twin", "--seed", "3",
        "--budget", "60", "--set", "noise=60", "--negatives", "negatives", cwd=place)  # fmt: skip
    for file in sorted((place / "fp").iterdir()):
        assert file.read_bytes() == (place / "again" / file.name).read_bytes()


def test_a_bench_judges_it(models: Path, tmp_path: Path) -> None:
    bench = Bench(
        name="twins",
        zoo="tiny",
        contenders=(Contender(label="twin", scheme="twin", settings={"noise": "60"}),),
        budgets=(30,),
        seeds=(0,),
        first_source_only=True,
    )
    results = run_bench(bench, folder=tmp_path, zoo=PLAN, zoo_folder=models)
    (one,) = [row for row in results.runs if row.scheme == "twin" and row.access == "labels"]
    assert one.queries == 30
    assert len(one.calibration) == 25
    scored = [name for name, score in one.scores.items() if score is not None]
    assert len(scored) > 20
    assert {"same", "answered"} <= set(one.details[scored[0]])
    assert {row.scheme for row in results.rows} == {"twin"}
    assert tables_of(results)[0].rows[0][0] == "twin"


def test_the_contract_of_schemes_holds(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(contract.ROWS, "twin", contract.Row("twin", {"noise": "60"}))
    context = replace(enrolled(digits), budget=contract.BUDGET)
    made = {"twin": craft(contract.configured("twin"), context, seed=3)}
    others = strangers(digits, 3, seed=21)
    contract.test_every_registered_scheme_has_a_row()
    contract.test_the_budget_is_respected(made, context, "twin")
    contract.test_queries_are_8_bit_images_of_the_source_s_shape(made, "twin")
    contract.test_the_seed_alone_decides(made, context, "twin")
    for access in (Access.LABELS, Access.SCORES):
        contract.test_the_source_scores_highest_and_a_permuted_copy_as_high(made, digits.source, others, "twin", access)
    contract.test_half_the_answers_make_a_score(made, others, "twin")
    contract.test_parameters_pass_through_text("twin")
    contract.test_every_parameter_is_explained("twin")
    contract.test_it_says_what_it_is_how_it_works_and_what_it_misses("twin")
    contract.test_the_figures_of_its_verdict_and_of_its_crafting_are_the_ones_it_declares(made, others, "twin")
    contract.test_a_report_shows_its_sections(made, others, "twin")
    contract.test_the_module_cites_its_source_and_says_where_it_differs("twin")
