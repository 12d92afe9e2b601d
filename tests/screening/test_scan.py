"""A scan: hash, weights, scores, labels; what is known is not asked again; what is wrong is a row."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelprint.cli.app import run
from modelprint.core.access import Access
from modelprint.core.errors import UsageError
from modelprint.nn.options import ModelOptions
from modelprint.screening.judging import Judging
from modelprint.screening.records import Pair, Screen
from modelprint.screening.registry import Registry
from modelprint.screening.scan import scan
from modelprint.screening.targets import targets_of
from modelprint.zoo.executors import Processes
from tests.conftest import Digits
from tests.printed import printed as as_described
from tests.schemes.world import strangers
from tests.screening.world import ALPHA, World, written


@pytest.fixture
def registry(world: World, tmp_path: Path) -> Registry:
    """A copy in which nothing is known yet."""
    shutil.copytree(world.registry, tmp_path / "registry")
    return Registry(tmp_path / "registry")


@pytest.fixture(scope="module")
def screen(world: World, tmp_path_factory: pytest.TempPathFactory) -> Screen:
    place = tmp_path_factory.mktemp("scan") / "registry"
    shutil.copytree(world.registry, place)
    return scanned(Registry(place), str(world.models))


def scanned(registry: Registry, *words: str, **how: object) -> Screen:
    jobs = how.pop("jobs", 1)
    method = how.pop("method", "holm")
    assert isinstance(jobs, int)
    return scan(
        registry,
        targets_of(words, ModelOptions()),
        Judging(**{"alpha": ALPHA, **how}),  # type: ignore[arg-type]
        method=method,  # type: ignore[arg-type]
        executor=Processes(jobs),
    )


def pairs_of(screen: Screen, name: str) -> dict[str, Pair]:
    return {pair.fingerprint: pair for pair in screen.pairs if Path(pair.suspect).name == f"{name}.safetensors"}


def verdicts(screen: Screen) -> dict[str, tuple[str | None, str | None]]:
    return {Path(one.suspect).stem: (one.verdict, one.owner) for one in screen.suspects}


def test_each_suspect_has_its_owner(screen: Screen) -> None:
    assert verdicts(screen) == {
        "broken": (None, None),
        "independent": ("not-shown", None),
        "pruned": ("derived", "second"),
        "source": ("derived", "first"),
        "tuned": ("derived", "first"),
    }
    assert screen.expected_false_positives == pytest.approx(ALPHA * 4)


def test_the_enrolled_file_is_a_fact_and_no_test(screen: Screen) -> None:
    pair = pairs_of(screen, "source")["first"]
    assert (pair.access, pair.verdict, pair.p_value, pair.queries) == ("file", "derived", None, 0)
    assert pair.relation == "from-weights"
    assert screen.savings.by_file == 1


def test_weights_that_hold_enough_are_not_asked(screen: Screen) -> None:
    tuned, pruned = pairs_of(screen, "tuned"), pairs_of(screen, "pruned")
    assert (tuned["first"].access, tuned["first"].queries) == ("weights", 0)
    assert tuned["first"].p_value == pytest.approx(1 / 6)
    assert tuned["first"].p_corrected == pytest.approx(2 / 6)  # of two owners
    assert pruned["second"].verdict == "derived"
    independent = pairs_of(screen, "independent")["first"]
    assert independent.access == "weights"  # beside its scores and labels
    assert independent.queries > 0
    assert screen.savings.saved > 0


def test_a_file_that_cannot_be_read_is_a_row(screen: Screen) -> None:
    broken = next(one for one in screen.suspects if "broken" in one.suspect)
    assert broken.verdict is None
    assert broken.error is not None
    assert "safetensors" in broken.error
    assert not pairs_of(screen, "broken")


def test_what_is_known_costs_nothing(world: World, registry: Registry, digits: Digits, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(world.models, models)
    first = scanned(registry, str(models))
    again = scanned(registry, str(models))
    assert verdicts(again) == verdicts(first)
    assert (again.savings.known, again.savings.queries) == (8, 0)
    moved = models / "renamed.safetensors"
    shutil.move(models / "tuned.safetensors", moved)
    written(digits, strangers(digits, 1, seed=23)[0], models / "independent.safetensors")
    later = scanned(registry, str(models))
    assert later.savings.known == 6  # a moved file is known by its content, the changed one is not
    assert verdicts(later)["renamed"] == ("derived", "first")
    assert scanned(registry, str(models), alpha=0.4).savings.known == 0  # another question


def test_an_interrupted_scan_goes_on(world: World, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelprint.screening import scan as module

    kept = module._keep

    def keep(*arguments: object) -> None:
        kept(*arguments)  # type: ignore[arg-type]
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)

    done: list[int] = []
    monkeypatch.setattr(module, "_keep", keep)
    with pytest.raises(KeyboardInterrupt):
        scanned(registry, str(world.models))
    monkeypatch.undo()
    assert scanned(registry, str(world.models)).savings.known == 4  # two suspects with two fingerprints each


def test_processes_find_the_same(world: World, registry: Registry, screen: Screen) -> None:
    two = scanned(registry, str(world.models), jobs=2)
    assert two.pairs == screen.pairs
    assert verdicts(two) == verdicts(screen)


def test_without_queries_weights_and_files_alone_speak(world: World, registry: Registry) -> None:
    unasked = scanned(registry, str(world.models), asks=False)
    assert unasked.savings.queries == 0
    assert {pair.access for pair in unasked.pairs} == {"file", "weights"}
    assert verdicts(unasked)["tuned"] == ("derived", "first")


def test_labels_alone(world: World, registry: Registry) -> None:
    labels = scanned(registry, str(world.models / "independent.safetensors"), access=Access.LABELS)
    pairs = pairs_of(labels, "independent")
    assert pairs["first"].access == "labels"
    assert pairs["second"].verdict == "not-comparable"


def test_a_suspect_that_changes_while_it_is_read(
    world: World, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelprint.screening import scan as module

    suspect = tmp_path / "growing.safetensors"
    shutil.copy(world.models / "tuned.safetensors", suspect)
    judged = module.judged

    def judge(*arguments: object, **options: object) -> object:
        found = judged(*arguments, **options)  # type: ignore[arg-type]
        suspect.write_bytes(suspect.read_bytes() + b" ")
        return found

    monkeypatch.setattr(module, "judged", judge)
    (row,) = scanned(registry, str(suspect)).suspects
    assert row.error is not None
    assert "changed while it was read" in row.error


def test_too_few_calibration_models_are_said_before(world: World, registry: Registry) -> None:
    said: list[str] = []
    screen = scan(
        registry,
        targets_of([str(world.models / "tuned.safetensors")], ModelOptions()),
        Judging(alpha=0.05),
        notice=said.append,
    )
    assert "need 39 calibration models each" in said[0]
    assert "first, second" in said[0]
    assert screen.notes == tuple(said)
    assert screen.suspects[0].verdict == "inconclusive"
    assert "at least 39" in screen.suspects[0].message


def test_bh_is_refused_where_no_rank_can_pass(world: World, registry: Registry) -> None:
    with pytest.raises(UsageError, match=r"no p-value of 1 suspects can pass at 0\.05"):
        scanned(registry, str(world.models / "tuned.safetensors"), alpha=0.05, method="bh")


def test_an_empty_registry_is_refused(tmp_path: Path, world: World) -> None:
    with pytest.raises(UsageError, match="holds no fingerprint"):
        scanned(Registry.init(tmp_path / "empty"), str(world.models))


def test_the_printed_object(world: World, registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    models = str(world.models)
    assert run(["scan", str(registry.folder), models, "--alpha", "0.34", "--format", "json", "--exit-code"]) == 10
    printed = as_described("scan", capsys.readouterr().out)
    assert set(printed) >= {"schema", "pairs", "suspects", "method", "expected_false_positives", "alpha"}
    assert printed["schema"] == 1
    wanted = {"suspect", "fingerprint", "verdict", "p_value", "p_corrected", "access", "queries", "relation"}
    assert all(set(pair) >= wanted for pair in printed["pairs"])
    assert all(set(row) >= {"suspect", "verdict", "owner", "error"} for row in printed["suspects"])
    assert (printed["method"], printed["alpha"]) == ("holm", 0.34)
    assert (
        run(["scan", str(registry.folder), f"{models}/independent.safetensors", "--alpha", "0.34", "--exit-code"]) == 0
    )
    assert "1 suspects: 0 derived, 0 inconclusive, 0 cannot be read" in capsys.readouterr().out


def test_parts_of_a_scan_say_what_the_whole_says(
    world: World, registry: Registry, screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["scan", str(registry.folder), str(world.models), "--alpha", str(ALPHA), "--format", "json", "--shard"]
    parts = []
    for number in (1, 2):
        assert run([*words, f"{number}/2"]) == 0
        parts.append(Screen.model_validate_json(capsys.readouterr().out))
    pairs = {(pair.suspect, pair.fingerprint): pair for part in parts for pair in part.pairs}
    assert pairs == {(pair.suspect, pair.fingerprint): pair for pair in screen.pairs}
    expected = sum(part.expected_false_positives for part in parts)
    assert expected == pytest.approx(screen.expected_false_positives)
    assert run([*words, "1/2", "--method", "bh"]) == 2
    assert "corrects over all suspects together" in capsys.readouterr().err
