"""Benchmarks as TOML files: the committed ones are what they were, short lists, sweeps, errors that name the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprint.bench.benches import bench_names, bench_of
from modelprint.bench.plan import Contender, Knob
from modelprint.core.errors import UsageError

# SHA-256 of each benchmark, as it was when benchmarks were Python; fashion and its evasions with what joined since
BENCHES = {
    "digits": "5f2a4d64adf26055",
    "fashion": "3f297ae06a6be7ba",
    "fashion-contrast": "87320359c10332d8",
    "fashion-evasion": "bcd914c8e82d2e84",
    "fashion-scores": "96bf5c771f3178f3",
    "fashion-expect": "b9fc53a599654563",
    "cifar10-small": "146ade02a787fb38",
    "cifar10-small-contrast": "39af89ee612c00d3",
    "cifar10-small-evasion": "306fb493294ad323",
    "cifar10-small-evidence": "85f9636a2f4c8dab",
    "cifar10": "febee610fc881120",
    "series": "ee3b6da90432c340",
    "control-charts": "a8ce28714bde5432",
    "transfer": "0ae120c61ab21c7c",
    "transfer-field": "1040fd6db6c42eed",
    "vector": "9f70cf6dc642901f",
    "text": "318707228229acf8",
    "text-swaps": "361fcb2dbc0b1856",
    "made-up-languages": "da2bfcf4165797e7",
}
BENCH = """
name = "mine"
zoo = "digits"
budgets = [50, 100]
seeds = [0]

[defaults]
seeds = [1, 2]
settings = { expect = "blur" }

[[contenders]]
schemes = ["akh", "sac"]
runs = [{}, { label = "few", budgets = [20], settings = { expect = "noise" } }]

[[contenders]]
scheme = "adv-tra"
settings = { trajectories = 5 }
evasions = ["jpeg"]

[[sweep]]
scheme = "adv-tra"
knob = "brake factor"
setting = "brake"
values = [0.5, 0.9]
by = { l = [2, 4] }
line = "l = {l}"
label = "brake {brake}, l = {l}"
budgets = [1000]
"""


@pytest.mark.parametrize("name", list(BENCHES))
def test_a_committed_benchmark_is_what_it_was(name: str) -> None:
    planned = bench_of(name)
    assert planned.bench.identity[7:23] == BENCHES[name]
    assert planned.plan.name == planned.bench.zoo


def test_every_committed_benchmark_is_pinned() -> None:
    assert set(bench_names()) == set(BENCHES)


def test_short_lists_and_sweeps(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(BENCH)
    akh, few, sac, also_few, adv_tra, *points = bench_of(str(tmp_path / "mine.toml")).bench.contenders
    assert akh == Contender(label="akh", scheme="akh", settings={"expect": "blur"}, seeds=(1, 2))
    assert few == Contender(label="few", scheme="akh", settings={"expect": "noise"}, seeds=(1, 2), budgets=(20,))
    assert (sac.label, also_few.scheme) == ("sac", "sac")
    assert (adv_tra.settings, adv_tra.evasions) == ({"expect": "blur", "trajectories": "5"}, ("jpeg",))
    assert [point.label for point in points] == [f"brake {b}, l = {n}" for n in (2, 4) for b in (0.5, 0.9)]
    assert points[1].knob == Knob(name="brake factor", value=0.9, line="l = 2")
    assert points[1].settings == {"l": "2", "brake": "0.9"}


def test_a_zoo_of_ones_own_lies_beside_the_file(tmp_path: Path) -> None:
    from tests.zoo.test_plan_file import PLAN

    (tmp_path / "zoo.toml").write_text(PLAN)
    (tmp_path / "mine.toml").write_text(BENCH.replace('zoo = "digits"', 'zoo = "zoo.toml"'))
    planned = bench_of(str(tmp_path / "mine.toml"))
    assert planned.bench.zoo == planned.plan.name == "mine"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"sac"]', '"x"]', r"mine\.toml: contender 1: unknown scheme 'x': use one of"),
        ("trajectories = 5", "trajectory = 5", r"contender 2: scheme adv-tra has no parameter 'trajectory'"),
        ('["jpeg"]', '["jpg"]', "contender 2: unknown .*'jpg'"),
        ('scheme = "adv-tra"\nsettings', "settings", "contender 2: name a scheme, or a list of schemes"),
        ('zoo = "digits"', 'zoo = "safari"', "mine.toml: zoo: unknown zoo 'safari'"),
        ("seeds = [1, 2]", "seed = [1, 2]", "mine.toml: defaults, seed: Extra inputs are not permitted"),
        ("budgets = [20]", 'budgets = ["x"]', "contenders 1, runs 2, budgets 1: Input should be a valid integer"),
        ('setting = "brake"', 'setting = "break"', "sweep 1: line and label may name l, break in braces, not 'brake'"),
        ("values = [0.5, 0.9]", "values = []", "sweep 1: give a setting and its values, or points"),
        ('zoo = "digits"', 'zoo = "digits"\nregions = "x"', "regions: 'x' is no contender: use one of adv-tra, akh"),
    ],
)
def test_errors_name_the_place(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in BENCH
    (tmp_path / "mine.toml").write_text(BENCH.replace(old, new, 1))
    with pytest.raises(UsageError, match=message):
        bench_of(str(tmp_path / "mine.toml"))
