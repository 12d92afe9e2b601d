"""What the plans promise."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from pydantic import ValidationError

from modelprint.core.errors import UsageError
from modelprint.training.loop import TrainRecipe
from modelprint.zoo.checkpoint_design import PARTNER
from modelprint.zoo.plan import Plan
from modelprint.zoo.plans import plan_names, plan_of
from modelprint.zoo.recipes import Theft, Training, identity, theft, training
from tests.zoo.tiny import tiny_plan

RECIPE = TrainRecipe(epochs=3)


@pytest.mark.parametrize("name", plan_names())
def test_parts_share_no_model_and_no_seed(name: str) -> None:
    seeds: dict[str, set[int]] = defaultdict(set)
    identities: dict[str, set[str]] = defaultdict(set)
    for entry in plan_of(name).entries:
        seeds[entry.part].add(entry.recipe.seed)
        identities[entry.part].add(entry.identity)
    parts = list(seeds)
    for one in parts:
        for other in parts[: parts.index(one)]:
            assert not seeds[one] & seeds[other]
            assert not identities[one] & identities[other]


@pytest.mark.parametrize("name", plan_names())
def test_splits_are_kept_apart(name: str) -> None:
    plan = plan_of(name)
    for entry in plan.entries:
        split = entry.recipe.data.removeprefix(f"{plan.data}:").partition("[")[0]
        if entry.part in ("shadow", "rehearsal") or entry.role == "source":
            assert split == "owner"  # an owner has nothing else
        elif entry.role == "derived" and entry.part == "calibration":
            assert split == "stranger"  # thieves of strangers; the test's thieves hold the attacker's images
        elif entry.role == "derived" or entry.id == PARTNER:
            assert split not in ("owner", "stranger", "queries", "holdout")
        else:
            assert split in ("owner", "stranger")
        if entry.kind in ("SAST", "DAST"):
            assert split == "owner"
        if entry.kind in ("SADT", "DADT"):
            assert split == "stranger"


EVEN = ("transfer", "series", "vector", "text")  # whose kinds are about equally many


@pytest.mark.parametrize("name", [name for name in plan_names() if name not in EVEN])
def test_half_of_the_strangers_are_of_the_same_kind_as_the_source(name: str) -> None:
    for part in ("calibration", "test"):
        kinds = Counter(e.kind for e in plan_of(name).entries if e.part == part and e.role == "independent")
        assert kinds["SAST"] >= (kinds.total() - kinds["SHARED"]) / 2  # siblings are ranked by themselves


def test_transfer_has_the_numbers_that_were_asked_for() -> None:
    plan = plan_of("transfer")
    counts = Counter((entry.part, entry.role, entry.kind) for entry in plan.entries)
    assert len(plan.sources) == 2
    assert counts["test", "derived", None] >= 40
    assert counts["test", "independent", "SHARED"] == 60
    assert counts["test", "independent", "OTHER"] + counts["test", "independent", "DADT"] == 30
    assert (counts["calibration", "independent", "SHARED"], counts["calibration", "derived", None]) == (40, 20)
    assert (counts["shadow", "independent", "SHARED"], counts["shadow", "derived", None]) == (20, 2 * 8)
    thirds = [entry.source for entry in plan.entries if entry.part == "calibration" and entry.role == "derived"]
    assert len(set(thirds)) == 20  # a third party each


def test_fashion_has_the_numbers_that_were_asked_for() -> None:
    plan = plan_of("fashion")
    counts = Counter((entry.part, entry.role) for entry in plan.entries)
    assert len(plan.sources) == 3
    assert counts["test", "derived"] >= 60
    assert counts["test", "independent"] >= 100
    assert counts["calibration", "independent"] >= 99
    assert counts["shadow", "independent"] >= 8
    copies = Counter(entry.source for entry in plan.entries if entry.part == "test" and entry.role == "derived")
    assert min(copies[source.id] for source in plan.sources) >= 20
    for source in plan.sources:
        shadows = [entry for entry in plan.entries if entry.part == "shadow" and entry.source == source.id]
        assert len(shadows) >= 8
        assert sum(entry.family == "extraction" for entry in shadows) >= len(shadows) / 2
    robbed = {entry.source for entry in plan.entries if entry.part == "rehearsal" and entry.role == "derived"}
    assert len(robbed) == 3 + 6  # the sources, and strangers whose thefts show what any theft looks like
    assert not any("test" in name or "calibration" in name for name in robbed if name)
    for part in ("calibration", "test"):
        assert sum(entry.kind == "SHARED" for entry in plan.entries if entry.part == part) >= 10
    victims = [entry for entry in plan.entries if entry.part == "calibration" and entry.role == "derived"]
    assert len({entry.source for entry in victims}) == len(victims) == 40
    assert all((entry.source or "").startswith("calibration-sast") for entry in victims)
    families = {entry.family for entry in plan.entries if entry.part == "test" and entry.role == "derived"}
    assert families == {
        "fine-tuning", "pruning", "adversarial", "quantisation", "noise", "permutation", "removal", "transfer",
        "extraction", "chain",
    }  # fmt: skip


def test_stages_make_sources_before_their_copies_and_leave_sweeps_for_last() -> None:
    for plan in (plan_of("fashion"), tiny_plan()):
        made: set[str] = set()
        stages = plan.stages()
        for stage in stages:
            for entry in stage:
                if isinstance(entry.recipe, Theft):
                    assert entry.recipe.source in made
            made |= {entry.identity for entry in stage}
        assert made == {entry.identity for entry in plan.entries}
        assert all(entry.part == "sweep" for entry in stages[-1])


def test_an_unfinished_zoo_has_its_share_of_each_part() -> None:
    stage = max(plan_of("fashion").stages(), key=len)
    total, half = (Counter((e.part, e.role) for e in entries) for entries in (stage, stage[: len(stage) // 2]))
    for group, number in total.items():
        assert half[group] == pytest.approx(number / 2, abs=4)


def test_identity_depends_on_everything_that_makes_the_model() -> None:
    base = training("digits:owner", "mlp", {"width": 8}, RECIPE, seed=1)
    others: list[Training | Theft] = [
        training("digits:stranger", "mlp", {"width": 8}, RECIPE, seed=1),
        training("digits:owner", "cnn", {"width": 8}, RECIPE, seed=1),
        training("digits:owner", "mlp", {"width": 9}, RECIPE, seed=1),
        training("digits:owner", "mlp", {"width": 8}, TrainRecipe(epochs=4), seed=1),
        training("digits:owner", "mlp", {"width": 8}, RECIPE, seed=2),
        theft(base, "prune", {"rate": "0.5"}, "digits:attacker", seed=1),
        theft(base, "prune", {"rate": "0.6"}, "digits:attacker", seed=1),
    ]
    assert len({identity(recipe) for recipe in (base, *others)}) == 8
    assert identity(base) == identity(Training.model_validate_json(base.model_dump_json()))


def test_a_recipe_read_back_is_the_same_attack() -> None:
    source = training("digits:owner", "mlp", {}, RECIPE, seed=1)
    settings = {"arch": "vgg", "arch_args": '{"width": 8}', "temperature": "2"}
    recipe = theft(source, "extract-soft", settings, "digits:attacker", seed=1)
    again = Theft.model_validate_json(recipe.model_dump_json())
    assert again.method() == recipe.method()
    assert identity(again) == identity(recipe)


def test_unsound_plans_are_refused() -> None:
    plan = tiny_plan()
    fields = {"name": "twice", "data": "digits"}
    with pytest.raises(ValidationError, match="planned twice"):
        Plan(**fields, entries=(plan.entries[0], plan.entries[0]))
    orphan = next(entry for entry in plan.entries if entry.role == "derived")
    with pytest.raises(ValidationError, match=r"the source of .* is not planned"):
        Plan(**fields, entries=(orphan,))
    with pytest.raises(UsageError, match="unknown zoo 'safari'"):
        plan_of("safari")
