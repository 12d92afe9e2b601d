"""Plans of zoos as TOML files: the committed ones are what they were, and errors name the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprint.core.errors import UsageError
from modelprint.core.identity import digest_json
from modelprint.nn.loading import load_model
from modelprint.zoo import build
from modelprint.zoo.plans import plan_names, plan_of
from modelprint.zoo.recipes import made_by

# SHA-256 of each plan, and of the ids and recipes of its models, as they were when plans were Python
PLANS = {
    "digits": ("ee3b521152a3ee81", "1327e1905ffc6130"),
    "fashion": ("093cfd80b802eda9", "3f9e42e1f55ce97e"),
    "cifar10": ("5a8a0c52bc344bc0", "8697bc033ecef723"),
    "cifar10-small": ("971d94a18d73be0c", "674b79aa011793f0"),
    "transfer": ("7082bdd93ba1f9a1", "c9fa16a4ab57fc18"),
    "series": ("2b72c5c98c8ffce5", "d2891bffe04474d3"),
    "control-charts": ("cf1f324ecbbc7d18", "9c002c4ca0445264"),
    "vector": ("ba5adc1cfb40f075", "e052f4405bbf3267"),
    "text": ("d9bec71b224db7dc", "6f80dd8cafba9f13"),
    "made-up-languages": ("cebf7c0302bda009", "bd12d3e491842384"),
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
        ("epochs = 1\n", "epoch = 1\n", "training 'quick' has 'epoch': it may have recipe, epochs, lr"),
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
    with pytest.raises(
        UsageError, match="unknown zoo 'safari': use one of cifar10, cifar10-small, control-charts, digits"
    ):
        plan_of("safari")


OWN = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, 24), nn.GELU())
        self.answer = nn.Linear(24, classes)

    def forward(self, inputs):
        return {"logits": self.answer(self.body(inputs))}


def net(*, channels, size, classes):
    return Net(channels, size, classes)


def fit(model, data, *, seed, device, progress):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(6):
        for inputs, targets in data.batches(64, seed + epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
"""
OWN_PLAN = PLAN.replace(
    'arch = "mlp"\narch_args = { width = 16 }\ntraining = "quick"', 'arch = "net.py:net"\ntraining = "own"'
)
OWN_PLAN += """
[training.own]
recipe = "net.py:fit"

[training.warm]
recipe = "adamw"
epochs = 4
lr = 0.003
"""
OWN_PLAN = OWN_PLAN.replace('arch = "cnn"\ntraining = "quick"', 'arch = "mlp"\ntraining = "warm"')


def test_a_plan_may_name_own_code_and_recipes_which_run_where_they_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(OWN)
    Path("mine.toml").write_text(OWN_PLAN)
    with pytest.raises(UsageError, match=r"names code, net\.py:net: pass --trust-code"):
        build("mine.toml", folder=tmp_path / "zoo")
    state = build("mine.toml", folder=tmp_path / "zoo", trust_code=True)
    assert (state.done, state.failures) == (state.total, ())
    entries = {entry.id: entry for entry in plan_of("mine.toml").entries}
    source = load_model(tmp_path / "zoo" / entries["source-1"].file, trust_code=True)
    assert source.card is not None
    assert source.card.recipe["recipe"] == "net.py:fit"
    assert source.card.accuracy is not None
    assert source.card.accuracy > 0.5
    assert made_by(source.card, entries["source-1"].recipe)
    other = load_model(tmp_path / "zoo" / entries["calibration-dast-01"].file)
    assert other.card is not None
    assert (other.card.recipe["recipe"], other.card.recipe["epochs"]) == ("adamw", 4)
    copy = load_model(tmp_path / "zoo" / entries["test-source-1-ftal"].file, trust_code=True)
    assert copy.card is not None
    assert copy.card.recipe["source"] == source.identity


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'recipe = "adamw"\nmomentum = 0.5',
            r"network: training 'quick' has 'momentum': it may have recipe, epochs, lr",
        ),
        ('recipe = "net.py:fit"\nepochs = 3', "'epochs': it may have nothing but recipe, which is your own code"),
    ],
)
def test_fields_of_another_recipe_are_named(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(PLAN.replace("[training.quick]\nepochs = 1", f"[training.quick]\n{line}"))
    with pytest.raises(UsageError, match=message):
        plan_of(str(path))
