"""Plans of zoos as TOML files: the committed ones are what they were, and errors name the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprint.core.errors import UsageError
from modelprint.core.identity import digest_json
from modelprint.zoo.plans import plan_names, plan_of

# SHA-256 of each plan, and of the ids and recipes of its models, as they were when plans were Python
PLANS = {
    "digits": ("ee3b521152a3ee81", "1327e1905ffc6130"),
    "fashion": ("093cfd80b802eda9", "3f9e42e1f55ce97e"),
    "cifar10": ("5a8a0c52bc344bc0", "8697bc033ecef723"),
    "cifar10-small": ("971d94a18d73be0c", "674b79aa011793f0"),
}
PLAN = """
name = "mine"
data = "digits"
size = 1797
shadow = { SAST = 1 }
calibration = { SAST = 2, DAST = 1 }
test = { SAST = 1 }

[network]
arch = "mlp"
arch_args = { width = 16 }
training = "quick"

[[others]]
arch = "cnn"
training = "quick"

[training.quick]
epochs = 1

[attacks.ftal]
epochs = 2

[test_copies]
FTAL = { attack = "ftal" }
"FTAL, long" = { attack = "ftal", epochs = 3, data = "attacker[0:100]" }
"""


@pytest.mark.parametrize("name", list(PLANS))
def test_a_committed_plan_is_what_it_was(name: str) -> None:
    plan = plan_of(name)
    recipes = digest_json([(entry.id, entry.identity) for entry in plan.entries])
    assert (plan.identity[7:23], recipes[7:23]) == PLANS[name]


def test_every_committed_plan_is_pinned() -> None:
    assert set(plan_names()) == set(PLANS)


def test_a_file_is_a_plan(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PLAN)
    plan = plan_of(str(tmp_path / "mine.toml"))
    assert plan.name == "mine"
    copies = {entry.attack: entry.recipe for entry in plan.entries if entry.role == "derived"}
    assert copies["FTAL"].model_dump()["parameters"]["epochs"] == 2
    assert copies["FTAL, long"].model_dump()["parameters"]["epochs"] == 3
    assert copies["FTAL, long"].data == "digits:attacker[0:100]"
    assert [entry.kind for entry in plan.entries if entry.part == "calibration"] == ["SAST", "SAST", "DAST"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "mine"', 'nam = "mine"', r"mine\.toml: name: Field required"),
        ("size = 1797", "size = 0", r"mine\.toml: size: Input should be greater"),
        ("[network]", "[net]", r"mine\.toml: network: Field required"),
        ('[[others]]\narch = "cnn"', "[[others]]", r"mine\.toml: others 1, arch: Field required"),
        ('training = "quick"\n\n[[', 'training = "fast"\n\n[[', "network: unknown training 'fast': use one of quick"),
        ("epochs = 1\n", "epoch = 1\n", "training 'quick' has 'epoch': it may have epochs, lr"),
        (
            'FTAL = { attack = "ftal" }',
            'FTAL = { attack = "x" }',
            r"test_copies 'FTAL': unknown attack 'x': use",
        ),
        ('FTAL = { attack = "ftal" }', "FTAL = { epochs = 1 }", "test_copies 'FTAL': names no attack: use one of"),
        ("epochs = 3", "epoch = 3", "test_copies 'FTAL, long': attack ftal has no parameter 'epoch'"),
        ("SAST = 1 }", "SAST = }", r"mine\.toml is not TOML"),
    ],
)
def test_errors_name_the_place(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in PLAN
    (tmp_path / "mine.toml").write_text(PLAN.replace(old, new, 1))
    with pytest.raises(UsageError, match=message):
        plan_of(str(tmp_path / "mine.toml"))


def test_no_such_plan(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        plan_of(str(tmp_path / "gone.toml"))
    with pytest.raises(UsageError, match="unknown zoo 'safari': use one of cifar10, cifar10-small, digits"):
        plan_of("safari")
