"""The owner's own code trains; what it does wrong becomes one clear line."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from modelprint.attacks import run_attack
from modelprint.cli.app import run
from modelprint.core.errors import ModelError
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.nn.spec import ModelSpec
from modelprint.training.loop import Epoch
from modelprint.training.own_recipe import OwnRecipe, TrainingData
from modelprint.training.train import TrainedModel, train_model

SPEC = ModelSpec(arch="mlp", arch_args={"width": 16}, channels=1, size=8, classes=10, mean=(0.3,), std=(0.4,))
GOOD = """
import numpy, random, torch

def fit(model, data, *, seed, device, progress):
    assert model.training and torch.is_grad_enabled()
    assert data.stored.dtype == numpy.uint8 and len(data) == len(data.labels)
    print("chatter")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(6):
        for inputs, targets in data.batches(64, seed + epoch):
            noise = 0.01 * torch.rand_like(inputs) + random.random() * 1e-3 + numpy.random.rand() * 1e-3
            loss = torch.nn.functional.cross_entropy(model(inputs + noise), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        progress("epochs", epoch + 1, 6)
"""


@pytest.fixture(scope="module")
def owner() -> LabelledSet:
    return load_data("digits:owner")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


@pytest.fixture(scope="module")
def good(folder: Path) -> OwnRecipe:
    return written(folder, "good", GOOD)


def written(folder: Path, name: str, code: str) -> OwnRecipe:
    path = folder / f"{name}.py"
    path.write_text(code)
    return OwnRecipe.named(f"{path}:fit")


def body(code: str) -> str:
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    return f"import sys, torch\n\ndef fit(model, data, *, seed, device, progress):\n{lines}\n"


@pytest.fixture(scope="module")
def trained(owner: LabelledSet, good: OwnRecipe) -> TrainedModel:
    return train_model(owner, SPEC, good, seed=4, holdout=load_data("digits:holdout"))


def test_it_trains_and_the_card_names_it_without_its_folder(trained, good):
    assert trained.card.accuracy > 0.85
    assert not trained.model.training
    assert trained.card.recipe["recipe"] == "good.py:fit"
    assert trained.card.recipe["recipe_sha256"] == good.sha256
    assert trained.report.losses == ()
    assert trained.report.images_per_second > 0


def test_the_same_seed_gives_the_same_weights_whatever_generators_it_uses(trained, owner, good):
    random.seed(99)
    torch.manual_seed(99)
    np.random.seed(99)
    before = random.getstate(), torch.get_rng_state().clone(), np.random.get_state()[1].copy()
    again = train_model(owner, SPEC, good, seed=4).model.state_dict()
    assert all(torch.equal(again[name], value) for name, value in trained.model.state_dict().items())
    other = train_model(owner, SPEC, good, seed=5).model.state_dict()
    assert not torch.equal(other["body.head.weight"], again["body.head.weight"])
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert np.array_equal(np.random.get_state()[1], before[2])


def test_what_it_prints_goes_to_stderr_and_its_progress_is_passed_on(owner, good, capsys):
    seen: list[Epoch] = []
    train_model(owner, SPEC, good, seed=0, on_epoch=seen.append)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "chatter\n")
    assert [(epoch.number, epoch.total, epoch.loss) for epoch in seen] == [(n, 6, None) for n in range(1, 7)]


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("raises", body("x = 1\nraise KeyError('weights')"), r"failed: KeyError: 'weights' \(.*raises.py, line 5\)"),
        ("exits", body("sys.exit(3)"), "ended the program: let it return"),
        ("wants_more", "def fit(model, data):\n    pass", "failed: TypeError: .*unexpected keyword"),
        ("broken", "def fit(:", "cannot import .*broken.py: SyntaxError"),
        ("no_fit", "def train(): pass", "has no fit: it has train"),
        ("number", "fit = 3", "fit is a int: name a function"),
        ("nothing", body("pass"), r"the recipe did not train: loss [\d.]+, accuracy [\d.]+% on its own data, chance"),
        (
            "nan",
            body("with torch.no_grad():\n    for p in model.parameters():\n        p.fill_(float('nan'))"),
            "did not train: loss nan",
        ),
        (
            "other_head",
            body("model.body.head = torch.nn.Linear(16, 3)"),
            r"changed the model's layers \(body.head.bias, body.head.weight\)",
        ),
        ("half", body("model.half()"), "changed the model's layers .* and 2 more"),
    ],
)
def test_a_recipe_that_does_wrong_is_one_clear_line(name, code, message, owner, folder):
    with pytest.raises(ModelError, match=message) as caught:
        train_model(owner, SPEC, written(folder, name, code), seed=0)
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_interrupted_stops(owner, folder):
    with pytest.raises(KeyboardInterrupt):
        train_model(owner, SPEC, written(folder, "stopped", body("raise KeyboardInterrupt")), seed=0)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("absent.py:fit", "absent.py does not exist"),
        ("no.such.module:fit", "there is no module no.such.module|no module no.such.module"),
        ("file.py", "names no callable: write path/to/file.py:fit"),
    ],
)
def test_a_recipe_that_is_not_there_is_refused_before_any_work(code, message):
    with pytest.raises(ModelError, match=message):
        OwnRecipe.named(code)


def test_code_that_was_edited_meanwhile_is_not_run(owner, folder):
    recipe = written(folder, "edited", GOOD)
    written(folder, "edited", GOOD + "# other\n")
    with pytest.raises(ModelError, match="was changed while it was in use"):
        train_model(owner, SPEC, recipe, seed=0)


def data_of(count: int) -> TrainingData:
    images = np.arange(count * 16, dtype=np.uint32).astype(np.uint8).reshape(count, 1, 4, 4)
    return TrainingData(stored=images, labels=np.arange(count), classes=count, device=torch.device("cpu"))


def test_batches_are_every_input_once_in_an_order_of_the_seed():
    data = data_of(10)
    first, again, other = (torch.cat([targets for _, targets in data.batches(4, seed)]).tolist() for seed in (1, 1, 2))
    assert sorted(first) == list(range(10))
    assert first == again != other
    for inputs, targets in data.batches(4, 1):
        assert inputs.dtype == torch.float32
        assert torch.equal(inputs, torch.from_numpy(data.stored[targets.numpy()]).float() / 255)


def test_a_last_batch_of_one_is_left_out_unless_it_is_all_there_is():
    assert [len(targets) for _, targets in data_of(9).batches(4, 0)] == [4, 4]
    assert [len(targets) for _, targets in data_of(1).batches(4, 0)] == [1]


@pytest.fixture(scope="module")
def source(trained: TrainedModel) -> Normalized:
    return trained.model


def test_extraction_teaches_an_own_recipe_probabilities(source, owner, folder):
    code = GOOD.replace("print(", "assert data.labels.dtype == numpy.float32 and data.labels.shape[1] == 10; print(")
    recipe = written(folder, "soft", code + "\n")
    attacked = run_attack("extract-soft", {}, source, SPEC, owner, seed=1, recipe=recipe.code, holdout=owner)
    assert attacked.agreement > 0.8
    assert attacked.card.recipe["parameters"]["recipe"] == recipe.card()
    assert "epochs" not in attacked.card.recipe["parameters"]


def test_fine_tuning_of_the_last_layer_moves_nothing_else(source, owner, good):
    attacked = run_attack("ftll", {}, source, SPEC, owner, seed=1, recipe=good.code)
    before = source.state_dict()
    moved = {name for name, value in attacked.model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"body.head.weight", "body.head.bias"}
    assert all(parameter.requires_grad for parameter in attacked.model.parameters())


def test_an_attack_with_hooks_says_that_it_trained_otherwise(source, owner, good):
    attacked = run_attack("adversarial", {"epochs": "1"}, source, SPEC, owner, seed=1, recipe=good.code)
    assert attacked.report["note"] == (
        "adversarial hooks into training: the built-in loop trained with sgd, not good.py:fit"
    )
    assert attacked.card.recipe["note"] == attacked.report["note"]
    assert attacked.card.recipe["parameters"]["epochs"] == 1


@pytest.mark.parametrize("kind", ["ftal", "ftll", "adversarial", "removalnet", "transfer", "fine-prune", "chain"])
def test_attacks_train_by_adamw(kind, source, owner):
    settings = {"lr": "0.001", **({"iterations": "5"} if kind == "removalnet" else {"epochs": "2"})}
    attacked = run_attack(kind, settings, source, SPEC, owner.take(slice(0, 300)), seed=1, recipe="adamw")
    parameters = attacked.card.recipe["parameters"]
    assert parameters["recipe"]["recipe"] == "adamw"
    assert parameters["recipe"]["lr"] == 0.001
    assert "note" not in attacked.report
    before = source.state_dict()
    bias = "body.head.bias"  # which no attack prunes
    assert kind == "transfer" or not torch.equal(attacked.model.state_dict()[bias], before[bias])


def test_a_chosen_recipe_that_trains_nothing_is_an_error_of_the_attack(source, owner, folder):
    idle = written(folder, "idle", body("pass"))
    with pytest.raises(ModelError, match="the recipe did not train"):
        run_attack("extract-labels", {}, source, SPEC, owner, seed=1, recipe=idle.code)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("nn.Sequential(nn.Flatten(), nn.Linear(64, 3))", r"net\.py:net gives outputs of shape \(2, 3\)"),
        ("nn.Conv2d(1, 10, 9)", r"net\.py:net fails on two images of shape \(1, 8, 8\)"),
    ],
)
def test_code_that_does_not_fit_the_data_is_one_line_before_anything_is_trained(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(f"from torch import nn\ndef net():\n    return {code}\n")
    assert run(["train", "digits:owner", "--arch", "net.py:net", "--out", "m.safetensors"]) == 1
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
    assert not Path("m.safetensors").exists()
